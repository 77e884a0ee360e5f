"""What stands in the files of tests/e2e/production can be understood without running it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploylib import config

HERE = Path(__file__).resolve().parents[1] / "e2e" / "production"
ROOT = HERE.parents[2]


def document(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / name).read_text())


@pytest.mark.parametrize("kind", ["second_plan", "not_proved"])
def test_every_exception_has_its_reason(kind: str) -> None:
    assert [one for one in document("exceptions.toml").get(kind, []) if not one.get("reason")] == []


def test_every_difference_belongs_to_a_variable_that_the_environments_set() -> None:
    stg, prd = (config.load(ROOT, name, variables={}).terraform for name in ("stg", "prd"))
    for variable, named in document("differences.toml").items():
        assert value(stg, variable) != value(prd, variable), f"{variable} is the same in both"
        assert named["why"]
        assert named["where"]


def value(table: Any, path: str) -> Any:
    """Return what *table* has at the dotted *path*; nothing where the stack's own default holds."""
    for step in path.split("."):
        table = table.get(step) if table else None
    return table

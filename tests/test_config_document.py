"""The JSON Schema of the configuration: it takes what the tool takes, and refuses what the tool refuses."""

from __future__ import annotations

import tomllib
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from deploylib import config
from deploylib.config import document
from deploylib.config.files import laid_over
from deploylib.errors import OutdatedError

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = sorted({one.parent for one in ROOT.glob("**/environments/*.toml") if ".local" not in one.parts})
FILES = [one for folder in FOLDERS for one in sorted(folder.glob("*.toml"))]
WHOLE, PART = document.schema(ROOT), document.schema(ROOT, part=True)


def read(folder: Path, stem: str) -> dict[str, Any]:
    path = folder / f"{stem}.toml"
    return tomllib.loads(path.read_text()) if path.is_file() else {}


def environment(name: str) -> dict[str, Any]:
    return laid_over(read(ROOT / "environments", config.COMMON), read(ROOT / "environments", name))


def mistakes(found: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    return [".".join(map(str, one.absolute_path)) for one in Draft202012Validator(schema).iter_errors(found)]


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return an environment with *value* at the dotted *path*; None takes it away."""
    found = deepcopy(environment("stg"))
    *way, last = path.split(".")
    table = found
    for part in way:
        table = table.setdefault(part, {})
    if value is None:
        del table[last]
    else:
        table[last] = value
    return found


@pytest.mark.parametrize("schema", [WHOLE, PART], ids=["whole", "part"])
def test_the_schema_is_one(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", config.names(ROOT))
def test_every_environment_of_the_project_fits(name: str) -> None:
    assert mistakes(environment(name), WHOLE) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_of_the_project_and_its_examples_fits_as_a_part(path: Path) -> None:
    assert mistakes(tomllib.loads(path.read_text()), PART) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("account.id", 111111111111),
        ("account.id", "12345"),
        ("account.region", "tokyo"),
        ("account", None),
        ("app.name", None),
        ("colour", "green"),
        ("migration.comand", ["x"]),
        ("images.roles.WEB", {"dockerfile": "Dockerfile"}),
        ("images.roles", {}),
        ("release.on_failure", "hope"),
        ("rollout.poll_seconds", 0),
        ("notifications", [{"events": ["born"]}]),
        ("terraform.networks", {}),
        ("terraform.services.web.cpus", 256),
        ("terraform.services.web.containers.app.port", [80]),
        ("terraform.network.zones", "a"),
    ],
)
def test_what_the_tool_refuses_the_schema_refuses(path: str, value: Any) -> None:
    assert mistakes(changed(path, value), WHOLE)


@pytest.mark.parametrize(
    ("path", "value"),
    [("terraform.services.web.cpu", "256"), ("rollout.timeout_seconds", 60), ("release", {"on_failure": "stop"})],
)
def test_what_the_tool_takes_the_schema_takes(path: str, value: Any) -> None:
    assert mistakes(changed(path, value), WHOLE) == []


def test_a_part_may_leave_out_what_another_file_has() -> None:
    assert mistakes({"account": {"profile": "mine"}}, PART) == []
    assert mistakes({"account": {"profile": "mine"}}, WHOLE)


def test_each_table_says_what_it_is_for() -> None:
    tables = [*WHOLE["$defs"].values(), WHOLE]
    assert [one for one in tables if not one.get("description")] == []
    assert "title" not in WHOLE["$defs"]["Account"]["properties"]["id"]


def test_the_published_schema_is_up_to_date() -> None:
    document.check(ROOT)


def test_without_a_stack_terraform_takes_anything(tmp_path: Path) -> None:
    free = {**environment("stg"), "terraform": {"anything": [1, {"goes": True}]}}
    assert mistakes(free, document.schema(tmp_path)) == []


def test_an_old_schema_is_found_and_mended(tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / document.PUBLISHED).write_text("{}", encoding="utf-8")
    with pytest.raises(OutdatedError, match=r"environments/schema\.json is not what"):
        document.check(tmp_path)
    document.write(tmp_path)
    document.check(tmp_path)

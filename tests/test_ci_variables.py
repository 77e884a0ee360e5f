"""What a job runs for, by the variables that each CI system documents."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploylib import branches, ci_variables
from deploylib.ci_variables import Trigger
from deploylib.errors import RefusedError

CASES: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "cases/ci_variables.toml").read_text())["case"]
BRANCHES = {"main": "stg", "release": "prd", "deployment/*": "*"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_job_runs_for_what_its_variables_say(case: dict[str, Any]) -> None:
    assert ci_variables.read(case["variables"], case.get("event")) == Trigger(**case["is"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_auto_is_the_branch_s_environment_and_refuses_everything_else(case: dict[str, Any]) -> None:
    found = ci_variables.read(case["variables"], case.get("event"))
    assert found is not None
    if case["means"]:
        assert branches.resolve(found, BRANCHES, ("prd", "stg")) == case["means"]
        return
    with pytest.raises(RefusedError, match=r"^--env auto: ") as refused:
        branches.resolve(found, BRANCHES, ("prd", "stg"))
    assert refused.value.exit_code == 3


@pytest.mark.parametrize(
    "variables", [{}, {"CI": "false"}, {"GITHUB_REF": "refs/heads/main"}, {"CIRCLE_BRANCH": "main"}]
)
def test_outside_of_a_ci_system_nothing_is_said(variables: dict[str, str]) -> None:
    assert ci_variables.read(variables) is None

"""Two definitions that ECS treats alike are equal in one form; nothing else is."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploylib import canonical, taskdef

CASES: dict[str, Any] = tomllib.loads((Path(__file__).parent / "cases/canonical.toml").read_text())
FIELDS = sorted(
    {*canonical.DEFAULTS, *canonical.UNORDERED, *canonical.SETS, "containerPort", "hostPort", "protocol"} - {""}
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["awsvpc", "tcp", "x", ".5 vCPU"]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), values, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("case", CASES["same"], ids=lambda case: case["name"])
def test_what_ecs_treats_alike_does_not_differ(case: dict[str, Any]) -> None:
    registered, described = json.loads(case["registered"]), json.loads(case["described"])
    assert taskdef.differences(registered, described) == ()
    assert taskdef.differences(described, registered) == ()


@pytest.mark.parametrize("case", CASES["different"], ids=lambda case: case["name"])
def test_what_ecs_treats_otherwise_differs(case: dict[str, Any]) -> None:
    found = taskdef.differences(json.loads(case["old"]), json.loads(case["new"]))
    assert [one.path for one in found] == case["paths"]


@given(definition=st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=5))
def test_any_document_has_a_form_and_is_left_as_it_was(definition: dict[str, Any]) -> None:
    before = copy.deepcopy(definition)
    assert canonical.form(definition) == canonical.form(copy.deepcopy(definition))
    assert definition == before


def test_the_home_of_a_definition_is_in_its_arn() -> None:
    arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:3"
    assert canonical.home({"taskDefinitionArn": arn}) == "eu-west-1:123456789012"
    assert canonical.home({}) == ""

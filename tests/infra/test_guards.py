from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploylib.config import Account, App, Environment, Images, RoleImage
from deploylib.errors import RefusedError
from deploylib.infra.changes import Action, Change, Changes, Danger
from deploylib.infra.guards import check_dangers

STG = Environment(
    name="stg",
    root=Path("/nowhere"),
    app=App(name="shop", path="app"),
    account=Account(id="111111111111", region="ap-northeast-1"),
    images=Images(roles={"web": RoleImage(dockerfile="Dockerfile")}),
)
PRD = replace(STG, name="prd", protected=True)


def changes(action: Action, *dangers: Danger) -> Changes:
    return Changes(changes=(Change(address="x.y", type="x", action=action, dangers=dangers),))


@pytest.mark.parametrize("environment", [STG, PRD], ids=lambda one: one.name)
def test_replacing_what_serves_needs_a_flag_everywhere(environment: Environment) -> None:
    with pytest.raises(RefusedError, match=r"replace: x\.y is serving") as caught:
        check_dangers(changes(Action.REPLACE, Danger.SERVING), environment)
    assert "--allow-replace" in caught.value.hint
    assert caught.value.exit_code == 3
    check_dangers(changes(Action.REPLACE, Danger.SERVING), environment, allow_replace=True)


@pytest.mark.parametrize("action", [Action.DELETE, Action.REPLACE])
def test_losing_data_needs_a_flag_in_a_protected_environment(action: Action) -> None:
    check_dangers(changes(action, Danger.DATA), STG)
    with pytest.raises(RefusedError, match="holds data") as caught:
        check_dangers(changes(action, Danger.DATA), PRD, allow_replace=True)
    assert "--allow-delete" in caught.value.hint
    check_dangers(changes(action, Danger.DATA), PRD, allow_delete=True)


def test_deleting_what_serves_needs_a_flag_in_a_protected_environment() -> None:
    check_dangers(changes(Action.DELETE, Danger.SERVING), STG)
    with pytest.raises(RefusedError, match="is serving"):
        check_dangers(changes(Action.DELETE, Danger.SERVING), PRD)


@pytest.mark.parametrize("allowed", [{}, {"allow_replace": True}])
def test_destroying_a_protected_environment_needs_the_flag_too(allowed: dict[str, Any]) -> None:
    everything = changes(Action.DELETE, Danger.DATA)
    check_dangers(everything, STG, destroying=True)
    with pytest.raises(RefusedError):
        check_dangers(everything, PRD, destroying=True, **allowed)


def test_what_is_harmless_needs_no_flag() -> None:
    check_dangers(changes(Action.REPLACE), PRD)
    check_dangers(changes(Action.DELETE), PRD)
    check_dangers(Changes(), PRD)

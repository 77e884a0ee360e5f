from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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
ADDRESS = 'module.service["web"].aws_ecs_service.this'


def changes(action: Action, *dangers: Danger, address: str = "x.y") -> Changes:
    return Changes(changes=(Change(address=address, type="x", action=action, dangers=dangers),))


@pytest.mark.parametrize("environment", [STG, PRD], ids=lambda one: one.name)
@pytest.mark.parametrize("danger", Danger)
@pytest.mark.parametrize("action", [Action.REPLACE, Action.DELETE])
def test_each_danger_needs_its_address_everywhere(environment: Environment, danger: Danger, action: Action) -> None:
    with pytest.raises(RefusedError, match=rf"{action}: x\.y {danger}") as caught:
        check_dangers(changes(action, danger), environment)
    assert caught.value.hint.endswith("--allow-destroy x.y")
    assert caught.value.exit_code == 3
    check_dangers(changes(action, danger), environment, allowed=["x.y"])


def test_every_address_that_is_refused_is_in_the_hint_ready_for_a_shell() -> None:
    two = Changes(
        changes=(
            *changes(Action.REPLACE, Danger.DATA).changes,
            *changes(Action.DELETE, Danger.USED, address=ADDRESS).changes,
        )
    )
    with pytest.raises(RefusedError) as caught:
        check_dangers(two, STG)
    assert caught.value.hint.endswith(f"--allow-destroy x.y --allow-destroy '{ADDRESS}'")
    with pytest.raises(RefusedError, match=r"module\.service") as caught:
        check_dangers(two, STG, allowed=["x.y"])
    assert "x.y" not in caught.value.hint


@pytest.mark.parametrize("allowed", ["module.service", 'module.service["web"]', ADDRESS])
def test_a_module_allows_everything_in_it(allowed: str) -> None:
    check_dangers(changes(Action.REPLACE, Danger.SERVING, address=ADDRESS), STG, allowed=[allowed])


@pytest.mark.parametrize("allowed", ["module", "module.serv", 'module.service["we"]', ADDRESS[:-1], ""])
def test_the_beginning_of_a_name_allows_nothing(allowed: str) -> None:
    with pytest.raises(RefusedError):
        check_dangers(changes(Action.REPLACE, Danger.SERVING, address=ADDRESS), STG, allowed=[allowed])


def test_who_uses_it_is_said() -> None:
    used = replace(changes(Action.DELETE, Danger.USED).changes[0], used_by=("shop-web:7",))
    with pytest.raises(RefusedError, match=r"is used by what runs \(shop-web:7\)"):
        check_dangers(Changes(changes=(used,)), STG)


def test_destroying_needs_the_addresses_in_a_protected_environment_only() -> None:
    everything = changes(Action.DELETE, Danger.DATA)
    check_dangers(everything, STG, destroying=True)
    with pytest.raises(RefusedError):
        check_dangers(everything, PRD, destroying=True)
    check_dangers(everything, PRD, destroying=True, allowed=["x.y"])


def test_what_is_harmless_needs_no_flag() -> None:
    check_dangers(changes(Action.REPLACE), PRD)
    check_dangers(changes(Action.DELETE), PRD)
    check_dangers(Changes(), PRD)


WEB = 'module.service["web"]'


def service(action: Action, name: str, *dangers: Danger, module: str = WEB) -> Change:
    address = f"{module}.aws_ecs_service.{name}[0]"
    return Change(address=address, type="aws_ecs_service", action=action, module=module, dangers=dangers)


@pytest.mark.parametrize(("gone", "made"), [("this", "switched"), ("switched", "this")])
def test_another_deployment_controller_is_said_with_the_way_that_interrupts_nobody(gone: str, made: str) -> None:
    both = Changes(changes=(service(Action.DELETE, gone, Danger.SERVING), service(Action.CREATE, made)))
    with pytest.raises(RefusedError, match="another deployment controller, nothing serves meanwhile: module") as caught:
        check_dangers(both, STG)
    assert caught.value.hint.startswith("docs/releases.md#from-rolling-to-codedeploy-and-back")
    assert caught.value.hint.endswith(f"--allow-destroy '{WEB}.aws_ecs_service.{gone}[0]'")
    check_dangers(both, STG, allowed=[WEB])


def test_a_service_that_goes_while_another_one_comes_is_no_other_controller() -> None:
    gone = service(Action.DELETE, "this", Danger.SERVING)
    with pytest.raises(RefusedError) as caught:
        check_dangers(Changes(changes=(gone, service(Action.CREATE, "switched", module='module.service["api"]'))), STG)
    assert caught.value.hint.startswith("if that is meant")

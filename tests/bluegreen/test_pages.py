"""What a person reads of services that do not roll: the plan and the status, as golden files at 100 columns."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploylib import overview
from deploylib.release import propose_rollback
from deploylib.report import console, plans
from deploylib.report import overview as states
from tests.bluegreen import scenery
from tests.bluegreen.scenery import JOB, group, proposed
from tests.fakes import releases
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from tests.fakes.world import World

GOLDEN = Path(__file__).parent / "golden"
WIDTH = 100
WAITS = {"ready_wait_minutes": 60, "shift_minutes": 9, "termination_wait_minutes": 10}
HOOKS = {"BeforeInstall": "guestbook-ready", "AfterAllowTestTraffic": "guestbook-smoke"}
PAUSE = {
    "targetType": "PAUSE",
    "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"],
    "timeoutConfiguration": {"timeoutInMinutes": 30},
}
CALL = {"targetType": "AWS_LAMBDA", "lifecycleStages": ["PRE_SCALE_UP", "POST_SCALE_UP"]}
NATIVE: dict[str, dict[str, Any]] = {
    "web": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5, "lifecycleHooks": [CALL]},
    "api": {
        "strategy": "LINEAR",
        "bakeTimeInMinutes": 5,
        "linearConfiguration": {"stepPercent": 25.0, "stepBakeTimeInMinutes": 4},
    },
    "shop": {
        "strategy": "CANARY",
        "canaryConfiguration": {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 9},
        "lifecycleHooks": [PAUSE],
    },
}
ENVIRONMENT = worlds.environment(services=scenery.POLICY)


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def page(show: Any, value: object) -> str:
    """Return what is printed of *value*, without the blanks at the ends of its lines."""
    file = io.StringIO()
    show(value, console=console.page(file, width=WIDTH, terminal=False))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def codedeploy(settings: dict[str, Any], *, released: bool = True) -> World:
    """Return a world whose deployment group is set up as *settings* of the contract say."""
    made = scenery.world(JOB, released=released)
    document = made.contract_document()
    document["services"]["web"]["codedeploy"] |= settings
    made.contract_document = lambda: document  # type: ignore[method-assign]
    made.aws.ssm.give(worlds.PARAMETER, json.dumps(document))
    return made


def native() -> World:
    """Return a world of a service for each of ECS's own strategies, beside one that rolls."""
    specs = [worlds.ServiceSpec(key=key, containers={"app": "web"}, tasks=2, balanced=True) for key in NATIVE]
    made = worlds.world(*specs, JOB)
    for key, configuration in NATIVE.items():
        made.update(key, deploymentConfiguration=configuration)
    made.settle()
    return made


def waiting() -> World:
    """Return a world in which somebody's deployment waits until traffic may move."""
    made = scenery.world(JOB)
    group(made).ready_wait_seconds = 3600.0
    made.aws.codedeploy.start(worlds.WEB, made.register("web", 2))
    made.clock.advance_until(lambda: made.aws.codedeploy.newest.status == "Ready")
    return made


def test_plan_of_a_service_under_codedeploy_says_what_it_does_on_the_way() -> None:
    made = codedeploy({**WAITS, "hooks": HOOKS})
    assert page(plans.plan, proposed(made).plan) == golden("plan-codedeploy")


def test_plan_of_a_first_release_under_codedeploy() -> None:
    made = codedeploy({}, released=False)
    assert page(plans.plan, proposed(made, 1).plan) == golden("plan-codedeploy-first")


def test_plan_of_services_with_strategies_of_ecs_tells_them_apart() -> None:
    assert page(plans.plan, releases.proposed(native(), migration=None).plan) == golden("plan-native")


def test_plan_of_a_way_back_under_codedeploy() -> None:
    made = codedeploy(WAITS)
    for number in (2, 3):
        releases.run(proposed(made, number), number)
        made.settle()
    back = propose_rollback(ENVIRONMENT, made.account, clock=made.clock)
    assert page(plans.plan, back.plan) == golden("plan-codedeploy-back")


def test_status_has_the_strategies_apart() -> None:
    made = native()
    assert page(states.state, overview.look(made.account, ENVIRONMENT, clock=made.clock)) == golden("status-native")


def test_status_says_what_waits_for_a_person_and_the_command() -> None:
    made = waiting()
    status = overview.look(made.account, ENVIRONMENT, clock=made.clock)
    assert page(states.state, status) == golden("status-codedeploy")


def test_status_without_the_right_to_ask_codedeploy_is_shown_without_it() -> None:
    made = waiting()
    made.aws.codedeploy.refuse("list_deployments", "AccessDeniedException")
    assert overview.look(made.account, ENVIRONMENT, clock=made.clock).services[0].held == ""


def test_status_where_every_service_rolls_says_nothing_of_strategies() -> None:
    made = worlds.world()
    assert "strategy" not in page(states.state, overview.look(made.account, worlds.environment(), clock=made.clock))


def test_targets_are_those_of_the_task_set_that_takes_the_traffic() -> None:
    made = scenery.world()
    for number in (2, 3):  # so that either group has served
        (web,) = overview.look(made.account, ENVIRONMENT, clock=made.clock).services
        assert web.targets == overview.Targets(healthy=2, total=2)
        releases.run(proposed(made, number), number)
        made.settle()

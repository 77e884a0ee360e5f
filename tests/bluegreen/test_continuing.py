"""`inv continue`: what waits for a person, and goes on."""

from __future__ import annotations

from typing import Any

import pytest

from deploylib import events, release
from deploylib.bluegreen import continuing
from deploylib.bluegreen.judging import CONTINUE
from deploylib.errors import RefusedError
from tests.bluegreen import scenery
from tests.bluegreen.scenery import group, proposed, revisions, world
from tests.fakes import world as worlds
from tests.fakes.clock import when
from tests.fakes.door import Response, operation
from tests.fakes.ecs import FakeEcs
from tests.fakes.releases import kinds, ready

ENVIRONMENT = worlds.environment(services=scenery.POLICY)


def test_release_that_waits_for_a_person_goes_on_and_completes() -> None:
    made, went_on = world(), list[str]()
    group(made).ready_wait_seconds, group(made).termination_wait_seconds = 3600.0, 3600.0
    told = list[events.Event]()
    for event in release.execute(proposed(made), ready(worlds.digests(2))):
        told.append(event)
        if isinstance(event, events.Progressed) and event.services[0].state in (CONTINUE, "termination wait"):
            (waiting,) = continuing.look(made.account, ENVIRONMENT)
            went_on.append(waiting.wait)
            continuing.go_on(made.account, waiting)
    assert went_on == ["READY_WAIT", "TERMINATION_WAIT"]
    assert kinds(told)[-1] == "Completed"
    assert made.clock.monotonic() < 600
    assert revisions(made) == {f"{worlds.WEB}:2"}


def test_the_time_limit_has_room_for_every_wait() -> None:
    made = world()
    document = made.contract_document()
    waits = {"ready_wait_minutes": 600, "shift_minutes": 20, "termination_wait_minutes": 60}
    document["services"]["web"]["codedeploy"] |= waits
    made.contract_document = lambda: document  # type: ignore[method-assign]
    limit = proposed(made).plan.services[0].limit
    assert limit
    assert limit.seconds >= 680 * 60
    assert "plus 600 min until inv continue" in limit.why


def test_nothing_that_waits_is_refused() -> None:
    with pytest.raises(RefusedError, match="no deployment waits for anybody"):
        continuing.look(world().account, ENVIRONMENT)
    with pytest.raises(RefusedError, match="no deployment of web waits"):
        continuing.look(world().account, ENVIRONMENT, service="web")


class PausingEcs(FakeEcs):
    """ECS whose deployment of a service stands at a PAUSE hook."""

    @operation
    def describe_service_deployments(self, **request: Any) -> Response:
        hook = {"hookId": "h-1", "targetType": "PAUSE", "status": "AWAITING_ACTION", "expiresAt": when(1.8e9)}
        stage = {"lifecycleStage": "POST_TEST_TRAFFIC_SHIFT", "lifecycleHookDetails": [hook]}
        return {"serviceDeployments": [{"serviceDeploymentArn": request["serviceDeploymentArns"][0], **stage}]}

    @operation
    def continue_service_deployment(self, **request: Any) -> Response:
        return {"serviceDeploymentArn": request["serviceDeploymentArn"]}


def test_a_pause_of_ecs_goes_on_by_its_hook() -> None:
    made = worlds.world()
    pause = {"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}
    made.ecs.__class__ = PausingEcs
    made.update("web", deploymentConfiguration={"strategy": "BLUE_GREEN", "lifecycleHooks": [pause]})
    made.release("web", 2)
    (found,) = continuing.look(made.account, worlds.environment())
    assert found.what == "ECS pauses at post test traffic shift, until 2027-01-15 08:00 UTC"
    continuing.go_on(made.account, found)
    request = made.aws.writes[-1].request
    assert (request["hookId"], request["action"]) == ("h-1", "CONTINUE")

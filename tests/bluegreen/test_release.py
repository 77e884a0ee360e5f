"""Releases of a service that CodeDeploy moves: the same plan, verdicts, ledger and way back as of a rolling one."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import config, events, verify
from deploylib.bluegreen import continuing
from deploylib.errors import AwsError, NotRestoredError, RefusedError, RolledBackError, SupersededError
from deploylib.release import propose_resumption, propose_rollback
from deploylib.serving import Answer
from tests import test_resumption as resumption
from tests.bluegreen import scenery
from tests.bluegreen.scenery import JOB, group, proposed, revisions, world
from tests.fakes import world as worlds
from tests.fakes.clock import interrupt
from tests.fakes.releases import failing, kinds, recorded, run, wrote

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.world import World

ENVIRONMENT = worlds.environment(services=scenery.POLICY)
ONE, TWO = f"{worlds.WEB}:1", f"{worlds.WEB}:2"


def test_release_is_done_when_the_original_task_set_is_gone() -> None:
    made = world(JOB)
    seen = run(proposed(made))
    assert "create_deployment" in wrote(made)
    assert wrote(made).count("update_service") == 1  # the job's
    assert kinds(seen)[-3:] == ["Drained", "Drained", "Completed"]
    assert revisions(made) == {TWO}
    assert recorded(made).verdict == "completed"
    assert recorded(made).deployments["web"] == made.aws.codedeploy.newest.id


def test_success_alone_is_not_done_while_an_old_task_drains() -> None:
    made = world()
    made.ecs.timing = replace(made.ecs.timing, draining=90.0)
    steps = run(proposed(made))
    assert any(isinstance(one, events.Progressed) and one.services[0].state == "draining" for one in steps)
    assert revisions(made) == {TWO}


def test_deployment_carries_the_appspec_with_its_digest_and_rolls_back_by_itself() -> None:
    made = world()
    run(proposed(made))
    request = next(one.request for one in made.aws.writes if one.operation == "create_deployment")
    spec = json.loads(request["revision"]["appSpecContent"]["content"])
    properties = spec["Resources"][0]["TargetService"]["Properties"]
    assert properties["TaskDefinition"].endswith(TWO)
    assert properties["LoadBalancerInfo"] == {"ContainerName": "app", "ContainerPort": 8000}
    assert request["autoRollbackConfiguration"]["enabled"]
    assert request["description"].startswith("release 1 of ")


def test_progress_tells_the_lifecycle_event_and_the_share_of_traffic() -> None:
    made = world()
    group(made).steps = ((20.0, 30.0), (60.0, 30.0), (100.0, 0.0))
    seen = [one.services[0] for one in run(proposed(made)) if isinstance(one, events.Progressed)]
    told = [key for key, _ in itertools.groupby((one.state, one.message) for one in seen)]
    assert ("install", "") in told
    assert ("allow traffic", "20 % of the traffic is on the new tasks") in told
    assert ("allow traffic", "60 % of the traffic is on the new tasks") in told
    assert told[-1][0] in ("draining", "termination wait")


def test_first_release_sets_its_count_and_leaves_the_template() -> None:
    made = world(released=False)
    run(proposed(made, 1), 1)
    sent = [one.request for one in made.aws.writes if one.operation == "update_service"]
    assert [one.get("desiredCount") for one in sent] == [2]
    assert revisions(made) == {ONE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What happens on the way, and how the release ends."""

    name: str
    happens: Callable[[World], object]
    kind: type[BaseException] = RolledBackError
    says: str
    serves: frozenset[str] = field(default=frozenset({ONE}))
    moved: bool = True


def at(seconds: float, do: Callable[[World], object]) -> Callable[[World], object]:
    return lambda made: made.clock.after(seconds, lambda: do(made))


def hook_fails(event: str) -> Callable[[World], object]:
    def happens(made: World) -> None:
        group(made).failing = frozenset({event})

    return happens


def stopped_by_a_person(made: World) -> None:
    made.aws.codedeploy.stop_deployment(deploymentId=made.aws.codedeploy.newest.id)


def goes_off(made: World) -> None:
    made.aws.codedeploy.alarm("web")


def nobody_goes_on(made: World) -> None:
    group(made).ready_wait_seconds = 120.0


def replaced(made: World) -> None:
    """Somebody stops ours and deploys something else, while CodeDeploy does not answer us."""
    revision = made.register("web", 3)
    made.aws.codedeploy.stop_deployment(deploymentId=made.aws.codedeploy.newest.id)
    made.aws.codedeploy.refuse("batch_get_deployments", "ThrottlingException", times=3)
    made.clock.after(3.0, lambda: made.aws.codedeploy._make(group(made), _revision(revision)))


CASES = (
    Case(name="a hook before the install fails", happens=hook_fails("BeforeInstall"), says="HOOK_EXECUTION_FAILURE"),
    Case(
        name="a hook on test traffic fails",
        happens=hook_fails("AfterAllowTestTraffic"),
        says="AfterAllowTestTraffic: the hook said no",
    ),
    Case(name="a hook after the traffic fails", happens=hook_fails("AfterAllowTraffic"), says="AfterAllowTraffic"),
    Case(name="an alarm goes off", happens=at(8.0, goes_off), says="ALARM_ACTIVE"),
    Case(name="a person stops it", happens=at(8.0, stopped_by_a_person), says="MANUAL_STOP"),
    Case(name="nobody goes on in time", happens=nobody_goes_on, says="timed out while it waited"),
    Case(
        name="tasks that do not start are given up",
        happens=lambda made: made.ecs.behave(image=worlds.digest("web", 2), exits=1, after_seconds=0.2),
        says="tasks ended the same way: app exited with code 1",
    ),
    Case(
        name="another deployment takes over",
        happens=at(8.0, replaced),
        kind=SupersededError,
        says="took over",
        serves=frozenset({f"{worlds.WEB}:3"}),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda one: one.name)
def test_scenario(case: Case) -> None:
    made = world()
    case.happens(made)
    one = proposed(made)
    _, failure = failing(one, case.kind)
    made.settle()
    assert case.says in str(failure)
    assert revisions(made) == case.serves
    superseded = case.kind is SupersededError
    assert recorded(made).verdict == ("superseded" if superseded else "rolled back")
    assert failure.exit_code == (8 if superseded else 6)


def test_throttling_on_the_way_is_waited_out() -> None:
    made = world()
    made.clock.after(6.0, lambda: made.aws.codedeploy.throttle(4))
    assert kinds(run(proposed(made)))[-1] == "Completed"


def test_silence_of_codedeploy_ends_the_watch_and_leaves_the_rollout() -> None:
    made = world()
    made.clock.after(6.0, lambda: made.aws.codedeploy.throttle(1000))
    _, failure = failing(proposed(made), AwsError)
    assert "inv watch" in " ".join(failure.__notes__)


def test_a_failing_job_stops_the_deployment_that_is_under_way_and_traffic_goes_back() -> None:
    made = world(JOB)
    group(made).termination_wait_seconds = 600.0
    made.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=0.2)
    seen, failure = failing(proposed(made), RolledBackError)
    made.settle()
    assert str(failure).startswith("job: ")
    assert "stop_deployment" in wrote(made)
    assert {one.service for one in seen if isinstance(one, events.Restored)} == {"web", "job"}
    assert revisions(made) == {ONE}


def test_a_deployment_that_has_succeeded_goes_back_by_another_one() -> None:
    made = world()
    serving = config.Serving(contains="never", timeout_seconds=5)
    _, failure = failing(proposed(made, serving=serving), RolledBackError)
    made.settle()
    assert wrote(made).count("create_deployment") == 2
    assert revisions(made) == {ONE}
    assert "previous release is serving" in str(failure)


def test_a_first_release_that_fails_is_set_to_zero() -> None:
    made = world(released=False)
    group(made).failing = frozenset({"BeforeInstall"})
    _, failure = failing(proposed(made, 1), NotRestoredError, 1)
    made.settle()
    assert "set to zero tasks" in str(failure)
    assert failure.exit_code == 7
    assert made.ecs.live(worlds.WEB).total() == 0


def test_time_that_is_over_stops_the_deployment() -> None:
    made = world()
    group(made).steps = ((10.0, 5000.0), (100.0, 0.0))
    services = {"web": config.ServiceRelease(strategy="codedeploy", timeout_seconds=60.0)}
    _, failure = failing(proposed(made, services=services), RolledBackError)
    made.settle()
    assert "timed out: not done within 60 s" in str(failure)
    assert revisions(made) == {ONE}


def test_ctrl_c_that_detaches_leaves_it_to_codedeploy_and_watch_brings_it_to_its_end() -> None:
    made = world()
    made.clock.after(6.0, interrupt)
    _, failure = failing(proposed(made), KeyboardInterrupt)
    assert "inv watch" in " ".join(failure.__notes__)
    assert recorded(made).phase == "detached"
    environment = worlds.environment(services=scenery.POLICY)
    resumed = propose_resumption(environment, made.account, clock=made.clock)
    assert [(one.action, one.deployment) for one in resumed.plan.services] == [
        ("attach", made.aws.codedeploy.newest.id)
    ]
    assert kinds(run(resumed))[-1] == "Completed"
    assert revisions(made) == {TWO}


def test_ctrl_c_that_goes_back_stops_the_deployment() -> None:
    made = world()
    made.clock.after(8.0, interrupt)
    failing(proposed(made), RolledBackError, answer="rollback")
    made.settle()
    assert "stop_deployment" in wrote(made)
    assert revisions(made) == {ONE}


def test_rollback_is_a_deployment_of_the_former_revision() -> None:
    made = world()
    for number in (2, 3):
        run(proposed(made, number), number)
        made.settle()
    environment = worlds.environment(services=scenery.POLICY)
    back = propose_rollback(environment, made.account, clock=made.clock)
    made.aws.forget_calls()
    run(back)
    assert wrote(made) == ("create_deployment",)
    assert revisions(made) == {TWO}


def test_an_answer_that_was_lost_is_found_again_and_taken_back() -> None:
    made = world(JOB)
    made.aws.codedeploy.refuse("create_deployment", "InternalFailure", done=True)
    failing(proposed(made), RolledBackError)
    made.settle()
    assert "stop_deployment" in wrote(made)
    assert revisions(made) == {ONE}


def test_a_deployment_of_somebody_else_refuses_ours() -> None:
    made = world()
    one = proposed(made)
    group(made).ready_wait_seconds = 600.0
    made.aws.codedeploy._make(group(made), _revision(made.register("web", 3)))
    _, failure = failing(one, AwsError)
    assert "at work on it already" in str(failure)


def _revision(arn: str) -> dict[str, Any]:
    spec = {"Resources": [{"TargetService": {"Properties": {"TaskDefinition": arn}}}]}
    return {"appSpecContent": {"content": json.dumps(spec), "sha256": ""}}


@pytest.mark.parametrize(("strategy", "says"), [("ecs", "strategy is ecs, but the live service is under CodeDeploy")])
def test_a_service_that_somebody_else_moves_than_the_configuration_says_is_refused(strategy: Any, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        proposed(world(), services={"web": config.ServiceRelease(strategy=strategy)})


def test_a_rolling_service_that_is_configured_for_codedeploy_is_refused() -> None:
    with pytest.raises(RefusedError, match="strategy is codedeploy, but the live service is under ECS"):
        proposed(worlds.world())


def test_gates_wait_for_all_of_the_traffic() -> None:
    made = world(JOB)
    services = {**scenery.POLICY, "job": config.ServiceRelease(after=("web",))}
    seen = run(proposed(made, services=services))
    assert "GateOpened" in kinds(seen)
    update = next(one for one in made.aws.writes if one.operation == "update_service")
    created = next(one for one in made.aws.writes if one.operation == "create_deployment")
    assert update.at > created.at + 8.0


def test_the_fast_form_of_verify_has_nothing_against_a_service_under_codedeploy() -> None:
    made = world(JOB)
    checks = verify.quick(made.account, ENVIRONMENT, made.live())
    verify.refuse_missing(checks, ENVIRONMENT.name)
    found = {" · ".join(path): leaf.found for one in checks for path, leaf in one.leaves}
    assert found[f"{worlds.WEB} · service"] == f"{worlds.WEB}, blue/green by CodeDeploy, 2 of 2 tasks run"
    assert found[f"{worlds.WEB} · deployment group"] == "guestbook/web"
    assert found[f"{worlds.JOB} · circuit breaker"] == "on, rolls back"


def test_a_way_back_that_fails_too_needs_a_person() -> None:
    made = world()

    def breaks(_: str) -> Answer:
        group(made).failing = frozenset({"BeforeInstall"})
        return Answer(status=200, body="not it")

    one = replace(proposed(made, serving=config.Serving(contains="never", timeout_seconds=5)), get=breaks)
    _, failure = failing(one, NotRestoredError)
    made.settle()
    assert failure.exit_code == 7
    assert recorded(made).verdict == "not restored"
    assert revisions(made) == {TWO}


@pytest.mark.parametrize("moment", resumption.MOMENTS)
def test_the_next_deploy_finishes_what_was_killed_by_one_deployment(moment: str) -> None:
    made = world(JOB)
    resumption.killed(made, resumption.MOMENTS[moment], services=scenery.POLICY)
    seen = run(proposed(made))
    made.settle()
    assert kinds(seen)[-1] == "Completed"
    assert revisions(made) == {recorded(made).services["web"].rpartition("/")[2]}
    assert len(made.aws.codedeploy.deployments) == 2  # that of the first release, and ours


def test_a_run_that_was_killed_while_a_person_was_waited_for_is_taken_up_again() -> None:
    made = world()
    group(made).ready_wait_seconds = 3600.0
    resumption.killed(made, events.RolloutStarted, services=scenery.POLICY)
    resumed = propose_resumption(ENVIRONMENT, made.account, clock=made.clock)
    (waiting,) = continuing.look(made.account, ENVIRONMENT)
    made.clock.after(60.0, lambda: continuing.go_on(made.account, waiting))
    assert kinds(run(resumed))[-1] == "Completed"
    assert revisions(made) == {TWO}


def test_a_run_that_was_killed_is_taken_back_by_stopping_its_deployment() -> None:
    made = world()
    run(proposed(made, 1), 1)
    group(made).ready_wait_seconds = 3600.0
    resumption.killed(made, events.RolloutStarted, services=scenery.POLICY)
    made.aws.forget_calls()
    run(propose_rollback(ENVIRONMENT, made.account, clock=made.clock))
    made.settle()
    assert "stop_deployment" in wrote(made)
    assert revisions(made) == {ONE}


def test_a_deployment_that_failed_while_nobody_watched_is_told_as_it_ended() -> None:
    made = world()
    group(made).failing = frozenset({"AfterAllowTraffic"})
    resumption.killed(made, events.RolloutStarted, services=scenery.POLICY)
    resumed = propose_resumption(ENVIRONMENT, made.account, clock=made.clock)
    _, failure = failing(resumed, RolledBackError)
    made.settle()
    assert "HOOK_EXECUTION_FAILURE" in str(failure)
    assert revisions(made) == {ONE}


def test_a_way_back_finds_a_deployment_that_codedeploy_has_turned_back_already() -> None:
    made = world(JOB)
    group(made).failing = frozenset({"AfterAllowTraffic"})
    made.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=0.2)
    one = proposed(made)

    def silent(operation: str) -> str:  # so that the job is what fails first
        asks = operation == "batch_get_deployments" and recorded(made).phase != "going back"
        return "ThrottlingException" if asks else ""

    made.aws.codedeploy.fault = silent
    _, failure = failing(one, RolledBackError)
    made.settle()
    assert str(failure).startswith("job: ")
    assert wrote(made).count("create_deployment") == 1
    assert revisions(made) == {ONE}


@pytest.mark.parametrize("before", [(), (2,)], ids=["into the one group", "into the other"])
def test_the_report_names_the_new_targets_that_are_not_healthy(before: tuple[int, ...]) -> None:
    made = world()
    for number in before:
        run(proposed(made, number), number)
        made.settle()
    made.ecs.behave(image=worlds.digest("web", 3), unhealthy="elb")
    services = {"web": config.ServiceRelease(strategy="codedeploy", timeout_seconds=25.0)}
    seen, _ = failing(proposed(made, 3, services=services), RolledBackError, 3)
    (report,) = [one for one in seen if isinstance(one, events.RolloutFailed)]
    assert report.verdict == "timed out"
    assert {one.state for one in report.targets} == {"unhealthy"}

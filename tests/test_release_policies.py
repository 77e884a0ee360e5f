"""What an environment says about its releases: gates, failures, interruptions, services at zero, scheduled tasks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deploylib import config, events, release
from deploylib.errors import NotRestoredError, RolledBackError, Terminated
from deploylib.serving import Answer
from tests.fakes import world as worlds
from tests.fakes.clock import interrupt
from tests.fakes.releases import deployed, drive, failing, kinds, proposed, ready, recorded, run

AFTER_WEB = {"job": config.ServiceRelease(after=("web",))}


def moments(seen: list[events.Event], kind: type[events.Event]) -> list[Any]:
    return [one for one in seen if isinstance(one, kind)]


def test_a_service_behind_a_gate_moves_when_the_first_new_task_before_it_is_healthy() -> None:
    world = worlds.world()
    seen: list[events.Event] = []
    healthy_at = None
    for event in release.execute(proposed(world, services=AFTER_WEB), ready(worlds.digests(2))):
        seen.append(event)
        if isinstance(event, events.GateOpened):
            healthy_at = world.ecs.revisions(worlds.WEB)
    assert kinds(seen).index("GateOpened") < kinds(seen).index("Completed")
    assert [one.service for one in moments(seen, events.RolloutStarted)] == ["web", "job"]
    assert healthy_at is not None
    assert any(not name.endswith(":1") for name in healthy_at)


def test_a_gate_before_which_everything_fails_never_opens_and_what_waits_is_not_touched() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("web", 2), exits=1, after_seconds=0.2)
    world.ecs.behave(image=worlds.digest("web", 2), command=worlds.MIGRATE, exits=0)
    seen, _ = failing(proposed(world, services=AFTER_WEB), RolledBackError)
    assert moments(seen, events.GateOpened) == []
    assert {one.request["service"] for one in world.ecs.writes if one.operation == "update_service"} == {worlds.WEB}


def test_a_gate_on_a_service_that_does_not_move_is_open() -> None:
    world = worlds.world()
    one = proposed(world, services=AFTER_WEB)
    still = tuple(replace(each, action="unchanged") if each.key == "web" else each for each in one.plan.services)
    seen = run(replace(one, plan=replace(one.plan, services=still, migration=None)))
    assert [each.service for each in moments(seen, events.RolloutStarted)] == ["job"]


def test_on_failure_stop_leaves_everything_where_it_is_and_says_so() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=0.2)
    policy = config.ReleasePolicy(on_failure="stop")
    seen, failure = failing(proposed(world, release=policy), NotRestoredError)
    assert "stays as it is" in str(failure)
    assert failure.hint == "inv rollback --env stg"
    assert moments(seen, events.Restoring) == []
    assert {one.service: one.state for one in moments(seen, events.Concluded)[0].services}["web"] == "new"


def test_the_end_of_a_failure_says_what_serves_with_release_and_commit() -> None:
    world = worlds.world()
    deployed(world, 2)
    world.ecs.behave(image=worlds.digest("job", 3), exits=1, after_seconds=0.2)
    seen, _ = failing(proposed(world, 3), RolledBackError, 3)
    concluded = moments(seen, events.Concluded)[0]
    assert concluded.verdict == "rolled back"
    assert {(one.service, one.state, one.release, one.commit) for one in concluded.services} == {
        ("web", "previous", 1, worlds.COMMITS[2]),
        ("job", "previous", 1, worlds.COMMITS[2]),
    }


@pytest.mark.parametrize(
    ("answer", "policy", "ends"),
    [
        ("wait", "detach", "completed"),
        (None, "wait", "completed"),
        ("rollback", "detach", "rolled back"),
        (None, "rollback", "rolled back"),
        ("detach", "rollback", "running"),
        (None, "detach", "running"),
        ("nonsense", "wait", "completed"),
    ],
)
def test_ctrl_c_means_what_the_person_says_else_what_the_environment_says(
    answer: str | None, policy: Any, ends: str
) -> None:
    world = worlds.world()
    one = proposed(world, release=config.ReleasePolicy(on_interrupt=policy))
    seen: list[events.Event] = []
    world.clock.after(20, interrupt)
    try:
        drive(one, seen, answer=answer)
    except (KeyboardInterrupt, RolledBackError):
        world.settle()
    assert [question.may_ask for question in moments(seen, events.Question)] == [True]
    assert recorded(world).verdict == ends


def test_sigterm_asks_nobody() -> None:
    def terminate() -> None:
        raise Terminated

    world = worlds.world()
    seen: list[events.Event] = []
    world.clock.after(20, terminate)
    with pytest.raises(Terminated):
        drive(proposed(world), seen, answer=None)
    assert [question.may_ask for question in moments(seen, events.Question)] == [False]


def test_a_second_ctrl_c_instead_of_an_answer_leaves_the_rollout_to_ecs() -> None:
    world = worlds.world()
    happening = release.execute(proposed(world), ready(worlds.digests(2)))
    while not isinstance(next(happening), events.Progressed):
        pass
    assert isinstance(happening.throw(KeyboardInterrupt()), events.Question)
    with pytest.raises(KeyboardInterrupt) as interrupted:
        happening.throw(KeyboardInterrupt())
    assert "goes on in ECS" in interrupted.value.__notes__[0]
    assert recorded(world).phase == "detached"


def test_waiting_on_after_a_ctrl_c_between_two_updates_sends_the_second_one_too() -> None:
    world = worlds.world()
    happening = release.execute(proposed(world), ready(worlds.digests(2)))
    event = next(happening)
    while not isinstance(event, events.RolloutStarted):
        event = next(happening)
    assert isinstance(happening.throw(KeyboardInterrupt()), events.Question)
    rest = [happening.send("wait"), *happening]
    assert [one.service for one in rest if isinstance(one, events.RolloutStarted)] == ["job"]
    assert kinds(rest)[-1] == "Completed"


def test_the_lock_is_given_back_however_a_release_ends() -> None:
    for ends in ("well", "badly", "interrupted"):
        world = worlds.world()
        if ends == "badly":
            world.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=0.2)
        if ends == "interrupted":
            world.clock.after(20, interrupt)
        try:
            run(proposed(world))
        except (RolledBackError, KeyboardInterrupt):
            world.settle()
        world.ecs.behave(image=worlds.digest("job", 3), after_seconds=0)
        assert kinds(run(proposed(world, 3), 3))[-1] == "Completed"


def test_a_service_at_zero_is_started_only_where_the_environment_says_so() -> None:
    world = worlds.world()
    world.update("job", desiredCount=0)
    world.settle()
    run(proposed(world))
    assert world.ecs.live(worlds.JOB).total() == 0
    run(proposed(world, 3, services={"job": config.ServiceRelease(start_at_zero=2)}), 3)
    assert world.ecs.live(worlds.JOB).total() == 2


def test_aa25_an_update_whose_answer_was_lost_is_taken_back_too() -> None:
    world = worlds.world()
    one = proposed(world)
    seen: list[events.Event] = []
    with pytest.raises(RolledBackError):
        for event in release.execute(one, ready(worlds.digests(2))):
            seen.append(event)
            if isinstance(event, events.RolloutStarted):
                world.ecs.refuse("update_service", "ReadTimeoutError", done=True)
    world.settle()
    assert {event.service for event in seen if isinstance(event, events.Restored)} == {"web", "job"}
    assert all(name.endswith(":1") for name in (*world.ecs.live(worlds.WEB), *world.ecs.live(worlds.JOB)))


def test_a_release_that_answers_wrongly_goes_back_with_everything() -> None:
    world = worlds.world()
    before = {one.key: one.revision for one in world.live().services}
    serving = config.Serving(path="/version", contains="{commit}", timeout_seconds=10)
    one = replace(proposed(world, serving=serving), get=lambda _: Answer(status=500))
    _, failure = failing(one, RolledBackError)
    world.settle()
    assert "answers 500" in str(failure)
    assert {one.key: one.revision for one in world.live().services} == before


def test_a_first_release_that_answers_wrongly_stays_for_somebody_to_look_at() -> None:
    world = worlds.world(released=False)
    serving = config.Serving(path="/version", timeout_seconds=10)
    one = replace(proposed(world, 1, serving=serving), get=lambda _: Answer(status=500))
    _, failure = failing(one, NotRestoredError, 1)
    assert "had no release before, so it stays as it is" in str(failure)
    assert world.ecs.live(worlds.WEB).total() == 2


def test_a_task_that_nobody_asks_for_its_health_has_to_stay_before_its_service_is_done() -> None:
    world = worlds.world(worlds.ServiceSpec(key="job", containers={"worker": "job"}, tasks=1, checked=False))
    started = world.clock.monotonic()
    seen = run(proposed(world, migration=None, rollout=config.Rollout(settle_seconds=60)))
    assert world.clock.monotonic() - started >= 60
    assert any(one.state == "settling" for look in moments(seen, events.Progressed) for one in look.services)
    assert kinds(seen)[-1] == "Completed"


def test_cr1206_a_task_that_starts_and_crashes_again_and_again_is_no_success() -> None:
    world = worlds.world(worlds.ServiceSpec(key="job", containers={"worker": "job"}, tasks=1, checked=False))
    world.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=5)
    _, failure = failing(proposed(world, migration=None), RolledBackError)
    assert "ended the same way: worker exited with code 1" in str(failure)
    world.settle()
    assert all(name.endswith(":1") for name in world.ecs.live(worlds.JOB))


def test_one_crash_on_the_way_only_takes_longer() -> None:
    world = worlds.world(worlds.ServiceSpec(key="job", containers={"worker": "job"}, tasks=1, checked=False))
    world.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=5, times=1)
    assert kinds(run(proposed(world, migration=None)))[-1] == "Completed"

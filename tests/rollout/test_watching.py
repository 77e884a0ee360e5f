"""Rollouts against an ECS whose clock advances: every ending that AWS has, told apart."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Literal

import pytest

from deploylib import config, events, rollout
from deploylib.errors import AwsError
from deploylib.rollout import watching
from tests.fakes import world as worlds
from tests.fakes.clock import Ticking
from tests.fakes.services import Habits

SETTINGS = config.Rollout(timeout_seconds=600, poll_seconds=3, failed_tasks=10)


def start(world: worlds.World, key: str, release: int = 2, **changes: object) -> rollout.Target:
    previous = world.ecs.describe_services(cluster=world.cluster, services=[world.specs[key].name])["services"][0]
    revision = world.register(key, release)
    answer = world.ecs.update_service(
        cluster=world.cluster, service=world.specs[key].name, taskDefinition=revision, **changes
    )
    return rollout.target(key, answer["service"], previous=previous["taskDefinition"])


def watch(
    world: worlds.World, *targets: rollout.Target, settings: config.Rollout = SETTINGS
) -> tuple[list[events.Event], dict[str, rollout.Outcome]]:
    seen: list[events.Event] = []
    outcomes = {}
    for one in rollout.watch(world.account, world.cluster, targets, settings=settings, clock=world.clock):
        if isinstance(one, rollout.Outcome):
            outcomes[one.target.key] = one
        else:
            seen.append(one)
    return seen, outcomes


@pytest.mark.parametrize("completes", ["healthy", "draining", "stopped"])
def test_watch_is_done_only_when_every_old_task_is_stopped(
    completes: Literal["healthy", "draining", "stopped"],
) -> None:
    world = worlds.world()
    world.ecs.habits = Habits(completes=completes)
    old = list(world.ecs.tasks.values())
    target = start(world, "web")
    _, outcomes = watch(world, target)
    assert outcomes["web"].verdict == "done"
    web = [one for one in old if one.revision == target.previous]
    assert web
    assert {one.status for one in web} == {"STOPPED"}


def test_watch_waits_for_old_tasks_that_ignore_sigterm() -> None:
    world, quick = worlds.world(released=False), worlds.world()
    world.ecs.behave(image=worlds.digest("web", 1), ignores_sigterm=True)
    world.release("web", 1, desiredCount=2)
    world.settle()
    began = world.clock.monotonic(), quick.clock.monotonic()
    _, outcomes = watch(world, start(world, "web"))
    watch(quick, start(quick, "web"))
    assert outcomes["web"].verdict == "done"
    assert world.clock.monotonic() - began[0] > quick.clock.monotonic() - began[1] + 10


@pytest.mark.parametrize("back", ["former", "new"])
def test_watch_tells_a_breakers_rollback_from_success(back: Literal["former", "new"]) -> None:
    world = worlds.world()
    world.ecs.habits = Habits(rolls_back_to=back)
    world.ecs.behave(image=worlds.digest("web", 2), exits=1, after_seconds=0.2)
    _, outcomes = watch(world, start(world, "web"))
    assert outcomes["web"].verdict == "rolled back"
    assert "circuit breaker" in outcomes["web"].reason


def test_watch_sees_a_rollback_that_was_over_between_two_looks() -> None:
    world = worlds.world()
    world.ecs.habits = Habits(failed_kept_seconds=0)
    world.ecs.behave(image=worlds.digest("web", 2), pull_error="manifest unknown")
    target = start(world, "web")
    world.clock.advance(3)
    slow = config.Rollout(timeout_seconds=3600, poll_seconds=300)
    _, outcomes = watch(world, target, settings=slow)
    assert outcomes["web"].verdict in {"rolled back", "timed out"}


def test_watch_fails_when_the_breaker_does_not_roll_back() -> None:
    world = worlds.world(worlds.ServiceSpec(key="web", containers={"app": "web"}, tasks=2, rollback=False))
    world.ecs.behave(image=worlds.digest("web", 2), exits=1, after_seconds=0.2)
    _, outcomes = watch(world, start(world, "web"))
    assert outcomes["web"].verdict == "failed"


def test_watch_gives_up_by_itself_where_there_is_no_breaker() -> None:
    world = worlds.world(worlds.ServiceSpec(key="web", containers={"app": "web"}, tasks=2, breaker=False))
    world.ecs.behave(image=worlds.digest("web", 2), exits=1, after_seconds=0.2)
    _, outcomes = watch(world, start(world, "web"), settings=config.Rollout(failed_tasks=4, same_failure=50))
    assert outcomes["web"].verdict == "failed"
    assert "gave up after" in outcomes["web"].reason
    assert world.clock.monotonic() < 300


def test_watch_tells_that_another_deployment_took_over() -> None:
    world = worlds.world()
    target = start(world, "web")
    other = world.register("web", 3)
    world.clock.after(7, lambda: world.update("web", taskDefinition=other))
    _, outcomes = watch(world, target)
    assert outcomes["web"].verdict == "superseded"
    assert "took over" in outcomes["web"].reason


def test_watch_calls_another_clients_return_to_the_former_revision_superseded() -> None:
    world = worlds.world()
    target = start(world, "web")
    world.clock.after(7, lambda: world.update("web", taskDefinition=target.previous))
    _, outcomes = watch(world, target)
    assert outcomes["web"].verdict == "superseded"


def test_watch_times_out_with_what_ecs_says() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("web", 2), unplaceable="no container instance met all of its requirements")
    _, outcomes = watch(world, start(world, "web"), settings=config.Rollout(timeout_seconds=120))
    assert outcomes["web"].verdict == "timed out"
    assert "0 of 2 tasks run" in outcomes["web"].reason
    assert "unable to place a task" in outcomes["web"].reason


def test_watch_is_not_fooled_by_a_description_from_before_the_update() -> None:
    world = worlds.world()
    world.ecs.habits = Habits(stale_seconds=8)
    _, outcomes = watch(world, start(world, "web"))
    assert outcomes["web"].verdict == "done"


def test_watch_bears_throttling() -> None:
    world = worlds.world()
    target = start(world, "web")
    world.ecs.throttle(3)
    _, outcomes = watch(world, target)
    assert outcomes["web"].verdict == "done"


def test_watch_ends_when_aws_stays_silent() -> None:
    world = worlds.world()
    target = start(world, "web")
    world.ecs.throttle(10_000)
    with pytest.raises(AwsError):
        watch(world, target)


def test_watch_does_not_swallow_a_refusal() -> None:
    world = worlds.world()
    target = start(world, "web")
    world.ecs.refuse("describe_services", "AccessDeniedException")
    with pytest.raises(AwsError):
        watch(world, target)
    assert world.clock.monotonic() < 100


def test_watch_follows_scaling_in_the_middle() -> None:
    world = worlds.world()
    target = start(world, "web")
    world.clock.after(5, lambda: world.update("web", desiredCount=5))
    _, outcomes = watch(world, target)
    assert outcomes["web"].verdict == "done"
    assert world.ecs.live(worlds.WEB).total() == 5


def test_watch_follows_a_hundred_and_fifty_tasks() -> None:
    world = worlds.world(worlds.ServiceSpec(key="web", containers={"app": "web"}, tasks=150))
    _, outcomes = watch(world, start(world, "web"), settings=config.Rollout(timeout_seconds=3600))
    assert outcomes["web"].verdict == "done"


def test_watch_looks_at_twenty_five_services_with_three_calls() -> None:
    world = worlds.world(*worlds.many(25))
    targets = [start(world, key) for key in world.specs]
    world.aws.forget_calls()
    world.clock.naps.clear()
    _, outcomes = watch(world, *targets)
    assert {one.verdict for one in outcomes.values()} == {"done"}
    looks = len(world.clock.naps)
    assert world.aws.calls["ecs:DescribeServices"] <= 3 * looks
    assert world.aws.calls["ecs:ListTasks"] <= 25 * 4


def test_watch_of_one_service_stays_within_its_budget_of_calls() -> None:
    world = worlds.world()
    target = start(world, "web")
    world.aws.forget_calls()
    world.clock.naps.clear()
    watch(world, target)
    looks, calls = len(world.clock.naps), world.aws.calls
    assert calls["ecs:ListTasks"] == 1
    draining_looks = calls["ecs:DescribeTasks"]
    assert 1 < draining_looks < looks
    assert calls["ecs:DescribeServices"] < looks
    assert calls.total() < looks + draining_looks


def test_one_failure_ends_the_watch_of_all() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("web", 2), slow_start_seconds=300)
    world.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=0.1)
    _, outcomes = watch(world, start(world, "web"), start(world, "job"))
    assert set(outcomes) == {"job"}


def test_progress_is_told_only_when_something_differs() -> None:
    world = worlds.world()
    seen, _ = watch(world, start(world, "web"))
    told = [one.services for one in seen if isinstance(one, events.Progressed)]
    assert len(told) > 2
    assert all(one != other for one, other in itertools.pairwise(told))


def test_watch_that_only_waits_for_old_tasks_sees_that_another_deployment_took_over() -> None:
    world = worlds.world(released=False)
    world.ecs.behave(image=worlds.digest("web", 1), ignores_sigterm=True)
    world.release("web", 1, desiredCount=2)
    world.settle()
    target = start(world, "web")
    world.clock.after(45, lambda: world.release("web", 3))
    seen, outcomes = watch(world, target)
    states = [one.services[0].state for one in seen if isinstance(one, events.Progressed)]
    assert "draining" in states
    assert outcomes["web"].verdict == "superseded"


def test_first_look_comes_when_the_former_rollout_would_be_over() -> None:
    world = worlds.world()
    world.release("web", 2)
    world.settle()
    slow = config.Rollout(timeout_seconds=3600, poll_seconds=600)
    target = start(world, "web", 3)
    assert 0 < target.expected_seconds < 600
    world.clock.naps.clear()
    watch(world, target, settings=slow)
    assert target.expected_seconds < world.clock.naps[0] < 600


@pytest.mark.parametrize(("web", "job"), [(0.0, 0.0), (5.0, 0.0), (5.0, 900.0)])
def test_first_look_comes_after_the_usual_pause_when_no_earlier_end_is_expected(web: float, job: float) -> None:
    world = worlds.world()
    targets = [
        replace(start(world, "web"), expected_seconds=web),
        replace(start(world, "job"), expected_seconds=job),
    ]
    world.clock.naps.clear()
    watch(world, *targets)
    assert world.clock.naps[0] == SETTINGS.poll_seconds


def test_pauses_grow_to_ten_seconds_and_no_further() -> None:
    many = list(itertools.islice(watching._pauses(3.0, first=3.0), 100))
    assert many[0] == 3.0
    assert max(many) == 10.0
    assert max(itertools.islice(watching._pauses(30.0, first=1.0), 100)) == 30.0


def test_pauses_are_a_quarter_of_the_time_so_far_until_they_are_as_long_as_asked_for() -> None:
    many = list(itertools.islice(watching._pauses(3.0, first=1.0), 20))
    for so_far, pause in zip(itertools.accumulate(many), many[1:], strict=False):
        assert pause == min(so_far / 4, 3.0)


def test_pauses_are_no_shorter_than_a_sixteenth() -> None:
    many = list(itertools.islice(watching._pauses(3.2, first=0.1), 20))
    assert many[:3] == [0.1, 0.2, 0.2]


@pytest.mark.parametrize("key", ["web", "job"])
def test_watch_ends_as_well_on_a_clock_that_goes_on_while_it_looks(key: str) -> None:
    world = worlds.world()
    target = replace(start(world, key), settle_seconds=10.0 if key == "job" else 0.0)
    watched = rollout.watch(world.account, world.cluster, [target], settings=SETTINGS, clock=Ticking(world.clock))
    (outcome,) = [one for one in watched if isinstance(one, rollout.Outcome)]
    assert outcome.verdict == "done"
    assert world.clock.monotonic() < 120


def test_watch_times_out_on_a_clock_that_goes_on_while_it_looks() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("web", 2), unplaceable="no space")
    target = replace(start(world, "web"), limit_seconds=60.0)
    began = world.clock.monotonic()
    watched = rollout.watch(world.account, world.cluster, [target], settings=SETTINGS, clock=Ticking(world.clock))
    (outcome,) = [one for one in watched if isinstance(one, rollout.Outcome)]
    assert outcome.verdict == "timed out"
    assert world.clock.monotonic() - began < 63

"""Releases that died or were left: what is half done is taken over, finished by `inv watch`, and never done twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import config, events, ledger, release
from deploylib.errors import NotRestoredError, RefusedError, RolledBackError, SupersededError
from tests.fakes import world as worlds
from tests.fakes.clock import interrupt
from tests.fakes.releases import deployed, drive, kinds, proposed, ready, recorded, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.world import World

MOMENTS: dict[str, type[events.Event]] = {
    "build": events.Began,
    "lock": events.Locked,
    "register": events.Registered,
    "migrate": events.MigrationStarted,
    "migrated": events.Migrated,
    "update": events.RolloutStarted,
    "wait": events.Progressed,
    "drained": events.Drained,
}


def killed(world: World, moment: type[events.Event], number: int = 2, **changes: Any) -> None:
    """Let a release die right after *moment*: nothing is tidied up; the lock runs out."""
    happening = release.execute(proposed(world, number, **changes), ready(worlds.digests(number)))
    while not isinstance(next(happening), moment):
        pass
    world.corpses.append(happening)
    world.clock.advance(120)


def resuming(world: World, **changes: Any) -> release.Release:
    return release.propose_resumption(worlds.environment(**changes), world.account, clock=world.clock)


def migrations(world: World) -> int:
    return len([one for one in world.ecs.tasks.values() if one.started_by.startswith("migration/")])


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_next_deploy_finishes_what_was_killed_and_migrates_once(moment: str) -> None:
    world = worlds.world()
    killed(world, MOMENTS[moment])
    again = proposed(world)
    run(again)
    world.settle()
    assert (recorded(world).number, recorded(world).verdict) == (2, "completed")
    assert {one.revision for one in world.live().services} == set(recorded(world).services.values())
    assert migrations(world) == 1
    updates = [one for one in world.aws.log if one.operation == "update_service"]
    assert all("taskDefinition" in one.request for one in updates)


@pytest.mark.parametrize("moment", ["migrated", "update", "wait", "drained"])
def test_what_was_registered_is_not_registered_again(moment: str) -> None:
    world = worlds.world()
    killed(world, MOMENTS[moment])
    before = len(world.ecs._definitions[worlds.WEB])
    run(proposed(world))
    assert len(world.ecs._definitions[worlds.WEB]) == before


@pytest.mark.parametrize("moment", [one for one in MOMENTS if one not in ("build", "lock", "register")])
def test_the_killed_release_is_said_before_and_has_an_end_afterwards(moment: str) -> None:
    world = worlds.world()
    killed(world, MOMENTS[moment])
    one = proposed(world)
    assert one.plan.continues is None or one.plan.continues.number == 1
    run(one)
    first = ledger.entries(world.account.dynamodb, worlds.LEDGER)[-1]
    assert (first.number, first.verdict) == (1, "interrupted")
    assert "release 2 went on from there" in first.reason


def test_a_migration_that_runs_on_after_the_kill_is_followed_and_not_started_again() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("web", 2), command=worlds.MIGRATE, exits=0, after_seconds=200)
    killed(world, events.MigrationStarted)
    seen = run(proposed(world))
    assert [one.attached for one in seen if isinstance(one, events.MigrationStarted)] == [True]
    assert migrations(world) == 1


def test_a_migration_that_failed_after_the_kill_runs_again() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("web", 2), command=worlds.MIGRATE, exits=1, after_seconds=5, times=1)
    killed(world, events.MigrationStarted)
    assert kinds(run(proposed(world)))[-1] == "Completed"
    assert migrations(world) == 2


def test_the_migration_of_another_image_is_not_taken_for_this_one() -> None:
    world = worlds.world()
    killed(world, events.Migrated)
    run(proposed(world, 3), 3)
    assert migrations(world) == 2


def test_a_skipped_migration_stays_known_when_the_second_run_dies_too() -> None:
    world = worlds.world()
    killed(world, events.Migrated)
    killed(world, events.RolloutStarted)
    seen = run(proposed(world))
    assert any(isinstance(one, events.MigrationSkipped) for one in seen) or migrations(world) == 1
    assert migrations(world) == 1


# inv watch


@pytest.mark.parametrize("moment", ["update", "wait", "drained"])
def test_watch_brings_a_killed_rollout_to_its_end_in_its_own_entry(moment: str) -> None:
    world = worlds.world()
    killed(world, MOMENTS[moment])
    world.aws.forget_calls()
    seen: list[events.Event] = []
    drive(resuming(world), seen)
    assert kinds(seen)[-1] == "Completed"
    assert (recorded(world).number, recorded(world).verdict) == (1, "completed")
    assert world.aws.calls["ecs:RegisterTaskDefinition"] == world.aws.calls["ecs:RunTask"] == 0
    world.settle()
    assert {one.revision for one in world.live().services} == set(recorded(world).services.values())


def test_watch_moves_what_had_not_moved_yet() -> None:
    world = worlds.world()
    killed(world, events.RolloutStarted)
    assert {one.key: one.action for one in resuming(world).plan.services} == {"web": "attach", "job": "restore"}


def test_watch_takes_a_detached_rollout_up_again() -> None:
    world = worlds.world()
    with pytest.raises(KeyboardInterrupt):
        for event in release.execute(proposed(world), ready(worlds.digests(2))):
            if isinstance(event, events.Progressed):
                world.clock.after(1, interrupt)
    seen: list[events.Event] = []
    drive(resuming(world), seen)
    started = [one for one in seen if isinstance(one, events.RolloutStarted)]
    assert [(one.service, one.attached) for one in started] == [("web", True), ("job", True)]
    assert recorded(world).verdict == "completed"


def test_watch_finds_what_ecs_has_rolled_back_meanwhile_and_takes_the_others_back() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=0.2)
    killed(world, events.Progressed)
    world.clock.advance(300)
    seen: list[events.Event] = []
    with pytest.raises(RolledBackError):
        drive(resuming(world), seen)
    world.settle()
    assert {one.service for one in seen if isinstance(one, events.Restored)} == {"web", "job"}
    assert recorded(world).verdict == "rolled back"


def test_watch_has_nothing_to_do_where_nothing_was_left() -> None:
    world = worlds.world()
    deployed(world, 2)
    with pytest.raises(RefusedError, match="no release was left half done"):
        resuming(world)


def test_watch_of_a_release_that_moved_nothing_says_what_goes_on_from_there() -> None:
    world = worlds.world()
    killed(world, events.MigrationStarted)
    with pytest.raises(RefusedError, match="left migrating: none of its services had moved"):
        resuming(world)


def test_watch_leaves_what_somebody_else_released_over_it() -> None:
    world = worlds.world()
    killed(world, events.RolloutStarted)
    world.release("job", 5)
    with pytest.raises(SupersededError, match="job runs"):
        resuming(world)


def under_way(world: World, moment: type[events.Event]) -> Iterator[events.Event]:
    """Return a release that has got to *moment*, and that somebody is at work on."""
    happening = release.execute(proposed(world), ready(worlds.digests(2)))
    while not isinstance(next(happening), moment):
        pass
    return happening


def test_watch_follows_what_somebody_else_rolls_out_and_writes_nothing() -> None:
    world = worlds.world()
    theirs = under_way(world, events.Progressed)
    one = resuming(world)
    world.aws.forget_calls()
    seen = list(release.follow(one))
    assert one.follows
    assert world.aws.wrote == ()
    assert kinds(seen) == [*["RolloutStarted"] * 2, *["Drained"] * 2, "Noticed", "Completed"]
    assert kinds(list(theirs))[-1] == "Completed"
    assert (recorded(world).number, recorded(world).verdict) == (1, "completed")


def test_watch_of_somebody_else_s_failure_says_so_and_leaves_the_rest_to_them() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=0.2)
    theirs = under_way(world, events.Progressed)
    one = resuming(world)
    world.aws.forget_calls()
    with pytest.raises((RolledBackError, NotRestoredError), match="this only looked on"):
        list(release.follow(one))
    assert world.aws.wrote == ()
    with pytest.raises(RolledBackError):
        list(theirs)


def test_watch_waits_for_nobody_who_has_moved_nothing_yet() -> None:
    world = worlds.world()
    theirs = under_way(world, events.MigrationStarted)
    with pytest.raises(RefusedError, match=r"ada .*is at work.*no service has moved yet"):
        resuming(world)
    list(theirs)


def test_watch_of_a_way_back_that_was_left_says_what_finishes_it() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=0.2)
    killed(world, events.Restoring)
    with pytest.raises(RefusedError, match="was left on its way back") as refused:
        resuming(world)
    assert "inv rollback" in refused.value.hint


# Two at once


def test_the_second_of_two_releases_is_refused_with_the_name_of_the_first_before_it_builds() -> None:
    world = worlds.world()
    happening = release.execute(proposed(world), ready(worlds.digests(2)))
    while not isinstance(next(happening), events.Progressed):
        pass
    second = proposed(world, 3)
    numbers = len(ledger.entries(world.account.dynamodb, worlds.LEDGER))
    with pytest.raises(RefusedError, match="ada") as refused:
        list(release.execute(second, ready(worlds.digests(3))))
    assert "--wait-lock" in refused.value.hint
    assert len(ledger.entries(world.account.dynamodb, worlds.LEDGER)) == numbers
    assert kinds(list(happening))[-1] == "Completed"


def test_the_second_of_two_releases_waits_and_is_planned_anew_on_what_the_first_left() -> None:
    world = worlds.world()
    patient = config.Lock(wait_seconds=900)
    first = release.execute(proposed(world), ready(worlds.digests(2)))
    while not isinstance(next(first), events.Progressed):
        pass
    second = release.execute(proposed(world, 3, lock=patient), ready(worlds.digests(3)))
    seen: list[events.Event] = []
    while not isinstance(seen[-1] if seen else None, events.LockWaited):
        seen.append(next(second))
    list(first)
    seen += list(second)
    world.settle()
    assert kinds(seen)[-1] == "Completed"
    assert [one.verdict for one in ledger.entries(world.account.dynamodb, worlds.LEDGER)] == ["completed"] * 2
    former, last = reversed(ledger.entries(world.account.dynamodb, worlds.LEDGER))
    assert last.previous == former.services


def test_a_release_that_lost_its_lock_writes_nothing_more() -> None:
    world = worlds.world()
    happening = release.execute(proposed(world), ready(worlds.digests(2)))
    while not isinstance(next(happening), events.MigrationStarted):
        pass
    item = world.aws.dynamodb.tables[worlds.LEDGER]["lock", 0]
    item["owner"] = {"S": "somebody else"}
    world.aws.forget_calls()
    with pytest.raises(SupersededError):
        for _ in happening:
            world.clock.advance(30)
    assert "update_service" not in world.aws.wrote


def test_a_saved_plan_is_refused_after_the_wait_instead_of_being_planned_anew() -> None:
    world = worlds.world()
    second = replace(proposed(world, 3, lock=config.Lock(wait_seconds=900)), anew=None)
    run(proposed(world))
    with pytest.raises(RefusedError, match="by now"):
        list(release.execute(second, ready(worlds.digests(3))))

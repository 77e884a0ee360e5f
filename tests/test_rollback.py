"""The way back: to a release that completed, never to a revision that only existed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deploylib import config, events, ledger, release
from deploylib.errors import ConfigError, NotRestoredError, RefusedError, RolledBackError, SupersededError
from tests.fakes import world as worlds
from tests.fakes.clock import interrupt
from tests.fakes.releases import deployed, drive, failing, kinds, proposed, ready, recorded, wrote

if TYPE_CHECKING:
    from tests.fakes.world import World


def going_back(world: World, to: str = "", **options: Any) -> release.Release:
    """Return what `inv rollback` would be about to execute."""
    return release.propose_rollback(worlds.environment(), world.account, to=to, clock=world.clock, **options)


def back(world: World, to: str = "", **options: Any) -> list[events.Event]:
    seen: list[events.Event] = []
    return drive(going_back(world, to, **options), seen)


def serving(world: World) -> dict[str, str]:
    return {one.key: one.revision for one in world.live().services}


def test_the_way_back_is_to_the_release_before_the_one_that_serves() -> None:
    world = worlds.world()
    first = deployed(world, 2)
    deployed(world, 3)
    world.aws.forget_calls()
    back(world)
    world.settle()
    assert serving(world) == first.services
    assert (recorded(world).action, recorded(world).restores, recorded(world).verdict) == ("rollback", 1, "completed")
    assert recorded(world).images == first.images
    assert world.aws.calls["ecs:RegisterTaskDefinition"] == world.aws.calls["ecs:RunTask"] == 0


def test_nothing_is_registered_migrated_or_deregistered_on_the_way_back() -> None:
    world = worlds.world()
    deployed(world, 2)
    deployed(world, 3)
    world.aws.forget_calls()
    back(world)
    assert set(wrote(world)) == {"update_service"}
    assert wrote(world).count("update_service") == 2


def test_fb8_a_release_that_failed_in_between_is_no_place_to_go_back_to() -> None:
    world = worlds.world()
    good = deployed(world, 2)
    world.ecs.behave(image=worlds.digest("web", 3), exits=1, after_seconds=0.2)
    world.ecs.behave(image=worlds.digest("web", 3), command=worlds.MIGRATE, exits=0)
    failing(proposed(world, 3), RolledBackError, 3)
    world.settle()
    deployed(world, 4)
    back(world)
    world.settle()
    assert serving(world) == good.services


def test_going_back_twice_goes_further_back_and_not_to_and_fro() -> None:
    world = worlds.world()
    oldest = deployed(world, 2)
    deployed(world, 3)
    deployed(world, 4)
    back(world)
    world.settle()
    back(world)
    world.settle()
    assert serving(world) == oldest.services
    with pytest.raises(RefusedError, match="none before it completed"):
        going_back(world)


def test_ec22_a_release_can_be_named_by_its_number() -> None:
    world = worlds.world()
    oldest = deployed(world, 2)
    deployed(world, 3)
    deployed(world, 4)
    back(world, "1")
    world.settle()
    assert serving(world) == oldest.services
    back(world, "3")
    world.settle()
    assert recorded(world).restores == 3


@pytest.mark.parametrize(("to", "said"), [("9", "no release 9"), ("2", "never served: it is rolled back")])
def test_a_release_that_never_served_cannot_be_named(to: str, said: str) -> None:
    world = worlds.world()
    deployed(world, 2)
    world.ecs.behave(image=worlds.digest("job", 3), exits=1, after_seconds=0.2)
    failing(proposed(world, 3), RolledBackError, 3)
    world.settle()
    with pytest.raises(RefusedError, match=said):
        going_back(world, to)


@pytest.mark.parametrize("to", ["last", "-1", "0", "1.5"])
def test_what_is_no_number_is_said(to: str) -> None:
    world = worlds.world()
    deployed(world, 2)
    with pytest.raises(ConfigError, match="takes the number of a release"):
        going_back(world, to)


def test_ec1047_without_anything_to_go_back_to_nothing_is_done() -> None:
    world = worlds.world()
    with pytest.raises(RefusedError, match="none ever completed"):
        going_back(world)
    deployed(world, 2)
    with pytest.raises(RefusedError, match="release 1 serves, and none before it completed"):
        going_back(world)


def test_services_that_somebody_changed_by_hand_go_back_to_what_completed_last() -> None:
    world = worlds.world()
    last = deployed(world, 2)
    world.release("web", 5)
    world.settle()
    plan = going_back(world).plan
    assert {one.key: one.action for one in plan.services} == {"web": "restore", "job": "unchanged"}
    back(world)
    world.settle()
    assert serving(world) == last.services


def test_a_migration_that_cannot_be_undone_bars_the_way_unless_somebody_insists() -> None:
    world = worlds.world()
    deployed(world, 2)
    deployed(world, 3, irreversible=True)
    with pytest.raises(RefusedError, match="migration of release 2 is marked irreversible") as refused:
        going_back(world)
    assert "--over-irreversible" in refused.value.hint
    assert going_back(world, over_irreversible=True).plan.restores == 1


def test_an_irreversible_migration_of_a_release_that_failed_afterwards_counts_too() -> None:
    world = worlds.world()
    deployed(world, 2)
    deployed(world, 3)
    world.ecs.behave(image=worlds.digest("job", 4), exits=1, after_seconds=0.2)
    failing(proposed(world, 4, irreversible=True), RolledBackError, 4)
    world.settle()
    with pytest.raises(RefusedError, match="migration of release 3 is marked irreversible"):
        going_back(world)


def test_revisions_that_somebody_deregistered_are_refused_before_anything_moves() -> None:
    world = worlds.world()
    first = deployed(world, 2)
    deployed(world, 3)
    world.ecs.deregister_task_definition(taskDefinition=first.services["web"])
    world.aws.forget_calls()
    with pytest.raises(RefusedError, match="was deregistered"):
        going_back(world)
    assert wrote(world) == ()


def test_the_way_back_can_fail_too_and_then_what_served_serves_again() -> None:
    world = worlds.world()
    deployed(world, 2)
    now = deployed(world, 3)
    world.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=0.2)
    _, failure = failing(going_back(world), RolledBackError)
    world.settle()
    assert serving(world) == now.services
    assert "another release" in failure.hint
    assert recorded(world).verdict == "rolled back"


def test_cp2041_one_command_stops_a_rollout_that_is_under_way_and_goes_back() -> None:
    world = worlds.world()
    good = deployed(world, 2)
    world.ecs.behave(image=worlds.digest("web", 3), unhealthy="elb")
    world.ecs.behave(image=worlds.digest("web", 3), command=worlds.MIGRATE, exits=0)
    other = release.execute(proposed(world, 3), ready(worlds.digests(3)))
    for event in other:
        if isinstance(event, events.Progressed):
            break
    seen: list[events.Event] = []
    drive(going_back(world), seen)
    assert any(isinstance(one, events.Noticed) and "ada" in one.message for one in seen)
    with pytest.raises(SupersededError):
        list(other)
    world.settle()
    assert serving(world) == good.services


def test_what_a_killed_run_left_is_taken_back_and_its_entry_closed() -> None:
    world = worlds.world()
    good = deployed(world, 2)
    killed(world, 3, events.RolloutStarted)
    one = going_back(world)
    assert any("release 2" in notice for notice in one.plan.notices)
    drive(one, [])
    world.settle()
    assert serving(world) == good.services
    entries = ledger.entries(world.account.dynamodb, worlds.LEDGER)
    assert [(entry.number, entry.verdict) for entry in entries[:2]] == [(3, "completed"), (2, "interrupted")]
    assert "release 3 went on from there" in entries[1].reason


def test_a_killed_run_that_had_moved_nothing_is_reverted_and_nothing_before_it() -> None:
    world = worlds.world()
    deployed(world, 2)
    good = deployed(world, 3)
    killed(world, 4, events.Migrated)
    one = going_back(world)
    assert (one.plan.restores, one.plan.moving, one.plan.nothing_to_do) == (2, (), False)
    drive(one, [])
    assert serving(world) == good.services
    assert [entry.verdict for entry in ledger.entries(world.account.dynamodb, worlds.LEDGER)][:2] == [
        "completed",
        "interrupted",
    ]
    assert going_back(world).plan.restores == 1


def killed(world: World, number: int, moment: type[events.Event]) -> None:
    """Let a release die at *moment*: nothing is tidied up, and its lock runs out."""
    happening = release.execute(proposed(world, number), ready(worlds.digests(number)))
    while not isinstance(next(happening), moment):
        pass
    world.corpses.append(happening)
    world.clock.advance(120)


def test_ctrl_c_on_the_way_back_says_what_goes_on() -> None:
    world = worlds.world()
    deployed(world, 2)
    deployed(world, 3)
    steps = release.execute(going_back(world))
    with pytest.raises(KeyboardInterrupt) as interrupted:
        for event in steps:
            if isinstance(event, events.RolloutStarted) and event.service == "job":
                world.clock.after(4, interrupt)
    assert "inv watch" in interrupted.value.__notes__[0]


def test_a_service_that_the_former_release_did_not_have_stays_and_is_said() -> None:
    world = worlds.world()
    deployed(world, 2)
    deployed(world, 3)
    item = world.aws.dynamodb.tables[worlds.LEDGER]["release", 1]
    del item["services"]["M"]["job"]
    plan = going_back(world).plan
    assert {one.key: one.action for one in plan.services} == {"web": "restore", "job": "unchanged"}
    assert any("job was not there in release 1" in one for one in plan.notices)


def test_an_old_release_that_does_not_start_any_more_needs_a_person_when_the_new_one_neither() -> None:
    world = worlds.world(
        worlds.ServiceSpec(key="web", containers={"app": "web"}, tasks=2, breaker=False, minimum_percent=0)
    )
    deployed(world, 2)
    deployed(world, 3)
    for number in (2, 3):
        world.ecs.behave(image=worlds.digest("web", number), pull_error="manifest unknown")
    environment = worlds.environment(rollout=config.Rollout(timeout_seconds=120))
    one = release.propose_rollback(environment, world.account, clock=world.clock)
    _, failure = failing(one, NotRestoredError)
    assert "web does NOT serve the previous release" in str(failure)


def test_rollback_names_only_what_it_does() -> None:
    world = worlds.world()
    deployed(world, 2)
    deployed(world, 3)
    seen: list[events.Event] = []
    drive(going_back(world), seen)
    assert kinds(seen) == ["Began", *["RolloutStarted"] * 2, *["Drained"] * 2, "Completed"]

"""A release that loses the lock, at whatever moment, writes nothing more: not forwards, and not back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib import config, events, lease, release
from deploylib.errors import SupersededError
from tests.fakes import world as worlds
from tests.fakes.releases import proposed, ready, wrote

if TYPE_CHECKING:
    from tests.fakes.world import World

FORWARDS = (
    events.Locked,
    events.Registered,
    events.MigrationStarted,
    events.Migrated,
    events.RolloutStarted,
    events.Progressed,
)


def taken_over(world: World) -> None:
    """Have another machine take the lock by force, and go on with it."""
    holder = lease.holder(world.account.dynamodb, worlds.LEDGER)
    assert holder
    lease.break_lease(world.account.dynamodb, worlds.LEDGER, holder, by="arn:aws:iam::1:user/ben")
    claim = lease.Claim(environment="stg", by="arn:aws:iam::1:user/ben", process="")
    steps = lease.acquire(world.account.dynamodb, worlds.LEDGER, claim, settings=config.Lock(), clock=world.clock)
    assert isinstance(next(steps), events.Locked)
    with pytest.raises(StopIteration):
        next(steps)


def robbed(world: World, moment: type[events.Event]) -> list[events.Event]:
    """Take the lock away right after *moment*, and return what the release said afterwards, until it stopped."""
    happening = release.execute(proposed(world), ready(worlds.digests(2)))
    while not isinstance(next(happening), moment):
        pass
    taken_over(world)
    world.aws.forget_calls()
    said: list[events.Event] = []
    with pytest.raises(SupersededError, match="not ours any more: ben on"):
        said.extend(happening)
    return said


@pytest.mark.parametrize("moment", FORWARDS)
def test_release_that_loses_the_lock_goes_no_further(moment: type[events.Event]) -> None:
    world = worlds.world()
    robbed(world, moment)
    allowed = {"stop_task"}  # a migration that nobody watches is worse than one that is stopped
    assert set(wrote(world)) <= allowed


def test_release_that_loses_the_lock_takes_nothing_back() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=0.2)
    robbed(world, events.RolloutFailed)
    assert wrote(world) == ()


@pytest.mark.parametrize("moment", FORWARDS)
def test_lock_of_whoever_took_over_is_left_alone(moment: type[events.Event]) -> None:
    world = worlds.world()
    robbed(world, moment)
    holder = lease.holder(world.account.dynamodb, worlds.LEDGER)
    assert holder
    assert holder.by.endswith("ben")

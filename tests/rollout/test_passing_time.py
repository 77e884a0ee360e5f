"""Time passes while calls are made: the fake clock stands still between two sleeps, and no real one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib import config, rollout
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from tests.fakes.clock import FakeClock

SETTINGS = config.Rollout(timeout_seconds=120, poll_seconds=3)


class Passing:
    """A clock that goes on by *step* seconds each time that somebody looks at it."""

    def __init__(self, clock: FakeClock, step: float) -> None:
        self._clock, self._step = clock, step

    def monotonic(self) -> float:
        self._clock.advance(self._step)
        return self._clock.monotonic()

    def time(self) -> float:
        return self._clock.time()

    def sleep(self, seconds: float, /) -> None:
        self._clock.sleep(seconds)


@pytest.mark.parametrize("step", [0.000_001, 0.01, 0.1])
@pytest.mark.parametrize("key", ["web", "job"])
def test_a_rollout_ends_on_a_clock_that_does_not_stand_still(key: str, step: float) -> None:
    world = worlds.world()
    previous = world.ecs.describe_services(cluster=world.cluster, services=[world.specs[key].name])["services"][0]
    revision = world.register(key, 2)
    answer = world.ecs.update_service(cluster=world.cluster, service=world.specs[key].name, taskDefinition=revision)
    target = rollout.target(key, answer["service"], previous=previous["taskDefinition"])
    seen = rollout.watch(world.account, world.cluster, [target], settings=SETTINGS, clock=Passing(world.clock, step))
    (outcome,) = [one for one in seen if isinstance(one, rollout.Outcome)]
    assert (outcome.verdict, outcome.reason) == ("done", "")

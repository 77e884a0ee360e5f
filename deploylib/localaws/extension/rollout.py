"""What the service scheduler does next: which tasks start, which stop, which deployment has failed or completed.

A rolling update keeps `minimumHealthyPercent` of the wanted tasks steady and never has more than `maximumPercent` of
them. An old task is let go as soon as a new one is steady in its place; with no room above 100 % an old one goes first.
A task that is already told to stop counts for nothing here: draining it is its own affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FREE_RESTARTS = 3
FIRST_RESTART_DELAY_SECONDS = 0.5


class Stage(Enum):
    """How far a task is, for the scheduler."""

    STARTING = "starting"
    RUNNING = "running"
    STEADY = "steady"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """One task that has not been told to stop."""

    arn: str
    deployment: str
    stage: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the service asks for."""

    deployment: str
    count: int
    minimum_percent: int = 100
    maximum_percent: int = 200
    failed: bool = False

    @property
    def minimum(self) -> int:
        """Return the number of tasks that must stay (rounded up, as ECS does)."""
        return -(-self.count * self.minimum_percent // 100)

    @property
    def maximum(self) -> int:
        """Return the number of tasks there may be at most (rounded down)."""
        return self.count * self.maximum_percent // 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The scheduler's next step."""

    start: int = 0
    stop: tuple[str, ...] = ()
    completed: bool = False


def decide(tasks: Sequence[TaskView], wanted: Wanted) -> Decision:
    """Return the next step of a service that has *tasks*, oldest first."""
    own = [task for task in tasks if task.deployment == wanted.deployment]
    old = [task for task in tasks if task.deployment != wanted.deployment]
    if wanted.failed:
        return Decision(stop=tuple(task.arn for task in own if task.stage is not Stage.STEADY))
    steady = sum(task.stage is Stage.STEADY for task in own)
    missing = max(0, wanted.count - len(own))
    start = max(0, min(missing, wanted.maximum - len(tasks)))
    surplus = _newest_first(own)[: max(0, len(own) - wanted.count)]
    leaving = _least_steady_first(old)[: _old_to_stop(old, steady, wanted, missing - start)]
    return Decision(
        start=start,
        stop=tuple(task.arn for task in [*surplus, *leaving]),
        completed=steady >= wanted.count and len(leaving) == len(old),
    )


def _old_to_stop(old: Sequence[TaskView], steady: int, wanted: Wanted, blocked: int) -> int:
    replaced = len(old) - max(0, wanted.count - steady)
    serving = steady + sum(task.stage is Stage.STEADY for task in old)
    dead = sum(task.stage is not Stage.STEADY for task in old)
    for_room = min(blocked, dead + max(0, serving - wanted.minimum))
    return max(0, min(len(old), max(replaced, for_room)))


def _newest_first(tasks: Sequence[TaskView]) -> list[TaskView]:
    newest_first = tasks[::-1]
    return sorted(newest_first, key=lambda task: task.stage is Stage.STEADY)


def _least_steady_first(tasks: Sequence[TaskView]) -> list[TaskView]:
    return sorted(tasks, key=lambda task: task.stage is Stage.STEADY)


def restart_delay_seconds(failures: int, maximum: float) -> float:
    """Return the wait before the next task, after so many *failures* in a row: the first few restart at once."""
    if failures <= FREE_RESTARTS:
        return 0.0
    return float(min(maximum, FIRST_RESTART_DELAY_SECONDS * 2 ** min(failures - FREE_RESTARTS - 1, 16)))


def breaker(service: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the circuit breaker's settings, empty when there is none."""
    found = (service.get("deploymentConfiguration") or {}).get("deploymentCircuitBreaker") or {}
    return found if found.get("enable") else {}


def percents(service: Mapping[str, Any]) -> tuple[int, int]:
    """Return minimumHealthyPercent and maximumPercent."""
    configuration = service.get("deploymentConfiguration") or {}
    minimum, maximum = configuration.get("minimumHealthyPercent"), configuration.get("maximumPercent")
    return (100 if minimum is None else int(minimum)), (200 if maximum is None else int(maximum))

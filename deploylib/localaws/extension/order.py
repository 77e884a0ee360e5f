"""In which order a task's containers start and stop."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Phase(Enum):
    """How far a container is."""

    WAITING = "waiting"
    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is known of one container."""

    phase: Phase = Phase.WAITING
    exit_code: int | None = None
    healthy: bool | None = None


class DependencyError(Exception):
    """A container waits for what can no longer happen."""


def startable(definitions: Sequence[Mapping[str, Any]], progress: Mapping[str, Progress]) -> tuple[str, ...]:
    """Return the names of the waiting containers whose `dependsOn` conditions hold now."""
    return tuple(
        definition["name"]
        for definition in definitions
        if progress[definition["name"]].phase is Phase.WAITING and _ready(definition, progress)
    )


def stop_levels(definitions: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], ...]:
    """Return the names in groups to stop one after another: a container stops before those it depends on."""
    sorter = TopologicalSorter({d["name"]: [e["containerName"] for e in d.get("dependsOn") or []] for d in definitions})
    try:
        sorter.prepare()
    except CycleError as error:
        raise DependencyError(f"the containers depend on each other in a circle: {error.args[1]}") from error
    levels = []
    while sorter.is_active():
        ready = sorter.get_ready()
        levels.append(tuple(sorted(ready)))
        sorter.done(*ready)
    return tuple(reversed(levels))


def _ready(definition: Mapping[str, Any], progress: Mapping[str, Progress]) -> bool:
    name = definition["name"]
    return all(
        _holds(name, dependency["containerName"], dependency["condition"], progress)
        for dependency in definition.get("dependsOn") or []
    )


def _holds(name: str, other: str, condition: str, progress: Mapping[str, Progress]) -> bool:
    if other not in progress:
        raise DependencyError(f"container {name} depends on {other}, which the task does not have")
    state = progress[other]
    exited = state.phase is Phase.EXITED
    if condition == "SUCCESS" and exited and state.exit_code != 0:
        raise DependencyError(f"container {name} needs {other} to succeed, and it exited with {state.exit_code}")
    if condition == "HEALTHY" and (exited or state.healthy is False):
        raise DependencyError(f"container {name} needs {other} to be healthy, and it is not")
    if condition == "START":
        return state.phase is not Phase.WAITING
    return state.healthy is True if condition == "HEALTHY" else exited

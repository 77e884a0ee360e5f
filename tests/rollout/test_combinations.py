"""Every behaviour of the new release on every shape of service and every habit of AWS; and whatever chance brings."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rollout import scenario

if TYPE_CHECKING:
    from tests.rollout.scenario import Case

GIVEN_UP = "rolled back|failed"
ENDS: dict[str, tuple[dict[str, Any], str]] = {
    "works": ({}, "done"),
    "starts slowly": ({"slow_start_seconds": 8}, "done"),
    "cannot be pulled": ({"pull_error": "manifest unknown"}, GIVEN_UP),
    "does not start": ({"start_error": "ResourceInitializationError: unable to pull secrets"}, GIVEN_UP),
    "crashes at once": ({"exits": 1, "after_seconds": 0.2}, GIVEN_UP),
    "crashes after a moment": ({"exits": 1, "after_seconds": 5}, GIVEN_UP),
    "ends with success at once": ({"exits": 0, "after_seconds": 0.2}, GIVEN_UP),
    "fails once": ({"exits": 1, "after_seconds": 0.2, "times": 1}, "done"),
    "has no room": ({"unplaceable": "no space"}, "timed out"),
}
SHAPES: dict[str, dict[str, Any]] = {
    "one task": {"tasks": 1},
    "three tasks behind a balancer": {"tasks": 3, "balanced": True},
    "four checked tasks, half at a time": {"tasks": 4, "checked": True, "minimum_percent": 50, "maximum_percent": 100},
}
BREAKERS: dict[str, dict[str, Any]] = {
    "breaker": {},
    "breaker without way back": {"rollback": False},
    "no breaker": {"breaker": False, "rollback": False},
}
HABITS: dict[str, dict[str, Any]] = {
    "as we know it": {},
    "early and new": {"completes": "healthy", "rolls_back_to": "new", "failed_kept_seconds": 0.0},
    "late and stale": {"completes": "stopped", "stale_seconds": 6.0, "revisions_numbered": False},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    behaviour: str
    shape: str
    breaker: str
    habits: str

    def __str__(self) -> str:
        return f"{self.behaviour}, {self.shape}, {self.breaker}, {self.habits}"

    @property
    def case(self) -> Case:
        behave, verdict = ENDS[self.behaviour]
        return {
            "name": str(self),
            "services": {"web": {**SHAPES[self.shape], **BREAKERS[self.breaker]}},
            "habits": HABITS[self.habits],
            "old": {"draining": 40.0},
            "behave": [behave] if behave else [],
            "limit": 200,
            "verdicts": {"web": self._verdict(verdict)},
            "within": 203,
            "ticking": True,
        }

    def _verdict(self, verdict: str) -> str:
        given_up = verdict if self.breaker == "breaker" or verdict != GIVEN_UP else "failed"
        if self.behaviour == "crashes after a moment" and not SHAPES[self.shape].get("balanced"):
            return f"{given_up}|done"  # nothing but the end of the old tasks keeps us there
        return given_up


COMBINATIONS = [
    Combination(behaviour=behaviour, shape=shape, breaker=breaker, habits=habits)
    for behaviour, shape, breaker, habits in itertools.product(ENDS, SHAPES, BREAKERS, HABITS)
]


@pytest.mark.parametrize("combination", COMBINATIONS, ids=str)
def test_a_combination_ends_as_it_has_to(combination: Combination) -> None:
    scenario.play(combination.case)


HAPPENINGS = st.sampled_from(
    [
        {"do": "update"},
        {"do": "force"},
        {"do": "return"},
        {"do": "scale", "desired": 0},
        {"do": "scale", "desired": 1},
        {"do": "scale", "desired": 5},
        {"do": "rebalance"},
        {"do": "fill", "seconds": 30},
        {"do": "stop tasks", "count": 1},
        {"do": "spot", "count": 2},
        {"do": "cut", "seconds": 25},
        {"do": "throttle", "share": 0.4},
        {"do": "alarm", "name": "errors"},
    ]
)


@settings(max_examples=40, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    happens=st.lists(st.tuples(st.floats(0.1, 70), HAPPENINGS), max_size=4),
    behaviour=st.sampled_from(list(ENDS)),
    shape=st.sampled_from(list(SHAPES)),
    habits=st.sampled_from(list(HABITS)),
)
def test_whatever_happens_done_means_done(
    happens: list[tuple[float, dict[str, Any]]], behaviour: str, shape: str, habits: str
) -> None:
    combination = Combination(behaviour=behaviour, shape=shape, breaker="breaker", habits=habits)
    case = {**combination.case, "happens": [{"at": at, **what} for at, what in happens]}
    played = scenario.play({key: value for key, value in case.items() if key not in ("verdicts", "within")})
    assert set(played.outcomes) == {"web"}

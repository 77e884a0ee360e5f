"""All rollouts of a release followed together, from the first look to the last verdict."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from deploylib import events
from deploylib.errors import AwsError
from deploylib.rollout.gates import Gates, Start
from deploylib.rollout.reading import SILENCE_SECONDS, Looks
from deploylib.rollout.targets import Description, Outcome, Target, describe, primary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Rollout
    from deploylib.rollout.assessment import Look

LIMIT_SECONDS = 900.0
SHORTEST = 16  # pauses are at least this part of `rollout.poll_seconds`
SLOWEST_SECONDS = 10.0
LONGEST_DOUBLING = 4
JITTER = 0.1
MOMENT_SECONDS = 0.01  # what floats get wrong


class Looking(Protocol):
    """Looks at what is followed, as `reading.Looks` does."""

    @property
    def left(self) -> int:
        """How many calls of this look nobody has made yet."""

    @property
    def missed(self) -> int:
        """How many looks in a row AWS has not answered."""

    @property
    def refused(self) -> str:
        """What to say of what may not be read."""

    def at(self, targets: Sequence[Target], settings: Rollout) -> dict[str, Look]:
        """Return a look at each target that was read at least once."""

    def is_fresh(self, target: Target) -> bool:
        """Whether the last look at *target* is younger than what AWS has not answered since."""


def watch(
    account: Account,
    cluster: str,
    targets: Sequence[Target],
    *,
    settings: Rollout,
    clock: Clock,
    starts: Sequence[Start] = (),
    looks: Looking | None = None,
) -> Iterator[events.Event | Outcome]:
    """Follow *targets*, and *starts* when their gates open, until each is done or one has failed.

    Yields progress, and each `Outcome` as it is known. After a failure the outcomes of the others are not waited for,
    and nothing more is started: the release decides what happens. Raises `AwsError` when AWS refuses a call, or does
    not answer for `SILENCE_SECONDS`. *looks* is who looks, where not all of it is rolled out by ECS itself.
    """
    course = _Course(settings=settings, clock=clock, looks=looks or Looks(account, cluster, clock))
    gates = Gates(account, cluster, starts)
    course.follow(targets)
    yield from _opened(course, gates)
    while course.targets:
        clock.sleep(course.pause())
        seen = course.look()
        yield from course.news(seen)
        gates.look(course.targets, seen, calls=course.looks.left)
        for target in tuple(course.targets):
            outcome = course.outcome(target, seen.get(target.key))
            if outcome is None:
                continue
            course.targets.remove(target)
            if outcome.verdict == "done":
                yield events.Drained(service=target.key, seconds=course.since(target))
            yield outcome
            if outcome.verdict != "done":
                return
        yield from _opened(course, gates)


def _opened(course: _Course, gates: Gates) -> Iterator[events.Event]:
    """Start what waits no longer."""
    for one in gates.open(course.targets) if gates.waiting else ():
        course.follow([one.start()])
        yield events.GateOpened(service=one.key, after=one.after)
    yield from course.said_once(gates.refused)


@dataclass(slots=True, kw_only=True)
class _Course:
    """A watch under way: what is still followed, since when, and what was said already."""

    settings: Rollout
    clock: Clock
    looks: Looking
    targets: list[Target] = field(default_factory=list)
    _began: dict[str, float] = field(default_factory=dict)
    _shown: tuple[events.Standing, ...] = ()
    _said: set[str] = field(default_factory=set)
    _pauses: Iterator[float] = field(default_factory=itertools.count)  # `follow` sets it
    _draining: bool = False
    _reached: dict[str, tuple[float, int]] = field(default_factory=dict)

    def follow(self, targets: Sequence[Target]) -> None:
        """Follow *targets* too, and look often again."""
        now = self.clock.monotonic()
        self.targets += targets
        self._began |= dict.fromkeys((one.key for one in targets), now)
        seconds = self.settings.poll_seconds
        first = _first_pause(self.targets, seconds) if len(self.targets) == len(targets) else seconds
        self._pauses, self._draining = _jittered(_pauses(seconds, first=first), self.targets), False

    def since(self, target: Target) -> float:
        """Return for how many seconds *target* was followed."""
        return self.clock.monotonic() - self._began[target.key]

    def limit(self, target: Target) -> float:
        """Return how many seconds *target* may take."""
        return target.limit_seconds or self.settings.timeout_seconds or LIMIT_SECONDS

    def pause(self) -> float:
        """Return how long to sleep: longer while AWS does not answer, and not beyond the next deadline."""
        pause = next(self._pauses)
        if self.looks.missed:
            pause = max(pause, min(pause * 2 ** min(self.looks.missed, LONGEST_DOUBLING), SLOWEST_SECONDS))
        left = [self.limit(one) - self.since(one) for one in self.targets]
        left += [self._unsettled_seconds(one) for one in self.targets if one.key in self._reached]
        return min([pause, *(one for one in left if one > MOMENT_SECONDS)])

    def look(self) -> dict[str, Look]:
        """Look at everything that is followed; look often again once only old tasks are left."""
        seen = {key: self._shown_as(key, one) for key, one in self.looks.at(self.targets, self.settings).items()}
        if not self._draining and seen and all(one.standing.state == "draining" for one in seen.values()):
            seconds = self.settings.poll_seconds
            self._pauses, self._draining = _jittered(_pauses(seconds, first=seconds / SHORTEST), self.targets), True
        return seen

    def _shown_as(self, key: str, look: Look) -> Look:
        """Return *look* as a person reads it: what has to stay for a while is not done yet."""
        settles = any(one.settle_seconds for one in self.targets if one.key == key)
        if look.verdict != "done" or not settles:
            return look
        return replace(look, standing=replace(look.standing, state="settling"))

    def news(self, seen: dict[str, Look]) -> Iterator[events.Event]:
        """Yield what differs from what was shown last, and what is said once."""
        standings = tuple(one.standing for one in seen.values())
        if standings != self._shown:
            self._shown = standings
            yield events.Progressed(services=standings)
        yield from self.said_once(self.looks.refused, *(words for one in seen.values() for words in one.notices))

    def said_once(self, *words: str) -> Iterator[events.Event]:
        """Yield each of *words* that is not empty and was not said."""
        for one in words:
            if one and one not in self._said:
                self._said.add(one)
                yield events.Noticed(message=one)

    def outcome(self, target: Target, look: Look | None) -> Outcome | None:
        """Return how *target* ended, if it did; that it takes too long is only said after a fresh look at it."""
        if look is None:
            return None
        if self._settles(target, look):
            return None
        if look.verdict is not None:
            return Outcome(target=target, verdict=look.verdict, reason=look.reason)
        left = self.limit(target) - self.since(target)
        if left > MOMENT_SECONDS or not self.looks.is_fresh(target):
            return None
        return _overdue(target, look.standing, self.limit(target))

    def _settles(self, target: Target, look: Look) -> bool:
        """Whether *target* is done but for its tasks having to stay; one that fails meanwhile starts that anew."""
        if look.verdict != "done":
            self._reached.pop(target.key, None)
            return False
        now, failed = self.clock.monotonic(), look.standing.failed
        if self._reached.get(target.key, (now, failed))[1] != failed:
            del self._reached[target.key]
        self._reached.setdefault(target.key, (now, failed))
        return self._unsettled_seconds(target) > MOMENT_SECONDS

    def _unsettled_seconds(self, target: Target) -> float:
        return self._reached[target.key][0] + target.settle_seconds - self.clock.monotonic()


def watch_restored(
    account: Account, cluster: str, targets: Sequence[Target], *, settings: Rollout, clock: Clock
) -> Iterator[events.Event]:
    """Follow *targets* (their `revision` is the one to return to) until each serves it again.

    Yields `Restored` for each that does; one that has not within the time limit is left out. What AWS does not answer
    for a while is asked again.
    """
    began, left, answered = clock.monotonic(), list(targets), clock.monotonic()
    limit = max([settings.timeout_seconds or LIMIT_SECONDS, *(one.limit_seconds for one in targets)])
    pauses = _pauses(settings.poll_seconds, first=settings.poll_seconds / SHORTEST)
    while left:
        try:
            described = describe(account.ecs, cluster, [one.name for one in left])
            answered = clock.monotonic()
        except AwsError as error:
            if not error.transient or clock.monotonic() - answered > SILENCE_SECONDS:
                raise
            described = {}
        for target in tuple(left):
            if _serves(described.get(target.name, {}), target.revision):
                left.remove(target)
                yield events.Restored(service=target.key, revision=target.revision)
        if not left or (described and clock.monotonic() - began >= limit):
            return
        clock.sleep(next(pauses))


def _overdue(target: Target, state: events.Standing, limit: float) -> Outcome:
    if state.state == "draining":
        left = (
            f"{state.old} tasks of older revisions have not stopped" if state.old else "ECS has not told of old tasks"
        )
        reason = f"the new revision serves, but {left} within {limit:g} s"
        return Outcome(target=target, verdict="not drained", reason=reason)
    counts = f"{state.running} of {state.desired} tasks run, {state.pending} pending, {state.failed} failed"
    reason = f"not done within {limit:g} s: {counts}. {state.message}".rstrip(". ")
    return Outcome(target=target, verdict="timed out", reason=reason)


def _serves(description: Description, revision: str) -> bool:
    now = primary(description)
    return bool(
        now.get("taskDefinition") == revision
        and now.get("rolloutState") == "COMPLETED"
        and now.get("runningCount", 0) >= description.get("desiredCount", 0)
    )


def _first_pause(targets: Sequence[Target], seconds: float) -> float:
    """Return when to look first: rollouts of a service resemble each other, so when the former ones would be over."""
    expected = [one.expected_seconds for one in targets]
    return min(seconds, max(expected) + seconds / SHORTEST) if expected and all(expected) else seconds


def _pauses(seconds: float, *, first: float) -> Iterator[float]:
    """Yield the pauses between looks: a quarter of the time so far, but hardly ever more than *seconds*.

    So what takes a moment is not waited for much longer than a moment, with few looks. A rollout that takes minutes is
    looked at ever more slowly, up to every ten seconds.
    """
    pause, elapsed = first, 0.0
    while True:
        yield pause
        elapsed += pause
        pause = min(max(elapsed / 4, seconds / SHORTEST), max(seconds, min(elapsed / 20, SLOWEST_SECONDS)))


def _jittered(pauses: Iterator[float], targets: Sequence[Target]) -> Iterator[float]:
    """Yield *pauses*, all but the first up to a tenth shorter, so that releases side by side do not ask together."""
    chance = random.Random("".join(one.deployment for one in targets))  # noqa: S311  # no secret: only out of step
    yield next(pauses)
    for pause in pauses:
        yield pause * (1 - JITTER * chance.random())

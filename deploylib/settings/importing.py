"""Settings taken over from elsewhere: planned purely from what is given and what is there, shown, then written."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from deploylib import aws
from deploylib.errors import AwsError
from deploylib.settings import names, sources, store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.settings.sources import Given
    from deploylib.settings.store import Listed, Parameter, Tier

Action = Literal["create", "update", "keep", "skip"]

COLUMNS = ("setting", "action", "from", "why")
VERBS: Mapping[Action, str] = {"create": "create", "update": "update", "keep": "keep", "skip": "leave out"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of one setting, and why; *place* is where its value stands."""

    name: str
    action: Action
    place: str
    reason: str
    value: str = field(default="", repr=False)
    tier: Tier = "Standard"

    @property
    def writes(self) -> bool:
        """Whether something has to be written."""
        return self.action in ("create", "update")


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What an import does: every setting that was given, in that order."""

    environment: Environment
    changes: tuple[Change, ...]

    @property
    def writes(self) -> tuple[Change, ...]:
        """What has to be written."""
        return tuple(one for one in self.changes if one.writes)

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The lines of the table under `COLUMNS`; no value is in them."""
        return tuple((one.name, one.action, one.place, one.reason) for one in self.changes)

    @property
    def summary(self) -> str:
        """The counts in one sentence."""
        counts = ((verb, sum(one.action == action for one in self.changes)) for action, verb in VERBS.items())
        return f"Plan: {', '.join(f'{count} to {verb}' for verb, count in counts if count)}"


def propose(
    account: Account, environment: Environment, given: Sequence[Given], source: str, *, clock: Clock = time
) -> Import:
    """Read what is there of *given*, and return what importing it would change; nothing is written.

    Empty values and keys to AWS itself are left out. Raises `RefusedError` in another account, and `ConfigError` with
    everything that Parameter Store would refuse.
    """
    left_out = {one.name: why for one in given if (why := _left_out(one))}
    wanted = [one for one in given if one.name not in left_out]
    changes = {one.name: one for one in _compared(account, environment, wanted, source=source, clock=clock)}
    skipped = {
        one.name: Change(name=one.name, action="skip", place=one.place, reason=left_out[one.name])
        for one in given
        if one.name in left_out
    }
    return Import(environment=environment, changes=tuple({**changes, **skipped}[one.name] for one in given))


def propose_one(account: Account, environment: Environment, given: Given, *, clock: Clock = time) -> Import:
    """Return what setting just *given* would change; what `propose` leaves out is refused, or taken on purpose."""
    changes = _compared(account, environment, [given], source=given.place, clock=clock)
    return Import(environment=environment, changes=changes)


def carry_out(account: Account, proposed: Import, *, clock: Clock = time) -> int:
    """Write what *proposed* says; return how many settings that were.

    What is interrupted can be repeated: what is written already is kept then.
    """
    pace, key, done = store.Pace(clock), names.key(proposed.environment), 0
    try:
        for one in proposed.writes:
            name = names.parameter(proposed.environment, one.name)
            store.write(account.ssm, name, one.value, pace, tier=one.tier, key=key)
            done += 1
    except (AwsError, KeyboardInterrupt) as error:
        error.add_note(f"{done} of {len(proposed.writes)} settings are written; the same command goes on from there")
        raise
    return done


def _left_out(given: Given) -> str:
    """Say why *given* is not imported; nothing when it is."""
    if given.name in names.CREDENTIALS:
        return "a task signs in by its role; inv params.set takes it if it must be"
    return "" if given.value else "it is empty: Parameter Store holds no empty value"


def _compared(
    account: Account, environment: Environment, given: Sequence[Given], *, source: str, clock: Clock
) -> tuple[Change, ...]:
    """Return what becomes of each of *given*."""
    _refuse_unfit(environment, given, source)
    aws.guard(account, environment)
    pace = store.Pace(clock)
    there = store.read(account.ssm, [names.parameter(environment, one.name) for one in given], pace, values=True)
    tiers = store.listed(account.ssm, names.folder(environment), pace) if there else {}
    paired = [(one, there.get(names.parameter(environment, one.name))) for one in given]
    changes = tuple(_change(one, held, tiers.get(held.name) if held else None) for one, held in paired)
    _refuse_unencrypted(environment, changes, {one.name: held for one, held in paired}, source)
    return changes


def _refuse_unfit(environment: Environment, given: Iterable[Given], source: str) -> None:
    """Refuse what Parameter Store would refuse, all of it, before anything is written."""
    problems = [
        (one, names.problem_of_name(environment, one.name) or names.problem_of_value(one.value)) for one in given
    ]
    if mistakes := [f"{one.place}: {one.name}: {problem}" for one, problem in problems if problem]:
        raise sources.refusal(source, mistakes)


def _refuse_unencrypted(
    environment: Environment, changes: Iterable[Change], there: Mapping[str, Parameter | None], source: str
) -> None:
    """Refuse to write a secret into a parameter that is not encrypted; AWS cannot change the type of one."""
    mistakes = [
        f"{one.name} is there as a {held.kind}, not encrypted: inv params.rm {one.name} --env {environment.name}"
        for one in changes
        if one.writes and (held := there[one.name]) and held.kind != store.SECURE
    ]
    if mistakes:
        raise sources.refusal(source, mistakes)


def _change(given: Given, there: Parameter | None, listed: Listed | None) -> Change:
    action, reason = _judged(given, there)
    advanced = names.is_advanced(given.value) or (listed is not None and listed.tier == "Advanced")
    costs = "; as an advanced parameter, which AWS charges for" if advanced and action != "keep" else ""
    return Change(
        name=given.name,
        action=action,
        place=given.place,
        reason=reason + costs,
        value=given.value,
        tier="Advanced" if advanced else "Standard",
    )


def _judged(given: Given, there: Parameter | None) -> tuple[Action, str]:
    if there is None:
        return "create", "it is not there yet"
    return ("keep", "it has this value") if there.value == given.value else ("update", "it has another value")

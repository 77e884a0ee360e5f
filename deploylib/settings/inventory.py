"""The settings that are there: one of them, all of them, those of two environments side by side; and their removal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from deploylib import aws
from deploylib.errors import ConfigError, OutdatedError, RefusedError
from deploylib.settings import names, store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.settings.store import Listed, Parameter

    Line = tuple[object, ...]

COLUMNS = ("setting", "state", "version", "changed", "by", "read by")
DIFFERENCE_COLUMNS = ("setting", "state")
MISSING, EQUAL = "MISSING", "equal"


def one(account: Account, environment: Environment, name: str, *, values: bool, clock: Clock = time) -> Parameter:
    """Return the parameter that holds the setting *name*; raise `ConfigError` when there is none."""
    _refuse_names(environment, [name])
    aws.guard(account, environment)
    parameter = names.parameter(environment, name)
    found = store.read(account.ssm, [parameter], store.Pace(clock), values=values)
    if parameter in found:
        return found[parameter]
    raise ConfigError(
        f"{environment.name} has no setting {name}", hint=f"inv params.set {name} --env {environment.name}"
    )


def listing(account: Account, environment: Environment, *, clock: Clock = time) -> tuple[Line, ...]:
    """Return the lines under `COLUMNS`: what is there, and what the configuration asks for but is not."""
    aws.guard(account, environment)
    found = store.listed(account.ssm, names.folder(environment), store.Pace(clock))
    there = {names.setting(name): one for name, one in found.items()}
    declared = names.declared(environment)
    wanted = sorted({*there, *declared}, key=str.upper)
    return tuple(_line(name, there.get(name), declared.get(name, ())) for name in wanted)


def refuse_missing(environment: Environment, lines: Iterable[Line]) -> None:
    """Raise `OutdatedError` when one of these *lines* of a listing says MISSING."""
    if missing := [str(line[0]) for line in lines if line[1] == MISSING]:
        raise OutdatedError(
            f"{environment.name} lacks {', '.join(missing)}",
            hint=f"inv params.set {missing[0]} --env {environment.name}",
        )


def differences(
    ours: tuple[Account, Environment], theirs: tuple[Account, Environment], *, clock: Clock = time
) -> tuple[tuple[str, str], ...]:
    """Return for each setting of two environments whether its values are equal; no value leaves this function."""
    here, there = (_values(*each, clock) for each in (ours, theirs))
    environments = ours[1].name, theirs[1].name
    wanted = sorted({*here, *there}, key=str.upper)
    return tuple((name, _compared(here.get(name), there.get(name), environments)) for name in wanted)


def refuse_different(ours: Environment, theirs: Environment, rows: Iterable[tuple[str, str]]) -> None:
    """Raise `OutdatedError` when one of these *rows* of a comparison does not say equal."""
    if different := [name for name, state in rows if state != EQUAL]:
        raise OutdatedError(
            f"{ours.name} and {theirs.name} differ in {', '.join(different)}",
            hint=f"inv params.set {different[0]} --env {theirs.name}",
        )


def refuse_used(environment: Environment, wanted: Iterable[str], read_by: Mapping[str, Iterable[str]]) -> None:
    """Refuse to remove what a container reads: no task of it could start any more. *read_by*: setting → who reads."""
    if used := [f"{each} (read by {', '.join(read_by[each])})" for each in wanted if each in read_by]:
        hint = "take it out of `settings` of the container, inv infra.apply, inv deploy; or add --allow-used"
        raise RefusedError(f"{environment.name}: no task could start without {', '.join(used)}", hint=hint)


def remove(account: Account, environment: Environment, wanted: Sequence[str], *, clock: Clock = time) -> int:
    """Remove these settings, and return how many there were.

    Raises `ConfigError` when there was none of them.
    """
    _refuse_names(environment, wanted)
    aws.guard(account, environment)
    parameters = [names.parameter(environment, each) for each in wanted]
    if gone := store.remove(account.ssm, parameters, store.Pace(clock)):
        return len(gone)
    raise ConfigError(
        f"{environment.name} has no setting {', '.join(wanted)}", hint=f"inv params.list --env {environment.name}"
    )


def _refuse_names(environment: Environment, wanted: Iterable[str]) -> None:
    for name in wanted:
        if problem := names.problem_of_name(environment, name):
            raise ConfigError(f"{name!r}: {problem}", hint=f"inv params.list --env {environment.name}")


def _line(name: str, listed: Listed | None, readers: Sequence[str]) -> Line:
    if listed is None:
        return name, MISSING, None, None, None, list(readers)
    plain = "" if listed.kind == store.SECURE else f"not encrypted ({listed.kind})"
    state = ", ".join(filter(None, (plain, "" if readers else "unused"))) or "ok"
    changed = listed.modified.astimezone().isoformat(sep=" ", timespec="seconds")
    return name, state, listed.version, changed, listed.by.rpartition("/")[2], list(readers)


def _values(account: Account, environment: Environment, clock: Clock) -> dict[str, str]:
    aws.guard(account, environment)
    held = store.below(account.ssm, names.folder(environment), store.Pace(clock))
    return {names.setting(each.name): each.value for each in held}


def _compared(here: str | None, there: str | None, environments: tuple[str, str]) -> str:
    if here is None or there is None:
        return f"only in {environments[here is None]}"
    return EQUAL if here == there else "different"

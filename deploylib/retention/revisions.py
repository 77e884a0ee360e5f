"""Old revisions of task definitions, and which of them may go: separate from every deploy, which never deregisters.

A revision that is deregistered cannot be started again, so a service that stands on it can neither scale nor replace a
task (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deregister-task-definition-v2.html). Nothing goes
that runs, that something may start, that a release has which one may go back to, or that is among the newest.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib import aws, lease, observe, taskdef
from deploylib.errors import AwsError, ConfigError, RefusedError
from deploylib.retention import usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.contract import Contract

PARALLEL = 4
PACE_SECONDS = 1.0  # AWS takes about one a second, once the first twenty or so are through
PATIENCE_TRIES = 20
COLUMNS = ("revision", "stays", "why")
UNUSED = "nothing uses it, and no release that one may go back to has it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of one revision (ARN), and every reason why it stays."""

    revision: str
    reasons: tuple[str, ...]

    @property
    def stays(self) -> bool:
        """Whether anything keeps it."""
        return bool(self.reasons)

    @property
    def cells(self) -> tuple[str, bool, str]:
        """Return the row under `COLUMNS`."""
        return self.revision.rpartition("/")[2], self.stays, "; ".join(self.reasons) or UNUSED


def propose(account: Account, environment: Environment, *, keep: int = 0) -> tuple[Fate, ...]:
    """Return what becomes of every active revision that deploys have registered, newest first in each family.

    The newest *keep* of each stay, and all that is used; without *keep*, as many as `images.keep.releases` says.
    Raises `RefusedError` in another account, and while a release is under way.
    """
    if keep < 0:
        raise ConfigError(f"--keep is how many revisions of each family stay, not {keep}", hint="--keep 5")
    aws.guard(account, environment)
    contract = observe.contract(account, environment)
    _refuse_locked(account, environment, contract)
    releases = environment.images.keep.releases
    used = usage.revisions(account, contract, releases=releases)
    with ThreadPoolExecutor(PARALLEL) as pool:
        families = tuple(pool.map(lambda family: _active(account, family), contract.families))
    return plan(families, used, keep=keep or releases)


def plan(families: Sequence[Sequence[str]], used: Iterable[tuple[str, str]], *, keep: int) -> tuple[Fate, ...]:
    """Return the fate of each revision; *families* are newest first, *used* says which are needed and why."""
    why: dict[str, list[str]] = {}
    for arn, reason in used:
        why.setdefault(arn, []).append(reason)
    return tuple(
        Fate(revision=arn, reasons=tuple(dict.fromkeys((*_rank(place, keep), *why.get(arn, ())))))
        for family in families
        for place, arn in enumerate(family, 1)
    )


def execute(
    account: Account, environment: Environment, fates: Sequence[Fate], *, keep: int = 0, clock: Clock = time
) -> Iterator[str]:
    """Deregister what *fates* says and what is still nobody's, oldest first; yield each revision that is gone.

    Everything is read once more right before: what two plans agree on goes.
    """
    agreed = {one.revision for one in fates if not one.stays}
    now = propose(account, environment, keep=keep)
    for one in [one.revision for one in now if not one.stays and one.revision in agreed][::-1]:
        _deregister(account, one, clock)
        yield one


def going(fates: Iterable[Fate]) -> int:
    """Return how many do not stay."""
    return sum(not one.stays for one in fates)


def _rank(place: int, keep: int) -> tuple[str, ...]:
    if place == 1:
        return ("the newest",)
    return (f"among the newest {keep}",) if place <= keep else ()


def _refuse_locked(account: Account, environment: Environment, contract: Contract) -> None:
    """Refuse while somebody releases: a revision is registered before anything says that it is needed."""
    found = lease.holder(account.dynamodb, contract.ledger) if contract.ledger else None
    if found and not found.gone:
        raise RefusedError(
            f"{environment.name}: {found.name} is at work there", hint=f"inv lock.show --env {environment.name}"
        )


def _active(account: Account, family: str) -> tuple[str, ...]:
    """Return the active revisions of *family*, newest first; ListTaskDefinitions takes families by their prefix."""
    pages = account.ecs.get_paginator("list_task_definitions").paginate(
        familyPrefix=family, status="ACTIVE", sort="DESC"
    )
    found = (arn for page in pages for arn in page["taskDefinitionArns"])
    return tuple(sorted((one for one in found if taskdef.family(one) == family), key=_number, reverse=True))


def _number(arn: str) -> int:
    return int(arn.rpartition(":")[2])


def _deregister(account: Account, revision: str, clock: Clock) -> None:
    for attempt in range(PATIENCE_TRIES):
        try:
            account.ecs.deregister_task_definition(taskDefinition=revision)
        except AwsError as error:
            if not error.transient or attempt == PATIENCE_TRIES - 1:
                raise
            clock.sleep(PACE_SECONDS)
        else:
            return

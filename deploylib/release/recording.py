"""The ledger's entry of a release, written as it happens, so that a run which is killed leaves the truth behind.

Each phase is written before its first call to ECS. That an entry cannot be written stops the release before a phase
that changes something; while a rollout is only watched, and at the end, it is said.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from deploylib import events, ledger, secrecy
from deploylib.errors import AwsError, NotRestoredError, RolledBackError, SupersededError
from deploylib.images.recipe import BASE

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from deploylib.plan import Plan
    from deploylib.release.model import Release

LONGEST_REASON = 500

Phase = Literal["images", "migrating", "rolling out", "watching", "scheduling", "proving", "going back", "detached"]

ENDED: Mapping[ledger.Verdict, str] = {
    "running": "goes on",
    "completed": "completed",
    "rolled back": "was rolled back",
    "not restored": "was not restored",
    "superseded": "was superseded",
    "interrupted": "was interrupted",
    "failed": "failed",
}


class Record:
    """The entry of one release; every step tells it what it did."""

    def __init__(self, release: Release, entry: ledger.Entry) -> None:
        self._release = release
        self.entry = entry

    @property
    def number(self) -> int:
        """The release's number in the ledger."""
        return self.entry.number

    def enter(self, phase: Phase, *, only_watching: bool = False, **changes: Any) -> None:
        """Write that *phase* begins, with all that is known by now."""
        now = dt.datetime.fromtimestamp(self._release.clock.time(), tz=dt.UTC).isoformat(timespec="seconds")
        phases = {**self.entry.phases, phase: self.entry.phases.get(phase, now)}
        self.entry = replace(self.entry, phase=phase, phases=phases, **changes)
        with contextlib.suppress(*([AwsError] if only_watching else [])):
            self.write()

    def write(self, **changes: Any) -> None:
        """Write the entry as it is; raise `SupersededError` when somebody else has given it an end."""
        self.entry = replace(self.entry, **changes)
        ledger.note(self._release.account.dynamodb, self._table, self.entry)

    def owned_by(self, owner: str) -> None:
        """Keep under which lease the release is at work; it is written with the next phase."""
        self.entry = replace(self.entry, owner=owner)

    def follow(self, release: Release) -> None:
        """Write from now on what *release* is about, which was planned anew."""
        planned = _entry(release)
        self._release = release
        self.entry = replace(self.entry, previous=planned.previous, services=planned.services)

    def tell(self, event: events.Event) -> None:
        """Keep what *event* says of the release; it is written with the next phase."""
        entry = self.entry
        if isinstance(event, events.RolloutStarted):
            self.entry = replace(entry, deployments={**entry.deployments, event.service: event.deployment})
        elif isinstance(event, events.Pushed | events.Promoted) and event.image == BASE:
            self.entry = replace(entry, base=event.digest)
        elif isinstance(event, events.Pushed | events.Promoted):
            self.entry = replace(entry, images={**entry.images, event.image: event.digest})
        elif isinstance(event, events.MigrationStarted):
            self.write(migration={**entry.migration, "state": "started", "task": event.task})
        elif isinstance(event, events.Migrated):
            self.write(migration={**entry.migration, "state": "done", "task": event.task})

    def migrates(self, revision: str) -> dict[str, str]:
        """Return what the ledger is told of the migration before its task is started."""
        plan = self._release.plan.migration
        if plan is None:
            return {}
        role = self._release.plan.contract.services[plan.service].containers[plan.container]
        image = self.entry.images.get(role, "")
        return {"state": "starting", "image": image, "command": shlex.join(plan.command), "revision": revision}

    def end(self, verdict: ledger.Verdict, reason: str = "") -> str:
        """Write the end of the release; return what to say when that fails."""
        said = secrecy.hidden(" ".join(reason.split("\n", 1)[0].split()))[:LONGEST_REASON]
        self.entry = replace(self.entry, verdict=verdict, reason=said)
        try:
            if verdict == ledger.RUNNING:
                self.write()
            else:
                ledger.finish(self._release.account.dynamodb, self._table, self.entry, clock=self._release.clock)
        except (AwsError, SupersededError) as error:
            return f"the ledger does not know that release {self.number} {ENDED[verdict]}: {error}"
        return ""

    @property
    def _table(self) -> str:
        return self._release.plan.contract.ledger


class Nowhere(Record):
    """The record of what is no release, or has no ledger: nothing is written."""

    def write(self, **changes: Any) -> None:
        """Keep it for this run only."""
        self.entry = replace(self.entry, **changes)

    def end(self, verdict: ledger.Verdict, reason: str = "") -> str:
        """There is nothing to be written, so nothing fails."""
        self.entry = replace(self.entry, verdict=verdict, reason=reason)
        return ""


def nowhere(release: Release) -> Record:
    """Return a record that writes nothing."""
    return Nowhere(release, _entry(release))


def begin(release: Release) -> Record:
    """Write that *release* begins, or take over the entry of the one that it resumes."""
    if release.resumes:
        return Record(release, release.resumes)
    if not release.plan.contract.ledger:
        return nowhere(release)
    entry = ledger.begin(release.account.dynamodb, release.plan.contract.ledger, _entry(release), clock=release.clock)
    return Record(release, entry)


def _entry(release: Release) -> ledger.Entry:
    """Return what the ledger is told when the release begins; what moves gets its revisions later."""
    plan = release.plan
    digests = {one.image: one.digest for one in plan.images if one.digest}
    services = {one.key: one.revision or one.based_on for one in plan.services if one.action != "update"}
    return ledger.Entry(
        release=plan.release,
        commit=plan.commit,
        dirty=plan.dirty,
        environment=plan.environment,
        by=release.by,
        origin=str(plan.origin or ""),
        images={image: digest for image, digest in digests.items() if image != BASE},
        base=digests.get(BASE, ""),
        previous={one.key: one.returns_to for one in plan.moving},
        services=services,
        action="rollback" if plan.action == "rollback" else "release",
        restores=plan.restores,
        continues=plan.continues.number if plan.continues else 0,
        irreversible=plan.irreversible,
        migration=_done_before(plan),
        schedules={one.key: one.revision or one.based_on for one in plan.schedules},
        previous_schedules={one.key: one.based_on for one in plan.schedules},
        phase="images",
    )


def _done_before(plan: Plan) -> dict[str, str]:
    """Return what another run has done of the migration: it stays done, and a third one may have to know."""
    done = plan.continues and plan.migration and plan.migration.done_by
    return dict(plan.continues.migration) if done and plan.continues else {}


def recorded(
    record: Record, steps: Generator[events.Event, str | None, None]
) -> Generator[events.Event, str | None, None]:
    """Pass on what *steps* yield, and write into the ledger how they end; that this cannot be written is only said."""
    try:
        yield from _told(record, steps)
    except BaseException as error:
        verdict = _verdict(error, record)
        if lost := record.end(verdict, str(error)):
            error.add_note(lost)
        raise
    if lost := record.end("completed"):
        yield events.Noticed(message=lost)


def _told(
    record: Record, steps: Generator[events.Event, str | None, None]
) -> Generator[events.Event, str | None, None]:
    """Tell *record* each event before it is shown; answers and interruptions reach the steps."""
    with contextlib.closing(steps):
        try:
            event = next(steps)
            while True:
                record.tell(event)
                try:
                    answer = yield event
                except KeyboardInterrupt as interrupt:  # the steps know what it leaves behind
                    event = steps.throw(interrupt)
                else:
                    event = steps.send(answer)
        except StopIteration:
            return


def _verdict(error: BaseException, record: Record) -> ledger.Verdict:
    """Return what *error* means; a release that was left rolling out has no end yet."""
    if isinstance(error, KeyboardInterrupt) and record.entry.phase == "detached":
        return ledger.RUNNING
    kinds: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], ledger.Verdict], ...] = (
        (RolledBackError, "rolled back"),
        (NotRestoredError, "not restored"),
        (SupersededError, "superseded"),
        ((KeyboardInterrupt, GeneratorExit), "interrupted"),
    )
    return next((verdict for kind, verdict in kinds if isinstance(error, kind)), "failed")

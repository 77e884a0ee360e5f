"""How an environment is, as a page: what serves, what is not as it should be, what is half done, who has the lock."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.text import Text

from deploylib.report import lines
from deploylib.report.console import cleaned, elapsed, results, show
from deploylib.report.tables import table
from deploylib.report.wording import SHORT_COMMIT, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from deploylib.lease import Holder
    from deploylib.ledger import Entry
    from deploylib.overview import ScheduleStatus, ServiceStatus, Status, Tasks, Unfinished

COLUMNS = ("service", "tasks", "health", "commit", "release", "for", "state")
STRATEGY = "strategy"  # one more, where not every service rolls
DAY, HOUR, MINUTE = 86400, 3600, 60
NAMED_PATHS = 3
SIGNS, SHORTEST = " !→", 20


def state(status: Status, *, output: str = "text", console: Console | None = None) -> None:
    """Print *status*: a page, or one JSON line."""
    if output == "json":
        lines.write(_document(status))
        return
    console = console or results()
    show(Text.assemble((cleaned(status.environment), "bold"), f"  {cleaned(status.url)}".rstrip()), console)
    show(Text(_last(status.completed)), console)
    console.print()
    several = any(one.strategy != "rolling" for one in status.services)
    rows = [(*_row(one), *([_strategy(one)] if several else [])) for one in status.services]
    table("", (*COLUMNS, *([STRATEGY] if several else [])), rows, console=console)
    if status.schedules:
        console.print()
        rows = [_schedule_row(one) for one in status.schedules]
        table("", ("scheduled task", "starts", "state"), rows, console=console)
    told = list(_told(status))
    if told:
        console.print()
    for line in told:
        show(_hanging(line, console), console)


def lock(environment: str, holder: Holder | None, *, output: str = "text", console: Console | None = None) -> None:
    """Print who has the lock of *environment*, or that nobody has it."""
    if output == "json":
        lines.write({"event": "Lock", "environment": environment, "holder": _holder(holder)})
        return
    console = console or results()
    if holder is None:
        show(Text(f"{environment}: nobody has the lock"), console)
        return
    for line in _locked(environment, holder):
        show(_hanging(line, console), console)


def _document(status: Status) -> dict[str, Any]:
    fields = asdict(status)
    return {
        "event": "EnvironmentStatus",
        **fields,
        "completed": _completed(status.completed),
        "lock": _holder(status.lock),
    }


def _completed(entry: Entry | None) -> dict[str, Any] | None:
    names = ("number", "commit", "dirty", "action", "restores", "origin", "by", "started_at", "ended_at")
    return {name: getattr(entry, name) for name in names} if entry else None


def _holder(holder: Holder | None) -> dict[str, Any] | None:
    names = ("by", "host", "reason", "commit", "since", "silent_seconds", "left_seconds", "gone")
    return {name: getattr(holder, name) for name in names} if holder else None


def _last(entry: Entry | None) -> str:
    if entry is None:
        return "No release has completed here"
    what = f"back to {entry.restores}, " if entry.action == "rollback" else ""
    who = entry.by.rpartition("/")[2]
    by = f" by {cleaned(who)}" if who else ""
    return f"Release {entry.number}: {what}{entry.commit[:SHORT_COMMIT]}{by}, completed {moment(entry.ended_at)}"


def _row(service: ServiceStatus) -> tuple[str, ...]:
    return (
        service.service,
        f"{service.running}/{service.desired}",
        _health(service),
        service.commit[:SHORT_COMMIT],
        str(service.release or ""),
        age(service.age_seconds) if service.since else "",
        service.state,
    )


def _strategy(service: ServiceStatus) -> str:
    return "CodeDeploy" if service.strategy == "codedeploy" else service.strategy


def _health(service: ServiceStatus) -> str:
    words = [f"{service.tasks.former} of before"] if service.tasks.former else []
    words += _checked(service.tasks)
    if service.targets:
        known = f"{service.targets.healthy}/{service.targets.total} targets"
        words.append("targets unknown" if service.targets.unknown else known)
    return ", ".join(words)


def _checked(tasks: Tasks) -> list[str]:
    counted = ((tasks.healthy, "healthy"), (tasks.unhealthy, "UNHEALTHY"), (tasks.unchecked, "unchecked"))
    return [f"{count} {word}" for count, word in counted if count]


def _schedule_row(schedule: ScheduleStatus) -> tuple[str, ...]:
    return schedule.task, schedule.revision, "enabled" if schedule.enabled else "disabled"


def age(seconds: float) -> str:
    """Return how long something has been so, in its largest unit: `12 s`, `5 min`, `3 h`, `2 days`."""
    if seconds < MINUTE:
        return elapsed(seconds)
    if seconds < HOUR:
        return f"{seconds // MINUTE:.0f} min"
    return f"{seconds // HOUR:.0f} h" if seconds < 2 * DAY else f"{seconds // DAY:.0f} days"


def _told(status: Status) -> Iterator[Text]:
    """Yield what is not as it should be, and the commands for it."""
    for service in status.services:
        yield from _service_notes(service)
    for schedule in status.schedules:
        if schedule.drift:
            yield _warning(f"{schedule.task}: {schedule.drift}")
    for unfinished in status.unfinished:
        yield from _half_done(unfinished)
    if status.lock:
        yield from _locked(status.environment, status.lock)
    for hint in status.hints:
        yield Text.assemble(("→ ", "cyan"), (hint, "cyan"))


def _service_notes(service: ServiceStatus) -> Iterator[Text]:
    if service.held:
        yield _warning(f"{service.service}: {service.held} (inv continue)")
    if service.message:
        yield _warning(f"{service.service}: {service.message}")
    if service.drift:
        yield _warning(f"{service.service}: {service.drift}")
    if service.waits:
        more = len(service.waits) - NAMED_PATHS
        named = ", ".join([*service.waits[:NAMED_PATHS], *([f"{more} more"] if more > 0 else [])])
        yield _warning(f"{service.service}: {service.template} waits for a deploy ({named})")
    for sick in service.targets.sick if service.targets else ():
        words = " ".join(filter(None, (sick.state, sick.reason, sick.description)))
        yield _warning(f"{service.service}: target {sick.target} is {words}")


def _half_done(unfinished: Unfinished) -> Iterator[Text]:
    what = "Rollback" if unfinished.action == "rollback" else "Release"
    where = f" ({unfinished.phase})" if unfinished.phase else ""
    state = f"is under way{where}" if unfinished.under_way else f"has no end{where}"
    who = unfinished.by.rpartition("/")[2] or "somebody"
    begun = f"begun by {who}, {moment(unfinished.started_at)}"
    yield _warning(f"{what} {unfinished.release} of {unfinished.commit[:SHORT_COMMIT]} {state}, {begun}")
    for one in unfinished.done:
        yield Text(f"    {cleaned(one)}")


def _locked(environment: str, holder: Holder) -> Iterator[Text]:
    said = f"Locked by {holder.name} since {moment(holder.since)}: {holder.reason}"
    sign = f"last sign of life {age(holder.silent_seconds)} ago"
    yield Text(cleaned(said if not holder.gone else f"The lock was left by {holder.name}, {sign}"), style="yellow")
    if holder.gone:
        yield Text("    the next release takes it")
    else:
        yield Text(f"    {sign}")
        yield Text(f"    only if that run is dead: inv lock.release --env {environment} --force")


def _hanging(line: Text, console: Console) -> Text:
    """Return *line* in lines of the page's width, the later ones below its first word."""
    indent = len(line.plain) - len(line.plain.lstrip(SIGNS))
    wrapped = line[indent:].wrap(console, max(SHORTEST, console.width - indent), overflow="fold")
    margin = Text(" " * indent)
    return Text("\n").join(
        Text.assemble(margin if number else line[:indent], one) for number, one in enumerate(wrapped)
    )


def _warning(text: str) -> Text:
    return Text.assemble(("! ", "yellow"), cleaned(text))

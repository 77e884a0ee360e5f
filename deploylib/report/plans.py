"""A plan as a page: what becomes of each image, of the migration, of each service, and why."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from deploylib import strategies
from deploylib.report import lines
from deploylib.report.console import cleaned, elapsed, results, shortened, show
from deploylib.report.documents import planned
from deploylib.report.wording import person

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, RenderableType

    from deploylib.plan import Plan
    from deploylib.report.documents import (
        Planned,
        PlannedContinuation,
        PlannedDifference,
        PlannedImage,
        PlannedLimit,
        PlannedSchedule,
        PlannedService,
    )

NAME_WIDTH = 24
SHORT = 12
NARROW = 64  # too narrow for an image's tag beside the reason
CONTEXT = 10
ABSENT = ""
DIGEST = "@sha256:"

VERBS = {
    "build": "build",
    "promote": "promote",
    "reuse": "reuse",
    "update": "update",
    "attach": "follow",
    "restart": "restart",
    "restore": "restore",
    "scale": "scale",
    "unchanged": "keep",
}
TO_DO = {
    "update": ("service", "update"),
    "attach": ("rollout", "follow"),
    "restart": ("service", "restart"),
    "restore": ("service", "restore"),
    "scale": ("service", "scale"),
}
STYLES = {
    "build": "yellow",
    "promote": "magenta",
    "update": "yellow",
    "attach": "cyan",
    "restart": "yellow",
    "restore": "yellow",
    "scale": "yellow",
    "reuse": "dim",
    "unchanged": "dim",
}


def plan(plan: Plan, *, output: str = "text", console: Console | None = None) -> None:
    """Print what *plan* will do: a page, or one JSON line."""
    if output == "json":
        lines.write(document(plan))
        return
    console = console or results()
    show(page(planned(plan), console.width), console)


def document(plan: Plan) -> dict[str, Any]:
    """Return *plan* as the JSON document that is shown of it."""
    return lines.document(planned(plan))


def page(plan: Planned, width: int) -> RenderableType:
    """Return the page for a person; a short one when there is nothing to do."""
    return _short_page(plan) if plan.nothing_to_do else Group(*_parts(plan, width))


def _short_page(plan: Planned) -> RenderableType:
    names = ", ".join(cleaned(one.service) for one in plan.services)
    what = f"{names} {'runs' if len(plan.services) == 1 else 'run'} this already" if names else "there is no service"
    return Group(_header(plan), *_notices(plan), Text.assemble(("Nothing to do", "bold green"), f": {what}"))


def _parts(plan: Planned, width: int) -> Iterator[RenderableType]:
    name_width = min(NAME_WIDTH, max((cell_len(one) for one in _names(plan)), default=0))
    yield _header(plan)
    if plan.images:
        columns = 3 if width < NARROW else 4
        yield from (Text(), _rows("Images", [_image(one)[:columns] for one in plan.images], name_width))
    if plan.migration:
        yield from (Text(), _rows("Migration", [_migration(plan)], name_width))
    yield from (Text(), Text("Services", style="bold"))
    told: set[PlannedLimit | None] = set()
    for one in plan.services:
        yield _rows("", [_service(one)], name_width)
        yield from _below(_way(one))
        yield from _below(_expected(one, why=one.limit not in told))
        told.add(one.limit)
        yield from (Padding(_difference(each, width - 4), (0, 0, 0, 4)) for each in one.differences)
    if plan.schedules:
        yield from (Text(), Text("Schedules", style="bold"))
    for schedule in plan.schedules:
        yield _rows("", [_schedule(schedule)], name_width)
        yield from (Padding(_difference(each, width - 4), (0, 0, 0, 4)) for each in schedule.differences)
    yield from (Text(), *_notices(plan), _summary(plan))


def _names(plan: Planned) -> list[str]:
    migrating = [f"{plan.migration.service}/{plan.migration.container}"] if plan.migration else []
    services, schedules = (one.service for one in plan.services), (one.task for one in plan.schedules)
    return [cleaned(one) for one in (*(i.image for i in plan.images), *migrating, *services, *schedules)]


def _header(plan: Planned) -> Text:
    dirty = (" with uncommitted changes", "yellow") if plan.dirty else ""
    return Text.assemble(
        (f"{plan.app} → {plan.environment}", "bold"),
        f"  account {plan.account_id}  {plan.region}\n",
        f"commit {plan.commit[:SHORT]}",
        dirty,
        (f"  from {cleaned(plan.origin.environment)}, release {plan.origin.release}", "magenta") if plan.origin else "",
        f"  release {cleaned(plan.release)}" if plan.release and not plan.nothing_to_do else "",
        (f"\nback to release {plan.restores}", "bold yellow") if plan.restores else "",
        (f"\n{_continued(plan.continues)}", "yellow") if plan.continues else "",
    )


def _continued(left: PlannedContinuation) -> str:
    phase = f" while {cleaned(left.phase)}" if left.phase else ""
    return f"goes on from release {left.release}, which {cleaned(person(left.by))} left unfinished{phase}"


def _rows(title: str, rows: Sequence[tuple[Text, ...]], name_width: int) -> RenderableType:
    """Return rows of name, action, reason and (where there are four) an identity, aligned from section to section."""
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(width=name_width + 2, no_wrap=True)
    grid.add_column(width=max(map(len, VERBS.values())), no_wrap=True)
    grid.add_column(overflow="fold", ratio=1)
    if len(rows[0]) > 3:  # noqa: PLR2004  # the identity is the fourth
        grid.add_column(no_wrap=True, justify="right", width=max(cell_len(row[3].plain) for row in rows))
    for name, *rest in rows:
        grid.add_row(Text.assemble("  ", shortened(name.plain, name_width)), *rest)
    return Group(Text(title, style="bold"), grid) if title else grid


def _action(action: str) -> Text:
    return Text(VERBS[action], style=STYLES[action])


def _image(image: PlannedImage) -> tuple[Text, ...]:
    tagging = f"; gets the tag {', '.join(image.missing_tags)}" if image.missing_tags else ""
    taken = "".join(f"; {tag} names an earlier build of this commit and stays there" for tag in image.taken_tags)
    identity = shortened(cleaned(image.tag), 2 * SHORT + 6)
    return (
        Text(cleaned(image.image)),
        _action(image.action),
        Text(cleaned(image.reason + tagging + taken), style="dim" if image.action == "reuse" else ""),
        Text(identity, style="dim"),
    )


def _migration(plan: Planned) -> tuple[Text, ...]:
    migration = plan.migration
    if migration is None:
        return ()
    limit = f"at most {elapsed(migration.timeout_seconds).removesuffix(' 00 s')}"
    command = shortened(cleaned(shlex.join(migration.command)), 120)
    place = Text(cleaned(f"{migration.service}/{migration.container}"))
    if migration.done_by:
        done = Text.assemble((command, "dim"), f"  release {migration.done_by} ran it with this image")
        return place, Text("skip", style="dim"), done
    verb = Text("follow", style="cyan") if migration.left else Text("run", style="yellow")
    warning = ("  cannot be undone by going back", "bold yellow") if plan.irreversible else ""
    return place, verb, Text.assemble((command, "bold"), "  ", (limit, "dim"), warning)


def _service(service: PlannedService) -> tuple[Text, ...]:
    sent = service.desired_count is not None and service.action != "scale"  # whose reason has both counts
    wanted = f", {_tasks(service.desired_count or 0)}" if sent else ""
    dim = "dim" if service.action == "unchanged" else ""
    return (
        Text(cleaned(service.service)),
        _action(service.action),
        Text(f"{cleaned(service.reason)}{wanted}", style=dim),
    )


def _way(service: PlannedService) -> str:
    """Return how a service moves that does not roll, and what happens on the way."""
    if service.action in ("unchanged", "scale"):
        return ""
    return ": ".join(filter(None, (strategies.WORDS[service.strategy], "; ".join(service.course))))


def _expected(service: PlannedService, *, why: bool) -> str:
    """Return what to expect of a service that moves: how many tasks, behind whom, how long at most, and *why*."""
    if service.action == "unchanged":
        return ""
    running = "" if service.desired_count is not None else f"{service.running} of {_tasks(service.desired)} running"
    behind = f"after {', '.join(service.after)}" if service.after else ""
    return "; ".join(filter(None, (running, behind, _limited(service.limit, why=why) if service.limit else "")))


def _limited(limit: PlannedLimit, *, why: bool) -> str:
    most = elapsed(limit.seconds).removesuffix(" 00 s")
    return f"at most {most}" + (f" ({', '.join(limit.why)})" if why and limit.why else "")


def _below(text: str) -> Iterator[RenderableType]:
    """Yield *text* in small print under a row."""
    if text:
        yield Padding(Text(cleaned(text), style="dim"), (0, 0, 0, 4))


def _schedule(schedule: PlannedSchedule) -> tuple[Text, ...]:
    dim = "dim" if schedule.action == "unchanged" else ""
    stopped = ", stays stopped" if schedule.state == "DISABLED" else ""
    return (
        Text(cleaned(schedule.task)),
        _action(schedule.action),
        Text(f"{cleaned(schedule.reason)}{stopped}", style=dim),
    )


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


def _difference(difference: PlannedDifference, width: int) -> Text:
    """Return one changed value: on one line if it fits, else the old value above the new one."""
    old, new = _values(difference)
    if old == new:
        old, new = ABSENT, f"{old} changed"
    path = shortened(cleaned(difference.path), width // 2)
    sign, style = _sign(difference)
    start = Text.assemble((f"{sign} ", style), path)
    if ABSENT in (old, new):
        return Text.assemble(start, "  ", (_cut(old or new, width - start.cell_len - 2), style))
    if start.cell_len + cell_len(old) + cell_len(new) + 5 <= width:
        return Text.assemble(start, "  ", (old, "red"), " → ", (new, "green"))
    old, new = _cut_pair(old, new, width - 4)
    return Text.assemble(start, "\n  ", (f"- {old}", "red"), "\n  ", (f"+ {new}", "green"))


def _sign(difference: PlannedDifference) -> tuple[str, str]:
    if difference.old is None:
        return "+", "green"
    return ("-", "red") if difference.new is None else ("~", "yellow")


def _values(difference: PlannedDifference) -> tuple[str, str]:
    """Return both values as text, shortened (digests, references to secrets) where that still tells them apart."""
    old, new = _text(difference.old), _text(difference.new)
    short = (_short(difference.path, old), _short(difference.path, new))
    return short if short[0] != short[1] else (old, new)


def _short(path: str, value: str) -> str:
    if path.endswith(".image"):
        name, at, digest = value.rpartition("/")[2].partition(DIGEST)
        return f"{name}{at}{digest[:SHORT]}"
    if ".secrets." in path and value.startswith("arn:"):
        return value.partition(":parameter")[2] or value.partition(":secret:")[2] or value
    return value


def _text(value: Any) -> str:
    if value is None:
        return ABSENT
    return cleaned(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)) or '""'


def _cut(text: str, width: int) -> str:
    """Return the beginning of *text*, at most *width* columns."""
    shown = Text(text)
    shown.truncate(max(1, width), overflow="ellipsis")
    return shown.plain


def _cut_pair(old: str, new: str, width: int) -> tuple[str, str]:
    """Return both cut to *width* so that the place where they part is seen."""
    if max(cell_len(old), cell_len(new)) > width:
        same = next((at for at, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), 0)
        skip = max(0, min(same - CONTEXT, max(len(old), len(new)) + 1 - width))
        old, new = (f"…{one[skip:]}" if skip else one for one in (old, new))
    return _cut(old, width), _cut(new, width)


def _notices(plan: Planned) -> list[Text]:
    return [Text.assemble(("! ", "bold yellow"), cleaned(one)) for one in plan.notices]


def _summary(plan: Planned) -> Text:
    images: Counter[str] = Counter(one.action for one in plan.images)
    services: Counter[str] = Counter(one.action for one in plan.services)
    moved = sum(one.action != "unchanged" for one in plan.schedules)
    parts = (
        *(_to_do(images[action], "image", action) for action in ("build", "promote")),
        "a migration to run" if plan.migration and not plan.migration.done_by else "",
        *(_to_do(services[action], *words) for action, words in TO_DO.items()),
        _to_do(moved, "schedule", "move"),
        "what runs to be recorded" if plan.unrecorded else "",
    )
    return Text.assemble(("Plan: ", "bold"), ", ".join(filter(None, parts)))


def _to_do(number: int, noun: str, verb: str) -> str:
    return f"{_count(number, noun)} to {verb}" if number else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

"""A plan as a page: what becomes of each image, of the migration, of each service, and why."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from deploylib.report import lines
from deploylib.report.console import cleaned, elapsed, results, shortened, show
from deploylib.report.documents import planned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, RenderableType

    from deploylib.plan import Plan
    from deploylib.report.documents import Planned, PlannedDifference, PlannedImage, PlannedService

NAME_WIDTH = 24
SHORT = 12
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
    "unchanged": "keep",
}
STYLES = {
    "build": "yellow",
    "promote": "magenta",
    "update": "yellow",
    "attach": "cyan",
    "restart": "yellow",
    "reuse": "dim",
    "unchanged": "dim",
}


def plan(plan: Plan, *, output: str = "text", console: Console | None = None) -> None:
    """Print what *plan* will do: a page, or one JSON line."""
    shown = planned(plan)
    if output == "json":
        lines.write(lines.document(shown))
        return
    console = console or results()
    show(page(shown, console.width), console)


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
        yield from (Text(), _rows("Images", [_image(one) for one in plan.images], name_width))
    if plan.migration:
        yield from (Text(), _rows("Migration", [_migration(plan)], name_width))
    yield from (Text(), Text("Services", style="bold"))
    for one in plan.services:
        yield _rows("", [_service(one)], name_width)
        yield from (Padding(_difference(each, width - 4), (0, 0, 0, 4)) for each in one.differences)
    yield from (Text(), *_notices(plan), _summary(plan))


def _names(plan: Planned) -> list[str]:
    migrating = [f"{plan.migration.service}/{plan.migration.container}"] if plan.migration else []
    return [cleaned(one) for one in (*(i.image for i in plan.images), *migrating, *(s.service for s in plan.services))]


def _header(plan: Planned) -> Text:
    dirty = (" with uncommitted changes", "yellow") if plan.dirty else ""
    return Text.assemble(
        (f"{plan.app} → {plan.environment}", "bold"),
        f"  account {plan.account_id}  {plan.region}\n",
        f"commit {plan.commit[:SHORT]}",
        dirty,
        (f"  from {cleaned(plan.origin.environment)}, release {plan.origin.release}", "magenta") if plan.origin else "",
        f"  release {cleaned(plan.release)}" if plan.release and not plan.nothing_to_do else "",
    )


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
    place = cleaned(f"{migration.service}/{migration.container}")
    return Text(place), Text("run", style="yellow"), Text.assemble((command, "bold"), "  ", (limit, "dim"))


def _service(service: PlannedService) -> tuple[Text, ...]:
    wanted = f", {_tasks(service.desired_count)}" if service.desired_count is not None else ""
    dim = "dim" if service.action == "unchanged" else ""
    return (
        Text(cleaned(service.service)),
        _action(service.action),
        Text(f"{cleaned(service.reason)}{wanted}", style=dim),
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
    builds = sum(one.action == "build" for one in plan.images)
    copies = sum(one.action == "promote" for one in plan.images)
    updates = sum(one.action == "update" for one in plan.services)
    follows = sum(one.action == "attach" for one in plan.services)
    restarts = sum(one.action == "restart" for one in plan.services)
    parts = (
        (builds, f"{_count(builds, 'image')} to build"),
        (copies, f"{_count(copies, 'image')} to promote"),
        (plan.migration, "a migration to run"),
        (updates, f"{_count(updates, 'service')} to update"),
        (follows, f"{_count(follows, 'rollout')} to follow"),
        (restarts, f"{_count(restarts, 'service')} to restart"),
        (plan.unrecorded, "what runs to be recorded"),
    )
    return Text.assemble(("Plan: ", "bold"), ", ".join(text for wanted, text in parts if wanted))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

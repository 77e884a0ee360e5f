"""A clean-up as a page: every image, what becomes of it, and why; and what was removed in the end."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from deploylib.report import lines
from deploylib.report.console import cleaned, results, show, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from deploylib.clock import Clock
    from deploylib.retention.local import Cleaned, LocalFate
    from deploylib.retention.plan import Fate, Prune
    from deploylib.retention.repository import Pruned

TAG_WIDTH = 24
SHORT = 12
REMOVE = "remove"
DAY, HOUR, MINUTE = 86400, 3600, 60


def prune(plan: Prune, *, output: str = "text", console: Console | None = None, clock: Clock = time) -> None:
    """Print what becomes of each image of a repository: a table, or one JSON line."""
    if output == "json":
        lines.write(
            {
                "event": "PrunePlanned",
                "environment": plan.environment,
                "repository": plan.repository,
                "images": [_document(one) for one in plan.fates],
                "size": plan.size,
                "notices": list(plan.notices),
            }
        )
        return
    rows = [_row(one, clock) for one in plan.fates]
    summary = _summary(len(plan.going), plan.size, len(plan.fates) - len(plan.going))
    _page(plan.repository, rows, (*(f"! {one}" for one in plan.notices), summary), console)


def pruned(done: Pruned, *, output: str = "text", console: Console | None = None) -> None:
    """Print what was removed from a repository."""
    if output == "json":
        removed = [one.digest for one in done.removed]
        lines.write({"event": "Pruned", "removed": removed, "size": done.size, "spared": dict(done.spared)})
        return
    console = console or results()
    for digest, why in done.spared.items():
        show(Text(cleaned(f"! {_short(digest)} stays after all: {why}")), console)
    show(Text(f"Removed: {_count(len(done.removed))}, {size(done.size)}"), console)


def clean(
    app: str,
    fates: Sequence[LocalFate],
    *,
    output: str = "text",
    console: Console | None = None,
    clock: Clock = time,
) -> None:
    """Print what becomes of each image of *app* on this machine."""
    going = [one for one in fates if not one.stays]
    if output == "json":
        documents = [
            {
                "id": one.image.id,
                "names": list(one.image.names),
                "created": one.image.created,
                "size": one.image.size,
                "stays": one.stays,
                "reasons": list(one.reasons),
            }
            for one in fates
        ]
        lines.write({"event": "CleanPlanned", "app": app, "images": documents})
        return
    now = clock.time()
    rows = [
        (
            _short(one.image.id),
            _names(one.image.names),
            _age(now - one.image.created),
            size(one.image.size),
            _verb(stays=one.stays),
            "\n".join(one.reasons),
        )
        for one in fates
    ]
    total = sum(one.image.size for one in going)
    _page(f"{app} on this machine", rows, (_summary(len(going), total, len(fates) - len(going)),), console)


def cleaned_up(done: Cleaned, *, output: str = "text", console: Console | None = None) -> None:
    """Print what was removed from this machine; layers that others share are not counted."""
    if output == "json":
        lines.write({"event": "Cleaned", "removed": list(done.removed), "size": done.size, "spared": list(done.spared)})
        return
    console = console or results()
    for one in done.spared:
        show(Text(f"! {_short(one)} stays after all: something uses it"), console)
    freed = "" if done.size is None else f", {size(done.size)} freed"
    show(Text(f"Removed: {_count(len(done.removed))}{freed}"), console)


def _page(title: str, rows: Sequence[tuple[str, ...]], below: Sequence[str], console: Console | None) -> None:
    console = console or results()
    table = Table(
        title=Text(cleaned(title), style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        header_style="dim",
        expand=True,
    )
    for name, options in _COLUMNS.items():
        table.add_column(Text(name), overflow="fold", **options)
    for row in rows:
        style = "" if row[4] == REMOVE else "dim"
        table.add_row(*(Text(cleaned(cell, keep_lines=True) or "-") for cell in row), style=style)
    show(Group(table, *(Text(cleaned(line)) for line in below)), console)


_COLUMNS: dict[str, Any] = {
    "image": {"no_wrap": True},
    "tags": {"max_width": TAG_WIDTH},
    "age": {"no_wrap": True, "justify": "right"},
    "size": {"no_wrap": True, "justify": "right"},
    "what": {"no_wrap": True},
    "why": {"ratio": 1},
}


def _names(names: Sequence[str]) -> str:
    """Return the tags that a person knows an image by, else its digests in a few characters."""
    tags = [name.rpartition("/")[2].partition(":")[2] for name in names if "@" not in name]
    return "\n".join(tags) or "\n".join(f"@{_short(name)}" for name in names)


def _row(fate: Fate, clock: Clock) -> tuple[str, ...]:
    image = fate.image
    age = _age(clock.time() - image.pushed_at.timestamp())
    verb = _verb(stays=fate.stays)
    return _short(image.digest), "\n".join(image.tags), age, size(image.size), verb, "\n".join(fate.reasons)


def _document(fate: Fate) -> dict[str, Any]:
    image = fate.image
    return {
        "digest": image.digest,
        "tags": list(image.tags),
        "pushed_at": image.pushed_at.astimezone(dt.UTC).isoformat(timespec="seconds"),
        "size": image.size,
        "stays": fate.stays,
        "reasons": list(fate.reasons),
    }


def _verb(*, stays: bool) -> str:
    return "keep" if stays else REMOVE


def _summary(going: int, total: int, staying: int) -> str:
    if not going:
        return f"Nothing to remove; {_count(staying)} stay{'s' if staying == 1 else ''}"
    return f"Plan: {_count(going)} to remove ({size(total)}), {staying} to keep"


def _count(number: int) -> str:
    return "1 image" if number == 1 else f"{number} images"


def _age(seconds: float) -> str:
    for length, unit in ((DAY, "d"), (HOUR, "h")):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(0, int(seconds // MINUTE))} min"


def _short(digest: str) -> str:
    return digest.rpartition(":")[2][:SHORT]

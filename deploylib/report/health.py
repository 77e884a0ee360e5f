"""What the doctor found: one line for each thing, its mending command below it."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from deploylib.report.console import cleaned, results, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from deploylib.doctor import Row

STYLES = {"OK": "green", "MISSING": "bold red", "WARNING": "yellow", "SKIPPED": "dim"}
MARGIN, STATE_WIDTH = 2, 9


def health(rows: Sequence[Row], *, output: str = "text", console: Console | None = None) -> None:
    """Print *rows* by their groups; as JSON, one list of objects."""
    console = console or results()
    if output == "json":
        console.out(json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=2), highlight=False)
        return
    width = max((cell_len(row.what) for row in rows), default=0) + MARGIN
    lines = [line for group, found in groupby(rows, key=lambda row: row.group) for line in _group(group, found, width)]
    for text, indent in lines[1:]:  # no empty line at the top
        show(wrapped(text, indent, console), console)


def _group(group: str, rows: Iterator[Row], width: int) -> Iterator[tuple[Text, int]]:
    yield Text(), 0
    yield Text(cleaned(group[:1].upper() + group[1:]), style="bold"), 0
    indent = MARGIN + STATE_WIDTH + width
    for row in rows:
        state = (f"{row.state:<{STATE_WIDTH}}", STYLES[row.state])
        yield Text.assemble(" " * MARGIN, state, f"{row.what:<{width}}", cleaned(row.found)), indent
        if row.next:
            yield Text.assemble(" " * indent, ("→ ", "cyan"), (cleaned(row.next), "cyan")), indent + 2


def wrapped(text: Text, indent: int, console: Console) -> Text:
    """Return *text* in lines of the page's width, the later ones below its own column."""
    head, body = text[:indent], text[indent:]
    lines = body.wrap(console, max(20, console.width - indent), overflow="fold")
    return Text("\n").join(
        Text.assemble(Text(" " * indent) if number else head, line) for number, line in enumerate(lines or [Text()])
    )

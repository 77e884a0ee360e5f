"""Plain tables: environments, resolved configuration, states."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from deploylib.report.console import cleaned, results, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

GAP = 2


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    output: str = "text",
    console: Console | None = None,
) -> None:
    """Print *rows* under *columns*; as JSON, one list of objects whose keys are the columns."""
    console = console or results()
    if output == "json":
        documents = [dict(zip(columns, row, strict=True)) for row in rows]
        console.out(json.dumps(documents, ensure_ascii=False, default=str, indent=2), highlight=False)
        return
    show(_drawn(title, columns, [[_text(value) for value in row] for row in rows], width=console.width), console)


def _drawn(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, width: int) -> Table:
    drawn = Table(
        title=Text(cleaned(title), style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD if rows else None,
        show_edge=False,
        padding=(0, GAP, 0, 0),
        pad_edge=False,
        header_style="dim",
    )
    longest = [max(map(cell_len, texts)) for texts in zip(columns, *rows, strict=True)]
    for column, column_width in zip(columns, _fitted(longest, width - (GAP + 1) * len(columns)), strict=True):
        drawn.add_column(Text(column), overflow="fold", width=column_width)
    for row in rows:
        drawn.add_row(*(Text(value) for value in row))
    return drawn


def _fitted(longest: Sequence[int], width: int) -> list[int]:
    """Return the width of each column: what it needs, but the widest ones give way when all together need too much."""
    widths = list(longest)
    while sum(widths) > width and max(widths) > 1:
        widest = widths.index(max(widths))
        widths[widest] -= 1
    return widths


def _text(value: Any) -> str:
    """Return a value as a person writes it: yes and no, a dash for nothing, lists with commas."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_text(one) for one in value) or "-"
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return cleaned(str(value))

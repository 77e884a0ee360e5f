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
    for index, column in enumerate(columns):
        longest = max([cell_len(column), *(cell_len(row[index]) for row in rows)])
        drawn.add_column(
            Text(column),
            overflow="fold",
            no_wrap=False,
            min_width=min(longest, max(len(column), width // (2 * len(columns)))),
        )
    for row in rows:
        drawn.add_row(*(Text(value) for value in row))
    return drawn


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

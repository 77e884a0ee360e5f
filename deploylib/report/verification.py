"""What was verified: a tree, each answer on a line with its state in front, its mending command below it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from deploylib.report.console import cleaned, results, show
from deploylib.report.health import MARGIN, STATE_WIDTH, STYLES, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from deploylib.verify import Check

STEP = 2
WIDEST = 34  # names that are longer stand on a line of their own


def verified(checks: Sequence[Check], *, output: str = "text", console: Console | None = None) -> None:
    """Print the tree and, at its end, how many of each state; as JSON, one list of objects with their `parts`."""
    console = console or results()
    if output == "json":
        console.out(json.dumps([asdict(one) for one in checks], ensure_ascii=False, indent=2), highlight=False)
        return
    rows = [row for one in checks for row in _rows(one, 0)]
    width = min(max((len(_name(one, depth)) for one, depth in rows), default=0), WIDEST) + MARGIN
    for one, depth in rows:
        for text, indent in _lines(one, depth, width):
            show(wrapped(text, indent, console), console)
    show(_summary(checks), console)


def _rows(check: Check, depth: int) -> Iterator[tuple[Check, int]]:
    yield check, depth
    for part in check.parts:
        yield from _rows(part, depth + 1)


def _name(check: Check, depth: int) -> str:
    return f"{' ' * STEP * depth}{cleaned(check.what)}"


def _lines(check: Check, depth: int, width: int) -> Iterator[tuple[Text, int]]:
    name, indent = _name(check, depth), MARGIN + STATE_WIDTH + width
    head = Text.assemble(" " * MARGIN, (f"{check.state:<{STATE_WIDTH}}", STYLES[check.state]))
    if cell_len(name) + MARGIN <= width:
        yield Text.assemble(head, f"{name:<{width}}", cleaned(check.found)), indent
    else:
        yield Text.assemble(head, name), MARGIN + STATE_WIDTH + STEP * depth
        if check.found:
            yield Text.assemble(" " * indent, cleaned(check.found)), indent
    if check.next:
        yield Text.assemble(" " * indent, ("→ ", "cyan"), (cleaned(check.next), "cyan")), indent + STEP


def _summary(checks: Sequence[Check]) -> Text:
    states = [leaf.state for one in checks for _, leaf in one.leaves]
    counts = [(state, states.count(state)) for state in STYLES if state in states]
    return Text.assemble(
        "\n", Text(", ").join(Text(f"{count} {state}", style=STYLES[state]) for state, count in counts)
    )

"""The releases of an environment as a page: one line each, and below it why, where it did not complete."""

from __future__ import annotations

import datetime as dt
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.text import Text

from deploylib import ledger
from deploylib.overview import at_work
from deploylib.report import lines
from deploylib.report.console import cleaned, results, say, shortened, show
from deploylib.report.wording import SHORT_COMMIT, moment
from deploylib.secrecy import hidden

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from deploylib.lease import Holder
    from deploylib.ledger import Entry

COLUMNS = ("no", "began", "by", "commit", "what", "took", "verdict")
STYLES = {"completed": "green", "not restored": "bold red", "failed": "red", "rolled back": "yellow"}
GAP = 2
NARROW = 100  # below that, names and commits give way
MINUTE = "2026-01-01 00:00"
UNTOLD = ("number", "owner")


def releases(
    environment: str,
    entries: Sequence[Entry],
    lock: Holder | None,
    *,
    output: str = "text",
    console: Console | None = None,
) -> None:
    """Print *entries*, the newest first; *lock* says whether somebody is at work on those without an end."""
    if output == "json":
        documents = [_document(one, lock) for one in entries]
        lines.write({"event": "History", "environment": environment, "releases": documents})
        return
    console = console or results()
    if not entries:
        say(f"{environment}: nothing was ever released", console=console)
        return
    for line in _page(entries, lock, console.width):
        show(line, console)


def _document(entry: Entry, lock: Holder | None) -> Mapping[str, Any]:
    fields = {key: value for key, value in asdict(entry).items() if key not in UNTOLD}
    running = entry.verdict == ledger.RUNNING
    return {
        "number": entry.number,
        **fields,
        "reason": hidden(entry.reason),
        "seconds": entry.seconds,
        "under_way": running and at_work(lock, entry),
    }


def _page(entries: Sequence[Entry], lock: Holder | None, width: int) -> Iterator[Text]:
    rows = [_row(one, lock, narrow=width < NARROW) for one in entries]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    yield Text(_spaced(COLUMNS, widths), style="dim")
    for entry, row in zip(entries, rows, strict=True):
        styles = [STYLES.get(entry.verdict, "") if name == "verdict" else "" for name in COLUMNS]
        cells = zip(row, widths, styles, strict=True)
        line = Text.assemble(*((f"{text:<{wide + GAP}}", style) for text, wide, style in cells))
        line.rstrip()
        yield line
        if entry.reason:
            yield _indented(hidden(cleaned(entry.reason)), widths[0] + GAP, width)


def _row(entry: Entry, lock: Holder | None, *, narrow: bool) -> tuple[str, ...]:
    name, commit = (12, 7) if narrow else (24, SHORT_COMMIT)
    return (
        str(entry.number),
        moment(entry.started_at)[: len(MINUTE)],
        shortened(cleaned(entry.by.rpartition("/")[2]), name) or "-",
        f"{entry.commit[:commit]}{'+' if entry.dirty else ''}" or "-",
        _what(entry),
        "-" if entry.seconds is None else str(dt.timedelta(seconds=round(entry.seconds))).removeprefix("0:"),
        _verdict(entry, lock),
    )


def _what(entry: Entry) -> str:
    if entry.action == "rollback":
        return f"back to {entry.restores}"
    return f"from {entry.origin}" if entry.origin else "release"


def _verdict(entry: Entry, lock: Holder | None) -> str:
    """Return how it ended, in words; what has no end is under way, or was left somewhere."""
    if entry.verdict != ledger.RUNNING:
        return entry.verdict
    if at_work(lock, entry):
        return f"under way: {entry.phase}" if entry.phase else "under way"
    return f"left {entry.phase}" if entry.phase else "has no end"


def _spaced(words: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(f"{word:<{wide + GAP}}" for word, wide in zip(words, widths, strict=True)).rstrip()


def _indented(text: str, indent: int, width: int) -> Text:
    margin = " " * indent
    return Text(textwrap.fill(text, width, initial_indent=margin, subsequent_indent=margin), style="dim")

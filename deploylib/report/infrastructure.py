"""What Terraform would change, as a page: every object with its reason, and for each change only what differs.

What is destroyed comes first: whoever reads only the beginning has read the worst.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich import box
from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

from deploylib.infra.changes import Action, Change, Changes, Danger, Difference, Drift, Mark
from deploylib.report import lines
from deploylib.report.console import cleaned, results, shortened, show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console, RenderableType

    from deploylib.infra.saved import Basis

SIGNS = {
    Action.CREATE: ("+", "green"),
    Action.UPDATE: ("~", "yellow"),
    Action.REPLACE: ("±", "bold red"),
    Action.DELETE: ("-", "bold red"),
    Action.READ: ("?", "dim"),
    Action.MOVE: (">", "cyan"),
    Action.IMPORT: ("<", "cyan"),
    Action.FORGET: ("x", "yellow"),
}
ALWAYS_COUNTED = (Action.CREATE, Action.UPDATE, Action.REPLACE, Action.DELETE)
WORST = {Action.REPLACE: 0, Action.DELETE: 1, Action.FORGET: 2}
WARNINGS = {Danger.DATA: "HOLDS DATA", Danger.SERVING: "IS SERVING", Danger.USED: "IS USED"}
VERB_WIDTH = max(map(len, Action))
INDENT = "      "
CONTEXT = 12
GAP = 2
NONE = "·"
ROOT = "(stack)"
NOTHING = "Nothing to change: the infrastructure is what the code says"


def changes(
    changes: Changes,
    *,
    environment: str = "",
    basis: Basis | None = None,
    output: str = "text",
    console: Console | None = None,
) -> None:
    """Print what a plan of Terraform for *environment* would change: a page, or one JSON line.

    *basis* is what a plan was made for that waits to be applied.
    """
    if output == "json":
        lines.write({**to_json(changes), "environment": environment, "saved": basis_document(basis)})
        return
    console = console or results()
    show(page(changes, console.width, basis), console)


def page(changes: Changes, width: int, basis: Basis | None = None) -> RenderableType:
    """Return the page for a person."""
    saved = [Text(f"Saved for inv infra.apply at {basis.made}", style="dim")] if basis and changes else []
    return Group(*_lines(changes, width), *_modules(changes, width), _summary(changes), *saved)


def to_json(changes: Changes) -> dict[str, Any]:
    """Return *changes* as a JSON document; what is sensitive or unknown is a sentence in brackets."""
    return {
        "event": "InfrastructurePlanned",
        "nothing_to_do": not changes,
        "counts": {str(action): changes.counts[action] for action in Action},
        "modules": {
            name or ROOT: {str(one): counts[one] for one in Action} for name, counts in changes.modules.items()
        },
        "changes": [_change_document(one) for one in worst_first(changes)],
        "outputs": [_difference_document(one) for one in changes.outputs],
        "drift": [_drift_document(one) for one in changes.drift],
        "deployed": [_drift_document(one) for one in changes.deployed],
        "warnings": list(changes.warnings),
    }


def basis_document(basis: Basis | None) -> dict[str, Any] | None:
    """Return what a plan was made for as a JSON document."""
    return {"made": basis.made, "commit": basis.commit, "account_id": basis.account_id} if basis else None


def worst_first(changes: Changes) -> list[Change]:
    """Return what is destroyed first, dangerous things at its head; the rest by module, in Terraform's order."""
    return sorted(changes.changes, key=lambda one: (not one.dangers, WORST.get(one.action, len(WORST)), one.module))


def _change_document(change: Change) -> dict[str, Any]:
    return {
        "action": str(change.action),
        "address": change.address,
        "type": change.type,
        "reason": change.reason,
        "previous_address": change.previous_address,
        "import_id": change.import_id,
        "forces": list(change.forces),
        "module": change.module,
        "dangers": [str(one) for one in change.dangers],
        "used_by": list(change.used_by),
        "differences": [_difference_document(one) for one in change.differences],
    }


def _difference_document(difference: Difference) -> dict[str, Any]:
    values = (None if one is Mark.ABSENT else one for one in (difference.before, difference.after))
    before, after = json.loads(json.dumps(list(values), default=_mark))
    return {"path": difference.path, "before": before, "after": after, "forces": difference.forces}


def _drift_document(drift: Drift) -> dict[str, Any]:
    return {"address": drift.address, "differences": [_difference_document(one) for one in drift.differences]}


def _lines(changes: Changes, width: int) -> Iterator[Text]:
    for change in worst_first(changes):
        yield _headline(change, width)
        yield from (line for one in change.differences for line in _difference(one, width))
    if changes.outputs:
        yield Text("Outputs", style="bold")
        yield from (line for one in changes.outputs for line in _difference(one, width))
    if changes and changes.drift:
        yield Text("Changed outside Terraform", style="bold")
        yield from (line for one in changes.drift for line in drifted(one, width))
    yield from warnings(changes)


def warnings(changes: Changes) -> Iterator[Text]:
    """Yield what Terraform warned of."""
    yield from (Text.assemble(("! ", "bold yellow"), cleaned(one, keep_lines=True)) for one in changes.warnings)


def _modules(changes: Changes, width: int) -> Iterator[RenderableType]:
    """Yield the table of counts by module, when there are several: one is what the summary says."""
    if len(changes.modules) <= 1:
        return
    actions = [one for one in Action if changes.counts[one]]
    drawn = counting_table("module", actions)
    widest = width - sum(len(one) + GAP for one in actions) - 2 * GAP
    for name, counts in changes.modules.items():
        cells = [count(counts[one], one) for one in actions]
        drawn.add_row(Text(shortened(cleaned(name.removeprefix("module.") or ROOT), widest)), *cells)
    yield drawn


def counting_table(first: str, others: Iterable[str]) -> Table:
    """Return an empty table with a column of names and columns of numbers."""
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    drawn.add_column(Text(first), no_wrap=True)
    for other in others:
        drawn.add_column(Text(str(other)), justify="right", no_wrap=True)
    return drawn


def count(number: int, action: Action) -> Text:
    """Return a number in its action's colour; nothing is a dot."""
    return Text(str(number), style=SIGNS[action][1]) if number else Text(NONE, style="dim")


def _headline(change: Change, width: int) -> Text:
    """Return sign, verb, address, and what is to know about it; on a second line what does not fit."""
    sign, style = SIGNS[change.action]
    start = Text.assemble(f"  {sign} ", f"{change.action:{VERB_WIDTH}} ", style=style)
    address = shortened(cleaned(change.address), width - start.cell_len)
    dangers = [(f"  !! {WARNINGS[one]}", "bold red") for one in change.dangers]
    line = Text.assemble(start, (address, "" if change.action is not Action.READ else "dim"), *dangers)
    if not (about := _about(change)):
        return line
    fits = line.cell_len + cell_len(about) + 2 <= width
    return Text.assemble(line, "  " if fits else f"\n{INDENT}", (_cut(about, width - len(INDENT)), "dim"))


def _about(change: Change) -> str:
    reason = f"{change.reason}: {', '.join(change.forces)}" if change.forces else change.reason
    former = f"was {change.previous_address}" if change.previous_address else ""
    imported = f"imports {change.import_id}" if change.import_id else ""
    used = f"used by {', '.join(change.used_by)}" if change.used_by else ""
    return cleaned("; ".join(filter(None, (used, reason, former, imported))))


def _difference(difference: Difference, width: int) -> Iterator[Text]:
    """Yield one changed value: on one line if it fits, else the old value above the new one."""
    sign, style = _sign(difference)
    path = cleaned(difference.path)
    forcing = Text("  forces replacement" if difference.forces else "", style="red")
    old, new = _texts(difference, width - len(INDENT) - min(cell_len(path), width // 2))
    values = Text.assemble("  ", *_arrow(difference, old, new), forcing)
    room = width - len(INDENT) - 2 - values.cell_len
    start = Text.assemble(f"{INDENT}{sign} ", shortened(path, max(width // 2, room)), style=style)
    if start.cell_len + values.cell_len <= width:
        yield start + values
        return
    yield start + forcing
    for mark, value, colour in zip("-+", _cut_pair(old, new, width - len(INDENT) - 6), ("red", "green"), strict=True):
        if value not in ("", Mark.ABSENT.value):
            yield Text.assemble(f"{INDENT}    ", (f"{mark} {value}", colour))


def _texts(difference: Difference, width: int) -> tuple[str, str]:
    """Return both values as text; beside one that is not known yet the old one is cut to fit into *width*."""
    old, new = _text(difference.before), _text(difference.after)
    if difference.after is Mark.UNKNOWN:
        return shortened(old, max(CONTEXT, width - cell_len(new) - 7)), new
    return ("", f"{new} changed") if old == new else (old, new)  # two secrets look the same


def _arrow(difference: Difference, old: str, new: str) -> tuple[str | tuple[str, str], ...]:
    if difference.before is Mark.ABSENT or not old:
        return (new,)
    return (old,) if difference.after is Mark.ABSENT else ((old, "red"), " → ", (new, "green"))


def _sign(difference: Difference) -> tuple[str, str]:
    if difference.before is Mark.ABSENT:
        return "+", "green"
    return ("-", "red") if difference.after is Mark.ABSENT else ("~", "yellow")


def drifted(drift: Drift, width: int) -> Iterator[Text]:
    """Yield an object that changed outside Terraform, and what changed of it."""
    deleted = "" if drift.differences else "  (deleted)"
    yield Text(f"    {shortened(cleaned(drift.address), width - 4 - len(deleted))}{deleted}")
    yield from (line for one in drift.differences for line in _difference(one, width))


def _summary(changes: Changes) -> Text:
    if not changes:
        return Text(NOTHING, style="bold green")
    counts = changes.counts
    parts = [f"{counts[one]} to {one}" for one in Action if counts[one] or one in ALWAYS_COUNTED]
    if changes.outputs:
        parts.append(f"{len(changes.outputs)} {'output' if len(changes.outputs) == 1 else 'outputs'}")
    return Text.assemble(("Plan: ", "bold"), ", ".join(parts))


def _text(value: Any) -> str:
    if isinstance(value, Mark):
        return str(value.value)
    return cleaned(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_mark)) or '""'


def _mark(value: Any) -> str:
    return str(value.value) if isinstance(value, Mark) else str(value)


def _cut(text: str, width: int) -> str:
    shown = Text(text)
    shown.truncate(max(1, width), overflow="ellipsis")
    return shown.plain


def _cut_pair(old: str, new: str, width: int) -> tuple[str, str]:
    """Return both, cut to *width* around the place where they part."""
    if max(cell_len(old), cell_len(new)) > width:
        pairs = enumerate(zip(old, new, strict=False))
        parting = next((at for at, (one, other) in pairs if one != other), 0)
        skip = max(0, min(parting - CONTEXT, max(len(old), len(new)) + 1 - width))
        old, new = (f"…{one[skip:]}" if skip else one for one in (old, new))
    return _cut(old, width), _cut(new, width)

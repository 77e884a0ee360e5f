"""Changes as short rows, so that an expectation can be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from deploylib.infra.changes import Mark

if TYPE_CHECKING:
    from deploylib.infra.changes import Change, Changes, Difference


def rows(changes: Changes) -> list[str]:
    return [
        *(row for change in changes.changes for row in (_headline(change), *map(_difference, change.differences))),
        *(f"output{_difference(one)}" for one in changes.outputs),
        *(row for one in changes.drift for row in (f"drift {one.address}", *map(_difference, one.differences))),
        *(f"warning {one}" for one in changes.warnings),
    ]


def _headline(change: Change) -> str:
    parts = (
        change.reason,
        f"because of {', '.join(change.forces)}" if change.forces else "",
        f"was {change.previous_address}" if change.previous_address else "",
        f"id {change.import_id}" if change.import_id else "",
        *(one.name for one in change.dangers),
    )
    return "; ".join(filter(None, (f"{change.action} {change.address}", *parts)))


def _difference(difference: Difference) -> str:
    forcing = " (forces)" if difference.forces else ""
    return f"  {difference.path}: {_text(difference.before)} -> {_text(difference.after)}{forcing}"


def _text(value: Any) -> str:
    return value.value if isinstance(value, Mark) else json.dumps(value, default=lambda mark: mark.value)

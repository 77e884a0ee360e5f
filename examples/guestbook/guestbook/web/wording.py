"""Times as people say them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

MINUTE, HOUR, DAY = 60, 3600, 86400


def say_age(then: datetime, now: datetime) -> str:
    """Say how long ago *then* was; older than a day, say the day."""
    seconds = int((now - then).total_seconds())
    if seconds < 2:  # noqa: PLR2004  clocks differ by as much
        return "just now"
    for limit, size, unit in ((MINUTE, 1, "s"), (HOUR, MINUTE, "min"), (DAY, HOUR, "h")):
        if seconds < limit:
            return f"{seconds // size} {unit} ago"
    return f"{then:%d %b %Y}".lstrip("0")

"""Turns of phrase that the board and the log share: pure, each from one value."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from deploylib.taskdef import short

if TYPE_CHECKING:
    from deploylib import events

SERVICE_PREFIX = re.compile(r"^\(service [^)]*\)\s*")
SHORT_DIGEST = len("sha256:") + 12
SHORT_COMMIT = 12


def words(standing: events.Standing) -> str:
    """Return what a service is doing, in words."""
    if standing.old and standing.state in ("completed", "draining"):
        return "stopping the old tasks"
    if standing.old and standing.state == "in progress" and standing.running >= standing.desired > 0:
        return "handing over"  # ECS checks the new tasks' health, and then takes the old ones away
    return {"in progress": "rolling out"}.get(standing.state, standing.state)


def said(standing: events.Standing) -> str:
    """Return ECS's own last message about a service, without the name that it begins with."""
    return SERVICE_PREFIX.sub("", standing.message)


def held(event: events.LockWaited) -> str:
    """Return who holds the lock, where, since when and why; what matters most comes first."""
    place = f" on {event.host}" if event.host else ""
    reason = f": {event.reason}" if event.reason else ""
    return f"held by {person(event.by)}{place} since {moment(event.since)}{reason}"


def person(by: str) -> str:
    """Return who it was, in short: of an ARN what follows the account."""
    return by.rpartition(":")[2] or "somebody"


def moment(when: str) -> str:
    """Return an ISO 8601 time in UTC as a person writes it; another text as it is."""
    try:
        at = dt.datetime.fromisoformat(when)
    except ValueError:
        return when
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def ended(event: events.HookEnded) -> str:
    """Return how a hook ended; a failure after its step stops nothing."""
    if event.exit_code == 0:
        return "done"
    told = "" if event.hook.startswith("before") else ", which stops nothing"
    return f"failed with exit code {event.exit_code}{told}"


def serving(one: events.Serves) -> str:
    """Return what a service serves after a failure, in one sentence."""
    which = ", ".join(filter(None, (f"release {one.release}" if one.release else "", one.commit[:SHORT_COMMIT])))
    revision = f"{short(one.revision)}{f' ({which})' if which else ''}"
    said = {
        "previous": f"serves as before: {revision}",
        "new": f"serves the new one: {revision}",
        "nothing": "serves nothing: no task is wanted",
        "unclear": f"is neither here nor there: look at it, it is set to {revision}",
    }
    return f"{one.service} {said.get(one.state, one.state)}"

"""JSON lines: the plan and every event, one document a line, as docs/output.md describes them."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from deploylib import events
from deploylib.report.documents import Planned

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTAINER_KEYS = ("name", "exit_code", "reason", "health")
DECIMALS = 3


def write(document: Mapping[str, Any], stream: TextIO | None = None) -> None:
    """Write one document as one line and flush; once nobody reads any more, the rest is dropped."""
    stream = stream or sys.stdout
    try:
        stream.write(json.dumps(document, default=str) + "\n")
        stream.flush()
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def document(what: events.Event | Planned) -> dict[str, Any]:
    """Return the JSON document of an event or a plan."""
    fields = {key: _rounded(value) for key, value in asdict(what).items()}
    if isinstance(what, events.Progressed):
        fields["services"] = [
            {key: value for key, value in asdict(one).items() if key != "at"} for one in what.services
        ]
    if isinstance(what, events.RolloutFailed):
        fields["tasks"] = [{**asdict(one), "containers": _named(one)} for one in what.tasks]
    return {"event": type(what).__name__, **fields}


def parse(line: str) -> events.Event | Planned | None:
    """Return what a line stands for; nothing for the failure that ends a command, which is no event."""
    from pydantic import TypeAdapter  # noqa: PLC0415  # only recordings are read; showing needs no pydantic

    fields: dict[str, Any] = json.loads(line)
    kind = fields.pop("event")
    if kind == "Failed":
        return None
    for task in fields.get("tasks", ()):
        task["containers"] = [[one[key] for key in CONTAINER_KEYS] for one in task["containers"]]
    found = Planned if kind == Planned.__name__ else getattr(events, kind)
    return TypeAdapter[events.Event | Planned](found).validate_python(fields)


def _named(task: events.StoppedTask) -> list[dict[str, Any]]:
    return [dict(zip(CONTAINER_KEYS, one, strict=True)) for one in task.containers]


def _rounded(value: Any) -> Any:
    return round(value, DECIMALS) if isinstance(value, float) else value

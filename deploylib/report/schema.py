"""The JSON Schema of the lines that `--output json` writes, made of the events and of the plan's document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from deploylib import events, generated
from deploylib.report.documents import Planned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PUBLISHED = "docs/events.schema.json"
COMMAND = "inv events.schema --write"
FAILED: dict[str, Any] = {
    "description": "How a command ended that failed; the last line.",
    "properties": {
        "error": {"type": "string"},
        "exit_code": {"type": "integer"},
        "message": {"type": "string"},
        "notes": {"type": "array", "items": {"type": "string"}},
        "hint": {"type": "string"},
    },
}
CONTAINER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "exit_code": {"type": ["integer", "null"]},
        "reason": {"type": "string"},
        "health": {"type": "string"},
    },
    "required": ["name", "exit_code", "reason", "health"],
}


def schema() -> dict[str, Any]:
    """Return the schema of one line; what later versions add is allowed."""
    parts: dict[str, Any] = {}
    kinds = {"Planned": _described(Planned, parts), "Failed": FAILED}
    kinds |= {one.__name__: _described(one, parts) for one in _kinds()}
    parts |= {name: _kind(name, found) for name, found in kinds.items()}
    return {
        "$schema": DIALECT,
        "title": "One line of --output json",
        "type": "object",
        "properties": {"event": {"enum": list(kinds)}},
        "required": ["event"],
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in kinds],
        "$defs": dict(sorted(parts.items())),
    }


def render() -> str:
    """Return the schema as text."""
    return json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"


def check(root: Path) -> None:
    """Raise `OutdatedError` when the published schema is not what is written."""
    wrong = "is not what --output json writes"
    generated.check(root / PUBLISHED, render(), command=COMMAND, called=PUBLISHED, wrong=wrong)


def write(root: Path) -> None:
    """Write the schema where docs/output.md says that it is."""
    generated.write(root / PUBLISHED, render())


def _kinds() -> Iterator[type[events.Event]]:
    for one in vars(events).values():
        if isinstance(one, type) and issubclass(one, events.Event) and one not in (events.Event, events.Standing):
            yield one


def _described(kind: type[Any], parts: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of *kind*, and put those of what is within it into *parts*."""
    found = TypeAdapter(kind).json_schema(mode="serialization")
    parts |= {name: _complete(name, one) for name, one in found.pop("$defs", {}).items()}
    described: dict[str, Any] = _plain(found)
    return described


def _complete(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a part as it is written: every field is there, containers have names for their parts."""
    made = _plain(found)
    properties = {key: one for key, one in made["properties"].items() if key != "at"}
    if name == events.StoppedTask.__name__:
        properties["containers"] = {"type": "array", "items": CONTAINER}
    return {**made, "properties": properties, "required": list(properties)}


def _kind(name: str, found: dict[str, Any]) -> dict[str, Any]:
    properties = {"event": {"const": name}, **found["properties"]}
    described = {"description": found["description"]} if found.get("description") else {}
    return {**described, "type": "object", "properties": properties, "required": list(properties)}


def _plain(found: Any) -> Any:
    """Return pydantic's schema without titles and defaults: everything is written, whatever it is."""
    if isinstance(found, list):
        return [_plain(one) for one in found]
    if not isinstance(found, dict):
        return found
    kept = {key: one for key, one in found.items() if key not in ("title", "default", "properties")}
    properties = {key: _plain(one) for key, one in found.get("properties", {}).items()}
    return {key: _plain(one) for key, one in kept.items()} | ({"properties": properties} if properties else {})

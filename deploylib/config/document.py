"""The JSON Schema of the configuration, made of the dataclasses and of what the stack's variables take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from deploylib import generated
from deploylib import variables as stack
from deploylib.config.checks import STACK, declared
from deploylib.config.files import DIRECTORY
from deploylib.config.schema import Environment

if TYPE_CHECKING:
    from pathlib import Path

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PUBLISHED = f"{DIRECTORY}/schema.json"
COMMAND = "inv env.schema --write"
OURS = ("name", "root")  # the tool sets them
KINDS = {"string": ["string", "number", "boolean"], "number": ["number", "string"], "bool": ["boolean", "string"]}


def schema(root: Path, *, part: bool = False) -> dict[str, Any]:
    """Return the schema of an environment of the project at *root*; of a *part*, one file, nothing is required."""
    made = _plain(TypeAdapter(Environment).json_schema())
    properties = {key: value for key, value in made["properties"].items() if key not in OURS}
    properties["terraform"] = {**_constraint(_variables(root)), "description": f"The variables of {STACK}."}
    required = [key for key in made["required"] if key not in OURS]
    whole = {
        "$schema": DIALECT,
        "title": f"A file of {DIRECTORY}/" if part else "An environment",
        "description": made["description"],
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        "$defs": made["$defs"],
    }
    return _without_required(whole) if part else whole


def render(root: Path, *, part: bool = False) -> str:
    """Return the schema as text."""
    return json.dumps(schema(root, part=part), ensure_ascii=False, indent=2) + "\n"


def check(root: Path) -> None:
    """Raise `OutdatedError` when the published schema is not what the configuration may say."""
    text = render(root, part=True)
    generated.check(
        root / PUBLISHED, text, command=COMMAND, called=PUBLISHED, wrong="is not what the configuration may say"
    )


def write(root: Path) -> None:
    """Write the schema of one file where editors find it."""
    generated.write(root / PUBLISHED, render(root, part=True))


def _variables(root: Path) -> stack.Constraint:
    folder = root / STACK
    anything = stack.Collection(kind="map", element=stack.ANYTHING)
    return declared(folder) if (folder / "variables.tf").is_file() else anything


def _plain(found: Any, *, names: bool = False) -> Any:
    """Return pydantic's schema without its titles and nulls (TOML has none), and as strict as pydantic is.

    *names*: the keys of *found* are names of properties, and no words of the schema.
    """
    if isinstance(found, list):
        return [_plain(one) for one in found if one != {"type": "null"}]
    if not isinstance(found, Mapping):
        return found
    if names:
        return {key: _plain(one) for key, one in found.items()}
    kept = {
        key: _plain(one, names=key in {"properties", "patternProperties", "$defs"})
        for key, one in found.items()
        if key != "title" and (key, one) != ("default", None)
    }
    if len(kept.get("anyOf", ())) == 1:
        kept |= kept.pop("anyOf")[0]
    return {**kept, **({"additionalProperties": False} if "patternProperties" in kept else {})}


def _without_required(found: Any, *, names: bool = False) -> Any:
    """Return *found* for one of several files, each of which may leave out what another has."""
    if isinstance(found, list):
        return [_without_required(one) for one in found]
    if not isinstance(found, Mapping):
        return found
    return {
        key: _without_required(one, names=key in {"properties", "patternProperties", "$defs"})
        for key, one in found.items()
        if names or key != "required"
    }


def _constraint(wanted: stack.Constraint) -> dict[str, Any]:
    """Return what Terraform takes for a variable of that type; it turns numbers into strings, and back."""
    match wanted:
        case stack.Primitive(kind=kind):
            return {"type": KINDS[kind]}
        case stack.Collection(kind="map", element=element):
            return {"type": "object", "additionalProperties": _constraint(element)}
        case stack.Collection(element=element):
            return {"type": "array", "items": _constraint(element)}
        case stack.Tuple(elements=elements):
            items = [_constraint(one) for one in elements]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        case stack.Object(attributes=attributes, required=required):
            return {
                "type": "object",
                "properties": {name: _constraint(one) for name, one in attributes.items()},
                "required": sorted(required),
                "additionalProperties": False,
            }
    return {}

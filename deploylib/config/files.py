"""The files of the configuration: which there are, what is in them, one laid over the other."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

COMMON = "common"
DIRECTORY = "environments"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that is wrong in a file of the configuration."""

    file: str
    key: str
    problem: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.problem}" if self.key else f"{self.file}: {self.problem}"


def names(root: Path) -> tuple[str, ...]:
    """Return the environments that exist, sorted."""
    return tuple(sorted(path.stem for path in (root / DIRECTORY).glob("*.toml") if path.stem != COMMON))


def table_at(merged: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return the table at *path*, or an empty one where there is none (the schema has said so already)."""
    found: Any = merged
    for part in path:
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def toml(root: Path, stem: str) -> tuple[dict[str, Any], tuple[Mistake, ...]]:
    """Return what is in the file, and what makes it no TOML; a file that is not there has nothing in it."""
    path = root / DIRECTORY / f"{stem}.toml"
    try:
        return tomllib.loads(path.read_text()), ()
    except FileNotFoundError:
        return {}, ()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return {}, (Mistake(file=file_name(stem), key="", problem=f"not TOML: {error}"),)


def laid_over(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return *common* with *own* laid over it; tables are merged, everything else is replaced."""
    return {
        key: laid_over(common[key], own[key])
        if isinstance(common.get(key), dict) and isinstance(own.get(key), dict)
        else own.get(key, common.get(key))
        for key in {**common, **own}
    }


def origin(path: tuple[str, ...], *, own: Any, common: Any, name: str) -> str:
    """Return the file to correct: the one that has the key, else (a missing key) the environment's own."""
    for stem, table in ((name, own), (COMMON, common)):
        found: Any = table
        for part in path:
            if isinstance(found, list):  # lists are never merged: all of it is from here
                return stem
            found = found.get(part) if isinstance(found, dict) else None
        if found is not None:
            return stem
    return name


def flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return every value of *table* under its dotted key."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        nested = isinstance(value, dict) and value
        found |= flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return found


def file_name(stem: str) -> str:
    """Return how mistakes name a file of the configuration."""
    return f"{DIRECTORY}/{stem}.toml"

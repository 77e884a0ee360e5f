"""The files of a pipeline on the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploylib.errors import OutdatedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write(folder: Path, files: Mapping[str, str]) -> tuple[Path, ...]:
    """Write each of *files* under *folder*, over what is there; return their paths."""
    return tuple(_written(folder / name, text) for name, text in sorted(files.items()))


def check(path: Path, text: str, *, hint: str) -> None:
    """Raise `OutdatedError` unless *path* holds *text*."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        raise OutdatedError(f"{path.name} is out of date", hint=hint)


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path

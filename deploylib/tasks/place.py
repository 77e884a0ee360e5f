"""Where the project is that a task works on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invoke import Context


def root(c: Context) -> Path:
    """Return the folder of the `tasks.py` that runs, as its collection was configured with it."""
    return Path(c.config["root"])

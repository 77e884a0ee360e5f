"""Files that a command writes and a repository keeps: written when they change, and told when they are out of date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploylib.errors import OutdatedError

if TYPE_CHECKING:
    from pathlib import Path


def write(file: Path, text: str) -> bool:
    """Write *text* into *file*, and make its folder, unless it holds that already; return whether it did not."""
    if _content(file) == text:
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return True


def check(file: Path, text: str, *, command: str, called: str = "", wrong: str = "is out of date") -> None:
    """Raise `OutdatedError` when *file*, which a person knows as *called*, does not hold the *text* of *command*.

    *wrong* says of a file that is there what that means.
    """
    found = _content(file)
    if found != text:
        raise OutdatedError(f"{called or file.name} {'is not there' if found is None else wrong}", hint=command)


def _content(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None

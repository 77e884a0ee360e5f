"""A value that a person types: not shown, and never on the command line."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, TextIO

from deploylib.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable


def typed(what: str, *, stdin: TextIO | None = None, ask: Callable[[str], str] = getpass.getpass) -> str | None:
    """Return the value of *what* as typed on the terminal, twice the same; None when standard input is no terminal.

    Raises `ConfigError` when the second differs.
    """
    if not (stdin or sys.stdin).isatty():
        return None
    value = ask(f"{what} (not shown): ")
    if ask(f"{what}, once more: ") != value:
        raise ConfigError("the two values differ; nothing was written", hint="repeat the command")
    return value

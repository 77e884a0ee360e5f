"""Values typed on a terminal: not shown, and twice the same."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from deploylib import report
from deploylib.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable


class Terminal(io.StringIO):
    """A standard input with a person at it."""

    def isatty(self) -> bool:
        return True


def typing(*values: str) -> Callable[[str], str]:
    """Return a person who types these *values*."""
    left = list(values)
    return lambda _: left.pop(0)


def test_a_value_is_typed_twice() -> None:
    assert report.typed("TOKEN", stdin=Terminal(), ask=typing("s3cret", "s3cret")) == "s3cret"


def test_two_values_that_differ_are_none() -> None:
    with pytest.raises(ConfigError, match="the two values differ; nothing was written") as refused:
        report.typed("TOKEN", stdin=Terminal(), ask=typing("s3cret", "s3cre"))
    assert "s3cre" not in str(refused.value)


def test_nobody_is_asked_where_standard_input_is_no_terminal() -> None:
    assert report.typed("TOKEN", stdin=io.StringIO("s3cret\n"), ask=typing()) is None

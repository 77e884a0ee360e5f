"""Do the same to several things at once, for the account and region of the caller."""

from __future__ import annotations

import contextvars
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Value = TypeVar("Value")


def together(function: Callable[[Value], object], values: Iterable[Value]) -> None:
    """Call *function* for all *values*, wait for all, and raise the first error."""
    listed = list(values)
    if len(listed) <= 1:  # a thread for nothing
        for value in listed:
            function(value)
        return
    with ThreadPoolExecutor(max_workers=len(listed)) as pool:
        calls = [pool.submit(contextvars.copy_context().run, function, value) for value in listed]
    for call in calls:
        call.result()

"""One event of every kind, with every text made of one word."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any

from deploylib import events


def every_kind(word: str = "word") -> list[events.Event]:
    """Return an event of each kind whose texts all contain *word*; lists have one item, numbers are 1."""
    kinds = [one for one in vars(events).values() if isinstance(one, type) and issubclass(one, events.Event)]
    return [_made(one, word) for one in kinds if one not in (events.Event, events.Standing)]


def _made(kind: type[Any], word: str) -> Any:
    hints = typing.get_type_hints(kind)
    return kind(**{one.name: _value(hints[one.name], word) for one in dataclasses.fields(kind)})


def _value(hint: Any, word: str) -> Any:
    if typing.get_origin(hint) is tuple:
        inner = [one for one in typing.get_args(hint) if one is not Ellipsis]
        return tuple(_value(one, word) for one in inner)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return _value(typing.get_args(hint)[0], word)
    if dataclasses.is_dataclass(hint):
        return _made(hint, word)  # type: ignore[arg-type]  # a class, not an instance
    return {str: word, int: 1, float: 1.0, bool: True}[hint]

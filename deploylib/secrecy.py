"""What must not be shown: values that stand under a name like a secret's, and texts that look like credentials.

An application may log its own secrets, and we show its last lines when it fails. This is the net below: it knows the
usual shapes (addresses with passwords, `NAME=value`, quoted pairs, tokens of known services), not every secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

T = TypeVar("T")

HIDDEN = "(hidden)"
SECRET_NAME = re.compile(
    r"passw|passphrase|secret|token|credential|private|api_?key|access_?key|(^|_)key$", re.IGNORECASE
)
_KINDS = "passw(?:or)?d|passphrase|secret|token|credential|api_?key|access_?key|private_?key"
_NAME = rf"[\w.-]{{0,40}}(?:{_KINDS})[\w.-]{{0,40}}"
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<=://)([^/\s:@]{0,99}):[^/\s\"']+(?=@)"), rf"\1:{HIDDEN}"),
    (re.compile(rf"""((["']){_NAME}\2\s?[:=]\s?(["']))(?!\3)[^\r\n]*?(?<!\\)\3""", re.IGNORECASE), rf"\1{HIDDEN}\3"),
    (re.compile(rf"""\b({_NAME}\s?=\s?)(?:"[^"\r\n]+"|'[^'\r\n]+'|[^\s"',;&)\]}}]+)""", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"(authorization[\"']?\s?[:=]\s?[\"']?(?:\w+\s)?)[^\s\"',]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), HIDDEN),
    (re.compile(r"\b(?:gh[pousr]_|github_pat_|xox[abeprs]-|sk_live_|rk_live_|glpat-)[\w-]{10,}"), HIDDEN),
    (re.compile(r"(?<=https://hooks\.slack\.com/services/)[\w/]+"), HIDDEN),
)
_MARKS = "authorization|://|eyJ|gh[pousr]_|github_pat_|xox|_live_|glpat-"
_SUSPECT = re.compile(f"{_KINDS}|{_MARKS}", re.IGNORECASE)


def hidden(text: str) -> str:
    """Return *text* without what looks like a credential."""
    if not _SUSPECT.search(text):  # most lines of a log: one look instead of seven
        return text
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    return text


def variable(name: str, value: str) -> str:
    """Return the *value* of an environment variable as it may be shown."""
    return HIDDEN if SECRET_NAME.search(name) else hidden(value)


def without_secrets(value: T) -> T:
    """Return *value* with `hidden` applied to every text in it: dataclasses, mappings, lists and tuples."""
    found: Any = _hidden_within(value)
    return found  # type: ignore[no-any-return]  # each kind of value is made into the same kind


def _hidden_within(value: Any) -> Any:
    if isinstance(value, str):
        return hidden(value)
    if isinstance(value, Mapping):
        return {key: _hidden_within(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_hidden_within(one) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: _hidden_within(getattr(value, one.name)) for one in fields(value)})
    return value

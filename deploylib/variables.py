"""The types that a stack's `variables.tf` asks for, and what Terraform would refuse of a value or drop without a word.

Terraform converts what it is given to the type of the variable: `"256"` becomes a number, and an object loses what its
type does not name. The last is how a typo goes unnoticed. The check here follows that conversion (a test asks Terraform
itself) and is never stricter. Below `any` it says nothing: what fits there depends on all elements together.

Of the language only as much is read as leads from one `variable` to the next: words, strings with templates in them,
heredocs, comments, brackets. A type that is not understood counts as `any`.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KeyPath = tuple[str, ...]
Problem = tuple[KeyPath, str]

CLOSING = {"(": ")", "[": "]", "{": "}"}
COLLECTIONS = ("list", "set", "map")
PRIMITIVES = ("string", "number", "bool")

# Strings that Terraform takes for a number or for a truth. ("inf" is one too, but no state can hold it.)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEpP][+-]?\d+)?", re.ASCII)
TRUTHS = ("true", "false", "1", "0")

DECLARED = re.compile(r'^[ \t]*variable[ \t]+"?([\w-]+)', re.MULTILINE)
BLANK = re.compile(r"(?:\s+|\#[^\n]*|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
TOKEN = re.compile(
    r"""<<-?(?P<tag>[\w-]+)\r?\n(?:.*?\n)??[ \t]*(?P=tag)[ \t]*\r?$  # a heredoc, to the line that has its tag alone
    |   [^\W\d][\w-]*
    |   [=!<>]=|=>
    |   .""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
IN_STRING = re.compile(r'(?:\\.|[^"\\$%]|\$\$\{|%%\{|[$%](?!\{))*', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything:
    """`any`, or a type that we do not understand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Primitive:
    """`string`, `number` or `bool`."""

    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """`list(…)`, `set(…)` or `map(…)`."""

    kind: str
    element: Constraint


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuple:
    """`tuple([…])`: as many elements as it names, each of its own type."""

    elements: tuple[Constraint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """`object({…})`: the types of its attributes, and which of them have to be there."""

    attributes: Mapping[str, Constraint]
    required: frozenset[str]


Constraint = Anything | Primitive | Collection | Tuple | Object
ANYTHING = Anything()


def read(text: str) -> Object:
    """Return what *text* declares, as one object; a variable without a default is required.

    Of a text that is not understood it is the names alone, with nothing required.
    """
    try:
        return _stack(_Tokens(text))
    except _NotUnderstoodError:
        return Object(attributes=dict.fromkeys(DECLARED.findall(text), ANYTHING), required=frozenset())


def problems(value: Any, constraint: Constraint, path: KeyPath = ()) -> Iterator[Problem]:
    """Yield what is wrong with *value*, as TOML has it, for *constraint*: each with the path to it."""
    if why := _unspeakable(value) or _misfit(value, constraint):
        yield path, why
        return
    for name, part in _parts(value):
        wanted = _wanted(constraint, name)
        if wanted is None:
            yield (*path, str(name)), f"unknown key{suggestion(str(name), _known(constraint))}"
        else:
            yield from problems(part, wanted, (*path, str(name)))
    yield from (((*path, name), "is missing") for name in _missing(value, constraint))


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return what to say after *name* is found not to be one of *known*: which one was meant, or which there are."""
    spelt = {one.lower(): one for one in known}
    if near := get_close_matches(name.lower().replace("-", "_"), spelt, n=1):
        return f"; did you mean {spelt[near[0]]}?"
    return f"; there are {', '.join(sorted(spelt.values()))}" if spelt else ""


def _unspeakable(value: Any) -> str:
    """Say why *value* cannot be handed to Terraform at all: its variables file is JSON."""
    if isinstance(value, dt.date | dt.time):
        return f'Terraform has no dates: write it as a string, "{value}"'
    return f"Terraform has no {value}" if isinstance(value, float) and not math.isfinite(value) else ""


def _misfit(value: Any, constraint: Constraint) -> str:
    """Say why *value* itself, without what is in it, cannot become what *constraint* asks for."""
    if isinstance(constraint, Tuple) and isinstance(value, list):
        wanted, given = len(constraint.elements), len(value)
        return f"should have length {wanted} (it has {given})" if wanted != given else ""
    should, fits = _judged(value, constraint)
    return "" if fits else f"should be {should} (it is {_shown(value)})"


def _judged(value: Any, constraint: Constraint) -> tuple[str, bool]:
    """Return the kind of value that *constraint* asks for, and whether *value* is one or Terraform makes it one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match constraint:
        case Primitive(kind="string"):
            return "a string", isinstance(value, str | bool) or is_number
        case Primitive(kind="number"):
            return "a number", is_number or (isinstance(value, str) and bool(NUMBER.fullmatch(value)))
        case Primitive():
            return "true or false", isinstance(value, bool) or (isinstance(value, str) and value in TRUTHS)
        case Object() | Collection(kind="map"):
            return "a table", isinstance(value, Mapping)
        case Collection() | Tuple():
            return "a list", isinstance(value, list)
    return "anything", True


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "a table" if isinstance(value, Mapping) else "a list" if isinstance(value, list) else repr(value)


def _parts(value: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _wanted(constraint: Constraint, name: str | int) -> Constraint | None:
    """Return what *constraint* asks of that part; nothing when it would be dropped."""
    match constraint:
        case Object():
            return constraint.attributes.get(str(name))
        case Collection():
            return constraint.element
        case Tuple():
            return constraint.elements[int(name)]
    return ANYTHING


def _known(constraint: Constraint) -> Iterable[str]:
    return constraint.attributes if isinstance(constraint, Object) else ()


def _missing(value: Any, constraint: Constraint) -> Iterable[str]:
    return sorted(constraint.required - set(value)) if isinstance(constraint, Object) else ()


class _NotUnderstoodError(Exception):
    """The text is not what we expected; `read` knows less then, and goes on."""


class _Tokens:
    """A text as tokens, without blanks and comments; `next` is the one that `take` returns, empty at the end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self.next = self._read()

    def take(self, *expected: str) -> str:
        """Return the next token and go on; it has to be one of *expected*, if any are given."""
        token = self.next
        if not token or (expected and token not in expected):
            raise _NotUnderstoodError(f"{token!r} before {self._position}")
        self.next = self._read()
        return token

    def skip(self, end: str) -> None:
        """Go on behind the next *end* that is in no bracket opened on the way."""
        while (token := self.take()) != end:
            if token in CLOSING:
                self.skip(CLOSING[token])

    def _read(self) -> str:
        start = _behind(BLANK, self._text, self._position)
        self._position = _token_end(self._text, start)
        return self._text[start : self._position]


def _behind(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return found.end() if found else position


def _token_end(text: str, start: int) -> int:
    return _string_end(text, start + 1) if text.startswith('"', start) else _behind(TOKEN, text, start)


def _string_end(text: str, position: int) -> int:
    """Return where the string ends that *position* is in; there may be strings in its templates."""
    while True:
        position = _behind(IN_STRING, text, position)
        if text.startswith('"', position):
            return position + 1
        if not text.startswith("{", position + 1):
            raise _NotUnderstoodError(f"no end of the string before {position}")
        position = _template_end(text, position + 2)


def _template_end(text: str, position: int) -> int:
    depth = 1
    while depth:
        start = _behind(BLANK, text, position)
        position = _token_end(text, start)
        if position == start:
            raise _NotUnderstoodError("no end of a template")
        depth += text.startswith("{", start) - text.startswith("}", start)
    return position


def _stack(tokens: _Tokens) -> Object:
    """Read the `variable` blocks; pass over the others."""
    attributes, required = {}, set()
    while tokens.next:
        word = tokens.take()
        if word == "variable":
            name = tokens.take().strip('"')
            tokens.take("{")
            attributes[name], has_default = _variable(tokens)
            if not has_default:
                required.add(name)
        elif word in CLOSING:
            tokens.skip(CLOSING[word])
    return Object(attributes=attributes, required=frozenset(required))


def _variable(tokens: _Tokens) -> tuple[Constraint, bool]:
    """Return the type, and whether there is a default. Outside brackets only the names of attributes precede a `=`."""
    constraint: Constraint = ANYTHING
    has_default = False
    while (word := tokens.take()) != "}":
        if word in CLOSING:
            tokens.skip(CLOSING[word])
        elif tokens.next == "=" and word == "default":
            has_default = True
        elif tokens.next == "=" and word == "type":
            tokens.take()
            constraint = _constraint(tokens)
    return constraint, has_default


def _constraint(tokens: _Tokens) -> Constraint:
    word = tokens.take()
    if tokens.next != "(":
        return _plain(word)
    tokens.take()
    constraint = _complex(word, tokens)
    tokens.skip(")")  # past the default of an optional attribute, and what we do not understand
    return constraint


def _plain(word: str) -> Constraint:
    if word in COLLECTIONS:  # as Terraform 0.11 had it
        return Collection(kind=word, element=ANYTHING)
    return Primitive(kind=word) if word in PRIMITIVES else ANYTHING


def _complex(word: str, tokens: _Tokens) -> Constraint:
    """Read what is in the brackets behind *word*."""
    if word in COLLECTIONS:
        return Collection(kind=word, element=_constraint(tokens))
    if word == "optional":
        return _constraint(tokens)
    if word == "tuple":
        return Tuple(elements=tuple(_elements(tokens)))
    return _object(tokens) if word == "object" else ANYTHING


def _elements(tokens: _Tokens) -> Iterator[Constraint]:
    tokens.take("[")
    while tokens.next != "]":
        yield _constraint(tokens)
        _pass_comma(tokens)
    tokens.take("]")


def _object(tokens: _Tokens) -> Object:
    attributes, required = {}, set()
    tokens.take("{")
    while tokens.next != "}":
        name = tokens.take()
        tokens.take("=", ":")
        if tokens.next != "optional":
            required.add(name)
        attributes[name] = _constraint(tokens)
        _pass_comma(tokens)
    tokens.take("}")
    return Object(attributes=attributes, required=frozenset(required))


def _pass_comma(tokens: _Tokens) -> None:
    if tokens.next == ",":
        tokens.take()

"""What a Dockerfile takes: files of the context, build arguments, other images.

Read by the Dockerfile reference: the escape directive, comments and empty lines inside an instruction, here-documents,
flags, the JSON form, variables and their defaults. What an image is made of must never be missed, while too much costs
no more than a build: a source that cannot be worked out (a variable of the parent image) counts as the whole context,
and every stage counts, also one that the last does not use.
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WHOLE_CONTEXT = "."
WITH_HEREDOCS = ("RUN", "COPY", "ADD", "ONBUILD")

_WORD = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:\\.|[^"\\])*"|'[^']*'|["'\\])+""")
_HEREDOC = re.compile(r"""\d*<<(-?)(["']?)([^<"'\s]+)\2""")
_DIRECTIVE = re.compile(r"#\s*([a-zA-Z]+)\s*=\s*(\S+)\s*")
_FLAGS = re.compile(r"(?:--\S+(?:\s+|$))*")
_ASSIGNMENT = re.compile(r"""([^\s="']+)=((?:[^\s"'\\]|\\.|"(?:\\.|[^"\\])*"|'[^']*')*)""")
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|git@")
_PIECE = re.compile(
    r"""'(?P<literal>[^']*)'|\\(?P<escaped>.)|(?P<quote>")"""
    r"""|\$(?:(?P<name>\w+)|\{(?P<braced>\w+)(?:(?P<operator>:?[-+?])(?P<word>[^{}$]*))?\})"""
    r"""|(?P<odd>\$\{)|(?P<plain>.)""",
    re.ASCII | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction: its keyword in capitals, its text on one line, and the line it starts on (from 1)."""

    keyword: str
    text: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """What a Dockerfile takes.

    `sources` are paths and patterns in the context; `arguments` the build arguments that it declares; `parents` the
    images that it starts from or copies out of, its own stages left out; `onbuild_sources` what an image that starts
    from this one takes from its own context. `origin` is the one of `parents` that the image itself starts from.
    """

    sources: tuple[str, ...]
    arguments: tuple[str, ...]
    parents: tuple[str, ...]
    onbuild_sources: tuple[str, ...]
    origin: str = ""


def read(text: str, given: Mapping[str, str]) -> Dockerfile:
    """Return what the Dockerfile *text* takes when it is built with the arguments *given*."""
    reading = _Reading(given=given)
    for instruction in instructions(text):
        reading.take(instruction.keyword, instruction.text)
    return Dockerfile(
        sources=tuple(sorted(reading.sources)),
        arguments=tuple(sorted(reading.declared)),
        parents=tuple(sorted(reading.parents)),
        onbuild_sources=tuple(sorted(reading.onbuild_sources)),
        origin=reading.stage.origin if reading.stage else "",
    )


def instructions(text: str) -> Iterator[Instruction]:
    """Yield each instruction of *text*, continued lines joined; comments and here-documents are left out."""
    lines = text.removeprefix("\ufeff").splitlines()
    escape = re.escape(escape_character(text))
    continued = re.compile(rf"(?<!{escape}){escape}[ \t]*$")
    position = 0
    while position < len(lines):
        start = position
        joined, position = _joined(lines, position, continued)
        keyword, *rest = joined.split(maxsplit=1)[:2] or [""]
        if not keyword:
            continue
        instruction = Instruction(keyword=keyword.upper(), text="".join(rest), line=start + 1)
        if instruction.keyword in WITH_HEREDOCS:
            position = _after_heredocs(lines, position, instruction.text)
        yield instruction


def escape_character(text: str) -> str:
    """Return the escape character of the Dockerfile *text*; directives stand before everything else."""
    for line in text.removeprefix("\ufeff").splitlines():
        directive = _DIRECTIVE.fullmatch(line.strip())
        if not directive:
            break
        if directive[1].lower() == "escape":
            return directive[2]
    return "\\"


def _joined(lines: list[str], position: int, continued: re.Pattern[str]) -> tuple[str, int]:
    """Return the instruction at *position* as one line (empty for a comment), and where the next one is."""
    parts: list[str] = []
    while position < len(lines):
        line = lines[position]
        position += 1
        if not line.strip() or line.lstrip().startswith("#"):
            if parts:
                continue
            return "", position
        parts.append(continued.sub("", line))
        if parts[-1] == line:
            break
    return "".join(parts).strip(), position


def _after_heredocs(lines: list[str], position: int, text: str) -> int:
    """Return the line after the here-documents that *text* opens; one that never ends is none."""
    for word in _WORD.findall(text):
        if opened := _HEREDOC.fullmatch(word):
            strip = str.lstrip if opened[1] else str
            ends = (at for at in range(position, len(lines)) if strip(lines[at]) == opened[3])
            position = next(ends, position - 1) + 1
    return position


@dataclass(slots=True, kw_only=True)
class _Stage:
    """The variables of one stage; the value None is one that nobody knows before the build.

    `origin` is the outside image that it starts from, by way of other stages or not.
    """

    origin: str = ""
    arguments: dict[str, str | None] = field(default_factory=dict)
    environment: dict[str, str | None] = field(default_factory=dict)

    def copy(self) -> _Stage:
        return _Stage(origin=self.origin, arguments=dict(self.arguments), environment=dict(self.environment))

    def value(self, name: str) -> str | None:
        return self.environment[name] if name in self.environment else self.arguments.get(name)


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What was read so far. `stage` holds the arguments before the first FROM until that comes."""

    given: Mapping[str, str]
    sources: set[str] = field(default_factory=set)
    declared: set[str] = field(default_factory=set)
    parents: set[str] = field(default_factory=set)
    onbuild_sources: set[str] = field(default_factory=set)
    outside: _Stage = field(default_factory=_Stage)
    stages: dict[str, _Stage] = field(default_factory=dict)
    stage: _Stage | None = None

    def take(self, keyword: str, text: str) -> None:
        """Take note of one instruction."""
        if not text:  # docker refuses it, in its own words
            return
        if keyword == "FROM":
            self._from(text)
        elif keyword == "ARG":
            self._arg(text)
        elif keyword == "ENV":
            self._env(text)
        elif keyword in {"COPY", "ADD", "RUN"}:
            self.sources |= self._sources(keyword, text)
        elif keyword == "ONBUILD":
            trigger, _, rest = text.partition(" ")
            self.onbuild_sources |= self._sources(trigger.upper(), rest.strip())

    @property
    def _current(self) -> _Stage:
        return self.stage or self.outside

    def _from(self, text: str) -> None:
        written, *alias = text[_flags_end(text) :].split() or [""]
        image = _expanded(written, self.outside) or written
        self._parent(image)
        known = self.stages.get(image.lower())
        self.stage = known.copy() if known else _Stage(origin="" if image == "scratch" else image)
        name = alias[1].lower() if len(alias) > 1 else ""
        self.stages[str(sum(key.isdecimal() for key in self.stages))] = self.stage
        if name:
            self.stages[name] = self.stage

    def _parent(self, image: str) -> None:
        if image.lower() not in self.stages and image not in {"", "scratch"}:
            self.parents.add(image)

    def _arg(self, text: str) -> None:
        for word in _WORD.findall(text):
            name, has_default, default = word.partition("=")
            self.declared.add(name)
            inherited = self.outside.arguments.get(name)
            usual = _expanded(default, self._current) if has_default else inherited
            self._current.arguments[name] = self.given.get(name, usual)

    def _env(self, text: str) -> None:
        assignments = _ASSIGNMENT.findall(text) if _ASSIGNMENT.match(text) else [tuple(text.split(maxsplit=1))]
        before = self._current.copy()
        for name, *value in assignments:
            self._current.environment[name] = _expanded("".join(value), before)

    def _sources(self, keyword: str, text: str) -> set[str]:
        end = _flags_end(text)
        flags, rest = text[:end].split(), text[end:]
        if keyword == "RUN":
            return {source for flag in flags if (source := self._mounted(flag))}
        copied_from = next((flag.removeprefix("--from=") for flag in flags if flag.startswith("--from=")), "")
        if copied_from:
            self._parent(copied_from)
        if copied_from or keyword not in {"COPY", "ADD"}:
            return set()
        expanded = (_expanded(word, self._current) for word in _words(rest)[:-1] if not word.startswith("<<"))
        return {_normal(one) for one in expanded if one is None or not _REMOTE.match(one)}

    def _mounted(self, flag: str) -> str:
        """Return what a `--mount` of RUN binds from the context; nothing for another kind of mount."""
        if not flag.startswith("--mount="):
            return ""
        pairs = (pair.partition("=") for pair in flag.removeprefix("--mount=").split(","))
        options = {key.lower(): value for key, _, value in pairs}
        if "from" in options:
            self._parent(options["from"])
        if "from" in options or options.get("type", "bind") != "bind":
            return ""
        return _normal(_expanded(options.get("source", options.get("src", WHOLE_CONTEXT)), self._current))


def _flags_end(text: str) -> int:
    found = _FLAGS.match(text)
    return found.end() if found else 0


def _words(text: str) -> list[str]:
    """Return sources and destination: a JSON array, else what white space parts (quotes do not hold it together)."""
    try:
        array = json.loads(text) if text.startswith("[") else None
    except json.JSONDecodeError:
        array = None
    return [str(one) for one in array] if isinstance(array, list) else text.split()


def _normal(source: str | None) -> str:
    """Return *source* relative to the context, which `..` cannot leave; the whole context when it is unknown."""
    if source is None:
        return WHOLE_CONTEXT
    return posixpath.normpath(f"/{source}").lstrip("/") or WHOLE_CONTEXT


def _expanded(word: str, stage: _Stage) -> str | None:
    """Return *word* with quotes taken off and variables filled in, or None when one of them is not known."""
    pieces = [_piece(found, stage) for found in _PIECE.finditer(word)]
    return None if None in pieces else "".join(piece for piece in pieces if piece is not None)


def _piece(found: re.Match[str], stage: _Stage) -> str | None:
    if found["odd"]:
        return None
    name = found["name"] or found["braced"]
    if not name:
        return found["literal"] or found["escaped"] or found["plain"] or ""
    value = stage.value(name)
    if value is None or not found["operator"]:
        return value
    chosen = bool(value) or not found["operator"].startswith(":")
    if found["operator"].endswith("+"):
        return found["word"] if chosen else ""
    return value if chosen else found["word"]

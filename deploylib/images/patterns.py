"""The patterns of `.dockerignore` and of COPY: Go's `filepath.Match`, and `**`.

They are not those of `.gitignore`, nor is a library for those of use here: a name without a slash matches at the root
alone, and `!` brings back a file below a folder that is left out.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?P<deep>\*\*/?)|(?P<star>\*)|(?P<one>\?)|\[(?P<set>\^?(?:\\.|[^\]\\])+)\]|\\(?P<escaped>.)|(?P<plain>.)",
    re.DOTALL,
)
_WILD = re.compile(r"[*?\[\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of an ignore file: what it matches, and whether it brings that back (`!`)."""

    pattern: str
    brings_back: bool
    matches: re.Pattern[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """The rules of an ignore file: the last one that matches a path, or a folder above it, decides."""

    rules: tuple[Rule, ...] = ()

    def leaves_out(self, path: str) -> bool:
        """Return whether *path* is kept from the build."""
        left_out = False
        for rule in self.rules:
            if rule.brings_back is left_out and rule.matches.fullmatch(path):
                left_out = not left_out
        return left_out

    def leaves_out_all_of(self, folder: str) -> bool:
        """Return whether nothing below *folder* can reach the build, so that nobody needs to look there."""
        return self.leaves_out(folder) and not any(
            rule.brings_back and _reaches(rule.pattern, folder) for rule in self.rules
        )


def parse_ignore(text: str) -> Ignore:
    """Return the rules of a `.dockerignore`."""
    lines = (line.strip() for line in text.removeprefix("\ufeff").splitlines() if not line.startswith("#"))
    return Ignore(rules=tuple(rule for line in lines if (rule := _rule(line))))


def compiled(pattern: str, *, descendants: bool) -> re.Pattern[str]:
    """Return *pattern* for `fullmatch` with a path of the context, or with everything below such a path too."""
    below = "(?:/.*)?" if descendants else ""
    expression = "".join(_translated(found, last=found.end() == len(pattern)) for found in _TOKEN.finditer(pattern))
    try:
        return re.compile(expression + below, re.DOTALL)
    except re.error:  # a range like [z-a]: docker refuses it
        return re.compile(re.escape(pattern) + below, re.DOTALL)


def fixed_part(pattern: str) -> str:
    """Return the leading components of *pattern* that have no wildcard: where to look for what it matches."""
    components = pattern.split("/")
    wild = next((at for at, one in enumerate(components) if _WILD.search(one)), len(components))
    return "/".join(components[:wild])


def _rule(line: str) -> Rule | None:
    brings_back = line.startswith("!")
    written = line.removeprefix("!").strip()
    pattern = posixpath.normpath(written).lstrip("/") if written else ""
    if pattern in {"", "."}:
        return None
    return Rule(pattern=pattern, brings_back=brings_back, matches=compiled(pattern, descendants=True))


def _reaches(pattern: str, folder: str) -> bool:
    """Return whether *pattern* may match something below *folder*."""
    for part, name in zip(pattern.split("/"), folder.split("/"), strict=False):
        if "**" in part:
            return True
        if not compiled(part, descendants=False).fullmatch(name):
            return False
    return True


def _translated(found: re.Match[str], *, last: bool) -> str:
    if found["deep"]:
        return ".*" if last else "(?:.*/)?"
    if found["star"] or found["one"]:
        return "[^/]*" if found["star"] else "[^/]"
    if found["set"]:
        return f"[{_set(found['set'])}]"
    return re.escape(found["escaped"] or found["plain"])


def _set(text: str) -> str:
    negated = "^" if text.startswith("^") else ""
    characters = re.findall(r"\\.|.", text[len(negated) :], re.DOTALL)
    return negated + "".join("-" if one == "-" else re.escape(one[-1]) for one in characters)

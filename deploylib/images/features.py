"""What a Dockerfile wants of its builder, and the refusal, before anything is built, by one that cannot do it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib.errors import ImageError
from deploylib.images import dockerfile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploylib.images.ability import Ability, Version
    from deploylib.images.recipe import Recipe

BUILDX = "install docker's plug-in buildx (package docker-buildx, or docker-buildx-plugin of docker.com)"
READER = "# syntax=docker/dockerfile:1"

_HEREDOC = re.compile(r"""(?:^|\s)\d*<<-?["']?\w""")
_SYNTAX = re.compile(r"#\s*syntax\s*=\s*\S", re.IGNORECASE)
_OTHER_DIRECTIVE = re.compile(r"#\s*\w+\s*=\s*\S")
_FLAGS: tuple[tuple[str, re.Pattern[str], Version], ...] = (
    ("RUN", re.compile(r"--(mount)[=\s]"), (0, 8)),
    ("RUN", re.compile(r"--(network|security)[=\s]"), (0, 9)),
    ("COPY ADD", re.compile(r"--(chmod)="), (0, 8)),
    ("COPY ADD", re.compile(r"--(link)\b"), (0, 10)),
    ("ADD", re.compile(r"--(checksum|keep-git-dir)\b"), (0, 12)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """Something that not every builder reads: what, on which line, and the first BuildKit that does."""

    what: str
    line: int
    since: Version


def wanted(text: str) -> Iterator[Feature]:
    """Yield what the Dockerfile *text* uses that not every builder has."""
    for one in dockerfile.instructions(text):
        flags = re.match(r"(?:--\S+(?:\s+|$))*", one.text)
        for keywords, pattern, since in _FLAGS:
            if one.keyword in keywords.split() and flags and (found := pattern.search(flags[0])):
                yield Feature(what=f"{one.keyword} --{found[1]}", line=one.line, since=since)
        if one.keyword in {"RUN", "COPY", "ADD"} and _HEREDOC.search(one.text):
            yield Feature(what="a here-document", line=one.line, since=(0, 10))


def refuse_unknown(recipe: Recipe, ability: Ability) -> None:
    """Raise `ImageError`, naming what is missing and what to install, when *ability* cannot build *recipe*."""
    if recipe.secrets and not ability.has_secrets:
        raise ImageError(f"image {recipe.image}: secrets need BuildKit, and here is {ability.name}", hint=BUILDX)
    if ability.kind == "podman":
        return
    if recipe.own_ignore is not None and ability.kind == "classic":
        raise ImageError(
            f"image {recipe.image}: only BuildKit reads {recipe.dockerfile}.dockerignore, and here is {ability.name}",
            hint=f"{BUILDX}, or put the rules into .dockerignore",
        )
    if ability.kind != "classic" and brings_its_reader(recipe.text):
        return
    for one in wanted(recipe.text):
        if not ability.reads(one.since):
            raise ImageError(
                f"image {recipe.image}: {recipe.dockerfile} uses {one.what} (line {one.line}): that needs BuildKit "
                f"{'.'.join(map(str, one.since))} or later, and here is {ability.name}",
                hint=BUILDX if ability.kind == "classic" else _newer_reader(),
            )


def brings_its_reader(text: str) -> bool:
    """Whether *text* names the image of the program that reads it, which BuildKit then fetches."""
    for line in text.removeprefix("\ufeff").splitlines():
        if _SYNTAX.match(line):
            return True
        if not _OTHER_DIRECTIVE.match(line):
            return False
    return False


def _newer_reader() -> str:
    return f"put `{READER}` on its first line (a newer reader, from Docker Hub), or install Docker 23 or later"

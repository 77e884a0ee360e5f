"""Variables of a container that come from files in S3 (`environmentFiles`), read as ECS reads them.

A line is `NAME=VALUE`, taken as it is: without quotes, without substitution; one that begins with `#` is a comment. Of
two lines, or files, with one name the first counts, and the container's own `environment` before both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class MissingFileError(Exception):
    """The object is not there; says which."""


def read(container: Mapping[str, Any], fetch: Callable[[str, str], bytes | None]) -> dict[str, str]:
    """Return the variables of *container*'s files; *fetch* takes bucket and key."""
    found: dict[str, str] = {}
    for file in container.get("environmentFiles") or []:
        found = {**parse(_text(file["value"], fetch)), **found}
    return found


def parse(text: str) -> dict[str, str]:
    """Return the variables that *text* sets."""
    lines = (line for line in text.splitlines() if "=" in line and not line.startswith("#"))
    pairs = (line.partition("=") for line in lines)
    return {name: value for name, _, value in reversed(list(pairs)) if name}


def _text(arn: str, fetch: Callable[[str, str], bytes | None]) -> str:
    bucket, _, key = arn.partition(":::")[2].partition("/")
    content = fetch(bucket, key)
    if content is None:
        raise MissingFileError(f"{arn}: NoSuchKey: The specified key does not exist.")
    return content.decode("utf-8", errors="replace")

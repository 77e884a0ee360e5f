"""The log of a build or a push, as a person may see it: no noise, no secret; and what it says of a failure."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from deploylib.errors import ImageError, ProcessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Line = Callable[[str], None]

LAST_LINES = 20
HIDDEN = "***"
SHORTEST_PART = 6  # of a secret of several lines: a line like `{` is no secret

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NOTICE = re.compile(
    r"DEPRECATED: The legacy builder is deprecated|\s+BuildKit is currently disabled|\s+environment-variable\."
    r"|\s+Install the buildx component|\s+https://docs\.docker\.com/go/buildx"
    # what the classic builder says of its own containers and layers
    r"| ---> (?:Using cache|(?:Running in )?[0-9a-f]{12})$|Sending build context "
    r"|Removing intermediate container |Successfully (?:built|tagged) "
    r"|Step \d+/\d+ : LABEL deploylib\."
    # what a log-in says of the machine that is thrown away after the build
    r"|WARNING! Your (?:password|credentials) (?:will be|are) stored unencrypted|Configure a credential helper"
    r"|https://docs\.docker\.com/(?:go/credential-store|engine/reference/commandline/login)|Login Succeeded$"
    # what BuildKit says of itself
    r"|#\d+ sha256:[0-9a-f]{64}$|#0 building with "
    # what it says when there are no kept layers yet
    r"|#\d+ ERROR: failed to configure registry cache importer: \S+: not found$| > importing cache manifest from "
)
_TAKEN = re.compile(r"immutable|cannot be overwritten|tag already exists", re.IGNORECASE)
_HINTS = (
    (r"toomanyrequests|pull rate limit", 'sign in to Docker Hub: [registries."docker.io"] in environments/common.toml'),
    (r"denied|unauthorized|no basic auth|\b403\b", "these credentials may not use that registry"),
    (
        r"refused|no such host|timeout|\bEOF\b|reset by peer|\b50\d\b",
        "does the registry answer? Then repeat the command",
    ),
    (r"no space left", "docker system prune"),
)


class TagTakenError(ImageError):
    """The tag is another image's, and tags of this repository are immutable."""


@dataclass(slots=True, kw_only=True)
class Log:
    """What was said, passed on line by line; the *last* lines are kept. *secrets* are values that nobody may see."""

    line: Line
    secrets: tuple[str, ...] = field(default=(), repr=False)
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))

    def __call__(self, raw: str) -> None:
        """Take one line as it was printed."""
        text = masked(_COLOUR.sub("", raw).rstrip(), self.secrets)
        if text.strip() and not _NOTICE.match(text):
            self.last.append(text)
            self.line(text)


def maskable(values: Iterable[str]) -> tuple[str, ...]:
    """Return what has to be hidden of secret *values*: each whole, and each longer line of one; the longest first."""
    lines = {part for value in values for part in value.splitlines() if len(part.strip()) >= SHORTEST_PART}
    whole = {value.strip() for value in values if len(value.strip().splitlines()) == 1}
    return tuple(sorted({part.strip() for part in lines} | whole, key=len, reverse=True))


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return *text* with each of *secrets* replaced."""
    for one in secrets:
        text = text.replace(one, HIDDEN)
    return text


def refuse(failed: str, log: Log, error: ProcessError) -> NoReturn:
    """Raise what *log* says of a failure: `TagTakenError`, or `ImageError` with its last lines."""
    said = "\n".join(log.last)
    known = ProcessError("the engine's client", error.returncode, masked(error.output, log.secrets))
    if _TAKEN.search(said):
        raise TagTakenError(
            f"{failed}: the tag is another image's already, and tags there are immutable\n{said}",
            hint="change what the image is made of, so that it gets a tag of its own",
        ) from known
    raise ImageError(f"{failed} (exit code {error.returncode})\n{said}".rstrip(), hint=hint(said)) from known


def hint(said: str) -> str:
    """Return what helps against what a build *said*; nothing when that is not known."""
    return next((help_ for pattern, help_ in _HINTS if re.search(pattern, said, re.IGNORECASE)), "")

"""What the guest book is made of, and what may be written into it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

NAME_LENGTH = 40
MESSAGE_LENGTH = 500
AT_WORK_SECONDS = 8.0  # four heartbeats
UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # PostgreSQL refuses the first, nobody means the others


class BookError(Exception):
    """The book cannot be opened now: no database, or no schema in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A signed entry; stamped once a worker has read it."""

    entry_id: int
    name: str
    message: str
    signed_at: datetime
    words: int | None = None
    stamped_by: str | None = None
    stamped_at: datetime | None = None

    @property
    def stamped_after_seconds(self) -> float | None:
        """How long the entry waited for its stamp."""
        return (self.stamped_at - self.signed_at).total_seconds() if self.stamped_at else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker's row: who, of which task definition, and when last heard of."""

    name: str
    definition: str
    stamped: int
    beat_at: datetime
    stopped_at: datetime | None

    def state(self, now: datetime) -> str:
        """Tell a worker that left from one that was lost."""
        if self.stopped_at:
            return "stopped"
        return "at work" if (now - self.beat_at).total_seconds() < AT_WORK_SECONDS else "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that one view of the book shows, read at one moment."""

    now: datetime
    revision: str
    rows: int
    stamped: int
    entries: tuple[Entry, ...]
    workers: tuple[Worker, ...]


class Book(Protocol):
    """A guest book, wherever it is kept."""

    def read(self) -> Page:
        """Return the newest entries and who is at work."""

    def sign(self, name: str, message: str) -> int:
        """Write an entry and return its number."""

    def revision(self) -> str:
        """Return the revision of the schema: the cheapest proof that the book opens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a guest sent, tidied, with what is wrong with it by field."""

    name: str
    message: str
    mistakes: Mapping[str, str]


def draft_from(form: Mapping[str, str]) -> Draft:
    """Tidy and check what a guest sent."""
    name = " ".join(tidy(form.get("name", "")).split())
    message = tidy(form.get("message", ""))
    checked = {
        "name": mistake(name, length=NAME_LENGTH, empty="Please tell your name."),
        "message": mistake(message, length=MESSAGE_LENGTH, empty="Please write something."),
    }
    return Draft(name=name, message=message, mistakes={field: text for field, text in checked.items() if text})


def tidy(text: str) -> str:
    """Normalise composed characters and line ends, drop what cannot be printed."""
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    return UNPRINTABLE.sub(" ", lines).strip()


def mistake(text: str, *, length: int, empty: str) -> str:
    """Say what is wrong with a text; nothing when it is fine."""
    if not text:
        return empty
    return f"At most {length} characters, please; these are {len(text)}." if len(text) > length else ""

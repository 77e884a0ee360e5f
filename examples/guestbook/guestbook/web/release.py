"""Which release this is."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SHORT = 12  # as in image tags
FIRST_HUE, HUES = 135, 275  # from green around to orange; a dark yellow is mud


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The commit that the image was built from, and what the page says at its top."""

    commit: str
    greeting: str
    role: str = "web"

    @property
    def short_commit(self) -> str:
        """Shorten the commit as image tags do."""
        return self.commit[:SHORT]

    @property
    def hue(self) -> int:
        """Give every commit a colour of its own, in degrees: a new release is seen from across the room."""
        return (FIRST_HUE + zlib.crc32(self.commit.encode()) % HUES) % 360


def release_from(environ: Mapping[str, str]) -> Release:
    """Read COMMIT, which the image carries, and GREETING, which the task definition sets."""
    return Release(
        commit=environ.get("COMMIT") or "uncommitted",
        greeting=environ.get("GREETING") or "Hello from the guest book",
    )

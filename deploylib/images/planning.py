"""What has to happen for each image of a release, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BASE = "base"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlan:
    """One image: taken from the registry as it is (`reuse`), or built and pushed (`build`).

    `image` is `base` or a role. `tags` are all that it shall have, the content tag first; `missing_tags` those that
    an image to reuse still lacks. `digest` is empty until the registry has it. `reason` says why, for a person.
    """

    image: str
    action: Literal["reuse", "build"]
    reason: str
    tags: tuple[str, ...]
    missing_tags: tuple[str, ...] = ()
    digest: str = ""

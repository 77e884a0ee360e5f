"""The recipes of a checkout beside what the registry holds of them: the start of every plan about images.

A base that `base.refresh --force` made anew has the same ingredients as before and one more, the time. That time is
in no file: it is in the tags of the new image. `base-<fingerprint>-refreshed`, named by the fingerprint without it,
moves to the newest such image, which also has the tag `base-<fingerprint>-r<time>`. So whoever looks for the base
finds the refreshed one, by the request that is made anyway.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib.images import planning, registry
from deploylib.images.recipe import BASE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from types_boto3_ecr.client import ECRClient

    from deploylib.images.recipe import Recipe

REFRESHED = "-refreshed"
_TIME = re.compile(r"-r(\d{8}T\d{6}Z)")
_COMPACT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """Recipes, and the digest of each tag of theirs that the repository has.

    `plain` is the base's content tag as it would be if nobody had refreshed it.
    """

    recipes: tuple[Recipe, ...]
    present: Mapping[str, str]
    plain: str = ""


def take(ecr: ECRClient, repository: str, write: Callable[[str], tuple[Recipe, ...]]) -> Stock:
    """Return the stock of *repository*; *write* makes the recipes of a base refreshed at a time (empty: never).

    One request, three where the base was refreshed.
    """
    found = write("")
    plain = next((one.tags[0] for one in found if one.image == BASE), "")
    pointer = f"{plain}{REFRESHED}"
    present = registry.present(ecr, repository, (*planning.tags(found), *([pointer] if plain else [])))
    if plain and pointer in present:
        found = write(_time_in(registry.tags_of(ecr, repository, present[pointer]), plain))
        present = registry.present(ecr, repository, planning.tags(found))
    return Stock(
        recipes=found, present={tag: present[tag] for tag in planning.tags(found) if tag in present}, plain=plain
    )


def tag_of_time(plain: str, refreshed: str) -> str:
    """Return the tag that keeps *refreshed*, RFC 3339 in UTC, beside the image."""
    return f"{plain}-r{dt.datetime.fromisoformat(refreshed).strftime(_COMPACT)}"


def _time_in(tags: Iterable[str], plain: str) -> str:
    """Return the last time in *tags*; empty when there is none, as if nobody had refreshed anything."""
    times = [found[1] for tag in tags if tag.startswith(plain) and (found := _TIME.fullmatch(tag, len(plain)))]
    if not times:
        return ""
    return f"{dt.datetime.strptime(max(times), _COMPACT).replace(tzinfo=dt.UTC):%Y-%m-%dT%H:%M:%SZ}"

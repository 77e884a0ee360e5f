"""The clean-up of this machine: images of the app in the container engine, known by their label; AWS is not asked.

What a container uses stays, running or stopped; so do the newest of each role, and every image with a name that is not
the app's. Left-overs of builds that lost their name to a newer build go.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from deploylib.errors import ConfigError
from deploylib.images import labels, reference
from deploylib.toolchain.engine_api import EngineRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from deploylib.toolchain.engine_api import EngineApi

NAMELESS = "<none>"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalImage:
    """An image that the engine has; *created* is seconds since 1970, *size* counts layers that it shares, too."""

    id: str
    role: str
    names: tuple[str, ...]
    created: float
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFate:
    """What becomes of one image, and every reason for it."""

    image: LocalImage
    stays: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """The ids of what was removed and of what the engine kept, and how many bytes are free again, if it counted."""

    removed: tuple[str, ...]
    spared: tuple[str, ...]
    size: int | None


def observe(api: EngineApi, app: str) -> tuple[tuple[LocalImage, ...], dict[str, str]]:
    """Return the images of *app*, and the name of a container for each image that one uses."""
    wanted = quote(json.dumps({"label": [f"{labels.APP}={app}"]}))
    images = tuple(_image(one) for one in api.get(f"/images/json?filters={wanted}") or ())
    containers = api.get("/containers/json?all=1") or ()
    return images, {one["ImageID"]: str((one.get("Names") or ["a container"])[0]).lstrip("/") for one in containers}


def plan(app: str, images: Sequence[LocalImage], used: Mapping[str, str], *, keep: int) -> tuple[LocalFate, ...]:
    """Return what becomes of each of *images*, those that stay first; *used* has a container's name by image."""
    newest = dict(_newest(images, keep))
    fates = []
    for image in images:
        reasons = [f"{used[image.id]} uses it"] if image.id in used else []
        reasons += [f"{name} is no name of {app}" for name in image.names if not _ours(name, app)]
        reasons += [newest[image.id]] if image.id in newest else []
        gone = f"unused, {keep} newer of {image.role}" if image.names else "left over by a build"
        fates.append(LocalFate(image=image, stays=bool(reasons), reasons=tuple(reasons) or (gone,)))
    return tuple(sorted(fates, key=lambda one: (not one.stays, one.image.role, -one.image.created)))


def remove(api: EngineApi, fates: Sequence[LocalFate]) -> Cleaned:
    """Remove what goes, name by name and never by force: what a container uses by now stays."""
    before = _layers(api)
    going = [one.image for one in fates if not one.stays]
    for image in going:
        for name in image.names or (image.id,):
            api.delete(f"/images/{quote(name, safe='/:@')}")
    left = {one.id for one in going if api.get(f"/images/{one.id}/json") is not None}
    after = _layers(api)
    return Cleaned(
        removed=tuple(one.id for one in going if one.id not in left),
        spared=tuple(one.id for one in going if one.id in left),
        size=None if before is None or after is None else max(0, before - after),
    )


def _image(found: Mapping[str, Any]) -> LocalImage:
    names = [*(found.get("RepoTags") or ()), *(found.get("RepoDigests") or ())]
    return LocalImage(
        id=found["Id"],
        role=str((found.get("Labels") or {}).get(labels.IMAGE, "")),
        names=tuple(one for one in names if NAMELESS not in one),
        created=float(found.get("Created", 0)),
        size=int(found.get("Size", 0)),
    )


def _newest(images: Sequence[LocalImage], keep: int) -> Iterator[tuple[str, str]]:
    """Yield the newest *keep* images of each role that have a name, and what to say of them."""
    ranks: dict[str, int] = {}
    for image in sorted(images, key=lambda one: (one.created, one.id), reverse=True):
        if image.names:
            ranks[image.role] = rank = ranks.get(image.role, 0) + 1
            if rank <= keep:
                yield image.id, f"number {rank} of the newest {keep} of {image.role or 'its kind'}"


def _ours(name: str, app: str) -> bool:
    """Whether *name* is in a repository that is called like the app, in whatever registry."""
    try:
        path = reference.parse(name).path
    except ConfigError:
        return False
    return path == app or path.endswith(f"/{app}")


def _layers(api: EngineApi) -> int | None:
    """Return how many bytes all images take, each layer counted once; nothing while the engine counts for another."""
    try:
        found = api.get("/system/df?type=image") or {}
    except EngineRefusedError:
        return None
    return int(found.get("LayersSize") or (found.get("ImageUsage") or {}).get("TotalSize") or 0)

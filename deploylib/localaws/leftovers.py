"""What an emulator leaves in the container engine, found by its label and removed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploylib.toolchain.engine_api import EngineApi

INSTANCE_LABEL = "deploylib.localaws.instance"
PAUSE_LABEL = "deploylib.localaws=pause"
CONTAINERS, NETWORKS, VOLUMES = KINDS = ("/containers/json?all=1&", "/networks?", "/volumes?")
ROUNDS = 5
AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """How many of each were removed."""

    emulators: int = 0
    containers: int = 0
    networks: int = 0
    volumes: int = 0
    images: int = 0

    def __add__(self, other: Removed) -> Removed:
        return Removed(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})

    def __str__(self) -> str:
        counts = ((getattr(self, name), name) for name in self.__dataclass_fields__)
        return ", ".join(f"{count} {name if count != 1 else name[:-1]}" for count, name in counts if count) or "nothing"


def containers(api: EngineApi, instance: str) -> tuple[str, ...]:
    """Return the names of the instance's containers, running or not."""
    label = f"{INSTANCE_LABEL}={instance}"
    return tuple(sorted(each["Names"][0].lstrip("/") for each in _labelled(api, CONTAINERS, label)))


def instances(api: EngineApi, prefix: str) -> tuple[str, ...]:
    """Return the instances whose names begin with *prefix* and that have anything in the engine."""
    found = (each["Labels"][INSTANCE_LABEL] for kind in KINDS for each in _labelled(api, kind, INSTANCE_LABEL))
    return tuple(sorted({name for name in found if name.startswith(prefix)}))


def remove(api: EngineApi, instance: str) -> Removed:
    """Remove the containers, networks and volumes of *instance*, and nothing else."""
    label, gone = f"{INSTANCE_LABEL}={instance}", 0
    for _ in range(ROUNDS):  # a request that the emulator had under way may still make one
        ids = [each["Id"] for each in _labelled(api, CONTAINERS, label)]
        if not ids:
            break
        gone += _delete(api, (f"/containers/{each}?force=1&v=1" for each in ids))
    networks = [f"/networks/{each['Id']}" for each in _labelled(api, NETWORKS, label)]
    volumes = [f"/volumes/{quote(each['Name'])}?force=1" for each in _labelled(api, VOLUMES, label)]
    return Removed(containers=gone, networks=_delete(api, networks), volumes=_delete(api, volumes))


def remove_images(api: EngineApi, registry: str) -> Removed:
    """Remove every name of *registry* in the engine; an image goes with its last name."""
    images = {each["Id"]: (*(each["RepoTags"] or ()), *(each["RepoDigests"] or ())) for each in api.get("/images/json")}
    ours = {key: [name for name in names if name.startswith(f"{registry}/")] for key, names in images.items()}
    for name in sorted(name for names in ours.values() for name in names):
        api.delete(f"/images/{quote(name, safe='/:@')}?force=1")
    return Removed(images=sum(1 for names in ours.values() if names))


def remove_pause_image(api: EngineApi) -> None:
    """Remove the image that every emulator makes when it is missing; the engine keeps it while it is used."""
    for each in _labelled(api, "/images/json?", PAUSE_LABEL):
        api.delete(f"/images/{each['Id']}")


def _labelled(api: EngineApi, kind: str, label: str) -> list[Any]:
    found = api.get(f"{kind}filters={quote(json.dumps({'label': [label]}))}") or []
    return (found.get("Volumes") or []) if isinstance(found, dict) else list(found)


def _delete(api: EngineApi, paths: Iterable[str]) -> int:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return sum(threads.map(api.delete, paths))

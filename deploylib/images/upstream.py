"""Which image each name of an outside image is now: what turns "debian:12 was updated" into another fingerprint.

In this order: an image that was made on this machine and never pushed counts by its id; else its registry says the
digest; else, each with a notice, the digest of this machine's copy, and the one that the newest images in the
app's own repository were made from.
"""

from __future__ import annotations

import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from deploylib.errors import (
    AwsError,
    ConfigError,
    ContractError,
    ImageError,
    RefusedError,
    ToolMissingError,
)
from deploylib.images import labels, reference, registry, tags
from deploylib.images.credentials import Credentials
from deploylib.images.distribution import Registries, RegistryError
from deploylib.toolchain import engine as engines
from deploylib.toolchain.os_image import RECIPE_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from deploylib.aws import Account
    from deploylib.config import Environment
    from deploylib.images.reference import Reference
    from deploylib.toolchain.engine_api import EngineApi

PARALLEL = 8


class Asked(Protocol):
    """What says which digest a name has; `Registries` is one."""

    def digest(self, name: str) -> str:
        """Return the digest of *name* or raise `RegistryError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """The engine's copy of an image: its id, and the digest that its registry gave it (empty: made here)."""

    id: str
    digest: str = ""


def nobody(_: Collection[str]) -> Mapping[str, str]:
    """Know no digest."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The digests of outside images, each looked up once; `notices` says what had to be taken from elsewhere.

    `engine` returns this machine's copy of an image, `recorded` what the newest images were made from.
    """

    registries: Asked
    engine: Callable[[str], Copy | None]
    recorded: Callable[[], Mapping[str, str]] = dict
    notices: list[str] = field(default_factory=list)
    _known: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, names: Collection[str]) -> Mapping[str, str]:
        """Return the digest of each of *names*; raise `ImageError` for one that nobody can say."""
        asked = [one for one in names if one not in self._known]
        if asked:
            with ThreadPoolExecutor(PARALLEL) as pool:
                self._known.update(zip(asked, pool.map(self._digest, asked), strict=True))
        return {one: self._known[one] for one in names}

    def _digest(self, name: str) -> str:
        try:
            wanted = reference.parse(name)
        except ConfigError:  # a variable that nobody set: docker says it better
            return ""
        if wanted.digest:
            return wanted.digest
        copy = self.engine(name)
        if copy and not copy.digest:
            return copy.id
        try:
            return self.registries.digest(name)
        except RegistryError as error:
            return self._instead(name, copy, error)

    def _instead(self, name: str, copy: Copy | None, error: RegistryError) -> str:
        if copy:
            self._notice(f"{name}: {error}; this machine's copy counts ({_short(copy.digest)})")
            return copy.digest
        recorded = self.recorded().get(name, "")
        if recorded:
            self._notice(f"{name}: {error}; what the newest image was made from counts ({_short(recorded)})")
            return recorded
        raise ImageError(
            f"nobody can say which image {name} is: {error}; this machine has no copy, and no image in the "
            "repository was made from it",
            hint=f"docker pull {name}",
        ) from error

    def _notice(self, text: str) -> None:
        with self._lock:
            self.notices.append(text)


def of(account: Account, environment: Environment, repository: Callable[[], str]) -> Upstream:
    """Return what looks up digests with *environment*'s log-ins; *repository* says the app's own, when it is needed."""
    registries = Registries(credentials=Credentials(account=account, environment=environment, repository=repository))
    api = functools.cache(_engine)
    return Upstream(
        registries=registries,
        engine=lambda name: _copy(api(), name),
        recorded=functools.cache(lambda: _recorded(account, registries, repository)),
    )


def newest(held: Iterable[registry.Held]) -> dict[str, registry.Held]:
    """Return the newest image of the base and of each role among *held*, by its name.

    The base that the tag `base` names is the newest one whenever it was pushed: what it was made of was gone back to.
    """
    found: dict[str, registry.Held] = {}
    for one in sorted(held, key=lambda image: (tags.BASE in image.tags, image.pushed_at, image.digest)):
        found |= dict.fromkeys(_named(one.tags), one)
    return found


def _named(names: Iterable[str]) -> Iterator[str]:
    """Yield the image that each content tag is of."""
    for tag in names:
        if tags.is_content(tag):
            yield tag.rpartition("-")[0]


def _engine() -> EngineApi | None:
    try:
        return engines.find().api
    except (ToolMissingError, RefusedError):
        return None


def _copy(api: EngineApi | None, name: str) -> Copy | None:
    try:
        found = api.get(f"/images/{quote(name)}/json") if api else None
    except ToolMissingError:  # the engine went away, or wants another name
        return None
    return _described(found, reference.parse(name)) if found else None


def _described(image: Mapping[str, Any], wanted: Reference) -> Copy:
    """Return the copy that the engine describes as *image*; only the registry that *wanted* names counts.

    podman, and a docker with the image store of containerd, give what was built here a digest in that registry, too:
    an image that setup made says so itself.
    """
    made = (image.get("Config") or {}).get("Labels") or {}
    if made.get(RECIPE_LABEL, "").startswith(f"{wanted}@"):
        return Copy(id=_identifier(image["Id"]))
    theirs = [reference.parse(one) for one in image.get("RepoDigests") or () if "@" in one and "<none>" not in one]
    same = (one.digest for one in theirs if one.normalised.repository == wanted.normalised.repository)
    return Copy(id=_identifier(image["Id"]), digest=next(same, ""))


def _identifier(text: str) -> str:
    return text if text.startswith("sha256:") else f"sha256:{text}"  # podman leaves the algorithm out


def _recorded(account: Account, registries: Registries, repository: Callable[[], str]) -> Mapping[str, str]:
    """Return what the newest base and the newest image of each role were made from."""
    found: dict[str, str] = {}
    try:
        where = repository()
        for image in newest(registry.everything(account.ecr, where)).values():
            found |= labels.parents(registries.labels_of(where, image.digest))
    except (AwsError, ContractError, RegistryError):  # then nothing is recorded: the caller says what is missing
        pass
    return found


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]

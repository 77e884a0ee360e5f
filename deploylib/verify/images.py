"""Whether an image is where the tasks look for it, and made for what they run on: the registry itself is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from deploylib.errors import DeployError
from deploylib.images import reference
from deploylib.images.distribution import NOT_FOUND, RegistryError
from deploylib.verify.check import Check, missing, ok, skipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

UNKNOWN = "unknown"  # the platform of an attestation
SHORT = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The image of a container, what it has to be made for (empty: anything), the command that makes it anew."""

    container: str
    image: str
    platform: str = ""
    mend: str = ""


class Registry(Protocol):
    """What is asked of registries; see `images.distribution.Registries`."""

    def digest(self, name: str) -> str:
        """Return the digest that *name* has."""

    def manifest(self, repository: str, digest: str) -> dict[str, Any]:
        """Return a manifest or index."""

    def blob(self, repository: str, digest: str) -> dict[str, Any]:
        """Return a blob that is JSON."""


def present(registry: Registry, wanted: Wanted) -> Check:
    """Return whether the image is there for its platform; whoever is not let in, or gets no answer, cannot tell."""
    name, what = wanted.image, wanted.container
    try:
        parsed = reference.parse(name)
        digest = registry.digest(name)
        made_for = tuple(platforms(registry, parsed.repository, digest))
    except RegistryError as error:
        if error.status == NOT_FOUND:
            return missing(what, f"{name} is not in its registry (any more)", wanted.mend)
        return skipped(what, str(error).splitlines()[0])
    except DeployError as error:
        return skipped(what, str(error).splitlines()[0])
    return _judged(wanted, f"{parsed.path.rpartition('/')[2]}@{digest[:SHORT]}", made_for)


def _judged(wanted: Wanted, found: str, made_for: tuple[str, ...]) -> Check:
    if made_for and wanted.platform and wanted.platform not in made_for:
        said = f"{found} is for {', '.join(made_for)}, but the tasks run on {wanted.platform}"
        return missing(wanted.container, said, "make images.platform and terraform.architecture agree")
    return ok(wanted.container, f"{found} for {', '.join(made_for) or 'a platform that it does not say'}")


def platforms(registry: Registry, repository: str, digest: str) -> Iterator[str]:
    """Yield what the image is made for; an index says it of each of its images, others in their configuration."""
    found = registry.manifest(repository, digest)
    for one in found.get("manifests") or ():
        if name := _platform(one.get("platform") or {}):
            yield name
    configuration = (found.get("config") or {}).get("digest")
    if configuration and (name := _platform(registry.blob(repository, configuration))):
        yield name


def _platform(said: Mapping[str, Any]) -> str:
    system, processor = said.get("os"), said.get("architecture")
    return f"{system}/{processor}" if system and processor and UNKNOWN not in (system, processor) else ""

"""Which image a container runs: tags become digests once a deployment, pulls happen only when needed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docker.errors import DockerException, ImageNotFound

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from deploylib.localaws.extension.engine import Engine


ROOT = {"username": "AWS", "password": "root"}  # our registry takes any password that is no role's


class PullError(Exception):
    """An image cannot be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What to run, and the manifest digest where it is known."""

    reference: str
    digest: str = ""


class Images:
    """The images of this emulator's registry, and those that the engine has already."""

    def __init__(self, engine: Engine, port: int) -> None:
        self._engine = engine
        self._own = (f"localhost:{port}/", f"127.0.0.1:{port}/")
        self._lock = threading.Lock()

    def fetch(self, name: str, pinned: MutableMapping[str, Any] | None = None) -> Image:
        """Return the image to run for *name*; *pinned* keeps what the first task of a deployment found."""
        try:
            found = self._resolve(name) if pinned is None else self._pinned(name, pinned)
            if not self._present(found.reference):
                self._engine.client.images.pull(found.reference, auth_config=self._login(found.reference))
        except DockerException as error:
            raise PullError(str(getattr(error, "explanation", None) or error)) from error
        return found

    def _pinned(self, name: str, pinned: MutableMapping[str, Any]) -> Image:
        with self._lock:
            if name not in pinned:
                found = self._resolve(name)
                pinned[name] = [found.reference, found.digest]
            reference, digest = pinned[name]
        return Image(reference=reference, digest=digest)

    def _resolve(self, name: str) -> Image:
        repository, _, digest = name.partition("@")
        if digest:
            return Image(reference=name, digest=digest)
        if not name.startswith(self._own):
            return Image(reference=name)
        digest = str(self._engine.client.images.get_registry_data(name, auth_config=ROOT).id)
        return Image(reference=f"{_without_tag(repository)}@{digest}", digest=digest)

    def _login(self, name: str) -> dict[str, str] | None:
        return ROOT if name.startswith(self._own) else None

    def _present(self, reference: str) -> bool:
        try:
            self._engine.client.images.get(reference)
        except ImageNotFound:
            return False
        return True


def _without_tag(name: str) -> str:
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]

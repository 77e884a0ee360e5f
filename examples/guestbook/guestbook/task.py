"""The ECS task that this process runs in, from the task metadata endpoint (version 4)."""

from __future__ import annotations

import http.client
import json
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RETRY_SECONDS = 10.0
TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container of the task, and the image that it runs."""

    name: str
    image: str

    @property
    def short_image(self) -> str:
        """Shorten `registry/repository@sha256:…` to the first twelve digits of the digest, or to the tag."""
        digest = self.image.partition("@sha256:")[2]
        return digest[:12] or self.image.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What ECS says about a task."""

    task_id: str
    definition: str
    containers: tuple[Container, ...]


def task_from(document: Mapping[str, Any]) -> Task:
    """Read the document that the endpoint serves at `/task`."""
    containers = (Container(name=c["Name"], image=c.get("Image", "")) for c in document.get("Containers", ()))
    return Task(
        task_id=document["TaskARN"].rpartition("/")[2],
        definition=f"{document['Family']}:{document['Revision']}",
        containers=tuple(sorted(containers, key=lambda container: container.name)),
    )


def fetch_task(uri: str) -> Task | None:
    """Ask the endpoint; None when it does not answer, for a page without these facts is still a page."""
    address = urlsplit(uri)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", f"{address.path}/task")
        return task_from(json.load(connection.getresponse()))
    except (OSError, ValueError, KeyError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class TaskReader:
    """Reads the task once; after a failure, again at the earliest in ten seconds."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        fetch: Callable[[str], Task | None] = fetch_task,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._uri = environ.get("ECS_CONTAINER_METADATA_URI_V4", "")
        self._fetch = fetch
        self._monotonic = monotonic
        self._task: Task | None = None
        self._next_try = float("-inf")

    def __call__(self) -> Task | None:
        """Return the task; None outside of ECS."""
        now = self._monotonic()
        if self._uri and self._task is None and now >= self._next_try:
            self._next_try = now + RETRY_SECONDS
            self._task = self._fetch(self._uri)
        return self._task


def process_name(task: Task | None) -> str:
    """Name this process: the start of the task's id, or of the host's name outside of ECS."""
    return task.task_id[:8] if task else socket.gethostname()[:12]

"""The container engine: its client, the news of exited containers, and the gate that a shutdown closes."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import docker
from docker.errors import APIError, ImageNotFound, NotFound

from deploylib.localaws.extension import pause
from deploylib.localaws.extension.settings import LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploylib.localaws.extension.settings import Settings

TASK_LABEL = "com.amazonaws.ecs.task-arn"
RECONNECT_SECONDS = 0.5
POOL = 100
logger = logging.getLogger("localaws.engine")


class ClosedError(Exception):
    """The emulator is going down: nothing may be created any more."""


class Gate:
    """Let creations through until it is closed, and know when the last one is through."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._inside = 0
        self.closed = False

    @contextlib.contextmanager
    def passing(self) -> Iterator[None]:
        """Enclose a creation; raise ClosedError when the gate is closed."""
        with self._condition:
            if self.closed:
                raise ClosedError
            self._inside += 1
        try:
            yield
        finally:
            with self._condition:
                self._inside -= 1
                self._condition.notify_all()

    def close(self, timeout_seconds: float) -> None:
        """Close, and wait until nobody is inside."""
        with self._condition:
            self.closed = True
            self._condition.wait_for(lambda: not self._inside, timeout_seconds)


class Engine:
    """The container engine, as far as tasks need it."""

    def __init__(self, settings: Settings) -> None:
        # Every followed log and every waiting stop holds a connection.
        self.client = docker.from_env(timeout=settings.docker_timeout_seconds, max_pool_size=POOL)
        self.labels = settings.labels
        self.gate = Gate()
        self._filter = f"{LABEL}={settings.instance}"
        self._pause = threading.Lock()

    def pause_image(self) -> str:
        """Return the image that holds a namespace; make it on its first use."""
        with self._pause:
            try:
                self.client.images.get(pause.IMAGE)
            except ImageNotFound:
                content = pause.archive(self.client.info()["Architecture"])
                self.client.api.import_image_from_data(
                    content, repository=pause.REPOSITORY, tag=pause.TAG, changes=list(pause.CHANGES)
                )
        return pause.IMAGE

    def inspect(self, identifier: str) -> dict[str, Any]:
        """Return what the engine knows of a container, empty when it is gone."""
        try:
            return dict(self.client.api.inspect_container(identifier))
        except NotFound:
            return {}

    def stop(self, identifier: str, timeout_seconds: float) -> None:
        """Send the image's stop signal, and SIGKILL after the timeout; return when the container has exited."""
        with contextlib.suppress(NotFound):
            self.client.api.stop(identifier, timeout=int(timeout_seconds))

    def remove(self, identifier: str) -> None:
        """Remove a container and its anonymous volumes, whatever its state."""
        try:
            self.client.api.remove_container(identifier, v=True, force=True)
        except NotFound:
            return
        except APIError as error:
            logger.warning("container %s could not be removed: %s", identifier[:12], error)

    def containers(self) -> list[str]:
        """Return the ids of all containers of this emulator, running or not."""
        found = self.client.api.containers(all=True, filters={"label": [self._filter]})
        return [container["Id"] for container in found]

    def volumes(self) -> list[str]:
        """Return the names of all volumes of this emulator."""
        return [
            volume["Name"] for volume in self.client.api.volumes(filters={"label": [self._filter]})["Volumes"] or []
        ]

    def follow_exits(self, wake: Callable[[str], None], wake_all: Callable[[], None]) -> None:
        """Call *wake* with a task's ARN for each of its containers that exits. Never returns."""
        client = docker.from_env(timeout=None)
        while True:
            with contextlib.suppress(Exception):
                filters = {"type": "container", "event": ["die"], "label": [self._filter]}
                for event in client.events(decode=True, filters=filters):
                    wake(event["Actor"]["Attributes"].get(TASK_LABEL, ""))
            time.sleep(RECONNECT_SECONDS)
            wake_all()

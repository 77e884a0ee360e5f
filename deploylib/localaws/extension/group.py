"""The containers of one task in the engine: created in order, looked at, stopped, removed.

Containers of a task in `awsvpc` mode share one network namespace, and so 127.0.0.1. With more than one container it
belongs to a pause container, which lives as long as the task: any of the others may exit first.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, DockerException, ImageNotFound
from ministack.services import ecs, ecs_metadata

from deploylib.localaws.extension import containers, logs, order
from deploylib.localaws.extension.order import Phase, Progress
from deploylib.localaws.extension.together import together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploylib.localaws.extension.engine import Engine
    from deploylib.localaws.extension.record import Record

LAST_LINES_SECONDS = 3.0
HURRIED_STOP_SECONDS = 1.0
KILLED = 137
ENDED = ("exited", "dead", "removing")
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


class StartError(Exception):
    """A task cannot start; the message is its `stoppedReason`."""


class Group:
    """One task's containers."""

    def __init__(
        self, record: Record, definition: Mapping[str, Any], listed: list[dict[str, Any]], engine: Engine
    ) -> None:
        self.containers = {container["name"]: container for container in listed}
        self.progress = {name: Progress() for name in self.containers}
        self.ids: dict[str, str] = {}
        self._record, self._definition, self._engine = record, definition, engine
        self._pause = ""
        self._volumes: set[str] = set()
        self._forwarders: dict[str, threading.Thread] = {}
        self._tokens: list[str] = []

    # ── how far they are

    def started(self) -> bool:
        """Say whether every container has been started."""
        return all(progress.phase is not Phase.WAITING for progress in self.progress.values())

    def essential(self, name: str) -> bool:
        """Say whether the task ends with this container."""
        return bool(self.containers[name].get("essential", True))

    def essential_exited(self) -> bool:
        """Say whether a container has exited without which there is no task."""
        return any(p.phase is Phase.EXITED for name, p in self.progress.items() if self.essential(name))

    def ready(self) -> tuple[str, ...]:
        """Return the containers that may start now."""
        try:
            return order.startable(list(self.containers.values()), self.progress)
        except order.DependencyError as error:
            raise StartError(f"ResourceInitializationError: {error}") from error

    def address(self) -> str:
        """Return the task's address, which is its first container's where they share none."""
        networks = self._engine.inspect(self._pause or next(iter(self.ids.values()))).get("NetworkSettings", {})
        addresses = (network.get("IPAddress") for network in (networks.get("Networks") or {}).values())
        return next((address for address in addresses if address), "")

    def observe(self, healthy: Mapping[str, bool | None]) -> None:
        """Look at the containers that run; *healthy* is what their checks say."""
        for name, identifier in self.ids.items():
            if self.progress[name].phase is Phase.RUNNING:
                self._observe(name, identifier, healthy=healthy.get(name))

    def _observe(self, name: str, identifier: str, *, healthy: bool | None) -> None:
        try:
            state = self._engine.inspect(identifier).get("State") or {"Status": "exited", "ExitCode": KILLED}
        except (DockerException, OSError):  # no answer is no proof of an exit
            return
        if state["Status"] not in ENDED:
            self.progress[name] = Progress(phase=Phase.RUNNING, healthy=healthy)
            return
        reason = OUT_OF_MEMORY if state.get("OOMKilled") else None
        self._record.edit_container(name, lastStatus="STOPPED", exitCode=state["ExitCode"], reason=reason)
        self.progress[name] = Progress(phase=Phase.EXITED, exit_code=state["ExitCode"], healthy=healthy)

    # ── starting

    def start(self, name: str, image: str, environment: Mapping[str, str]) -> str:
        """Create and start a container, and return its id."""
        container, variables = self.containers[name], dict(environment)
        token = self._metadata_token(container, variables)
        made = self._arguments(container, variables)
        try:
            identifier = self._create(image, made, name)
        except APIError as error:
            raise StartError(f"CannotStartContainerError: Error response from daemon: {error.explanation}") from error
        self._record.edit_container(name, lastStatus="RUNNING", runtimeId=identifier[:12])
        self.progress[name] = Progress(phase=Phase.RUNNING)
        ecs_metadata.set_docker_id(token, identifier)
        ecs_metadata.set_container_status(token, "RUNNING")
        if forwarder := self._forwarders.get(name):
            forwarder.start()
        return identifier

    def share_namespace(self) -> None:
        """Start the pause container, where the task needs one."""
        if self._pause or self._definition.get("networkMode") != "awsvpc" or len(self.containers) == 1:
            return
        stock = self._stock_arguments(next(iter(self.containers.values())), {})
        name = containers.container_name(self._definition, "pause", self._record.id)
        made = containers.namespace_arguments(stock, name, self._record.arn, stock["labels"])
        try:
            self._pause = self._create(self._engine.pause_image(), made)
        except ImageNotFound:  # another emulator that went down has just removed it
            self._pause = self._create(self._engine.pause_image(), made)

    def _metadata_token(self, container: Mapping[str, Any], variables: dict[str, str]) -> str:
        task, host_mode = self._record.task, self._definition.get("networkMode") == "host"
        where = (task["taskArn"], task["clusterArn"], self._definition, container, task["launchType"])
        token = str(ecs._register_metadata(*where, variables, host_mode, None))
        # The SDKs take credentials over HTTP from loopback addresses only, and refuse to start with this one.
        variables.pop("AWS_CONTAINER_CREDENTIALS_FULL_URI", None)
        variables.pop("AWS_CONTAINER_AUTHORIZATION_TOKEN", None)
        self._tokens.append(token)
        return token

    def _arguments(self, container: Mapping[str, Any], variables: dict[str, str]) -> dict[str, Any]:
        stock = self._stock_arguments(container, variables)
        made = containers.arguments(container, self._definition, stock)
        made["name"] = containers.container_name(self._definition, container["name"], self._record.id)
        binds, names = containers.shared_volumes(container, self._definition, self._record.id)
        for name in names:
            self._engine.client.volumes.create(name, labels=self._engine.labels)
        self._volumes.update(names)
        made["volumes"] = [*(stock.get("volumes") or []), *binds]
        return containers.joining(made, self._pause) if self._pause else made

    def _stock_arguments(self, container: Mapping[str, Any], variables: dict[str, str]) -> dict[str, Any]:
        mode, ports = self._definition.get("networkMode"), {}
        if mode == "bridge":
            mappings = container.get("portMappings") or []
            ports = {f"{m['containerPort']}/tcp": m.get("hostPort") or None for m in mappings}
        task = self._record.task
        what = (container, self._definition, variables, ports, None, mode == "host")
        where = (self._record.id, task["taskArn"], None, task["clusterArn"])
        return dict(ecs._build_run_kwargs(*what, *where))

    def _create(self, image: str, made: Mapping[str, Any], name: str = "") -> str:
        with self._engine.gate.passing():
            created = self._engine.client.containers.create(image, **made)
            self._record.keep(created.id)
            if name:
                self.ids[name] = created.id
                self._prepare_log(name, created.id)
            created.start()
        return str(created.id)

    def _prepare_log(self, name: str, identifier: str) -> None:
        try:
            config = logs.destination(self.containers[name], self._record.id, identifier)
        except logs.LogGroupMissingError as error:
            said = "failed to validate logger args: ResourceNotFoundException: The specified log group does not exist"
            raise StartError(f"ResourceInitializationError: {said}: {error}") from error
        if config:
            source = (self._engine, identifier, config, self._record.account, self._record.region)
            self._forwarders[name] = threading.Thread(target=logs.forward, args=source, daemon=True, name="log")

    # ── ending

    def stop(self, *, hurried: bool) -> None:
        """Stop the containers, those that depend on others first, and note how they exited."""
        for level in order.stop_levels(list(self.containers.values())):
            together(lambda name: self._stop(name, hurried=hurried), [name for name in level if name in self.ids])
        self.observe({})

    def _stop(self, name: str, *, hurried: bool) -> None:
        if self.progress[name].phase is Phase.RUNNING:
            allowed = containers.stop_timeout_seconds(self.containers[name])
            self._engine.stop(self.ids[name], HURRIED_STOP_SECONDS if hurried else allowed)

    def flush(self, *, hurried: bool) -> None:
        """Wait until the containers' last lines are in the log."""
        deadline = time.monotonic() + (0.0 if hurried else LAST_LINES_SECONDS)
        for forwarder in self._forwarders.values():
            if forwarder.is_alive():
                forwarder.join(max(0.0, deadline - time.monotonic()))

    def remove(self) -> None:
        """Remove the containers, the namespace and the task's own volumes."""
        for token in self._tokens:
            ecs_metadata.unregister_token(token)
        together(self._engine.remove, self.ids.values())
        if self._pause:
            self._engine.remove(self._pause)
        for volume in self._volumes:
            self._engine.client.volumes.get(volume).remove(force=True)

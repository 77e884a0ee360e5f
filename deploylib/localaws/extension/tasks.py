"""A task's life, on one thread: start its containers in order, watch them, stop and remove them.

The thread is the only writer of the task's record once RunTask has made it, and it blocks nobody: whoever wants the task
to stop (StopTask, the service scheduler, a failing check) leaves a request and returns. The record tells the truth:

    PROVISIONING → PENDING → ACTIVATING → RUNNING → DEACTIVATING → STOPPING → DEPROVISIONING → STOPPED

RUNNING comes when every container has been started. DEACTIVATING lasts until the load balancer has let go, STOPPING
until the containers have exited, and STOPPED comes when they are removed and their last line is in the log.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, DockerException
from ministack.core.concurrency import resource_lock, spawn_background
from ministack.core.responses import new_uuid, request_scope
from ministack.services import alb, ecs, ecs_metadata

from deploylib.localaws.extension import checks, containers, health, logs, order
from deploylib.localaws.extension.engine import ClosedError
from deploylib.localaws.extension.health import Health, Result
from deploylib.localaws.extension.images import PullError
from deploylib.localaws.extension.order import Phase, Progress
from deploylib.localaws.extension.targets import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from deploylib.localaws.extension.engine import Engine
    from deploylib.localaws.extension.images import Image, Images
    from deploylib.localaws.extension.settings import Settings
    from deploylib.localaws.extension.targets import Book

# The engine's events wake a task at once; looking every so often makes up for one that got lost.
LOOK_SECONDS = 2.0
LAST_LINES_SECONDS = 3.0
HURRIED_STOP_SECONDS = 1.0
KILLED = 137

EXITED = ("Essential container in task exited", "EssentialContainerExited")
START_FAILED = "TaskFailedToStart"
SCHEDULER = "ServiceSchedulerInitiated"
SECRETS = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
LOGGER = "ResourceInitializationError: failed to validate logger args: ResourceNotFoundException: "

logger = logging.getLogger("localaws.tasks")


class StartError(Exception):
    """A task cannot start; the message is its `stoppedReason`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why a task is to stop. *failed* feeds the circuit breaker."""

    reason: str
    code: str
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a task's life needs."""

    settings: Settings
    engine: Engine
    images: Images
    book: Book
    service_of: Callable[[dict[str, Any]], dict[str, Any] | None]
    changed: Callable[[dict[str, Any]], None]
    failed: Callable[[dict[str, Any], Stop], None]
    unhealthy: Callable[[dict[str, Any], Target, Result], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A container that can be created."""

    image: Image
    environment: dict[str, str]


class Runs:
    """The tasks that have not stopped yet."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}

    def live(self, task: dict[str, Any], definition: dict[str, Any], overrides: list[dict[str, Any]]) -> None:
        """Live a task's life on this thread."""
        run = Run(task, definition, overrides, self._world)
        with self._lock:
            self._runs[task["taskArn"]] = run
        try:
            run.live()
        finally:
            with self._lock:
                del self._runs[task["taskArn"]]

    def stop(self, task: dict[str, Any], stop: Stop) -> None:
        """Ask a task to stop."""
        with self._lock:
            run = self._runs.get(task["taskArn"])
        if run:
            run.request_stop(stop)
        elif task["desiredStatus"] != "STOPPED":  # registered a moment ago, or restored from a snapshot
            _tell_stopping(task, stop)

    def stop_all(self, stop: Stop, timeout_seconds: float) -> None:
        """Ask every task to stop and wait until they have."""
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            run.request_stop(stop)
        deadline = time.monotonic() + timeout_seconds
        for run in runs:
            run.over.wait(max(0.0, deadline - time.monotonic()))

    def wake(self, arn: str) -> None:
        """Let a task look at its containers now."""
        with self._lock:
            run = self._runs.get(arn)
        if run:
            run.wake()

    def wake_all(self) -> None:
        """Let every task look at its containers now."""
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            run.wake()


class Run:
    """One task's life."""

    def __init__(
        self, task: dict[str, Any], definition: dict[str, Any], overrides: list[dict[str, Any]], world: World
    ) -> None:
        self.task, self.definition, self._world = task, definition, world
        self.over = threading.Event()
        self._account, self._region = task["taskArn"].split(":")[4], task["taskArn"].split(":")[3]
        self._id = task["taskArn"].rpartition("/")[2]
        self._containers = [containers.override(c, overrides) for c in definition["containerDefinitions"]]
        self._records = {record["name"]: record for record in task["containers"]}
        self._progress = {c["name"]: Progress() for c in self._containers}
        self._prepared: dict[str, Prepared] = {}
        self._ids: dict[str, str] = {}
        self._pause = ""
        self._volumes: set[str] = set()
        self._forwarders: list[threading.Thread] = []
        self._checked: dict[str, Health] = {}
        self._targets: dict[Target, Health] = {}
        self._unchecked = threading.Event()
        self._running_since: float | None = None
        self._condition = threading.Condition()
        self._woken = False
        self._stop: Stop | None = None

    # ── requests from other threads

    def wake(self) -> None:
        """Look at the containers now."""
        with self._condition:
            self._woken = True
            self._condition.notify_all()

    def request_stop(self, stop: Stop) -> None:
        """Stop the task; the first request counts."""
        with self._condition:
            if self._stop is None:
                self._stop = stop
                _tell_stopping(self.task, stop)
            self._woken = True
            self._condition.notify_all()

    # ── the life

    def live(self) -> None:
        """Live from PENDING to STOPPED."""
        try:
            self._start()
            while self._stop is None:
                self._look()
        except StartError as error:
            self.request_stop(Stop(reason=str(error), code=START_FAILED, failed=True))
        except ClosedError:
            self.request_stop(Stop(reason="The local AWS is going down", code=SCHEDULER))
        except Exception as error:
            logger.exception("task %s", self._id)
            self.request_stop(Stop(reason=f"ResourceInitializationError: {error}", code=START_FAILED, failed=True))
        finally:
            self._end()

    def _start(self) -> None:
        if self.task["desiredStatus"] == "STOPPED":
            self._stop = Stop(reason=self.task["stoppedReason"], code=self.task["stopCode"])
            return
        self._tell("PENDING")
        self._tell("ACTIVATING", pullStartedAt=ecs._iso())
        try:
            order.stop_levels(self._containers)
            self._prepared = {c["name"]: self._prepare(c) for c in self._containers}
        except ecs._SecretResolutionError as error:
            raise StartError(f"{SECRETS}{error}") from error
        except PullError as error:
            raise StartError(f"CannotPullContainerError: {error}") from error
        except order.DependencyError as error:
            raise StartError(f"ResourceInitializationError: {error}") from error
        self._edit(pullStoppedAt=ecs._iso())

    def _look(self) -> None:
        self._observe()
        if any(self._essential(name) and p.phase is Phase.EXITED for name, p in self._progress.items()):
            self.request_stop(Stop(reason=EXITED[0], code=EXITED[1], failed=True))
            return
        self._start_ready()
        self._tell_running()
        self._judge()
        self._settle()
        with self._condition:
            self._condition.wait_for(lambda: self._woken or self._stop is not None, self._pause_seconds())
            self._woken = False

    def _pause_seconds(self) -> float:
        if self._running_since is None or self.task.get("_steady"):
            return LOOK_SECONDS
        left = self._running_since + self._world.settings.steady_seconds - time.monotonic()
        return left if left > 0 else LOOK_SECONDS

    # ── starting

    def _prepare(self, container: dict[str, Any]) -> Prepared:
        service = self._world.service_of(self.task)
        deployment = ecs._deployment_for_task(service, self.task) if service else None
        pinned = deployment.setdefault("_digests", {}) if deployment else None
        image = self._world.images.fetch(container["image"], pinned)
        if image.digest:
            self._edit_container(container["name"], imageDigest=image.digest)
        environment = {entry["name"]: entry["value"] for entry in container["environment"]}
        secrets = ecs._resolve_container_secrets(container)
        return Prepared(image=image, environment={**self._platform(), **environment, **secrets})

    def _platform(self) -> dict[str, str]:
        """Return what Fargate tells every container; the keys stand in for the task role's credentials."""
        return {
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
            "AWS_ACCESS_KEY_ID": self._account,
            "AWS_SECRET_ACCESS_KEY": "local",
        }

    def _start_ready(self) -> None:
        try:
            names = order.startable(self._containers, self._progress)
        except order.DependencyError as error:
            raise StartError(f"ResourceInitializationError: {error}") from error
        if not names:
            return
        if self._shares_namespace() and not self._pause:
            self._start_pause()
        _together(self._start_container, [self._container(name) for name in names])
        self.wake()

    def _shares_namespace(self) -> bool:
        return self.definition.get("networkMode") == "awsvpc" and len(self._containers) > 1

    def _start_pause(self) -> None:
        engine = self._world.engine
        stock = self._stock_arguments(self._containers[0], {})
        name = containers.container_name(self.definition, "pause", self._id)
        made = containers.namespace_arguments(stock, name, self.task["taskArn"], stock["labels"])
        self._pause = self._create(engine.pause_image(), made)

    def _start_container(self, container: dict[str, Any]) -> None:
        name = container["name"]
        prepared = self._prepared[name]
        environment = dict(prepared.environment)
        token = self._register_metadata(container, environment)
        made = self._arguments(container, self._stock_arguments(container, environment))
        try:
            identifier = self._create(prepared.image.reference, made, name)
        except APIError as error:
            raise StartError(f"CannotStartContainerError: Error response from daemon: {error.explanation}") from error
        self._edit_container(name, lastStatus="RUNNING", runtimeId=identifier[:12])
        self._progress[name] = Progress(phase=Phase.RUNNING)
        ecs_metadata.set_docker_id(token, identifier)
        ecs_metadata.set_container_status(token, "RUNNING")
        self._follow_container(container, identifier)

    def _register_metadata(self, container: dict[str, Any], environment: dict[str, str]) -> str:
        host_mode = self.definition.get("networkMode") == "host"
        arn, cluster, launch_type = self.task["taskArn"], self.task["clusterArn"], self.task["launchType"]
        token = ecs._register_metadata(arn, cluster, self.definition, container, launch_type, environment, host_mode, None)
        # The SDKs take credentials over HTTP from loopback addresses only, and refuse to start with this one.
        environment.pop("AWS_CONTAINER_CREDENTIALS_FULL_URI", None)
        environment.pop("AWS_CONTAINER_AUTHORIZATION_TOKEN", None)
        self.task.setdefault("_metadata_tokens", []).append(token)
        return str(token)

    def _stock_arguments(self, container: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
        mode, ports = self.definition.get("networkMode"), {}
        if mode == "bridge":
            mappings = container.get("portMappings") or []
            ports = {f"{m['containerPort']}/tcp": m.get("hostPort") or None for m in mappings}
        arn, cluster = self.task["taskArn"], self.task["clusterArn"]
        host_mode = mode == "host"
        return dict(
            ecs._build_run_kwargs(
                container, self.definition, environment, ports, None, host_mode, self._id, arn, None, cluster
            )
        )

    def _arguments(self, container: dict[str, Any], stock: dict[str, Any]) -> dict[str, Any]:
        made = containers.arguments(container, self.definition, stock)
        made["name"] = containers.container_name(self.definition, container["name"], self._id)
        binds, names = containers.shared_volumes(container, self.definition, self._id)
        for name in names:
            self._world.engine.client.volumes.create(name, labels=self._world.engine.labels)
        self._volumes.update(names)
        made["volumes"] = [*(stock.get("volumes") or []), *binds]
        return containers.joining(made, self._pause) if self._pause else made

    def _create(self, image: str, made: dict[str, Any], name: str = "") -> str:
        engine = self._world.engine
        with engine.gate.passing():
            created = engine.client.containers.create(image, **made)
            with resource_lock("ecs-task", self.task["taskArn"]):
                self.task["_docker_ids"].append(created.id)
            if name:
                self._ids[name] = created.id
                self._forward_output(self._container(name), created.id)
            created.start()
        return str(created.id)

    def _forward_output(self, container: dict[str, Any], identifier: str) -> None:
        try:
            config = logs.destination(container, self._id, identifier)
        except logs.LogGroupMissingError as error:
            raise StartError(f"{LOGGER}The specified log group does not exist: {error}") from error
        if config:
            arguments = (self._world.engine, identifier, config, self._account, self._region)
            thread = threading.Thread(target=logs.forward, args=arguments, daemon=True, name=f"logs-{self._id[:8]}")
            self._forwarders.append(thread)

    def _follow_container(self, container: dict[str, Any], identifier: str) -> None:
        for thread in self._forwarders:
            with contextlib.suppress(RuntimeError):  # started already
                thread.start()
        command = checks.command_of(container.get("healthCheck"))
        if not command:
            return
        check, settings = container["healthCheck"], self._world.settings
        name, timeout = container["name"], float(check.get("timeout") or 5)
        self._checked[name] = Health.UNKNOWN
        judge = health.container_judge(check, patience_seconds=settings.health_patience_seconds, now=time.monotonic())
        spawn_background(
            checks.follow,
            lambda: checks.in_container(self._world.engine, identifier, command, timeout),
            judge,
            lambda verdict, _: self._hear_container(name, verdict),
            own_interval_seconds=float(check.get("interval") or 30),
            settings=settings,
            over=self._unchecked,
            thread_name=f"check-{self._id[:8]}-{name}",
        )

    # ── running

    def _tell_running(self) -> None:
        if self._running_since is not None or any(p.phase is Phase.WAITING for p in self._progress.values()):
            return
        self._running_since = time.monotonic()
        self._tell_address()
        self._tell("RUNNING", startedAt=ecs._iso())
        ecs._recount_cluster(ecs._cluster_name_from_arn(self.task["clusterArn"]))
        self._register_targets()
        self._world.changed(self.task)

    def _tell_address(self) -> None:
        owner = self._pause or next(iter(self._ids.values()))
        networks = self._world.engine.inspect(owner).get("NetworkSettings", {}).get("Networks") or {}
        address = next((n["IPAddress"] for n in networks.values() if n.get("IPAddress")), "")
        self._edit(_container_ip=address)
        if self.definition.get("networkMode") != "awsvpc" or not address:
            return
        identifier = new_uuid()
        subnet = self.task.get("_subnet")
        details = [{"name": "subnetId", "value": subnet}] if subnet else []
        details.append({"name": "privateIPv4Address", "value": address})
        kind = "ElasticNetworkInterface"
        self._edit(attachments=[{"id": identifier, "type": kind, "status": "ATTACHED", "details": details}])
        for name in self._records:
            interface = {"attachmentId": identifier, "privateIpv4Address": address}
            self._edit_container(name, networkInterfaces=[interface])

    def _register_targets(self) -> None:
        service = self._world.service_of(self.task) or {}
        grace = float(service.get("healthCheckGracePeriodSeconds") or 0)
        for balancer in service.get("loadBalancers") or []:
            group = alb._tgs.get(balancer.get("targetGroupArn"))
            if group and self.task.get("_container_ip"):
                port = int(balancer.get("containerPort") or 80)
                arn, address = balancer["targetGroupArn"], self.task["_container_ip"]
                self._check_target(Target(group=arn, address=address, port=port), group, grace)

    def _check_target(self, target: Target, group: dict[str, Any], grace_seconds: float) -> None:
        settings = self._world.settings
        patience, now = settings.health_patience_seconds, time.monotonic()
        self._targets[target] = Health.UNKNOWN
        self._world.book.register(target)
        spawn_background(
            checks.follow,
            lambda: health.probe(group, target.address, target.port),
            health.target_judge(group, grace_seconds, patience_seconds=patience, now=now),
            lambda verdict, result: self._hear_target(target, verdict, result),
            own_interval_seconds=float(group.get("HealthCheckIntervalSeconds", 30)),
            settings=settings,
            over=self._unchecked,
            thread_name=f"probe-{self._id[:8]}",
        )

    def _hear_container(self, name: str, verdict: Health) -> None:
        if self._checked[name] is not verdict:
            self._checked[name] = verdict
            self._edit_container(name, healthStatus=verdict.value)
            self.wake()

    def _hear_target(self, target: Target, verdict: Health, result: Result) -> None:
        self._world.book.report(target, verdict, result)
        if self._targets[target] is not verdict:
            self._targets[target] = verdict
            if verdict is Health.UNHEALTHY:
                self._world.unhealthy(self.task, target, result)
            self.wake()

    def _judge(self) -> None:
        essential = [verdict for name, verdict in self._checked.items() if self._essential(name)]
        if self.task["healthStatus"] != (whole := health.combined(essential)).value:
            self._edit(healthStatus=whole.value)
        if not self._world.service_of(self.task):
            return  # only the service scheduler replaces an unhealthy task
        if whole is Health.UNHEALTHY:
            self.request_stop(Stop(reason="Task failed container health checks", code=SCHEDULER, failed=True))
        for target, verdict in self._targets.items():
            if verdict is Health.UNHEALTHY:
                reason = f"Task failed ELB health checks in (target-group {target.group})"
                self.request_stop(Stop(reason=reason, code=SCHEDULER, failed=True))

    def _settle(self) -> None:
        if self.task.get("_steady") or self._running_since is None:
            return
        ran = time.monotonic() - self._running_since >= self._world.settings.steady_seconds
        checked = [verdict for name, verdict in self._checked.items() if self._essential(name)]
        if ran and all(verdict is Health.HEALTHY for verdict in [*checked, *self._targets.values()]):
            self._edit(_steady=True)
            self._world.changed(self.task)

    def _observe(self) -> None:
        for name, identifier in list(self._ids.items()):
            if self._progress[name].phase is Phase.RUNNING:
                self._observe_container(name, identifier)

    def _observe_container(self, name: str, identifier: str) -> None:
        healthy = {Health.HEALTHY: True, Health.UNHEALTHY: False}.get(self._checked.get(name, Health.UNKNOWN))
        try:
            state = self._world.engine.inspect(identifier).get("State") or {"Status": "exited", "ExitCode": KILLED}
        except (DockerException, OSError):  # no answer is no proof of an exit
            return
        if state["Status"] not in ("exited", "dead"):
            self._progress[name] = Progress(phase=Phase.RUNNING, healthy=healthy)
            return
        self._progress[name] = Progress(phase=Phase.EXITED, exit_code=state["ExitCode"], healthy=healthy)
        killed = "OutOfMemoryError: Container killed due to memory usage" if state.get("OOMKilled") else None
        self._edit_container(name, lastStatus="STOPPED", exitCode=state["ExitCode"], reason=killed)

    # ── ending

    def _end(self) -> None:
        self._unchecked.set()
        stop = self._stop
        if stop and stop.failed:
            self._world.failed(self.task, stop)
        self._world.changed(self.task)
        steps = (self._let_go, self._stop_containers, self._flush, self._remove)
        for status, step in zip(("DEACTIVATING", "STOPPING", "", "DEPROVISIONING"), steps, strict=True):
            if status:
                self._tell(status)
            try:
                step()
            except Exception:
                logger.exception("task %s while %s", self._id, status or "STOPPING")
        self._tell("STOPPED", stoppedAt=ecs._iso(), _docker_ids=[])
        for record in self._records.values():
            record["lastStatus"] = "STOPPED"
        self.over.set()
        ecs._recount_cluster(ecs._cluster_name_from_arn(self.task["clusterArn"]))
        self._world.changed(self.task)

    def _hurried(self) -> bool:
        return self._world.engine.gate.closed

    def _let_go(self) -> None:
        patience = 0.0 if self._hurried() else None
        _together(lambda target: self._world.book.drain(target, patience_seconds=patience), list(self._targets))

    def _stop_containers(self) -> None:
        for level in order.stop_levels(self._containers):
            _together(self._stop_container, [name for name in level if name in self._ids])
        self._edit(executionStoppedAt=ecs._iso())
        self._observe()

    def _stop_container(self, name: str) -> None:
        if self._progress[name].phase is Phase.RUNNING:
            allowed = containers.stop_timeout_seconds(self._container(name))
            self._world.engine.stop(self._ids[name], HURRIED_STOP_SECONDS if self._hurried() else allowed)

    def _flush(self) -> None:
        deadline = time.monotonic() + (0.0 if self._hurried() else LAST_LINES_SECONDS)
        for thread in self._forwarders:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _remove(self) -> None:
        for token in self.task.pop("_metadata_tokens", []):
            ecs_metadata.unregister_token(token)
        _together(self._world.engine.remove, [i for i in self.task["_docker_ids"] if i != self._pause])
        if self._pause:
            self._world.engine.remove(self._pause)
        for volume in self._volumes:
            self._world.engine.client.volumes.get(volume).remove(force=True)

    # ── the record

    def _container(self, name: str) -> dict[str, Any]:
        return next(c for c in self._containers if c["name"] == name)

    def _essential(self, name: str) -> bool:
        return bool(self._container(name).get("essential", True))

    def _edit(self, **fields: Any) -> None:
        with resource_lock("ecs-task", self.task["taskArn"]):
            self.task.update(fields)

    def _edit_container(self, name: str, **fields: Any) -> None:
        with resource_lock("ecs-task", self.task["taskArn"]):
            self._records[name].update(fields)

    def _tell(self, status: str, **fields: Any) -> None:
        self._edit(lastStatus=status, version=int(self.task.get("version") or 1) + 1, **fields)
        ecs_metadata.set_task_status(self.task["taskArn"], known_status=status)


def _tell_stopping(task: dict[str, Any], stop: Stop) -> None:
    with resource_lock("ecs-task", task["taskArn"]):
        task.update(desiredStatus="STOPPED", stoppingAt=ecs._iso(), stoppedReason=stop.reason, stopCode=stop.code)
    ecs_metadata.set_task_status(task["taskArn"], desired_status="STOPPED")


def _together(function: Callable[[Any], Any], values: Iterable[Any]) -> None:
    """Call *function* for all *values* at once, and raise the first error when all have ended."""
    listed = list(values)
    if len(listed) <= 1:
        for value in listed:
            function(value)
        return
    context = contextvars.copy_context
    with ThreadPoolExecutor(max_workers=len(listed)) as pool:
        calls = [pool.submit(context().run, function, value) for value in listed]
    for call in calls:
        call.result()


@contextlib.contextmanager
def scope_of(task: dict[str, Any]) -> Iterator[None]:
    """Act for the account and region of a task."""
    parts = task["taskArn"].split(":")
    with request_scope(parts[4], parts[3]):
        yield

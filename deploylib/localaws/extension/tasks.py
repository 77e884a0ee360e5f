"""A task's life, on one thread: start its containers in order, watch them, stop and remove them.

The thread is the only one that moves the task on, and it blocks nobody: whoever wants the task to stop (StopTask, the
service scheduler, a failing check) leaves a request and returns. The record tells the truth:

    PROVISIONING → PENDING → ACTIVATING → RUNNING → DEACTIVATING → STOPPING → DEPROVISIONING → STOPPED

RUNNING comes when every container has been started. DEACTIVATING lasts until the load balancers have let go, STOPPING
until the containers have exited and their last line is in the log, and STOPPED comes when they are removed.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ministack.core.responses import new_uuid
from ministack.services import ecs, s3

from deploylib.localaws.extension import containers, environment_files, order, task_sets, vitals
from deploylib.localaws.extension.engine import ClosedError
from deploylib.localaws.extension.group import Group, StartError
from deploylib.localaws.extension.health import Health, Result
from deploylib.localaws.extension.images import Image, Images, PullError
from deploylib.localaws.extension.record import Record, Stop
from deploylib.localaws.extension.together import together
from deploylib.localaws.extension.vitals import SCHEDULER, Vitals

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploylib.localaws.extension.engine import Engine
    from deploylib.localaws.extension.settings import Settings
    from deploylib.localaws.extension.targets import Book, Target

# The engine's events wake a task at once; looking every so often makes up for one that got lost.
LOOK_SECONDS = 2.0
START_FAILED = "TaskFailedToStart"
EXITED = Stop(reason="Essential container in task exited", code="EssentialContainerExited", failed=True)
GOING_DOWN = Stop(reason="The local AWS is going down", code=SCHEDULER)
FILES = "ResourceInitializationError: failed to download env files: "
SECRETS = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "

logger = logging.getLogger("localaws.tasks")


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


class Runs:
    """The tasks that have not stopped yet."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}

    def live(self, task: dict[str, Any], definition: dict[str, Any], overrides: list[dict[str, Any]]) -> None:
        """Live a task's life on this thread."""
        run = Run(Record(task), definition, overrides, self._world)
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
        else:  # its thread is about to begin, or it was restored from a snapshot
            Record(task).tell_stopping(stop)

    def stop_all(self, stop: Stop, timeout_seconds: float) -> None:
        """Ask every task to stop, and wait until they have."""
        runs = self._all()
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
        for run in self._all():
            run.wake()

    def _all(self) -> list[Run]:
        with self._lock:
            return list(self._runs.values())


class Run:
    """One task's life."""

    def __init__(
        self, record: Record, definition: dict[str, Any], overrides: list[dict[str, Any]], world: World
    ) -> None:
        self.over = threading.Event()
        self._record, self._world = record, world
        listed = [containers.override(container, overrides) for container in definition["containerDefinitions"]]
        self._group = Group(record, definition, listed, world.engine)
        self._vitals = Vitals(record, world.book, world.settings, self.wake)
        self._images: dict[str, Image] = {}
        self._environments: dict[str, dict[str, str]] = {}
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
            self._stop = self._stop or stop
            self._record.tell_stopping(self._stop)
        self.wake()

    # ── the life

    def live(self) -> None:
        """Live from PENDING to STOPPED."""
        try:
            self._begin()
            while self._stop is None:
                self._look()
                self._wait()
        except StartError as error:
            self.request_stop(Stop(reason=str(error), code=START_FAILED, failed=True))
        except ClosedError:
            self.request_stop(GOING_DOWN)
        except Exception as error:
            logger.exception("task %s", self._record.id)
            self.request_stop(Stop(reason=f"ResourceInitializationError: {error}", code=START_FAILED, failed=True))
        finally:
            self._end()

    def _begin(self) -> None:
        task = self._record.task
        if task["desiredStatus"] == "STOPPED":  # before this thread began
            self._stop = Stop(reason=task["stoppedReason"], code=task["stopCode"])
            return
        self._record.tell("PENDING")
        self._record.tell("ACTIVATING", pullStartedAt=ecs._iso())
        try:
            order.stop_levels(list(self._group.containers.values()))
            for container in self._group.containers.values():
                self._prepare(container)
        except ecs._SecretResolutionError as error:
            raise StartError(f"{SECRETS}{error}") from error
        except environment_files.MissingFileError as error:
            raise StartError(f"{FILES}{error}") from error
        except PullError as error:
            raise StartError(f"CannotPullContainerError: {error}") from error
        except order.DependencyError as error:
            raise StartError(f"ResourceInitializationError: {error}") from error
        self._record.edit(pullStoppedAt=ecs._iso())

    def _prepare(self, container: dict[str, Any]) -> None:
        name, task = container["name"], self._record.task
        service = self._world.service_of(task)
        deployment = ecs._deployment_for_task(service, task) if service else None
        pinned = deployment.setdefault("_digests", {}) if deployment else None
        self._images[name] = image = self._world.images.fetch(container["image"], pinned)
        if image.digest:
            self._record.edit_container(name, imageDigest=image.digest)
        given = {entry["name"]: entry["value"] for entry in container["environment"]}
        files = environment_files.read(container, s3._get_object_data)
        secrets = ecs._resolve_container_secrets(container)
        self._environments[name] = {**_platform(self._record), **files, **given, **secrets}

    def _look(self) -> None:
        self._group.observe(self._vitals.healthy())
        if self._group.essential_exited():
            self.request_stop(EXITED)
            return
        if names := self._group.ready():
            self._group.share_namespace()
            together(self._start, names)
            self.wake()  # another container may have waited for these
        if self._running_since is None and self._group.started():
            self._tell_running()
        self._judge()
        self._settle()

    def _wait(self) -> None:
        with self._condition:
            self._condition.wait_for(lambda: self._woken or self._stop is not None, self._wait_seconds())
            self._woken = False

    def _wait_seconds(self) -> float:
        if self._running_since is None or self._record.task.get("_steady"):
            return LOOK_SECONDS
        left = self._running_since + self._world.settings.steady_seconds - time.monotonic()
        return left if left > 0 else LOOK_SECONDS

    def _start(self, name: str) -> None:
        identifier = self._group.start(name, self._images[name].reference, self._environments[name])
        self._vitals.check_container(self._world.engine, self._group.containers[name], identifier)

    def _tell_running(self) -> None:
        task, address = self._record.task, self._group.address()
        if task.get("_network_mode") == "awsvpc":
            self._record.tell_address(address, attached=new_uuid())
        self._record.tell("RUNNING", startedAt=ecs._iso())
        self._record.count()
        self._running_since = time.monotonic()
        service = self._world.service_of(task) or {}
        self._vitals.check_targets(task_sets.placed(service, ecs._deployment_for_task(service, task)), address)
        self._world.changed(task)

    def _judge(self) -> None:
        task, whole = self._record.task, self._vitals.tell(self._group.essential)
        if not self._world.service_of(task):
            return  # only the service scheduler replaces an unhealthy task
        for target, result in self._vitals.unhealthy_targets():
            self._world.unhealthy(task, target, result)
            self.request_stop(vitals.target_failed(target))
        if whole is Health.UNHEALTHY:
            self.request_stop(vitals.CONTAINERS_FAILED)

    def _settle(self) -> None:
        if self._record.task.get("_steady") or self._running_since is None:
            return
        ran_seconds = time.monotonic() - self._running_since
        if ran_seconds >= self._world.settings.steady_seconds and self._vitals.passed(self._group.essential):
            self._record.edit(_steady=True)
            self._world.changed(self._record.task)

    def _end(self) -> None:
        self._vitals.end()
        task, hurried = self._record.task, self._world.engine.gate.closed
        if self._stop and self._stop.failed:
            self._world.failed(task, self._stop)
        self._world.changed(task)
        self._step("DEACTIVATING", lambda: self._vitals.let_go(hurried=hurried))
        self._step("STOPPING", lambda: self._group.stop(hurried=hurried))
        self._record.edit(executionStoppedAt=ecs._iso())
        self._step("STOPPING", lambda: self._group.flush(hurried=hurried))
        self._step("DEPROVISIONING", self._group.remove)
        self._record.tell_stopped()
        self.over.set()
        self._world.changed(task)

    def _step(self, status: str, action: Callable[[], None]) -> None:
        self._record.tell(status)
        try:
            action()
        except Exception:
            logger.exception("task %s while %s", self._record.id, status)


def _platform(record: Record) -> dict[str, str]:
    """Return what Fargate tells every container; the keys stand in for the task role's credentials."""
    return {
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
        "AWS_REGION": record.region,
        "AWS_DEFAULT_REGION": record.region,
        "AWS_ACCESS_KEY_ID": record.account,
        "AWS_SECRET_ACCESS_KEY": "local",
    }

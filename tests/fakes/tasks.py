"""One ECS task from PROVISIONING to STOPPED, as Fargate runs it.

    PROVISIONING → PENDING → ACTIVATING → RUNNING → DEACTIVATING → STOPPING → DEPROVISIONING → STOPPED
                                                    (draining)     (SIGTERM)

ACTIVATING and DEACTIVATING are there only behind a load balancer. A task is *proven* when it has run for a moment,
its container health checks pass and the load balancer's too: only then does its deployment count it as healthy.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.fakes.clock import FakeClock
    from tests.fakes.logs import FakeLogs

STOP_TIMEOUT_SECONDS = 30
KILLED = 137
STARTING = ("PROVISIONING", "PENDING", "ACTIVATING")

Line = str | tuple[float, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a container does. Without anything said it starts, is healthy, runs for ever and stops when it is told to.

    `exits` after `after_seconds` of running with that code. `unhealthy`: which health check never passes.
    `slow_start_seconds`: so much longer until a health check passes. `pull_error`, `start_error`: why it never
    starts (ECS's own words are put before). `unplaceable`: why ECS finds no room for its task. `log`: what it prints,
    each line at its start or `(seconds, line)` later.
    """

    exits: int | None = None
    after_seconds: float = 0.0
    unhealthy: Literal["", "container", "elb"] = ""
    slow_start_seconds: float = 0.0
    pull_error: str = ""
    start_error: str = ""
    unplaceable: str = ""
    ignores_sigterm: bool = False
    stop_seconds: float = 0.2
    stop_code: int = 0
    log: tuple[Line, ...] = ()

    @property
    def never_starts(self) -> bool:
        return bool(self.pull_error or self.start_error or self.unplaceable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long AWS takes for what, in seconds. `proving`: how long a task has to run before it counts as started."""

    provisioning: float = 3.0
    pulling: float = 5.0
    activating: float = 1.0
    proving: float = 1.0
    container_check: float = 5.0
    container_checks_until_unhealthy: float = 15.0
    target_check: float = 5.0
    target_checks_until_unhealthy: float = 20.0
    draining: float = 10.0
    deprovisioning: float = 4.0
    scheduler: float = 1.0
    retry: float = 3.0
    placement_retry: float = 15.0
    forget_stopped: float = 3600.0
    forget_token: float = 24 * 3600.0


@dataclass(slots=True, kw_only=True)
class Container:
    """One container of a task."""

    name: str
    definition: Mapping[str, Any]
    behaviour: Behaviour
    status: str = "PENDING"
    exit_code: int | None = None
    reason: str = ""
    health: str = "UNKNOWN"

    @property
    def essential(self) -> bool:
        return bool(self.definition.get("essential", True))

    @property
    def stop_timeout(self) -> float:
        return float(self.definition.get("stopTimeout", STOP_TIMEOUT_SECONDS))


@dataclass(slots=True, kw_only=True, eq=False)
class Task:
    """One task. `changed` is called after each step of its life, `gone` when ECS forgets it."""

    arn: str
    cluster: str
    definition: Mapping[str, Any]
    containers: tuple[Container, ...]
    timing: Timing
    clock: FakeClock
    logs: FakeLogs | None = None
    group: str = ""
    started_by: str = ""
    target_group: str = ""
    grace_seconds: float = 0.0
    overrides: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[Mapping[str, str], ...] = ()
    launch: Mapping[str, Any] = field(default_factory=dict)
    address: str = "10.0.0.1"
    changed: Callable[[Task], None] = lambda _: None
    gone: Callable[[Task], None] = lambda _: None

    status: str = "PROVISIONING"
    desired: str = "RUNNING"
    stop_code: str = ""
    stopped_reason: str = ""
    failed: bool = False
    survived: bool = False
    proven: bool = False
    target_healthy: bool = False
    times: dict[str, float] = field(default_factory=dict)
    step: int = 0

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    @property
    def revision(self) -> str:
        return str(self.definition["taskDefinitionArn"])

    @property
    def wanted(self) -> bool:
        return self.desired == "RUNNING"

    @property
    def health(self) -> str:
        known = {one.health for one in self.containers if one.definition.get("healthCheck") and one.essential}
        return next((one for one in ("UNHEALTHY", "UNKNOWN", "HEALTHY") if one in known), "UNKNOWN")

    # Starting

    def begin(self) -> None:
        self._note("createdAt")
        self._next(self.timing.provisioning, self._pull)

    def _pull(self) -> None:
        self._enter("PENDING")
        self._note("pullStartedAt")
        self._next(self.timing.pulling, self._pulled)

    def _pulled(self) -> None:
        for one in self.containers:
            if problem := one.behaviour.pull_error or one.behaviour.start_error:
                one.reason = f"CannotPullContainerError: {problem}" if one.behaviour.pull_error else problem
                self.fail("TaskFailedToStart", one.reason)
                return
        self._note("pullStoppedAt")
        if not self.target_group:
            self._run()
            return
        self._enter("ACTIVATING")
        self._next(self.timing.activating, self._run)

    def _run(self) -> None:
        self._note("startedAt")
        for one in self.containers:
            one.status = "RUNNING"
            self._print(one)
            if one.behaviour.exits is not None:
                self._later(one.behaviour.after_seconds, functools.partial(self._exited, one))
            self._check_container(one)
        if self.target_group:
            self._check_target()
        self._later(self.timing.proving, self._survive)
        self._enter("RUNNING")

    def _print(self, container: Container) -> None:
        options = container.definition.get("logConfiguration", {}).get("options", {})
        if not self.logs or "awslogs-group" not in options:
            return
        stream = f"{options['awslogs-stream-prefix']}/{container.name}/{self.id}"
        self.logs.create(options["awslogs-group"], stream)
        for line in container.behaviour.log:
            seconds, text = line if isinstance(line, tuple) else (0.0, line)
            if seconds:
                self.clock.after(seconds, functools.partial(self._print_later, container, stream, text))
            else:
                self.logs.print(options["awslogs-group"], stream, text)

    def _print_later(self, container: Container, stream: str, line: str) -> None:
        if self.logs and container.status == "RUNNING":
            self.logs.print(container.definition["logConfiguration"]["options"]["awslogs-group"], stream, line)

    # Health

    def _check_container(self, container: Container) -> None:
        check, behaviour = container.definition.get("healthCheck"), container.behaviour
        if not check:
            assert behaviour.unhealthy != "container", f"{container.name} has no healthCheck that could fail"
            return
        deadline = max(self.grace_seconds, check.get("startPeriod", 0) + self.timing.container_checks_until_unhealthy)
        passes = self.timing.container_check + behaviour.slow_start_seconds
        if behaviour.unhealthy == "container" or passes > deadline:
            self._later(deadline, lambda: self._judge_container(container, "UNHEALTHY"))
        else:
            self._later(passes, lambda: self._judge_container(container, "HEALTHY"))

    def _judge_container(self, container: Container, health: str) -> None:
        container.health = health
        if health == "UNHEALTHY" and container.essential and self.group.startswith("service:"):
            self._later(self.timing.scheduler, lambda: self._unhealthy("Task failed container health checks"))
        self.changed(self)
        self._prove()

    def _check_target(self) -> None:
        unhealthy = any(one.behaviour.unhealthy == "elb" for one in self.containers)
        passes = self.timing.target_check + max(one.behaviour.slow_start_seconds for one in self.containers)
        deadline = self.grace_seconds + self.timing.target_checks_until_unhealthy
        if unhealthy or passes > deadline:
            reason = f"Task failed ELB health checks in (target-group {self.target_group})"
            self._later(deadline, lambda: self._unhealthy(reason))
        else:
            self._later(passes, self._target_passed)

    def _target_passed(self) -> None:
        self.target_healthy = True
        self._prove()

    def _unhealthy(self, reason: str) -> None:
        self.failed = True
        self.stop("ServiceSchedulerInitiated", reason)

    def _survive(self) -> None:
        self.survived = True
        self._prove()

    def _prove(self) -> None:
        checked = any(one.definition.get("healthCheck") and one.essential for one in self.containers)
        if (
            not self.proven
            and self.survived
            and (self.health == "HEALTHY" or not checked)
            and (self.target_healthy or not self.target_group)
        ):
            self.proven = True
            self.changed(self)

    # Stopping

    def fail(self, code: str, reason: str) -> None:
        """End before or without a proof of health: a failure that the deployment counts."""
        self.failed = not self.proven
        self.stop(code, reason)

    def stop(self, code: str, reason: str) -> None:
        """Stop as ECS does: out of the load balancer, SIGTERM, SIGKILL after the stop timeout."""
        if not self.wanted:
            return
        self.desired, self.stop_code, self.stopped_reason, self.proven = "STOPPED", code, reason, False
        self._note("stoppingAt")
        if self.status != "RUNNING":
            self._deprovision()
        elif self.target_group and code != "EssentialContainerExited":
            self._enter("DEACTIVATING")
            self._next(self.timing.draining, self._terminate)
        else:
            self._terminate()

    def _exited(self, container: Container) -> None:
        container.status, container.exit_code = "STOPPED", container.behaviour.exits
        if container.essential:
            self.fail("EssentialContainerExited", "Essential container in task exited")
        else:
            self.changed(self)

    def _terminate(self) -> None:
        self._enter("STOPPING")
        running = [one for one in self.containers if one.status == "RUNNING"]
        self._next(max(map(_seconds_to_end, running), default=0.0), self._terminated)

    def _terminated(self) -> None:
        for one in self.containers:
            if one.status == "RUNNING":
                killed = _seconds_to_end(one) >= one.stop_timeout
                one.status, one.exit_code = "STOPPED", KILLED if killed else one.behaviour.stop_code
        self._note("executionStoppedAt")
        self._deprovision()

    def _deprovision(self) -> None:
        self._enter("DEPROVISIONING")
        self._next(self.timing.deprovisioning, self._stopped)

    def _stopped(self) -> None:
        for one in self.containers:
            one.status = "STOPPED"
        self._note("stoppedAt")
        self._enter("STOPPED")
        self.clock.after(self.timing.forget_stopped, lambda: self.gone(self))

    # Time

    def _enter(self, status: str) -> None:
        self.status = status
        self.changed(self)

    def _note(self, name: str) -> None:
        self.times.setdefault(name, self.clock.time())

    def _next(self, seconds: float, do: Callable[[], None]) -> None:
        """Go on to the next step of life, unless another step was taken before."""
        self.step += 1
        step = self.step
        self.clock.after(seconds, lambda: do() if self.step == step else None)

    def _later(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something in *seconds* if the task is still wanted then."""
        self.clock.after(seconds, lambda: do() if self.wanted else None)


def _seconds_to_end(container: Container) -> float:
    """Return how long after SIGTERM the container is gone."""
    behaviour = container.behaviour
    return container.stop_timeout if behaviour.ignores_sigterm else min(container.stop_timeout, behaviour.stop_seconds)

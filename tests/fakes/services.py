"""One ECS service: its deployments, and the scheduler that steers to the newest of them, as Amazon ECS does.

What AWS does not document, or does in more than one way, is a `Habits` of the machine, so that a test can pick it.
"""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tests.fakes.clock import when
from tests.fakes.tasks import STARTING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.fakes.clock import FakeClock
    from tests.fakes.tasks import Task, Timing

BREAKER_MINIMUM, BREAKER_SHARE = 3, 0.5
EVENTS_SHOWN = 100
ROLLOUT_TRIGGERS = (
    "networkConfiguration",
    "loadBalancers",
    "platformVersion",
    "capacityProviderStrategy",
    "serviceRegistries",
    "volumeConfigurations",
    "serviceConnectConfiguration",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What AWS leaves open.

    `completes`: a deployment is COMPLETED (and the old one leaves the list) once the new tasks are `healthy`, once all
    old tasks are at least `draining` (AWS as far as we know), or once they are `stopped`.
    `rolls_back_to`: the `former` deployment becomes PRIMARY again, or a `new` one of its revision is made.
    `failed_kept_seconds`: so long a rolled-back deployment stays listed after its last task (an emulator: for ever).
    `inactive_kept_seconds`: so long a replaced deployment stays listed as INACTIVE.
    `stale_seconds`: so long DescribeServices answers as before an update (eventual consistency).
    `tasks_appear_seconds`: so long DescribeTasks does not know a task that was just started.
    """

    completes: Literal["healthy", "draining", "stopped"] = "draining"
    rolls_back_to: Literal["former", "new"] = "former"
    failed_kept_seconds: float = 15.0
    inactive_kept_seconds: float = 0.0
    stale_seconds: float = 0.0
    tasks_appear_seconds: float = 0.0


@dataclass(slots=True, kw_only=True, eq=False)
class Deployment:
    """One deployment of a service."""

    id: str
    revision: str
    created_at: float
    updated_at: float
    desired: int
    network: Mapping[str, Any]
    launch: Mapping[str, Any]
    status: Literal["PRIMARY", "ACTIVE", "INACTIVE"] = "PRIMARY"
    state: Literal["IN_PROGRESS", "COMPLETED", "FAILED"] = "IN_PROGRESS"
    reason: str = ""
    failed_tasks: int = 0
    empty_since: float | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Service:
    """One service. `start` starts a task of a deployment, or says why there is no room for it."""

    name: str
    arn: str
    cluster: str
    attributes: dict[str, Any]
    clock: FakeClock
    timing: Callable[[], Timing]
    habits: Callable[[], Habits]
    start: Callable[[Service, Deployment], Task | str]
    new_id: Callable[[], str]
    created_at: float
    status: str = "ACTIVE"
    desired: int = 0
    deployments: list[Deployment] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    not_before: float = 0.0
    next_look: float | None = None
    last_completed: Deployment | None = None
    steady: bool = False

    @property
    def primary(self) -> Deployment:
        return next(one for one in self.deployments if one.status == "PRIMARY")

    @property
    def target_group(self) -> str:
        balancers = self.attributes.get("loadBalancers") or [{}]
        return str(balancers[0].get("targetGroupArn", ""))

    @property
    def breaker(self) -> Mapping[str, Any]:
        configuration: Mapping[str, Any] = self.attributes["deploymentConfiguration"]
        return configuration.get("deploymentCircuitBreaker") or {"enable": False, "rollback": False}

    @property
    def breaker_threshold(self) -> int:
        return max(BREAKER_MINIMUM, math.ceil(self.desired * BREAKER_SHARE))

    def of(self, deployment: Deployment) -> list[Task]:
        return [one for one in self.tasks if one.started_by == deployment.id]

    def deploy(self, revision: str) -> Deployment:
        """Make a new deployment the PRIMARY one."""
        for one in self.deployments:
            if one.status == "PRIMARY":
                one.status = "ACTIVE"
        now = self.clock.time()
        deployment = Deployment(
            id=self.new_id(),
            revision=revision,
            created_at=now,
            updated_at=now,
            desired=self.desired,
            network=self.attributes.get("networkConfiguration", {}),
            launch={key: self.attributes[key] for key in ("launchType", "capacityProviderStrategy", "platformVersion")
                    if key in self.attributes},
        )  # fmt: skip
        deployment.reason = f"ECS deployment {deployment.id} in progress."
        self.deployments.insert(0, deployment)
        self.not_before = 0.0
        self.look_soon()
        return deployment

    def scale(self, desired: int) -> None:
        self.desired = self.primary.desired = desired
        self.steady = False
        self.look_soon()

    # The scheduler

    def look_soon(self, seconds: float | None = None) -> None:
        """Have the scheduler look at this service in a moment (or earlier, if it was about to anyway)."""
        wait = self.timing().scheduler if seconds is None else seconds
        at = self.clock.monotonic() + wait
        if self.next_look is None or at < self.next_look:
            self.next_look = at
            self.clock.after(wait, lambda: self._look() if self.next_look == at else None)

    def task_changed(self, task: Task) -> None:
        deployment = next((one for one in self.deployments if one.id == task.started_by), None)
        if task.proven and deployment:
            deployment.failed_tasks = 0
        if task.status == "STOPPED":
            self._task_stopped(task, deployment)
        self.look_soon()

    def _task_stopped(self, task: Task, deployment: Deployment | None) -> None:
        self.clock.after(self.timing().forget_stopped, lambda: self.tasks.remove(task))
        if not task.failed or deployment is None:
            return
        self.not_before = self.clock.monotonic() + self.timing().retry
        if deployment.state != "IN_PROGRESS":
            return
        deployment.failed_tasks += 1
        if deployment.status == "PRIMARY" and self.breaker["enable"]:
            if deployment.failed_tasks >= self.breaker_threshold:
                self._trip(deployment)
        elif deployment.failed_tasks % BREAKER_MINIMUM == 0:
            self.say("is unable to consistently start tasks successfully. For more information, see the "
                     "Troubleshooting section of the Amazon ECS Developer Guide.")  # fmt: skip

    def _look(self) -> None:
        self.next_look = None
        if self.status != "ACTIVE":
            return
        self._start_tasks()
        if self._complete():  # some complete before they stop the old tasks
            self.look_soon()
            return
        self._stop_old()
        self._scale_in()
        self._complete()
        self._settle()

    def _start_tasks(self) -> None:
        """Start what the PRIMARY deployment lacks, as far as there is room. A failed one starts nothing more."""
        primary = self.primary
        missing = self.desired - _count_wanted(self.of(primary))
        if primary.state != "FAILED":
            self._start(primary, min(missing, self._room()))

    def _start(self, deployment: Deployment, count: int) -> None:
        wait = self.not_before - self.clock.monotonic()
        if count <= 0:
            return
        if wait > 0:
            self.look_soon(wait)
            return
        started = []
        for _ in range(count):
            task = self.start(self, deployment)
            if isinstance(task, str):
                self.say(f"was unable to place a task. Reason: {task}. For more information, see the "
                         "Troubleshooting section of the Amazon ECS Developer Guide.")  # fmt: skip
                self.look_soon(self.timing().placement_retry)
                break
            self.tasks.append(task)
            started.append(f"(task {task.id})")
            task.begin()
        if started:
            self.steady = False
            self.say(f"has started {len(started)} tasks: {' '.join(started)}.")

    def _stop_old(self) -> None:
        """Stop tasks of older deployments: those that serve nobody at once, the others as new ones take over.

        Where no room is left to start a new task first, old ones go down to the minimum healthy percent.
        """
        primary, mine = self.primary, self.of(self.primary)
        if primary.state == "FAILED":
            return
        self._stop([one for one in self._old() if one.wanted and not one.proven], primary)
        old, new = [one for one in self._old() if one.wanted], sum(one.proven for one in mine)
        missing = self.desired - _count_wanted(mine)
        surplus = missing if missing > 0 and self._room() <= 0 else len(old) + new - self.desired
        spare = len(old) + new - self._floor()
        self._stop(old[: max(0, min(surplus, spare))], primary)

    def _scale_in(self) -> None:
        mine = [one for one in self.of(self.primary) if one.wanted]
        surplus = sorted(mine, key=lambda one: one.proven)[: max(0, len(mine) - self.desired)]
        self._stop(surplus, self.primary)

    def _stop(self, tasks: list[Task], deployment: Deployment) -> None:
        if not tasks:
            return
        self.steady = False
        if self.target_group:
            self.say(f"has begun draining connections on {len(tasks)} tasks.")
        self.say(f"has stopped {len(tasks)} running tasks: {' '.join(f'(task {one.id})' for one in tasks)}.")
        for one in tasks:
            one.stop("ServiceSchedulerInitiated", f"Scaling activity initiated by (deployment {deployment.id})")

    def _complete(self) -> bool:
        """Complete the PRIMARY deployment when it has what it wants; return whether that is so now."""
        primary = self.primary
        if primary.state != "IN_PROGRESS" or not self._enough() or not self._old_gone():
            return False
        primary.state, primary.reason = "COMPLETED", f"ECS deployment {primary.id} completed."
        primary.updated_at, self.last_completed = self.clock.time(), primary
        self.say(f"(deployment {primary.id}) deployment completed.")
        return True

    def _settle(self) -> None:
        """Say once that nothing is left to do, and drop deployments that are over."""
        steady = self.primary.state == "COMPLETED" and self._enough() and not any(one.wanted for one in self._old())
        if steady and not self.steady:
            self.say("has reached a steady state.")
        self.steady = steady
        for one in [one for one in self.deployments if one is not self.primary]:
            self._retire(one)

    def _enough(self) -> bool:
        """Whether the PRIMARY deployment runs just what is desired, and all of it is healthy."""
        mine = self.of(self.primary)
        return sum(one.proven for one in mine) == _count_wanted(mine) == self.desired

    def _old_gone(self) -> bool:
        match self.habits().completes:
            case "healthy":
                return True
            case "draining":
                return not any(one.wanted for one in self._old())
            case "stopped":
                return all(one.status == "STOPPED" for one in self._old())

    def _old(self) -> list[Task]:
        return [one for one in self.tasks if one.started_by != self.primary.id]

    def _retire(self, deployment: Deployment) -> None:
        habits, now = self.habits(), self.clock.monotonic()
        stopped_only = habits.completes == "stopped"
        if any(one.wanted or (stopped_only and one.status != "STOPPED") for one in self.of(deployment)):
            return
        failed = deployment.state == "FAILED"
        kept = habits.failed_kept_seconds if failed else habits.inactive_kept_seconds
        if deployment.empty_since is None:
            deployment.empty_since = now
            if kept != math.inf:
                self.clock.after(kept, self.look_soon)
        if now - deployment.empty_since >= kept:
            self.deployments.remove(deployment)
            return
        if not failed:
            deployment.status = "INACTIVE"

    # The circuit breaker

    def _trip(self, deployment: Deployment) -> None:
        deployment.state, deployment.updated_at = "FAILED", self.clock.time()
        deployment.reason = "ECS deployment circuit breaker: tasks failed to start."
        self.say(f"(deployment {deployment.id}) deployment failed: tasks failed to start.")
        if self.breaker["rollback"] and self.last_completed:
            self._roll_back(deployment, self.last_completed)
        else:
            self._stop([one for one in self.of(deployment) if one.wanted], deployment)

    def _roll_back(self, failed: Deployment, former: Deployment) -> None:
        self.say(f"rolling back to deployment {former.id}.")
        self.not_before = self.clock.monotonic()
        if self.habits().rolls_back_to == "new":
            target = self.deploy(former.revision)
        else:
            target = former
            failed.status, former.status, former.empty_since = "ACTIVE", "PRIMARY", None
            self.deployments = [former, *(one for one in self.deployments if one is not former)]
        target.state, target.updated_at, target.desired = "IN_PROGRESS", self.clock.time(), self.desired
        target.reason = f"ECS deployment circuit breaker: rolling back to deploymentId {former.id}."
        self.look_soon()

    # Counting

    def _room(self) -> int:
        """Return how many tasks may be started before the maximum percent is reached."""
        most = self.desired * int(self.attributes["deploymentConfiguration"]["maximumPercent"]) // 100
        return most - _count_wanted(self.tasks)

    def _floor(self) -> int:
        return math.ceil(self.desired * int(self.attributes["deploymentConfiguration"]["minimumHealthyPercent"]) / 100)

    def say(self, what: str) -> None:
        """Add a service event."""
        message = f"(service {self.name}) {what}"
        self.events.insert(0, {"id": str(uuid.uuid4()), "createdAt": when(self.clock.time()), "message": message})
        del self.events[EVENTS_SHOWN:]


def _count_wanted(tasks: list[Task]) -> int:
    return sum(one.wanted for one in tasks)


def running(tasks: list[Task]) -> int:
    return sum(one.status == "RUNNING" for one in tasks)


def pending(tasks: list[Task]) -> int:
    return sum(one.status in STARTING and one.wanted for one in tasks)

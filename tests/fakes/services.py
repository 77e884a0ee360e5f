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
    `bake_seconds`: so long a deployment with alarms stays IN_PROGRESS after all is healthy.
    `revisions_numbered`: service revisions bear the number of their deployment, or one of their own.
    `records_appear_seconds`: so long a service deployment is not listed after it was made.
    """

    completes: Literal["healthy", "draining", "stopped"] = "draining"
    rolls_back_to: Literal["former", "new"] = "former"
    failed_kept_seconds: float = 15.0
    inactive_kept_seconds: float = 0.0
    stale_seconds: float = 0.0
    tasks_appear_seconds: float = 0.0
    bake_seconds: float = 0.0
    revisions_numbered: bool = True
    records_appear_seconds: float = 0.0


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
    healthy_since: float | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Record:
    """What ECS tells of a deployment as a service deployment."""

    number: str
    deployment: Deployment
    sources: tuple[Deployment, ...]
    created_at: float
    status: str = "IN_PROGRESS"
    reason: str = ""
    back_since: float | None = None
    back_to: Deployment | None = None
    finished_at: float | None = None
    alarms: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        return self.finished_at is not None


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
    records: list[Record] = field(default_factory=list)

    @property
    def primary(self) -> Deployment:
        return next(one for one in self.deployments if one.status == "PRIMARY")

    @property
    def target_group(self) -> str:
        balancers = self.attributes.get("loadBalancers") or [{}]
        return str(balancers[0].get("targetGroupArn", ""))

    @property
    def target_groups(self) -> tuple[str, ...]:
        """The groups that tasks are registered in."""
        return (self.target_group,)

    def group_of(self, deployment: Deployment) -> str:
        """Return the group of one deployment's tasks."""
        return self.target_group

    @property
    def breaker(self) -> Mapping[str, Any]:
        configuration: Mapping[str, Any] = self.attributes["deploymentConfiguration"]
        return configuration.get("deploymentCircuitBreaker") or {"enable": False, "rollback": False}

    @property
    def alarms(self) -> Mapping[str, Any]:
        return self.attributes["deploymentConfiguration"].get("alarms") or {"enable": False, "alarmNames": []}

    @property
    def early(self) -> Mapping[str, Any]:
        return self.attributes["deploymentConfiguration"].get("earlySuccessCriteria") or {"enable": False}

    @property
    def breaker_threshold(self) -> int:
        return max(BREAKER_MINIMUM, math.ceil(self.desired * BREAKER_SHARE))

    def of(self, deployment: Deployment) -> list[Task]:
        return [one for one in self.tasks if one.started_by == deployment.id]

    def deploy(self, revision: str, *, recorded: bool = True) -> Deployment:
        """Make a new deployment the PRIMARY one; a roll-back is no service deployment of its own."""
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
        if recorded:
            self._record(deployment)
        self.not_before = 0.0
        self.look_soon()
        return deployment

    def _record(self, deployment: Deployment) -> None:
        self._end_record("STOPPED", "Service deployment was stopped because a new one has begun.")
        number = deployment.id.rpartition("/")[2]
        self.records.insert(
            0,
            Record(
                number=number if self.habits().revisions_numbered else number[::-1],
                deployment=deployment,
                sources=tuple(self.deployments[1:]),
                created_at=self.clock.time(),
            ),
        )

    def _end_record(self, status: str, reason: str = "") -> None:
        if self.records and not self.records[0].over:
            newest = self.records[0]
            newest.status, newest.finished_at = status, self.clock.time()
            newest.reason = reason or newest.reason

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
        if primary.state != "IN_PROGRESS" or not self._successful():
            return False
        if not self._baked(primary):
            return False
        primary.state, primary.reason = "COMPLETED", f"ECS deployment {primary.id} completed."
        primary.updated_at, self.last_completed = self.clock.time(), primary
        back = bool(self.records) and self.records[0].back_since is not None
        self._end_record("ROLLBACK_SUCCESSFUL" if back else "SUCCESSFUL")
        self.say(f"(deployment {primary.id}) deployment completed.")
        return True

    def _successful(self) -> bool:
        """Whether the PRIMARY deployment has what ECS calls a success; early criteria ask for less than all."""
        if self.early["enable"]:
            healthy = sum(one.proven for one in self.of(self.primary))
            enough = healthy >= math.ceil(self.desired * int(self.early["healthyPercent"]) / 100)
            return enough and (self.early["sourceServiceRevisionCleanup"] == "DEFERRED" or self._old_gone())
        return self._enough() and self._old_gone()

    def _baked(self, deployment: Deployment) -> bool:
        if not (self.alarms["enable"] and self.habits().bake_seconds):
            return True
        now = self.clock.monotonic()
        if deployment.healthy_since is None:
            deployment.healthy_since = now
            self.clock.after(self.habits().bake_seconds, self.look_soon)
        return now - deployment.healthy_since >= self.habits().bake_seconds

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

    # The circuit breaker, alarms, and whoever stops a deployment

    def _trip(self, deployment: Deployment) -> None:
        self._give_up(deployment, "tasks failed to start", rollback=bool(self.breaker["rollback"]))

    def alarm(self, name: str) -> None:
        """Have a CloudWatch alarm go off; only one that a deployment under way watches does anything."""
        if self.alarms["enable"] and name in self.alarms["alarmNames"] and self.primary.state == "IN_PROGRESS":
            self.records[0].alarms = (name,)
            self._give_up(self.primary, "alarm detected", rollback=bool(self.alarms["rollback"]))

    def stop_deployment(self) -> None:
        """Do what StopServiceDeployment does: return to the former revision, also without a circuit breaker."""
        self._give_up(self.primary, "service deployment stopped by user", rollback=True)

    def rebalance(self) -> None:
        """Replace a task of the PRIMARY deployment, as ECS does to spread tasks over zones."""
        mine = [one for one in self.of(self.primary) if one.wanted]
        self.say(f"has stopped 1 running tasks: (task {mine[0].id}) for Availability Zone rebalancing.")
        mine[0].stop("ServiceSchedulerInitiated", "Availability Zone rebalancing")

    def _give_up(self, deployment: Deployment, why: str, *, rollback: bool) -> None:
        deployment.state, deployment.updated_at = "FAILED", self.clock.time()
        by = "circuit breaker: " if why == "tasks failed to start" else ""
        deployment.reason = f"ECS deployment {by}{why}."
        self.say(f"(deployment {deployment.id}) deployment failed: {why}.")
        if rollback and self.last_completed:
            self._roll_back(deployment, self.last_completed)
        else:
            self._end_record("STOPPED", deployment.reason)
            self._stop([one for one in self.of(deployment) if one.wanted], deployment)

    def _roll_back(self, failed: Deployment, former: Deployment) -> None:
        self.say(f"rolling back to deployment {former.id}.")
        self.not_before = self.clock.monotonic()
        record = self.records[0]
        record.status, record.reason = "ROLLBACK_IN_PROGRESS", failed.reason
        record.back_since, record.back_to = self.clock.time(), former
        if self.habits().rolls_back_to == "new":
            target = self.deploy(former.revision, recorded=False)
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

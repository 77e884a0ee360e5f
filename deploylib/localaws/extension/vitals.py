"""How healthy a task is: the checks of its containers and of its load balancers, running in the background."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

from ministack.core.concurrency import spawn_background
from ministack.services import alb

from deploylib.localaws.extension import checks, health
from deploylib.localaws.extension.health import Health, Result
from deploylib.localaws.extension.record import Stop
from deploylib.localaws.extension.targets import Target
from deploylib.localaws.extension.together import together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from deploylib.localaws.extension.engine import Engine
    from deploylib.localaws.extension.record import Record
    from deploylib.localaws.extension.settings import Settings
    from deploylib.localaws.extension.targets import Book

SCHEDULER = "ServiceSchedulerInitiated"


class Vitals:
    """The verdicts on one task."""

    def __init__(self, record: Record, book: Book, settings: Settings, wake: Callable[[], None]) -> None:
        self._record, self._book, self._settings, self._wake = record, book, settings, wake
        self._containers: dict[str, Health] = {}
        self._targets: dict[Target, Health] = {}
        self._failing: dict[Target, Result] = {}
        self._over = threading.Event()

    # ── checks

    def check_container(self, engine: Engine, container: Mapping[str, Any], identifier: str) -> None:
        """Begin to check a container that has a `healthCheck`."""
        command = checks.command_of(container.get("healthCheck"))
        if not command:
            return
        check, name = container["healthCheck"], container["name"]
        patience, timeout = self._patience_seconds(), float(check.get("timeout") or 5)
        self._containers[name] = Health.UNKNOWN
        self._follow(
            lambda: checks.in_container(engine, identifier, command, timeout),
            health.container_judge(check, patience_seconds=patience, now=time.monotonic()),
            lambda verdict, _: self._hear_container(name, verdict),
            own_interval_seconds=float(check.get("interval") or 30),
        )

    def check_targets(self, service: Mapping[str, Any], address: str) -> None:
        """Register the task with the load balancers of its service, and begin to check it for them."""
        grace = float(service.get("healthCheckGracePeriodSeconds") or 0)
        for balancer in service.get("loadBalancers") or []:
            arn, port = balancer.get("targetGroupArn"), int(balancer.get("containerPort") or 80)
            if group := alb._tgs.get(arn):
                self._check_target(Target(group=arn, address=address, port=port), group, grace)

    def _check_target(self, target: Target, group: Mapping[str, Any], grace_seconds: float) -> None:
        patience, now = self._patience_seconds(), time.monotonic()
        self._targets[target] = Health.UNKNOWN
        self._book.register(target)
        self._follow(
            lambda: health.probe(group, target.address, target.port),
            health.target_judge(group, grace_seconds, patience_seconds=patience, now=now),
            lambda verdict, result: self._hear_target(target, verdict, result),
            own_interval_seconds=float(group.get("HealthCheckIntervalSeconds", 30)),
        )

    def _patience_seconds(self) -> float:
        """Return how long a check may fail at first: the longer, the busier this machine is with other things."""
        return self._settings.health_patience_seconds * health.slowness(os.getloadavg()[0], os.cpu_count() or 1)

    def _follow(self, *args: Any, own_interval_seconds: float) -> None:
        interval = {"own_interval_seconds": own_interval_seconds, "settings": self._settings, "over": self._over}
        spawn_background(checks.follow, *args, **interval, thread_name=f"check-{self._record.id[:8]}")

    def _hear_container(self, name: str, verdict: Health) -> None:
        if self._containers[name] is not verdict:
            self._containers[name] = verdict
            self._record.edit_container(name, healthStatus=verdict.value)
            self._wake()

    def _hear_target(self, target: Target, verdict: Health, result: Result) -> None:
        self._book.report(target, verdict, result)
        if self._targets[target] is not verdict:
            self._failing[target] = result
            self._targets[target] = verdict
            self._wake()

    # ── verdicts

    def healthy(self) -> dict[str, bool | None]:
        """Return what is known of the containers that are checked."""
        told = {Health.HEALTHY: True, Health.UNHEALTHY: False, Health.UNKNOWN: None}
        return {name: told[verdict] for name, verdict in self._containers.items()}

    def tell(self, essential: Callable[[str], bool]) -> Health:
        """Set the task's `healthStatus` and return it."""
        whole = health.combined([verdict for name, verdict in self._containers.items() if essential(name)])
        if self._record.task["healthStatus"] != whole.value:
            self._record.edit(healthStatus=whole.value)
        return whole

    def unhealthy_targets(self) -> Iterable[tuple[Target, Result]]:
        """Return the targets that failed, and how."""
        return [(t, self._failing[t]) for t, verdict in list(self._targets.items()) if verdict is Health.UNHEALTHY]

    def passed(self, essential: Callable[[str], bool]) -> bool:
        """Say whether every check that counts has passed."""
        counted = [verdict for name, verdict in self._containers.items() if essential(name)]
        return all(verdict is Health.HEALTHY for verdict in [*counted, *self._targets.values()])

    # ── ending

    def end(self) -> None:
        """Check no more."""
        self._over.set()

    def let_go(self, *, hurried: bool) -> None:
        """Leave the load balancers, when the last request is answered."""
        patience = 0.0 if hurried else None
        together(lambda target: self._book.drain(target, patience_seconds=patience), self._targets)


CONTAINERS_FAILED = Stop(reason="Task failed container health checks", code=SCHEDULER, failed=True)


def target_failed(target: Target) -> Stop:
    """Return why a task with an unhealthy target stops."""
    reason = f"Task failed ELB health checks in (target-group {target.group})"
    return Stop(reason=reason, code=SCHEDULER, failed=True)

"""Targets of load balancers: who is registered, how healthy they are, and when their last request is answered.

MiniStack routes to what is in `alb._targets`. A task's address is put there when its health check passes and taken out
before the task is told to stop, so no request meets a task that does not listen yet or any more.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ministack.core.concurrency import resource_lock
from ministack.core.responses import StreamingResponse
from ministack.services import alb

from deploylib.localaws.extension import health, patching

if TYPE_CHECKING:
    from collections.abc import Callable

# A request may have picked the target just before it was taken out and not be counted yet.
SETTLE_SECONDS = 0.05
POLL_SECONDS = 0.02
# Marks a target as a task's, so that a restored snapshot does not route to addresses of a former life.
TASK = "_task"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A task's address in one target group."""

    group: str
    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What DescribeTargetHealth says of a target."""

    name: str
    code: str = ""
    description: str = ""


INITIAL = State(name="initial", code="Elb.InitialHealthChecking", description="Initial health checks in progress")
HEALTHY = State(name="healthy")
DRAINING = State(
    name="draining", code="Target.DeregistrationInProgress", description="Target deregistration is in progress"
)


class Book:
    """The targets that tasks registered."""

    def __init__(self, drain_max_seconds: float) -> None:
        self._drain_max_seconds = drain_max_seconds
        self._lock = threading.Lock()
        self._states: dict[Target, State] = {}
        self._requests: Counter[tuple[str, int]] = Counter()

    def register(self, target: Target) -> None:
        """Note a target whose health is not known yet: it gets no requests."""
        with self._lock:
            self._states[target] = INITIAL

    def report(self, target: Target, verdict: health.Health, result: health.Result) -> None:
        """Route to a target that is healthy, and not to one that is not."""
        healthy = verdict is health.Health.HEALTHY
        failing = State(name="unhealthy", code=result.code, description=result.description)
        with self._lock:
            if self._states.get(target) in (None, DRAINING):
                return
            if verdict is not health.Health.UNKNOWN:
                self._states[target] = HEALTHY if healthy else failing
            _route(target, wanted=healthy)

    def drain(self, target: Target, *, patience_seconds: float | None = None) -> None:
        """Take a target out and wait for its requests, for as long as its deregistration delay says at most."""
        with self._lock:
            known = target in self._states
            self._states[target] = DRAINING
            _route(target, wanted=False)
        delay = self._delay_seconds(target) if patience_seconds is None else patience_seconds
        if known and delay > 0:
            time.sleep(min(SETTLE_SECONDS, delay))
            self._wait_for_requests(target, time.monotonic() + delay)
        with self._lock:
            self._states.pop(target, None)

    def states(self, group: str) -> dict[Target, State]:
        """Return the targets of a group that tasks registered."""
        with self._lock:
            return {target: state for target, state in self._states.items() if target.group == group}

    def count(self, address: str, port: int, change: int) -> None:
        """Add to the number of requests that a target is answering."""
        with self._lock:
            self._requests[address, port] += change

    def _delay_seconds(self, target: Target) -> float:
        attributes = {a["Key"]: a["Value"] for a in alb._tg_attrs.get(target.group, [])}
        return min(self._drain_max_seconds, float(attributes.get("deregistration_delay.timeout_seconds", 300)))

    def _wait_for_requests(self, target: Target, deadline: float) -> None:
        while self._requests[target.address, target.port] > 0 and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def _route(target: Target, *, wanted: bool) -> None:
    with resource_lock("elbv2-targets", target.group):
        if target.group not in alb._tgs:
            return
        present = alb._targets.get(target.group, [])
        own = {"Id": target.address, "Port": target.port, TASK: True}
        others = [t for t in present if (t["Id"], t.get("Port")) != (target.address, target.port)]
        if wanted and len(others) != len(present):
            return
        alb._targets[target.group] = [*others, own] if wanted else others


def install(book: Book) -> None:
    """Count requests to targets and tell their true health."""
    patching.require(alb, "_tgs", "_targets", "_tg_attrs", "_xml", "_error", "_p", "_parse_targets_param")

    @patching.wrap(alb, "_proxy_http_target(target, tg, method, path, headers, body, query_params, raw_query_string)")
    async def counted(original: Callable[..., Any], target: dict[str, Any], group: dict[str, Any], *args: Any) -> Any:
        key = str(target.get("Id", "")), int(target.get("Port") or group.get("Port") or 80)
        book.count(*key, 1)
        try:
            status, headers, body = await original(target, group, *args)
        except BaseException:
            book.count(*key, -1)
            raise
        if not isinstance(body, StreamingResponse):
            book.count(*key, -1)
            return status, headers, body
        return status, headers, StreamingResponse(_counting(body.runner, lambda: book.count(*key, -1)))

    @patching.wrap(alb, "load_persisted_state(data)")
    def load(original: Callable[..., None], data: Any) -> None:
        original(data)
        for targets in alb._targets.to_dict().values():
            targets[:] = [target for target in targets if not target.get(TASK)]

    @patching.replace(alb, "_describe_target_health(params)")
    def describe(params: dict[str, Any]) -> Any:
        group = alb._p(params, "TargetGroupArn")
        if group not in alb._tgs:
            return alb._error("TargetGroupNotFound", f"Target group '{group}' not found.")
        asked = {t["Id"] for t in alb._parse_targets_param(params)}
        told = _told(book, group)
        members = "".join(_member(*key, state) for key, state in told.items() if not asked or key[0] in asked)
        listed = f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"
        return alb._xml(200, "DescribeTargetHealth", listed)


def _told(book: Book, group: str) -> dict[tuple[str, int], State]:
    default = alb._tgs[group].get("Port", 80)
    # Targets that somebody registered by hand are not checked: they stay healthy, as in MiniStack.
    told = {(t["Id"], int(t.get("Port", default))): HEALTHY for t in alb._targets.get(group, [])}
    return told | {(target.address, target.port): state for target, state in book.states(group).items()}


def _member(address: str, port: int, state: State) -> str:
    reason = f"<Reason>{state.code}</Reason>" if state.code else ""
    description = f"<Description>{state.description}</Description>" if state.description else ""
    return (
        f"<member><Target><Id>{address}</Id><Port>{port}</Port></Target><HealthCheckPort>{port}</HealthCheckPort>"
        f"<TargetHealth><State>{state.name}</State>{reason}{description}</TargetHealth></member>"
    )


def _counting(runner: Callable[..., Any], done: Callable[[], None]) -> Callable[..., Any]:
    async def run(send: Any, receive: Any) -> None:
        try:
            await runner(send, receive)
        finally:
            done()

    return run

"""Health checks: what a load balancer or the ECS agent would say, in a tenth of the time.

AWS waits for intervals, thresholds and grace periods of many seconds. Here a check repeats every
`health_interval_seconds` until it passes, and a task that never passed is given up when AWS would give it up or after
`health_patience_seconds` (more on a busy machine), whichever comes first. Once healthy, a target fails after its own
unhealthy threshold.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

AGENT = "ELB-HealthChecker/2.0"
SETTLED_INTERVAL_SECONDS = 1.0
EXEC_INTERVAL_SECONDS = 5.0  # a program started in a container costs a hundred requests


class Health(Enum):
    """A verdict."""

    UNKNOWN = "UNKNOWN"
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One check: what ELB calls its reason code and description, when it failed."""

    passed: bool
    code: str = ""
    description: str = ""


@dataclass(slots=True, kw_only=True)
class Judge:
    """Turn a series of checks into a verdict."""

    started: float
    budget_seconds: float
    threshold: int
    settled_seconds: float = SETTLED_INTERVAL_SECONDS
    verdict: Health = Health.UNKNOWN
    failures: int = field(default=0, init=False)

    def hear(self, *, passed: bool, now: float) -> Health:
        """Count one check made at *now* and return the verdict."""
        self.failures = 0 if passed else self.failures + 1
        if passed:
            self.verdict = Health.HEALTHY
        elif self.verdict is Health.HEALTHY:
            self.verdict = Health.UNHEALTHY if self.failures >= self.threshold else Health.HEALTHY
        elif now - self.started >= self.budget_seconds:
            self.verdict = Health.UNHEALTHY
        return self.verdict

    def interval_seconds(self, quick: float, own: float) -> float:
        """Return how long to wait for the next check: *quick* until there is a verdict."""
        unsettled = self.verdict is Health.UNKNOWN or self.failures
        return quick if unsettled else max(quick, min(own, self.settled_seconds))


def target_judge(group: Mapping[str, Any], grace_seconds: float, *, patience_seconds: float, now: float) -> Judge:
    """Return the judge of one target of a target *group*."""
    threshold = int(group.get("UnhealthyThresholdCount", 2))
    own = grace_seconds + threshold * float(group.get("HealthCheckIntervalSeconds", 30))
    return Judge(started=now, budget_seconds=min(patience_seconds, own), threshold=threshold)


def container_judge(check: Mapping[str, Any], *, patience_seconds: float, now: float) -> Judge:
    """Return the judge of a container with this `healthCheck`."""
    retries = int(check.get("retries") or 3)
    own = float(check.get("startPeriod") or 0) + retries * float(check.get("interval") or 30)
    budget = min(patience_seconds, own)
    return Judge(started=now, budget_seconds=budget, threshold=retries, settled_seconds=EXEC_INTERVAL_SECONDS)


def slowness(load: float, processors: int) -> float:
    """Return how much longer than alone a process takes when *load* of them want *processors*; 1 is alone."""
    return max(1.0, load / processors)


def combined(verdicts: list[Health]) -> Health:
    """Return a task's health, given the health of its essential containers that have a check."""
    if Health.UNHEALTHY in verdicts:
        return Health.UNHEALTHY
    return Health.HEALTHY if verdicts and set(verdicts) == {Health.HEALTHY} else Health.UNKNOWN


def matches(matcher: str, status: int) -> bool:
    """Say whether *status* is among the codes of a matcher such as `200`, `200,302` or `200-299`."""
    ranges = (part.strip().partition("-") for part in matcher.split(","))
    return any(int(low) <= status <= int(high or low) for low, _, high in ranges)


def probe(group: Mapping[str, Any], address: str, port: int) -> Result:
    """Check one target as its target *group* asks."""
    own_port = group.get("HealthCheckPort", "traffic-port")
    checked = port if own_port == "traffic-port" else int(own_port)
    timeout = min(float(group.get("HealthCheckTimeoutSeconds", 5)), 5.0)
    try:
        if group.get("HealthCheckProtocol") == "TCP":
            socket.create_connection((address, checked), timeout=timeout).close()
            return Result(passed=True)
        status = _status(group, address, checked, timeout)
    except TimeoutError:
        return Result(passed=False, code="Target.Timeout", description="Request timed out")
    except (OSError, http.client.HTTPException):
        return Result(passed=False, code="Target.FailedHealthChecks", description="Health checks failed")
    if matches(str((group.get("Matcher") or {}).get("HttpCode") or "200"), status):
        return Result(passed=True)
    described = f"Health checks failed with these codes: [{status}]"
    return Result(passed=False, code="Target.ResponseCodeMismatch", description=described)


def _connection(group: Mapping[str, Any], address: str, port: int, timeout: float) -> http.client.HTTPConnection:
    if group.get("HealthCheckProtocol") != "HTTPS":
        return http.client.HTTPConnection(address, port, timeout=timeout)
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # a load balancer trusts its targets
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(address, port, timeout=timeout, context=unverified)


def _status(group: Mapping[str, Any], address: str, port: int, timeout: float) -> int:
    connection = _connection(group, address, port, timeout)
    try:
        path = group.get("HealthCheckPath") or "/"
        connection.request("GET", path, headers={"User-Agent": AGENT, "Connection": "close"})
        return connection.getresponse().status
    finally:
        connection.close()

from __future__ import annotations

import http.server
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from deploylib.localaws.extension import health
from deploylib.localaws.extension.health import Health, Judge

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("matcher", "status", "expected"),
    [
        ("200", 200, True),
        ("200", 204, False),
        ("200,302", 302, True),
        ("200-299", 250, True),
        ("200-299", 300, False),
        ("200-204, 301", 301, True),
    ],
)
def test_a_matcher_names_codes_and_ranges(matcher: str, status: int, *, expected: bool) -> None:
    assert health.matches(matcher, status) is expected


def judge(budget: float = 5, threshold: int = 2) -> Judge:
    return Judge(started=100, budget_seconds=budget, threshold=threshold)


def test_one_passed_check_makes_a_new_target_healthy() -> None:
    assert judge().hear(passed=True, now=100) is Health.HEALTHY


def test_failing_checks_of_a_starting_target_are_forgiven_until_its_budget_is_spent() -> None:
    ours = judge()
    assert ours.hear(passed=False, now=104.9) is Health.UNKNOWN
    assert ours.hear(passed=False, now=105) is Health.UNHEALTHY


def test_a_healthy_target_fails_after_as_many_checks_in_a_row_as_its_threshold_says() -> None:
    ours = judge(threshold=3)
    verdicts = [ours.hear(passed=passed, now=200) for passed in (True, False, False, True, False, False, False)]
    assert verdicts == [Health.HEALTHY] * 6 + [Health.UNHEALTHY]


def test_checks_are_quick_until_there_is_a_verdict_and_while_they_fail() -> None:
    ours = judge()
    assert ours.interval_seconds(0.25, 30) == 0.25
    ours.hear(passed=True, now=100)
    assert ours.interval_seconds(0.25, 30) == 1.0
    ours.hear(passed=False, now=101)
    assert ours.interval_seconds(0.25, 30) == 0.25


def test_a_settled_check_in_a_container_is_made_less_often() -> None:
    ours = health.container_judge({"command": ["CMD", "true"]}, patience_seconds=8, now=100)
    assert ours.interval_seconds(0.25, 30) == 0.25
    ours.hear(passed=True, now=100)
    assert ours.interval_seconds(0.25, 30) == 5.0
    assert ours.interval_seconds(0.25, 3) == 3


def test_patience_cuts_what_aws_would_wait_and_never_adds_to_it() -> None:
    slow = {"UnhealthyThresholdCount": 3, "HealthCheckIntervalSeconds": 30}
    quick = {"UnhealthyThresholdCount": 2, "HealthCheckIntervalSeconds": 1}
    assert health.target_judge(slow, 60, patience_seconds=8, now=0).budget_seconds == 8
    assert health.target_judge(quick, 1, patience_seconds=8, now=0).budget_seconds == 3
    assert health.container_judge({"retries": 2, "interval": 3}, patience_seconds=8, now=0).budget_seconds == 6
    assert health.container_judge({}, patience_seconds=1000, now=0).budget_seconds == 90


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], Health.UNKNOWN),
        ([Health.HEALTHY, Health.HEALTHY], Health.HEALTHY),
        ([Health.HEALTHY, Health.UNKNOWN], Health.UNKNOWN),
        ([Health.UNKNOWN, Health.UNHEALTHY], Health.UNHEALTHY),
    ],
)
def test_a_task_is_as_healthy_as_its_least_healthy_container(verdicts: list[Health], expected: Health) -> None:
    assert health.combined(verdicts) is expected


class Answer(http.server.BaseHTTPRequestHandler):
    """Answer each path `/CODE` with that code."""

    def do_GET(self) -> None:
        self.send_response(int(self.path[1:]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def group(**fields: Any) -> dict[str, Any]:
    return {"HealthCheckPort": "traffic-port", "HealthCheckPath": "/200", "Matcher": {"HttpCode": "200"}, **fields}


def test_a_probe_passes_when_the_code_matches(port: int) -> None:
    assert health.probe(group(), "127.0.0.1", port).passed


def test_a_probe_tells_the_code_that_does_not_match(port: int) -> None:
    result = health.probe(group(HealthCheckPath="/500"), "127.0.0.1", port)
    assert not result.passed
    assert result.code == "Target.ResponseCodeMismatch"
    assert result.description == "Health checks failed with these codes: [500]"


def test_a_probe_of_a_closed_port_fails_without_a_code() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        result = health.probe(group(), "127.0.0.1", bound.getsockname()[1])
    assert (result.passed, result.code) == (False, "Target.FailedHealthChecks")


def test_a_probe_uses_the_port_of_the_health_check_when_it_has_its_own(port: int) -> None:
    assert health.probe(group(HealthCheckPort=str(port)), "127.0.0.1", 1).passed


def test_busy_machine_is_given_time_and_an_idle_one_is_not_hurried() -> None:
    assert health.slowness(0.1, 2) == 1
    assert health.slowness(2, 2) == 1
    assert health.slowness(12, 2) == 6

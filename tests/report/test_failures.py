from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploylib.events import SickTarget
from deploylib.report.failures import panel

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploylib import events


@pytest.fixture
def shown(screen: Callable[..., Any]) -> Callable[[events.RolloutFailed], str]:
    def show(event: events.RolloutFailed) -> str:
        page = screen(terminal=True)
        page.console.print(panel(event))
        return str(page.text)

    return show


def of(failure: events.RolloutFailed, *containers: tuple[str, int | None, str, str]) -> events.RolloutFailed:
    return replace(failure, tasks=(replace(failure.tasks[0], containers=containers),))


def test_a_failure_names_container_exit_code_and_last_lines(
    shown: Callable[..., str], failure: events.RolloutFailed
) -> None:
    text = shown(failure)
    assert "web: rolled back" in text
    assert "circuit breaker" in text
    assert "EssentialContainerExited: Essential container in task exited" in text
    assert "app  exit code 1" in text
    assert "app said last:" in text
    assert "│ RuntimeError: GREETING is not set" in text


def test_a_container_that_ecs_stopped_with_the_task_is_not_blamed(
    shown: Callable[..., str], failure: events.RolloutFailed
) -> None:
    text = shown(failure)
    assert "nginx  was stopped with the task" in text
    assert "137" not in text


def test_a_failed_health_check_is_the_reason_not_the_kill_that_followed(
    shown: Callable[..., str], failure: events.RolloutFailed
) -> None:
    text = shown(of(failure, ("app", 137, "", "UNHEALTHY")))
    assert "app  its health check failed" in text
    assert "137" not in text


@pytest.mark.parametrize(
    ("exit_code", "meaning"),
    [(137, "out of memory"), (127, "not found"), (134, "SIGABRT"), (139, "segmentation fault"), (3, "exit code 3 ")],
)
def test_exit_codes_are_explained(
    exit_code: int, meaning: str, shown: Callable[..., str], failure: events.RolloutFailed
) -> None:
    assert meaning in shown(of(failure, ("app", exit_code, "", "")))


def test_a_container_that_never_started_shows_why(shown: Callable[..., str], failure: events.RolloutFailed) -> None:
    text = shown(of(failure, ("app", None, "CannotPullContainerError: no such image", "")))
    assert "app  CannotPullContainerError: no such image" in text


def test_many_stopped_tasks_are_counted_not_listed(shown: Callable[..., str], failure: events.RolloutFailed) -> None:
    text = shown(replace(failure, tasks=failure.tasks * 7))
    assert text.count("app  exit code 1") == 3
    assert "and 4 more stopped tasks" in text


def test_tasks_that_stopped_alike_are_counted(shown: Callable[..., str], failure: events.RolloutFailed) -> None:
    task = replace(failure.tasks[0], count=7, stopped_at="2026-11-21T20:16:40+00:00")
    text = shown(replace(failure, tasks=(task,) * 4, since="2026-11-21T20:14:05+00:00"))
    assert "since 2026-11-21 20:14:05 UTC" in text
    assert "task 1a2b3c4d5e6f, stopped 2026-11-21 20:16:40 UTC, the newest of 7 alike" in text
    assert "and 7 more stopped tasks" in text


def test_of_a_long_log_the_end_is_shown_and_less_of_further_tasks(
    shown: Callable[..., str], failure: events.RolloutFailed
) -> None:
    task = replace(failure.tasks[0], log=tuple(f"line {number}" for number in range(40)))
    text = shown(replace(failure, tasks=(task, task)))
    assert text.count("│ line 39") == 2
    assert text.count("│ line 25") == text.count("│ line 35") == 1
    assert "│ line 24" not in text


def test_of_several_containers_each_says_its_last_lines(
    shown: Callable[..., str], failure: events.RolloutFailed
) -> None:
    log = (*(f"app | line {number}" for number in range(20)), *(f"nginx | host {number}" for number in range(20)))
    text = shown(replace(failure, tasks=(replace(failure.tasks[0], log=log),)))
    assert text.index("app said last:") < text.index("│ line 19") < text.index("nginx said last:")
    assert "│ line 13" in text
    assert "│ line 12" not in text
    assert "│ host 13" in text


def test_targets_alarms_and_what_ecs_said_are_shown(shown: Callable[..., str], failure: events.RolloutFailed) -> None:
    target = SickTarget(
        target="10.0.1.12:8080",
        state="unhealthy",
        reason="Target.ResponseCodeMismatch",
        description="Health checks failed with these codes: [500]",
    )
    said = tuple(f"(service guestbook-web) said {number}" for number in range(5))
    text = shown(replace(failure, targets=(target,) * 5, alarms=("web-5xx", "web-latency"), messages=said))
    assert "10.0.1.12:8080  unhealthy, Target.ResponseCodeMismatch: Health checks failed with these codes:" in text
    assert "and 2 more" in text
    assert "Alarms: web-5xx, web-latency" in text
    assert "│ said 4" in text
    assert "said 1" not in text


def test_a_failure_without_a_task_shows_its_reason(shown: Callable[..., str], failure: events.RolloutFailed) -> None:
    assert "circuit breaker" in shown(replace(failure, tasks=()))

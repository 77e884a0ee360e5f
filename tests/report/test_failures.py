from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

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


def test_a_failure_without_a_task_shows_its_reason(shown: Callable[..., str], failure: events.RolloutFailed) -> None:
    assert "circuit breaker" in shown(replace(failure, tasks=()))

from __future__ import annotations

from typing import Any

import pytest

from deploylib.localaws.extension.order import DependencyError, Phase, Progress, startable, stop_levels

WAITING, RUNNING = Progress(), Progress(phase=Phase.RUNNING)
HEALTHY, UNHEALTHY = Progress(phase=Phase.RUNNING, healthy=True), Progress(phase=Phase.RUNNING, healthy=False)


def exited(code: int) -> Progress:
    return Progress(phase=Phase.EXITED, exit_code=code)


def definitions(**depends_on: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "dependsOn": [{"containerName": other, "condition": c} for other, c in others.items()]}
        for name, others in depends_on.items()
    ]


@pytest.mark.parametrize(
    ("condition", "first", "starts"),
    [
        ("START", WAITING, False),
        ("START", RUNNING, True),
        ("START", exited(1), True),
        ("COMPLETE", RUNNING, False),
        ("COMPLETE", exited(1), True),
        ("SUCCESS", RUNNING, False),
        ("SUCCESS", exited(0), True),
        ("HEALTHY", RUNNING, False),
        ("HEALTHY", HEALTHY, True),
    ],
)
def test_a_container_starts_when_what_it_depends_on_has_got_there(
    condition: str, first: Progress, *, starts: bool
) -> None:
    found = startable(definitions(first={}, app={"first": condition}), {"first": first, "app": WAITING})
    assert ("app" in found) is starts


@pytest.mark.parametrize(
    ("condition", "first"), [("SUCCESS", exited(3)), ("HEALTHY", UNHEALTHY), ("HEALTHY", exited(0))]
)
def test_a_dependency_that_can_no_longer_hold_is_an_error(condition: str, first: Progress) -> None:
    with pytest.raises(DependencyError, match="app needs first"):
        startable(definitions(first={}, app={"first": condition}), {"first": first, "app": WAITING})


def test_a_dependency_on_an_unknown_container_is_an_error() -> None:
    with pytest.raises(DependencyError, match="which the task does not have"):
        startable(definitions(app={"ghost": "START"}), {"app": WAITING})


def test_containers_without_dependencies_start_together_and_only_once() -> None:
    both = definitions(app={}, nginx={})
    assert startable(both, {"app": WAITING, "nginx": WAITING}) == ("app", "nginx")
    assert startable(both, {"app": RUNNING, "nginx": exited(0)}) == ()


def test_a_container_stops_before_those_it_depends_on() -> None:
    found = stop_levels(definitions(db={}, app={"db": "START"}, nginx={"app": "HEALTHY"}, agent={}))
    assert found == (("nginx",), ("app",), ("agent", "db"))


def test_a_circle_of_dependencies_is_an_error() -> None:
    with pytest.raises(DependencyError, match="circle"):
        stop_levels(definitions(a={"b": "START"}, b={"a": "START"}))

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len

from deploylib import events
from deploylib.contract import Contract, ScheduledTask, ServiceContract
from deploylib.images.planning import ImagePlan
from deploylib.plan import MigrationPlan, Plan, ServicePlan
from deploylib.report.console import Page, page
from deploylib.schedules import SchedulePlan
from deploylib.taskdef import Difference

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

ARN = "arn:aws:ecs:ap-northeast-1:123456789012:task-definition"
ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


@dataclass
class Screen:
    """A console whose text a test can read."""

    console: Page
    file: io.StringIO

    @property
    def text(self) -> str:
        return ESCAPE.sub("", self.file.getvalue())

    @property
    def lines(self) -> list[str]:
        return [part.rstrip() for line in self.text.split("\n") for part in line.split("\r")]

    @property
    def widest(self) -> int:
        return max(cell_len(line) for line in self.lines)


class StoppedClock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds


@pytest.fixture
def screen() -> Callable[..., Screen]:
    def make(*, width: int = 100, terminal: bool = False) -> Screen:
        file = io.StringIO()
        return Screen(console=page(file, width=width, terminal=terminal), file=file)

    return make


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def service() -> Callable[..., ServicePlan]:
    def make(key: str = "web", **changes: Any) -> ServicePlan:
        given = ServicePlan(
            key=key,
            name=f"guestbook-stg-{key}",
            family=f"guestbook-stg-{key}",
            action="update",
            reason="new image",
            based_on=f"{ARN}/guestbook-stg-{key}:12",
            returns_to=f"{ARN}/guestbook-stg-{key}:12",
            template={},
            images={"app": key},
        )
        return replace(given, **changes)

    return make


@pytest.fixture
def plan(service: Callable[..., ServicePlan]) -> Callable[..., Plan]:
    def make(**changes: Any) -> Plan:
        given = Plan(
            environment="stg",
            contract=_contract(),
            commit="3f2a9c1d04be" + "0" * 28,
            dirty=False,
            release="20261121-3f2a9c1",
            images=(
                ImagePlan(image="base", action="reuse", reason="same content", tags=("base-1a2b3c4d5e6f",)),
                ImagePlan(
                    image="web", action="build", reason="src/web.py changed", tags=("web-c1", "web-3f2a9c1d04be")
                ),
            ),
            migration=MigrationPlan(
                service="web", container="app", command=("alembic", "upgrade", "head"), timeout_seconds=600.0
            ),
            services=(service("web"), service("job", action="unchanged", reason="runs these images already")),
        )
        return replace(given, **changes)

    return make


@pytest.fixture
def schedule() -> Callable[..., SchedulePlan]:
    def make(key: str = "cleanup", **changes: Any) -> SchedulePlan:
        given = SchedulePlan(
            key=key,
            contract=ScheduledTask(
                name=f"guestbook-stg-{key}",
                schedule=f"guestbook-stg-{key}",
                family=f"guestbook-stg-{key}",
                template=f"{ARN}/guestbook-stg-{key}-template:1",
                containers={"app": "job"},
                subnets=(),
                security_groups=(),
            ),
            action="update",
            reason="new image",
            based_on=f"{ARN}/guestbook-stg-{key}:4",
            returns_to=f"{ARN}/guestbook-stg-{key}:4",
            template={},
            images={"app": "job"},
            state="ENABLED",
            returns_state="ENABLED",
        )
        return replace(given, **changes)

    return make


def _contract() -> Contract:
    one = ServiceContract(
        name="guestbook-stg-web",
        family="guestbook-stg-web",
        template=f"{ARN}/guestbook-stg-web-template:3",
        desired_count=2,
        containers={"app": "web"},
        subnets=(),
        security_groups=(),
    )
    return Contract(
        version=1,
        app="guestbook",
        environment="stg",
        account_id="123456789012",
        region="ap-northeast-1",
        cluster="arn:aws:ecs:ap-northeast-1:123456789012:cluster/guestbook-stg",
        repository="123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/guestbook",
        services={"web": one},
        ledger="guestbook-stg-releases",
        url="https://stg.example.com",
    )


@pytest.fixture
def difference() -> Callable[..., Difference]:
    def make(path: str, old: Any, new: Any) -> Difference:
        return Difference(path=f"containerDefinitions.{path}", old=old, new=new)

    return make


@pytest.fixture
def standing() -> Callable[..., events.Standing]:
    def make(service: str = "web", **changes: Any) -> events.Standing:
        given = events.Standing(service=service, desired=2, running=1, pending=1, failed=0, old=2, state="in progress")
        return replace(given, **changes)

    return make


@pytest.fixture
def failure() -> events.RolloutFailed:
    return events.RolloutFailed(
        service="web",
        verdict="rolled back",
        reason="ECS deployment circuit breaker: tasks failed to start.",
        tasks=(
            events.StoppedTask(
                task="1a2b3c4d5e6f",
                stop_code="EssentialContainerExited",
                reason="Essential container in task exited",
                containers=(("app", 1, "", "UNKNOWN"), ("nginx", 137, "", "")),
                log=("Traceback (most recent call last):", "RuntimeError: GREETING is not set"),
            ),
        ),
    )


@pytest.fixture
def deploy(standing: Callable[..., events.Standing]) -> Callable[[], Generator[events.Event, None, str]]:
    """Return a deploy that goes well and returns a value."""

    def happening() -> Generator[events.Event, None, str]:
        yield events.BuildStarted(image="web", reason="src/web.py changed")
        yield events.BuildLogged(image="web", line="Step 1/2 : FROM base")
        yield events.Built(image="web", seconds=4.2)
        yield events.Pushed(image="web", digest="sha256:" + "d" * 64, seconds=0.8)
        yield events.Tagged(image="nginx", tag="nginx-3f2a9c1d04be")
        yield events.Registered(service="web", revision=f"{ARN}/guestbook-stg-web:13")
        yield events.MigrationStarted(task="0123abcd", revision="r", command=("alembic", "upgrade", "head"))
        yield events.MigrationLogged(line="Running upgrade 0002 -> 0003")
        yield events.Migrated(task="0123abcd", seconds=2.0)
        yield events.RolloutStarted(service="web", revision=f"{ARN}/guestbook-stg-web:13", deployment="d", desired=2)
        yield events.Progressed(services=(standing(message="(service guestbook-stg-web) has started 2 tasks"),))
        yield events.Progressed(services=(standing(message="(service guestbook-stg-web) has started 2 tasks"),))
        yield events.Progressed(services=(standing(running=2, pending=0, old=1),))
        yield events.Drained(service="web", seconds=4.0)
        yield events.Served(url="https://stg.example.com/", status=200, seconds=0.1)
        yield events.Completed(seconds=12.3, calls=14, url="https://stg.example.com", services=("web",))
        return "the value"

    return happening

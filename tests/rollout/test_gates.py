"""Services that wait for others: when a gate opens, and what it is asked of."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from deploylib import config, events, rollout
from tests.fakes import world as worlds
from tests.fakes.tasks import Timing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SETTINGS = config.Rollout(timeout_seconds=600, poll_seconds=3)
WEB = worlds.ServiceSpec(key="web", containers={"app": "web"}, tasks=2, balanced=True)
JOB = worlds.ServiceSpec(key="job", containers={"worker": "job"}, tasks=1, checked=False)
LAST = worlds.ServiceSpec(key="last", containers={"worker": "job"}, tasks=1, checked=False)


class Run:
    """A release with gates: what is started at once, what waits, and when each began."""

    def __init__(self, after: Mapping[str, Sequence[str]], *specs: worlds.ServiceSpec) -> None:
        self.world = worlds.world(*(specs or (WEB, JOB, LAST)))
        self.after = {key: tuple(value) for key, value in after.items()}
        self.revisions = {key: self.world.register(key, 2) for key in self.world.specs}
        self.began: dict[str, float] = {}
        self.seen: list[events.Event] = []
        self.outcomes: dict[str, str] = {}
        self.limits: dict[str, float] = {}

    def start(self, key: str) -> rollout.Target:
        name = self.world.specs[key].name
        self.began[key] = self.world.clock.monotonic()
        answer = self.world.ecs.update_service(
            cluster=self.world.cluster, service=name, taskDefinition=self.revisions[key]
        )
        return rollout.target(key, answer["service"], previous="", limit_seconds=self.limits.get(key))

    def watch(self) -> Run:
        targets = [self.start(key) for key in self.world.specs if key not in self.after]
        starts = [
            rollout.Start(key=key, after=after, start=lambda key=key: self.start(key))  # type: ignore[misc]
            for key, after in self.after.items()
        ]
        self.world.aws.forget_calls()
        for one in rollout.watch(
            self.world.account, self.world.cluster, targets, settings=SETTINGS, clock=self.world.clock, starts=starts
        ):
            if isinstance(one, rollout.Outcome):
                self.outcomes[one.target.key] = one.verdict
            else:
                self.seen.append(one)
        return self

    @property
    def opened(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(one.service, one.after) for one in self.seen if isinstance(one, events.GateOpened)]

    @property
    def notices(self) -> list[str]:
        return [one.message for one in self.seen if isinstance(one, events.Noticed)]


def test_a_gate_opens_when_the_first_task_is_healthy_and_not_when_the_rollout_is_done() -> None:
    run = Run({"job": ["web"], "last": ["web"]})
    run.world.ecs.timing = Timing(draining=60)
    run.watch()
    assert run.opened == [("job", ("web",)), ("last", ("web",))]
    assert run.outcomes == {"web": "done", "job": "done", "last": "done"}
    drained = {one.service: one for one in run.seen if isinstance(one, events.Drained)}
    assert run.began["job"] < run.began["web"] + 30
    assert drained["web"].seconds > 20


def test_a_gate_is_not_opened_by_a_task_that_runs_but_is_not_healthy() -> None:
    run = Run({"job": ["web"]}, WEB, JOB)
    run.world.ecs.timing = Timing(target_check=25)
    run.watch()
    running_after, healthy_after = 3 + 5 + 1, 3 + 5 + 1 + 25
    assert running_after < healthy_after <= run.began["job"] - run.began["web"]
    assert "elbv2:DescribeTargetHealth" in run.world.aws.calls


def test_a_gate_waits_for_the_health_check_of_the_container() -> None:
    checked = worlds.ServiceSpec(key="web", containers={"app": "web"}, tasks=2, checked=True)
    run = Run({"job": ["web"]}, checked, JOB)
    run.world.ecs.timing = Timing(container_check=25, container_checks_until_unhealthy=60)
    run.watch()
    running_after, healthy_after = 3 + 5, 3 + 5 + 25
    assert running_after < healthy_after <= run.began["job"] - run.began["web"]


def test_a_gate_of_a_service_without_any_check_opens_with_its_first_running_task() -> None:
    run = Run({"web": ["job"]}, WEB, JOB).watch()
    assert run.opened == [("web", ("job",))]
    assert "elbv2:DescribeTargetHealth" not in run.world.aws.calls


def test_gates_open_one_after_the_other() -> None:
    run = Run({"job": ["web"], "last": ["job", "web"]}).watch()
    assert [service for service, _ in run.opened] == ["job", "last"]
    assert run.began["web"] < run.began["job"] < run.began["last"]
    assert set(run.outcomes.values()) == {"done"}


def test_a_gate_opens_right_behind_its_event() -> None:
    run = Run({"job": ["web"]}, WEB, JOB).watch()
    at = next(number for number, one in enumerate(run.seen) if isinstance(one, events.GateOpened))
    assert not [one for one in run.seen[:at] if isinstance(one, events.Progressed) and len(one.services) > 1]


def test_whoever_takes_no_part_keeps_nobody_waiting() -> None:
    run = Run({"job": ["nobody"]}, WEB, JOB).watch()
    assert run.began["job"] == run.began["web"]
    assert run.opened == [("job", ("nobody",))]


def test_services_that_wait_for_each_other_are_started_when_nothing_else_is_left() -> None:
    run = Run({"job": ["last"], "last": ["job"]}).watch()
    assert set(run.outcomes) == {"web", "job", "last"}


def test_a_service_of_which_no_task_is_wanted_opens_its_gate() -> None:
    nobody = worlds.ServiceSpec(key="web", containers={"app": "web"}, tasks=0)
    run = Run({"job": ["web"]}, nobody, JOB).watch()
    assert run.outcomes == {"web": "done", "job": "done"}


def test_what_waits_is_not_started_when_the_one_before_fails() -> None:
    run = Run({"job": ["web"]}, WEB, JOB)
    run.world.ecs.behave(image=worlds.digest("web", 2), exits=1, after_seconds=0.2)
    run.watch()
    assert "job" not in run.began
    assert run.outcomes["web"] in {"rolled back", "failed"}
    assert run.opened == []


def test_where_target_groups_may_not_be_read_a_gate_opens_with_the_completed_rollout() -> None:
    run = Run({"job": ["web"]}, WEB, JOB)
    run.world.ecs.timing = Timing(target_check=25)
    run.world.aws.elbv2.refuse("describe_target_health", "AccessDenied", times=1000)
    run.watch()
    assert run.outcomes == {"web": "done", "job": "done"}
    assert len(run.notices) == 1
    assert "web counts as healthy when it is complete" in run.notices[0]


def test_a_gate_bears_throttling() -> None:
    run = Run({"job": ["web"]}, WEB, JOB)
    numbers = count()
    for client in (run.world.aws.ecs, run.world.aws.elbv2):
        client.fault = lambda name: "Throttling" if name != "update_service" and next(numbers) % 2 else ""
    run.watch()
    assert run.outcomes == {"web": "done", "job": "done"}


def test_looks_with_gates_stay_within_three_calls() -> None:
    run = Run({"job": ["web"], "last": ["web"]})
    run.world.ecs.timing = Timing(pulling=20)
    run.watch()
    moments: dict[float, int] = {}
    for one in run.world.aws.log:
        if one.operation != "update_service":
            moments[one.at] = moments.get(one.at, 0) + 1
    assert max(moments.values()) <= 3


@pytest.mark.parametrize(
    ("limit", "ended"), [(20.0, {"web": "done", "job": "timed out"}), (60.0, {"web": "done", "job": "done"})]
)
def test_the_time_of_what_waited_begins_when_it_starts(limit: float, ended: dict[str, str]) -> None:
    run = Run({"job": ["web"]}, WEB, JOB)
    run.world.ecs.timing = Timing(pulling=20)
    run.limits["job"] = limit
    run.watch()
    assert run.outcomes == ended
    assert run.began["job"] - run.began["web"] > 20

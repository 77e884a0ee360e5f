from __future__ import annotations

import pytest

from deploylib.localaws.extension.rollout import Stage, TaskView, Wanted, decide, percents, restart_delay_seconds

STARTING, RUNNING, STEADY = Stage.STARTING, Stage.RUNNING, Stage.STEADY


def tasks(deployment: str, *stages: Stage) -> list[TaskView]:
    return [
        TaskView(arn=f"{deployment}{number}", deployment=deployment, stage=s)
        for number, s in enumerate(stages, start=1)
    ]


def wanted(count: int, minimum: int = 100, maximum: int = 200, *, failed: bool = False) -> Wanted:
    return Wanted(deployment="new", count=count, minimum_percent=minimum, maximum_percent=maximum, failed=failed)


def test_all_new_tasks_start_beside_the_old_ones_when_there_is_room() -> None:
    decision = decide(tasks("old", STEADY, STEADY), wanted(2))
    assert (decision.start, decision.stop, decision.completed) == (2, (), False)


def test_no_old_task_goes_while_its_replacement_is_not_steady() -> None:
    decision = decide([*tasks("old", STEADY, STEADY), *tasks("new", RUNNING, RUNNING)], wanted(2))
    assert (decision.start, decision.stop, decision.completed) == (0, (), False)


def test_each_steady_task_lets_one_old_task_go() -> None:
    decision = decide([*tasks("old", STEADY, STEADY), *tasks("new", STEADY, RUNNING)], wanted(2))
    assert (decision.stop, decision.completed) == (("old1",), False)


def test_a_deployment_completes_when_its_tasks_are_steady_and_the_old_ones_are_told_to_stop() -> None:
    decision = decide([*tasks("old", STEADY), *tasks("new", STEADY, STEADY)], wanted(2))
    assert (decision.stop, decision.completed) == (("old1",), True)


def test_old_tasks_go_first_when_nothing_more_is_allowed_at_once() -> None:
    decision = decide(tasks("old", STEADY, STEADY), wanted(2, 0, 100))
    assert (decision.start, decision.stop) == (0, ("old1", "old2"))


def test_a_minimum_of_half_lets_half_of_the_old_tasks_go_first() -> None:
    decision = decide(tasks("old", *[STEADY] * 4), wanted(4, 50, 100))
    assert (decision.start, decision.stop) == (0, ("old1", "old2"))


def test_nothing_moves_when_neither_more_nor_fewer_tasks_are_allowed() -> None:
    decision = decide(tasks("old", STEADY), wanted(1, 100, 100))
    assert (decision.start, decision.stop, decision.completed) == (0, (), False)


def test_an_old_task_that_is_not_steady_makes_room_before_a_steady_one() -> None:
    decision = decide(tasks("old", STEADY, STARTING), wanted(2, 100, 100))
    assert decision.stop == ("old2",)


def test_as_many_tasks_start_as_the_maximum_leaves_room_for() -> None:
    assert decide(tasks("old", *[STEADY] * 4), wanted(4, 100, 150)).start == 2


def test_scaling_in_stops_the_newest_tasks_and_those_that_are_not_steady_before_them() -> None:
    decision = decide(tasks("new", STEADY, STARTING, STEADY), wanted(1))
    assert (decision.stop, decision.completed) == (("new2", "new3"), True)


def test_scaling_to_zero_stops_every_task_of_every_deployment() -> None:
    decision = decide([*tasks("old", STEADY), *tasks("new", STARTING)], wanted(0))
    assert (set(decision.stop), decision.completed) == ({"old1", "new1"}, True)


def test_a_service_at_zero_is_complete_at_once() -> None:
    assert decide([], wanted(0)).completed


def test_a_failed_deployment_starts_nothing_and_leaves_the_old_tasks_alone() -> None:
    decision = decide([*tasks("old", STEADY, STEADY), *tasks("new", STARTING)], wanted(2, failed=True))
    assert (decision.start, decision.stop, decision.completed) == (0, ("new1",), False)


@pytest.mark.parametrize(("failures", "delay"), [(0, 0.0), (3, 0.0), (4, 0.5), (5, 1.0), (7, 4.0), (8, 5.0), (99, 5.0)])
def test_the_first_restarts_are_immediate_and_later_ones_ever_slower(failures: int, delay: float) -> None:
    assert restart_delay_seconds(failures, 5.0) == delay


def test_absent_percentages_are_those_of_ecs_and_zero_is_a_percentage() -> None:
    assert percents({}) == (100, 200)
    assert percents({"deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100}}) == (0, 100)

"""Scheduled tasks follow a release, and go back with it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import schedules, taskdef
from deploylib.errors import AwsError, ConfigError, ContractError, RefusedError
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from deploylib.schedules import LiveSchedule, SchedulePlan
    from tests.fakes.world import World

NAME = worlds.CLEANUP.name
SCHEDULE = ("default", NAME)


@pytest.fixture
def world() -> World:
    made = worlds.world()
    made.schedule(worlds.CLEANUP)
    return made


def references(world: World, release: int) -> dict[str, str]:
    return {role: world.image(role, release) for role in worlds.ROLES}


def look(world: World) -> LiveSchedule:
    (found,) = schedules.observe(world.account, world.contract)
    return found


def planned(world: World, release: int = 1) -> SchedulePlan:
    (plan,) = schedules.plan_schedules(world.contract, [look(world)], references(world, release))
    return plan


def released(world: World, release: int = 1) -> str:
    """Do what a release does: register, as a deploy would, and move."""
    plan = planned(world, release)
    tags = {taskdef.TAG_TEMPLATE: world.templates["cleanup"], taskdef.TAG_RELEASE: f"release-{release}", **plan.tags}
    revision = world.register("cleanup", release, tags=[{"key": key, "value": one} for key, one in tags.items()])
    schedules.move(world.account, plan, revision, clock=world.clock)
    world.aws.forget_calls()
    return revision


def starts(world: World) -> str:
    return str(world.aws.scheduler.schedules[SCHEDULE]["EcsParameters"]["TaskDefinitionArn"])


def state(world: World) -> str:
    return str(world.aws.scheduler.documents[SCHEDULE]["State"])


def test_the_first_release_sets_the_schedule_to_its_revision_and_enables_it(world: World) -> None:
    plan = planned(world)
    assert (plan.action, plan.reason, plan.first) == ("update", "first release", True)
    revision = world.register("cleanup", 1)
    moved = schedules.move(world.account, plan, revision, clock=world.clock)
    assert (moved.task, moved.schedule, moved.revision, moved.back) == ("cleanup", NAME, revision, False)
    assert (starts(world), state(world)) == (revision, "ENABLED")


def test_what_terraform_says_of_the_schedule_is_carried_over_whole(world: World) -> None:
    before = dict(world.aws.scheduler.documents[SCHEDULE])
    target = dict(world.aws.scheduler.schedules[SCHEDULE])
    released(world)
    assert world.aws.scheduler.documents[SCHEDULE] == {**before, "State": "ENABLED"}
    assert {**world.aws.scheduler.schedules[SCHEDULE], "EcsParameters": target["EcsParameters"]} == target


def test_an_expression_that_terraform_changed_after_the_plan_is_not_put_back(world: World) -> None:
    plan = planned(world)
    world.aws.scheduler.documents[SCHEDULE]["ScheduleExpression"] = "rate(5 minutes)"
    schedules.move(world.account, plan, world.register("cleanup", 1), clock=world.clock)
    assert world.aws.scheduler.documents[SCHEDULE]["ScheduleExpression"] == "rate(5 minutes)"


def test_the_same_images_on_the_same_template_change_nothing(world: World) -> None:
    released(world)
    plan = planned(world)
    assert (plan.action, plan.differences) == ("unchanged", ())


def test_a_new_image_is_a_reason_and_says_so(world: World) -> None:
    released(world)
    plan = planned(world, 2)
    assert (plan.action, plan.reason) == ("update", "new image")
    assert [one.path for one in plan.differences] == ["containerDefinitions.task.image"]


def test_a_new_template_is_a_reason_and_says_so(world: World) -> None:
    released(world)
    world.apply("cleanup", cpu="512")
    assert planned(world).reason == "new template from Terraform"


def test_moving_twice_writes_once(world: World) -> None:
    plan, revision = planned(world), world.register("cleanup", 1)
    for _ in range(2):
        schedules.move(world.account, plan, revision, clock=world.clock)
    assert world.aws.wrote.count("update_schedule") == 1


def test_a_schedule_that_somebody_else_moved_is_left_alone(world: World) -> None:
    plan, theirs = planned(world), world.register("cleanup", 2)
    world.aws.scheduler.schedules[SCHEDULE]["EcsParameters"]["TaskDefinitionArn"] = theirs
    with pytest.raises(RefusedError, match="starts guestbook-stg-cleanup:1 by now"):
        schedules.move(world.account, plan, world.register("cleanup", 3), clock=world.clock)
    assert starts(world) == theirs


def test_a_failed_release_puts_back_what_was_started_before(world: World) -> None:
    before = released(world)
    plan = planned(world, 2)
    schedules.move(world.account, plan, world.register("cleanup", 2), clock=world.clock)
    back = schedules.move_back(world.account, plan, clock=world.clock)
    assert (back.revision, back.back) == (before, True)
    assert (starts(world), state(world)) == (before, "ENABLED")


def test_a_first_release_that_fails_leaves_the_schedule_disabled_on_its_template(world: World) -> None:
    plan = planned(world)
    schedules.move(world.account, plan, world.register("cleanup", 1), clock=world.clock)
    schedules.move_back(world.account, plan, clock=world.clock)
    assert (starts(world), state(world)) == (world.templates["cleanup"], "DISABLED")


def test_what_has_not_moved_goes_back_without_a_write(world: World) -> None:
    schedules.move_back(world.account, planned(world), clock=world.clock)
    assert world.aws.wrote == ()


def test_a_schedule_that_was_stopped_by_hand_stays_stopped(world: World) -> None:
    released(world)
    world.aws.scheduler.documents[SCHEDULE]["State"] = "DISABLED"
    revision = released(world, 2)
    assert (starts(world), state(world)) == (revision, "DISABLED")


@pytest.mark.parametrize("becomes", ["DISABLED", "ENABLED"])
def test_terraform_enables_and_disables_by_the_next_release(world: World, becomes: str) -> None:
    world.enabled["cleanup"] = becomes != "ENABLED"
    released(world)
    world.enabled["cleanup"] = becomes == "ENABLED"
    assert planned(world).reason == f"Terraform wants it {becomes.lower()}"
    released(world)
    assert state(world) == becomes
    assert planned(world).action == "unchanged"


def test_a_disabled_one_is_released_without_being_enabled(world: World) -> None:
    world.enabled["cleanup"] = False
    revision = released(world)
    assert (starts(world), state(world)) == (revision, "DISABLED")


def test_a_beginning_that_has_passed_does_not_stop_a_release(world: World) -> None:
    document: dict[str, Any] = world.aws.scheduler.documents[SCHEDULE]
    document["StartDate"] = dt.datetime.fromtimestamp(world.clock.time() - 3600, dt.UTC)
    released(world)
    assert "StartDate" not in world.aws.scheduler.documents[SCHEDULE]


def test_a_beginning_that_is_to_come_stays(world: World) -> None:
    begins = dt.datetime.fromtimestamp(world.clock.time() + 3600, dt.UTC)
    world.aws.scheduler.documents[SCHEDULE]["StartDate"] = begins
    released(world)
    assert world.aws.scheduler.documents[SCHEDULE]["StartDate"] == begins


def test_a_revision_that_a_release_in_the_past_had_is_started_again(world: World) -> None:
    first = released(world)
    second = released(world, 2)
    (plan,) = schedules.plan_return([look(world)], {"cleanup": first})
    assert (plan.action, plan.revision, plan.returns_to) == ("update", first, second)
    schedules.move(world.account, plan, plan.revision, clock=world.clock)
    assert starts(world) == first


def test_what_a_release_in_the_past_did_not_have_stays(world: World) -> None:
    revision = released(world)
    for revisions in ({}, {"cleanup": revision}):
        assert schedules.plan_return([look(world)], revisions)[0].action == "unchanged"


def test_a_role_without_an_image_is_refused_in_the_plan(world: World) -> None:
    with pytest.raises(ConfigError, match="scheduled task cleanup runs the role 'job'"):
        schedules.plan_schedules(world.contract, [look(world)], {"web": world.image("web", 1)})


def test_a_schedule_that_is_gone_is_terraforms_to_make(world: World) -> None:
    world.aws.scheduler.schedules.clear()
    with pytest.raises(ContractError, match=f"the schedule {NAME}") as raised:
        look(world)
    assert raised.value.hint == "inv infra.apply"


def with_setting(world: World) -> None:
    (container, *rest) = worlds.template_of(worlds.CLEANUP, world.repository)["containerDefinitions"]
    secrets = [{"name": "TOKEN", "valueFrom": "/guestbook/stg/settings/TOKEN"}]
    world.apply("cleanup", containerDefinitions=[{**container, "secrets": secrets}, *rest])


def test_a_parameter_that_nobody_has_written_is_refused_before_the_task_fails_at_night(world: World) -> None:
    with_setting(world)
    with pytest.raises(RefusedError, match=r"cleanup/task: TOKEN \(/guestbook/stg/settings/TOKEN\)") as raised:
        planned(world)
    assert raised.value.hint == "inv params.set TOKEN --env stg"
    world.aws.ssm.give("/guestbook/stg/settings/TOKEN", "it")
    assert planned(world).action == "update"


def test_what_does_not_move_is_not_refused_for_what_it_lacks(world: World) -> None:
    world.aws.ssm.give("/guestbook/stg/settings/TOKEN", "it")
    with_setting(world)
    released(world)
    del world.aws.ssm.parameters["/guestbook/stg/settings/TOKEN"]
    assert planned(world).action == "unchanged"


def test_looking_costs_two_calls_for_each_schedule(world: World) -> None:
    tags = {taskdef.TAG_FINGERPRINT: taskdef.fingerprint(look(world).template, ["task"])}
    tags[taskdef.TAG_TEMPLATE] = world.templates["cleanup"]
    plan = planned(world)
    revision = world.register("cleanup", 1, tags=[{"key": key, "value": one} for key, one in tags.items()])
    schedules.move(world.account, plan, revision, clock=world.clock)
    world.aws.forget_calls()
    look(world)
    assert world.aws.calls == {"scheduler:GetSchedule": 1, "ecs:DescribeTaskDefinition": 1}


def test_without_scheduled_tasks_nobody_is_asked() -> None:
    bare = worlds.world()
    assert schedules.observe(bare.account, bare.contract) == ()
    assert not bare.aws.calls


def test_moving_costs_one_read_and_one_write(world: World) -> None:
    plan, revision = planned(world), world.register("cleanup", 1)
    world.aws.forget_calls()
    schedules.move(world.account, plan, revision, clock=world.clock)
    assert world.aws.calls == {"scheduler:GetSchedule": 1, "scheduler:UpdateSchedule": 1}


# Rules, of infrastructure that our Terraform did not make


def with_rule(world: World) -> LiveSchedule:
    found = look(world)
    world.aws.events.have("nightly", world.cluster, found.revision)
    world.aws.events.disabled.add("nightly")
    task = replace(found.contract, schedule="", rule="nightly")
    contract = replace(world.contract, scheduled_tasks={"cleanup": task})
    (live,) = schedules.observe(world.account, contract)
    return live


def test_the_target_of_a_rule_moves_and_its_other_targets_stay(world: World) -> None:
    live = with_rule(world)
    (plan,) = schedules.plan_schedules(world.contract, [live], references(world, 1))
    revision, others = world.register("cleanup", 1), world.aws.events.rules["default", "nightly"][1:]
    assert schedules.move(world.account, plan, revision, clock=world.clock).schedule == "nightly"
    target, *rest = world.aws.events.rules["default", "nightly"]
    assert target["EcsParameters"]["TaskDefinitionArn"] == revision
    assert rest == others
    assert world.aws.events.disabled == set()


def test_a_rule_goes_back_to_where_it_was_and_is_disabled_again(world: World) -> None:
    live = with_rule(world)
    (plan,) = schedules.plan_schedules(world.contract, [live], references(world, 1))
    schedules.move(world.account, plan, world.register("cleanup", 1), clock=world.clock)
    schedules.move_back(world.account, plan, clock=world.clock)
    assert world.aws.events.rules["default", "nightly"][0]["EcsParameters"]["TaskDefinitionArn"] == live.revision
    assert world.aws.events.disabled == {"nightly"}


def test_a_rule_that_does_not_take_its_target_is_an_error(world: World) -> None:
    (plan,) = schedules.plan_schedules(world.contract, [with_rule(world)], references(world, 1))
    world.aws.events.failing = "no such role"
    with pytest.raises(AwsError, match="no such role"):
        schedules.move(world.account, plan, world.register("cleanup", 1), clock=world.clock)


def test_a_rule_that_starts_something_else_is_not_ours(world: World) -> None:
    task = replace(look(world).contract, schedule="", rule="nightly")
    world.aws.events.have("nightly", world.cluster, world.register("job", 1))
    with pytest.raises(ContractError, match="no rule of that name starts guestbook-stg-cleanup"):
        schedules.observe(world.account, replace(world.contract, scheduled_tasks={"cleanup": task}))

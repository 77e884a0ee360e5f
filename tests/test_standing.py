"""What the services stand on: what waits for a deploy, and what a plan would take from them."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploylib import standing
from deploylib.errors import AwsError, ContractError, OutdatedError
from deploylib.infra.changes import Action, Change, Changes, Danger
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from pathlib import Path

    from deploylib.config import Environment


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return worlds.environment(tmp_path)


def change(kind: str, identifier: str, *dangers: Danger) -> Changes:
    one = Change(
        address=f"{kind}.this", type=kind, action=Action.DELETE, identifiers=(identifier,), dangers=tuple(dangers)
    )
    return Changes(changes=(one,))


def test_nothing_waits_after_a_release(environment: Environment) -> None:
    world = worlds.world()
    found = standing.observed(world.account, environment)
    assert [(one.service, one.running, one.desired, one.released) for one in found] == [
        ("web", 2, 2, True),
        ("job", 1, 1, True),
    ]
    assert [one.waits for one in found] == [(), ()]
    assert standing.pending(world.account, environment) == ()
    standing.refuse_pending(environment, found)
    assert world.aws.wrote == ()


def test_a_template_that_terraform_changed_waits_with_what_differs(environment: Environment) -> None:
    world = worlds.world()
    world.apply("web", cpu="1024")
    (found,) = standing.pending(world.account, environment)
    assert (found.service, found.waits) == ("web", ("cpu",))
    assert found.template != found.revision
    with pytest.raises(OutdatedError, match="stg: web does not run what Terraform says") as caught:
        standing.refuse_pending(environment, [found])
    assert caught.value.hint == "inv deploy --env stg"


def test_a_scheduled_task_stands_beside_the_services_and_its_template_waits_too(environment: Environment) -> None:
    world = worlds.world()
    world.schedule(worlds.CLEANUP)
    (*_, found) = standing.observed(world.account, environment)
    assert (found.service, found.released, found.state) == ("cleanup", False, "disabled")
    revision = world.register("cleanup", 1)
    world.aws.scheduler.schedules["default", worlds.CLEANUP.name]["EcsParameters"]["TaskDefinitionArn"] = revision
    world.aws.scheduler.documents["default", worlds.CLEANUP.name]["State"] = "ENABLED"
    world.apply("cleanup", cpu="1024")
    (*_, found) = standing.pending(world.account, environment)
    assert (found.service, found.state, found.waits) == ("cleanup", "enabled", ("cpu",))
    assert found.commit == worlds.COMMITS[1]
    with pytest.raises(OutdatedError, match="stg: cleanup does not run what Terraform says"):
        standing.refuse_pending(environment, [found])


def test_what_a_scheduled_task_uses_is_marked_by_the_revision_that_it_starts(environment: Environment) -> None:
    world = worlds.world()
    world.schedule(worlds.CLEANUP)
    revision = world.register("cleanup", 1)
    world.aws.scheduler.schedules["default", worlds.CLEANUP.name]["EcsParameters"]["TaskDefinitionArn"] = revision
    changes = change("aws_cloudwatch_log_group", worlds.CLEANUP.log_group)
    world.register("cleanup", 2, containerDefinitions=[{"name": "task", "image": "other"}])
    (marked,) = standing.marked(changes, world.account, environment).changes
    assert marked.dangers == (Danger.USED,)


def test_a_service_without_any_release_waits_for_nothing(environment: Environment) -> None:
    world = worlds.world(released=False)
    assert not any(one.released for one in standing.observed(world.account, environment))
    assert standing.pending(world.account, environment) == ()


def test_before_the_first_apply_nothing_stands(environment: Environment) -> None:
    world = worlds.world()
    del world.aws.ssm.parameters[worlds.PARAMETER]
    assert standing.pending(world.account, environment) == ()
    assert standing.marked(change("aws_iam_role", "arn:x"), world.account, environment).changes[0].dangers == ()
    with pytest.raises(ContractError):
        standing.observed(world.account, environment)


def test_what_a_released_service_uses_is_marked(environment: Environment) -> None:
    world = worlds.world()
    group = world.specs["web"].log_group
    (marked,) = standing.marked(change("aws_cloudwatch_log_group", group), world.account, environment).changes
    assert marked.dangers == (Danger.USED,)
    assert [one.rpartition(":")[0] for one in marked.used_by] == [worlds.WEB]
    assert world.aws.wrote == ()


def test_a_service_on_terraforms_own_template_uses_nothing(environment: Environment) -> None:
    world = worlds.world(released=False)
    group = world.specs["web"].log_group
    (marked,) = standing.marked(change("aws_cloudwatch_log_group", group), world.account, environment).changes
    assert marked.dangers == ()


def test_aws_is_asked_nothing_when_nothing_goes_that_is_used(environment: Environment) -> None:
    world = worlds.world()
    kept = replace(change("aws_iam_role", "arn:x").changes[0], action=Action.UPDATE)
    standing.marked(Changes(changes=(kept,)), world.account, environment)
    assert sum(world.aws.calls.values()) == 0


@pytest.mark.parametrize(("code", "raises"), [("ClusterNotFoundException", False), ("AccessDeniedException", True)])
def test_a_cluster_that_is_gone_uses_nothing(environment: Environment, code: str, *, raises: bool) -> None:
    world = worlds.world()
    world.ecs.refuse("describe_services", code)
    group = change("aws_cloudwatch_log_group", world.specs["web"].log_group)
    with pytest.raises(AwsError) if raises else contextlib.nullcontext():
        assert standing.marked(group, world.account, environment).changes[0].dangers == ()


def test_a_service_that_is_gone_uses_nothing_and_the_others_do(environment: Environment) -> None:
    world = worlds.world()
    missing = {**world.contract_document()}
    missing["services"]["gone"] = {**missing["services"]["job"], "name": "gone"}
    world.aws.ssm.give(worlds.PARAMETER, json.dumps(missing))
    group = change("aws_cloudwatch_log_group", world.specs["web"].log_group)
    assert standing.marked(group, world.account, environment).changes[0].used_by


def test_a_repository_that_is_gone_holds_nothing(environment: Environment) -> None:
    world = worlds.world(released=False)
    gone = change("aws_ecr_repository", f"{world.aws.ecr.registry}/gone", Danger.DATA)
    assert standing.marked(gone, world.account, environment).changes[0].dangers == ()


@pytest.mark.parametrize(("images", "dangers"), [(0, ()), (1, (Danger.DATA,))])
def test_a_repository_holds_data_when_it_has_images(
    environment: Environment, images: int, dangers: tuple[Danger, ...]
) -> None:
    world = worlds.world(released=False)
    url = f"{world.aws.ecr.registry}/other"
    world.aws.ecr.images["other"] = {}
    for number in range(images):
        world.aws.ecr.have("other", f"web-{number}")
    (marked,) = standing.marked(change("aws_ecr_repository", url, Danger.DATA), world.account, environment).changes
    assert marked.dangers == dangers


def test_what_a_scheduled_task_starts_with_is_in_use_too(environment: Environment) -> None:
    world = worlds.world(released=False)
    job = world.contract_document()["services"]["job"]
    schedules = {"nightly": {**job, "schedule": "nightly"}, "never": {**job, "family": "never", "schedule": "never"}}
    world.aws.ssm.give(worlds.PARAMETER, json.dumps({**world.contract_document(), "scheduled_tasks": schedules}))
    group = change("aws_cloudwatch_log_group", world.specs["job"].log_group)
    assert standing.marked(group, world.account, environment).changes[0].used_by == ()
    world.push(1)
    world.register("job", 1)
    assert standing.marked(group, world.account, environment).changes[0].used_by == (f"{worlds.JOB}:1",)

"""What is live: read with few calls, and never from a copy that says something else than its original."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import ledger, observe, plan, release, taskdef
from deploylib.errors import ContractError
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from deploylib import events
    from deploylib.plan import Live
    from tests.fakes.world import World


def deployed(number: int = 2) -> World:
    """Return a world that this tool has released into."""
    world = worlds.world()
    environment = worlds.environment(migration=None)
    made = plan.plan_release(
        environment, world.live(), worlds.image_plans(number), commit="c", dirty=False, release=f"release-{number}"
    )
    one = release.Release(plan=made, environment=environment, account=world.account, clock=world.clock, observed_at=0.0)

    list(release.execute(one, _in_the_registry(number)))
    world.aws.forget_calls()
    return world


def _in_the_registry(number: int) -> Generator[events.Event, None, Mapping[str, str]]:
    yield from ()
    return worlds.digests(number)


def observed(world: World) -> Live:
    return observe.live(world.account, world.contract)


def test_templates_of_our_own_revisions_are_not_read() -> None:
    world = deployed()
    live = observed(world)
    assert world.aws.calls == {"ecs:DescribeServices": 1, "ecs:DescribeTaskDefinition": 2}
    for one in live.services:
        assert one.template["taskDefinitionArn"] == world.templates[one.key]


def test_a_template_known_from_its_copy_makes_the_same_revision_as_the_template_itself() -> None:
    world = deployed()

    def next_revision(template: taskdef.Definition, spec: worlds.ServiceSpec) -> dict[str, Any]:
        images = {container: world.image(role, 3) for container, role in spec.containers.items()}
        fields = worlds.writable(world.ecs)
        return taskdef.next_definition(template, images, family=spec.name, tags={}, writable=fields)

    for one in observed(world).services:
        answer = world.ecs.describe_task_definition(taskDefinition=world.templates[one.key], include=["TAGS"])
        template = {**answer["taskDefinition"], "tags": answer["tags"]}
        assert next_revision(one.template, world.specs[one.key]) == next_revision(template, world.specs[one.key])


def test_a_new_template_is_read() -> None:
    world = deployed()
    world.apply("web", cpu="512")
    live = observed(world)
    assert world.aws.calls["ecs:DescribeTaskDefinition"] == 3
    assert {one.key: one.template["cpu"] for one in live.services} == {"web": "512", "job": "256"}


def test_the_template_of_a_revision_that_somebody_changed_is_read() -> None:
    world = deployed()
    name = world.specs["web"].name
    revision = world.ecs.describe_services(cluster=world.cluster, services=[name])["services"][0]["taskDefinition"]
    answer = world.ecs.describe_task_definition(taskDefinition=revision, include=["TAGS"])
    copy = {key: answer["taskDefinition"][key] for key in worlds.writable(world.ecs) & set(answer["taskDefinition"])}
    changed = world.ecs.register_task_definition(**{**copy, "memory": "1024", "tags": answer["tags"]})
    world.update("web", taskDefinition=changed["taskDefinition"]["taskDefinitionArn"])
    world.settle()
    live = observed(world)
    assert {one.key: one.template["memory"] for one in live.services} == {"web": "512", "job": "512"}


def test_a_service_that_still_stands_on_its_template_is_read_once() -> None:
    world = worlds.world(released=False)
    observed(world)
    assert world.aws.calls == {"ecs:DescribeServices": 1, "ecs:DescribeTaskDefinition": 2}


@pytest.mark.parametrize(("was_dirty", "is_dirty"), [(True, True), (False, True), (False, False)])
def test_the_last_completed_release_is_what_is_recorded(was_dirty: bool, is_dirty: bool) -> None:  # noqa: FBT001
    world = deployed()
    release_item(world)["dirty"] = {"BOOL": was_dirty}
    found = observe.past(world.account, world.contract, dirty=is_dirty)
    assert (found.recorded, found.notices) == (worlds.digests(2), ())


def test_a_release_of_uncommitted_changes_does_not_speak_for_a_commit() -> None:
    world = deployed()
    release_item(world)["dirty"] = {"BOOL": True}
    assert observe.past(world.account, world.contract, dirty=False).recorded == {}


def test_a_release_that_has_no_end_is_said_and_the_one_before_it_counts() -> None:
    world = deployed()
    who = "arn:aws:sts::1:assumed-role/deploy/ada"
    entry = ledger.Entry(release="r", commit="c", environment="stg", by=who, phase="rolling out")
    ledger.begin(world.account.dynamodb, worlds.LEDGER, entry, clock=world.clock)
    world.aws.forget_calls()
    found = observe.past(world.account, world.contract)
    assert found.recorded == worlds.digests(2)
    assert found.notices[0].startswith("release 2, begun at 2023-11-14T")
    assert found.notices[0].endswith("by ada, was left rolling out")
    assert world.aws.calls == {"dynamodb:Query": 1, "dynamodb:GetItem": 1}


def release_item(world: World) -> dict[str, Any]:
    return world.aws.dynamodb.tables[worlds.LEDGER]["release", 1]


def test_a_cluster_that_is_gone_says_to_apply() -> None:
    world = worlds.world()
    with pytest.raises(ContractError, match="Cluster not found") as refused:
        observe.live(world.account, replace(world.contract, cluster=f"{world.cluster}-gone"))
    assert refused.value.hint == f"inv infra.apply --env {worlds.ENVIRONMENT}"


def test_a_template_that_is_gone_says_to_apply() -> None:
    world = worlds.world()
    web = world.contract.services["web"]
    services = {**world.contract.services, "web": replace(web, template=f"{web.template}9")}
    with pytest.raises(ContractError, match="Unable to describe task definition") as refused:
        observe.live(world.account, replace(world.contract, services=services))
    assert refused.value.hint == f"inv infra.apply --env {worlds.ENVIRONMENT}"

"""Plans: what will change, made purely from what was observed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deploylib import plan
from deploylib.config import Environment, Migration
from deploylib.errors import ConfigError
from deploylib.images.planning import ImagePlan
from tests.fakes import world as worlds


def planned(
    world: worlds.World,
    release: int = 1,
    *,
    images: tuple[ImagePlan, ...] | None = None,
    environment: Environment | None = None,
    **changes: Any,
) -> plan.Plan:
    """Return the plan to release that number into *world*."""
    known: dict[str, Any] = {"commit": worlds.COMMITS[release], "dirty": False, "release": f"release-{release}"}
    return plan.plan_release(
        environment or worlds.environment(),
        world.live(),
        images or worlds.image_plans(release),
        **{**known, **changes},
    )


def service(found: plan.Plan, key: str) -> plan.ServicePlan:
    return next(one for one in found.services if one.key == key)


def test_the_same_images_on_the_same_template_are_nothing_to_do() -> None:
    found = planned(worlds.world())
    assert [(one.key, one.action) for one in found.services] == [("web", "unchanged"), ("job", "unchanged")]
    assert found.moving == ()
    assert found.migration is None
    assert found.nothing_to_do


def test_planning_makes_no_call() -> None:
    world = worlds.world()
    planned(world, 2)
    assert world.aws.log == []


def test_new_images_are_an_update_that_leaves_the_desired_count_alone() -> None:
    world = worlds.world()
    found = planned(world, 2)
    web = service(found, "web")
    assert (web.action, web.reason, web.desired_count, web.first) == ("update", "new image", None, False)
    assert [(one.path, one.old, one.new) for one in web.differences] == [
        ("containerDefinitions.app.image", world.image("web", 1), world.image("web", 2)),
        ("containerDefinitions.nginx.image", world.image("nginx", 1), world.image("nginx", 2)),
    ]
    assert web.based_on.endswith(f"/{worlds.WEB}:1")
    assert not found.nothing_to_do


def test_a_new_image_of_one_role_moves_its_service_only() -> None:
    images = (*worlds.image_plans(1)[:2], worlds.image_plans(2)[2])
    found = planned(worlds.world(), images=images)
    assert [one.key for one in found.moving] == ["job"]
    assert found.migration is None


def test_a_new_template_is_an_update_that_shows_just_what_terraform_changed() -> None:
    world = worlds.world()
    spec = world.specs["job"]
    container = worlds.template_of(spec, world.repository)["containerDefinitions"]
    container[0]["environment"][0]["value"] = "good day"
    world.apply("job", containerDefinitions=container)
    job = service(planned(world), "job")
    assert (job.action, job.reason) == ("update", "new template from Terraform")
    assert [(one.path, one.old, one.new) for one in job.differences] == [
        ("containerDefinitions.worker.environment.GREETING", "hello", "good day")
    ]
    assert job.template["taskDefinitionArn"] == world.templates["job"]


def test_a_new_side_car_and_a_new_image_are_both_reasons() -> None:
    world = worlds.world()
    world.apply("job", cpu="512")
    job = service(planned(world, 2), "job")
    assert job.reason == "new image and new template from Terraform"
    assert {one.path for one in job.differences} == {"cpu", "containerDefinitions.worker.image"}


def test_a_template_that_only_has_a_new_number_changes_nothing() -> None:
    world = worlds.world()
    world.apply("web", tags=[{"key": "cost-centre", "value": "43"}])
    assert planned(world).nothing_to_do


def test_the_first_release_sends_the_contract_s_desired_count() -> None:
    found = planned(worlds.world(released=False))
    web, job = service(found, "web"), service(found, "job")
    assert (web.action, web.reason, web.first, web.desired_count) == ("update", "first release", True, 2)
    assert (job.desired_count, job.family) == (1, worlds.JOB)
    assert found.migration is not None
    assert found.notices == ()


def test_an_image_to_be_built_is_shown_by_its_tag() -> None:
    found = planned(worlds.world(), images=worlds.image_plans(2, action="build"))
    web = service(found, "web")
    assert web.differences[0].new.endswith(f"/guestbook:web-{worlds.COMMITS[2][:12]}")
    assert not found.nothing_to_do


def test_an_image_to_be_built_is_something_to_do_even_where_no_service_runs_it() -> None:
    spare = ImagePlan(image="spare", action="build", reason="new", tags=("spare-c1",))
    found = planned(worlds.world(), images=(*worlds.image_plans(1), spare))
    assert found.moving == ()
    assert not found.nothing_to_do


def test_a_rollout_of_just_this_that_is_under_way_is_followed() -> None:
    world = worlds.world()
    ours = world.release("web", 2)
    found = planned(world, images=(*worlds.image_plans(2)[:2], worlds.image_plans(1)[2]))
    web = service(found, "web")
    assert (web.action, web.deployment, web.differences) == ("attach", ours, ())
    assert found.moving == (web,)
    assert found.migration is None
    assert found.notices == ("web: a deployment of guestbook-stg-web:2 is under way",)


def test_a_rollout_of_something_else_that_is_under_way_is_noticed_and_replaced() -> None:
    world = worlds.world()
    world.release("web", 2)
    found = planned(world, 3)
    assert service(found, "web").action == "update"
    assert found.notices == ("web: a deployment of guestbook-stg-web:2 is under way",)


def test_a_rollout_of_just_this_that_failed_is_tried_again() -> None:
    world = worlds.world(replace(worlds.SERVICES[0], rollback=False), worlds.SERVICES[1])
    world.ecs.behave(image=worlds.digest("web", 2), exits=1, times=3)
    ours = world.release("web", 2)
    world.clock.advance(120)
    web = service(planned(world, images=(*worlds.image_plans(2)[:2], worlds.image_plans(1)[2])), "web")
    assert world.ecs.services[worlds.WEB].primary.id == ours
    assert (web.action, web.reason) == ("update", "its last rollout failed")


def test_a_service_that_was_scaled_to_nothing_is_noticed() -> None:
    world = worlds.world()
    world.update("job", desiredCount=0)
    assert planned(world, 2).notices == ("job: its desired count is 0, so nothing will run",)


def test_the_migration_runs_when_its_service_gets_a_new_revision() -> None:
    found = planned(worlds.world(), 2).migration
    assert found == plan.MigrationPlan(
        service="web", container="app", command=worlds.MIGRATE, timeout_seconds=600.0, image=worlds.digest("web", 2)
    )


def test_an_environment_without_a_migration_plans_none() -> None:
    assert planned(worlds.world(), 2, environment=worlds.environment(migration=None)).migration is None


def test_a_migration_of_a_service_that_the_contract_lacks_is_refused() -> None:
    migration = Migration(service="api", container="app", command=("x",))
    with pytest.raises(ConfigError, match=r"migration\.service is 'api'") as refused:
        planned(worlds.world(), 2, environment=worlds.environment(migration=migration))
    assert refused.value.hint.startswith("it has web, job;")


def test_a_role_that_no_image_is_made_for_is_refused() -> None:
    with pytest.raises(ConfigError, match="service job runs the role 'job'") as refused:
        planned(worlds.world(), images=worlds.image_plans(2)[:2])
    assert refused.value.hint == "add [images.roles.job] to environments/common.toml"


def test_the_plan_carries_what_the_release_is() -> None:
    found = planned(worlds.world(), 2, dirty=True)
    assert (found.environment, found.commit, found.dirty, found.release) == (
        "stg",
        worlds.COMMITS[2],
        True,
        "release-2",
    )


def test_role_images_are_by_digest() -> None:
    world = worlds.world()
    web = service(planned(world, 2), "web")
    assert plan.role_images(web.images, worlds.digests(2), world.repository) == {
        "app": world.image("web", 2),
        "nginx": world.image("nginx", 2),
    }


@pytest.mark.parametrize("state", ["COMPLETED", "IN_PROGRESS", "FAILED"])
def test_a_service_that_was_never_released_goes_back_to_the_template(state: str) -> None:
    """After a failed first release ECS may have given up on the template as well: then no deployment has completed."""
    world = worlds.world(released=False)
    web = world.live().services[0]
    deployments = [{**web.primary, "rolloutState": state}]
    stuck = replace(web, description={**web.description, "deployments": deployments})
    assert stuck.returns_to == world.templates["web"]

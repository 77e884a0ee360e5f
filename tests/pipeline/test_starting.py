"""The tags that a pipeline waits for, put on the images of a commit in a registry whose tags are immutable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deploylib import config
from deploylib.errors import ConfigError, ImageError
from deploylib.pipeline import starting
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from tests.fakes.world import World

TAGS = {"web": "web-stg", "job": "job-stg", "nginx": "nginx-stg"}
WAITING = starting.Waiting(tags=TAGS, trigger="web")
ECR: dict[str, Any] = {"source": "ecr", "images": {"tags": TAGS, "trigger": "web"}}


@pytest.fixture
def world() -> World:
    return worlds.world(*worlds.SERVICES)


def test_each_tag_is_put_on_the_image_of_its_role(world: World) -> None:
    first, second = images(world, "1"), images(world, "2")
    started(world, first)
    assert waited_for(world) == first
    started(world, second)
    assert waited_for(world) == second
    assert set(first.values()) < set(world.aws.ecr.images[worlds.APP]), "what had the tags before is still there"


def test_the_trigger_is_pushed_last_so_that_what_it_starts_finds_all_the_others(world: World) -> None:
    started(world, images(world, "1"))
    assert pushes(world)[-1] == "web-stg"
    assert sorted(pushes(world)) == sorted(TAGS.values())


def test_an_image_that_did_not_change_is_pushed_too_when_it_is_the_trigger(world: World) -> None:
    found = images(world, "1")
    started(world, found)
    before = len(pushes(world))
    started(world, {**found, "job": images(world, "2")["job"]})
    assert pushes(world)[before:] == ["job-stg", "web-stg"]
    started(world, {**found, "job": images(world, "2")["job"]})
    assert pushes(world)[before + 2 :] == ["web-stg"]


def test_an_image_that_is_gone_starts_nothing(world: World) -> None:
    found = {**images(world, "1"), "nginx": f"sha256:{'0' * 64}"}
    with pytest.raises(ImageError, match="is gone from the registry"):
        started(world, found)
    assert "web-stg" not in pushes(world)


def test_what_a_pipeline_waits_for_is_in_the_configuration() -> None:
    assert starting.waiting(environment(ECR)) == WAITING


@pytest.mark.parametrize(
    ("pipeline", "hint"),
    [
        (None, "environments/stg.toml: [terraform.pipeline]"),
        ({"source": "git", "repository": {"name": "shop", "branch": "main"}}, "a push to its branch starts it"),
    ],
)
def test_a_pipeline_that_waits_for_no_images_is_refused(pipeline: dict[str, Any] | None, hint: str) -> None:
    with pytest.raises(ConfigError, match="no pipeline of stg waits for images") as refused:
        starting.waiting(environment(pipeline))
    assert refused.value.hint == hint


@pytest.mark.parametrize(
    "images",
    [None, {}, {"tags": TAGS}, {"tags": TAGS, "trigger": "cron"}, {"tags": {"cron": "cron-stg"}, "trigger": "cron"}],
)
def test_tags_of_images_that_there_are_not_are_refused(images: dict[str, Any] | None) -> None:
    with pytest.raises(ConfigError, match=r"has tags by image role, and one of these as trigger"):
        starting.waiting(environment({"source": "ecr", "images": images}))


def environment(pipeline: dict[str, Any] | None) -> config.Environment:
    roles = {role: config.RoleImage(dockerfile="Dockerfile") for role in TAGS}
    return worlds.environment(images=config.Images(roles=roles), terraform={"pipeline": pipeline})


def images(world: World, version: str) -> dict[str, str]:
    """Return the digest of each role's image, which has a content tag, as all that we push."""
    return {role: world.aws.ecr.have(worlds.APP, f"{role}-c{version * 12}") for role in TAGS}


def started(world: World, digests: dict[str, str]) -> None:
    starting.start(world.account.ecr, world.repository, WAITING, digests)


def waited_for(world: World) -> dict[str, str]:
    return {role: world.aws.ecr.tags[worlds.APP][tag] for role, tag in TAGS.items()}


def pushes(world: World) -> list[str]:
    """Return the tags that were put, in their order."""
    return [one.request["imageTag"] for one in world.aws.ecr.log if one.operation == "put_image"]

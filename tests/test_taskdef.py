"""Task definitions: every field is kept but the managed images; what differs is found under its name."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploylib import taskdef
from deploylib.errors import ConfigError
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from collections.abc import Mapping

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "cases/taskdef.json").read_text())
SPEC = worlds.SERVICES[0]
IMAGES = {"app": "r@sha256:1", "nginx": "r@sha256:2"}

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=10,
)
NAMED = st.lists(st.fixed_dictionaries({"name": st.sampled_from("ABC"), "value": st.text(max_size=3)}), max_size=3)
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("xyz")}, optional={"image": st.text(max_size=3), "environment": NAMED, "other": VALUES}
    ),
    max_size=3,
)
DEFINITIONS = st.fixed_dictionaries(
    {"containerDefinitions": CONTAINERS}, optional={"cpu": st.text(max_size=3), "volumes": NAMED, "invented": VALUES}
)


def template(**changes: Any) -> dict[str, Any]:
    return {**worlds.template_of(SPEC, "r"), "tags": [{"key": "cost-centre", "value": "42"}], **changes}


def made(
    current: dict[str, Any], images: Mapping[str, str] = IMAGES, *, tags: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Return the next definition, of a template whose every field may be registered."""
    return taskdef.next_definition(current, images, family=SPEC.name, tags=tags, writable=current.keys())


def test_managed_containers_are_those_with_the_sentinel() -> None:
    assert taskdef.managed_containers(template()) == ("app", "nginx")
    assert taskdef.managed_containers({"containerDefinitions": [{"name": "odd"}]}) == ()


def test_the_next_definition_has_the_images_by_digest_and_its_own_family() -> None:
    found = made(template())
    images = {one["name"]: one["image"] for one in found["containerDefinitions"]}
    assert images == {**IMAGES, "metrics": "public.ecr.aws/example/metrics:1"}
    assert found["family"] == "guestbook-stg-web"


@given(
    fields=st.dictionaries(st.text(min_size=1, max_size=8).map("new{}".format), VALUES, max_size=4),
    container=st.dictionaries(st.text(min_size=1, max_size=8).map("new{}".format), VALUES, max_size=4),
)
def test_fields_that_nobody_has_heard_of_are_kept(fields: dict[str, Any], container: dict[str, Any]) -> None:
    current = template(**fields)
    current["containerDefinitions"] = [{**one, **container} for one in current["containerDefinitions"]]
    before = copy.deepcopy(current)
    found = made(current)
    assert current == before
    for key, value in fields.items():
        assert found.get(key, "left out") == ("left out" if value in (None, "", []) else value)
    assert [{**one, "image": ""} for one in found["containerDefinitions"]] == [
        {**one, "image": ""} for one in before["containerDefinitions"]
    ]


def test_what_cannot_be_registered_is_left_out() -> None:
    world = worlds.world()
    answer = world.ecs.describe_task_definition(taskDefinition=world.templates["web"], include=["TAGS"])
    current = {**answer["taskDefinition"], "tags": answer["tags"]}
    found = taskdef.next_definition(current, IMAGES, family="f", tags={}, writable=worlds.writable(world.ecs))
    assert {"taskDefinitionArn", "revision", "status", "registeredAt", "compatibilities"} & set(found) == set()
    assert (found["cpu"], found["runtimePlatform"]["cpuArchitecture"]) == ("256", "X86_64")
    world.ecs.register_task_definition(**found)


def test_tags_are_the_template_s_own_with_ours_on_top_and_without_aws_s() -> None:
    tags = [
        {"key": "cost-centre", "value": "42"},
        {"key": "deploy:commit", "value": "old"},
        {"key": "aws:cloudformation:stack-name", "value": "x"},
    ]
    assert made(template(tags=tags), tags={"deploy:commit": "new"})["tags"] == [
        {"key": "cost-centre", "value": "42"},
        {"key": "deploy:commit", "value": "new"},
    ]


def test_a_container_that_the_template_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(ConfigError, match="no container 'ap' in guestbook-stg-web-template") as refused:
        made(template(), {**IMAGES, "ap": "x"})
    assert refused.value.hint == "it has app, metrics, nginx"


def test_a_managed_container_without_an_image_is_refused() -> None:
    with pytest.raises(ConfigError, match="no image for container 'nginx' of guestbook-stg-web"):
        made(template(), {"app": "x"})


# A revision that needs no look at its template

TEMPLATE = "arn:aws:ecs:eu-west-1:1:task-definition/guestbook-stg-web-template:3"


def copied(**changes: Any) -> dict[str, Any]:
    """Return what ECS would tell of a revision that a deploy made from `template(**changes)`."""
    current = template(**changes)
    ours = {taskdef.TAG_TEMPLATE: TEMPLATE, taskdef.TAG_FINGERPRINT: taskdef.fingerprint(current, IMAGES)}
    return {**made(current, tags=ours), "taskDefinitionArn": "arn:…/guestbook-stg-web:7", "volumes": []}


def test_the_template_is_known_from_an_untouched_copy() -> None:
    found = taskdef.template_of(copied(), TEMPLATE, IMAGES)
    assert found is not None
    assert found["taskDefinitionArn"] == TEMPLATE
    assert taskdef.managed_containers(found) == ("app", "nginx")
    assert found["tags"] == [{"key": "cost-centre", "value": "42"}]
    new = {"app": "r@sha256:3", "nginx": "r@sha256:4"}
    assert {**made(dict(found), new), "taskDefinitionArn": ""} == {**made(template(), new), "taskDefinitionArn": ""}


def test_another_image_in_a_managed_container_is_no_change_of_the_template() -> None:
    revision = copied()
    revision["containerDefinitions"][0]["image"] = "r@sha256:9"
    assert taskdef.template_of(revision, TEMPLATE, IMAGES) is not None


def test_the_template_is_not_told_from_a_copy_of_another_one() -> None:
    assert taskdef.template_of(copied(), TEMPLATE.replace(":3", ":4"), IMAGES) is None


@pytest.mark.parametrize("gone", [taskdef.TAG_TEMPLATE, taskdef.TAG_FINGERPRINT])
def test_the_template_is_not_told_from_a_copy_that_does_not_say(gone: str) -> None:
    revision = copied()
    tags = [one for one in revision["tags"] if one["key"] != gone]
    assert taskdef.template_of({**revision, "tags": tags}, TEMPLATE, IMAGES) is None


@pytest.mark.parametrize("change", [{"cpu": "512"}, {"invented": True}])
def test_the_template_is_not_told_from_a_copy_that_somebody_changed(change: dict[str, Any]) -> None:
    assert taskdef.template_of({**copied(), **change}, TEMPLATE, IMAGES) is None


def test_the_template_is_not_told_from_a_copy_with_another_side_car() -> None:
    revision = copied()
    revision["containerDefinitions"][-1]["image"] = "public.ecr.aws/example/metrics:2"
    assert taskdef.template_of(revision, TEMPLATE, IMAGES) is None


# Differences


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_differences_are_found_under_their_names(case: dict[str, Any]) -> None:
    found = taskdef.differences(case["old"], case["new"])
    assert [[one.path, one.old, one.new] for one in found] == case["differences"]


@given(definition=DEFINITIONS)
def test_a_definition_does_not_differ_from_itself(definition: dict[str, Any]) -> None:
    assert taskdef.differences(definition, copy.deepcopy(definition)) == ()


@given(old=DEFINITIONS, new=DEFINITIONS)
def test_differences_are_the_same_seen_from_the_other_side(old: dict[str, Any], new: dict[str, Any]) -> None:
    there, back = taskdef.differences(old, new), taskdef.differences(new, old)
    assert [(one.path, one.old, one.new) for one in there] == [(one.path, one.new, one.old) for one in back]


@given(old=DEFINITIONS, value=st.text(max_size=3), changed=st.text(max_size=3))
def test_another_image_is_always_a_difference(old: dict[str, Any], value: str, changed: str) -> None:
    def with_image(image: str) -> dict[str, Any]:
        return {**old, "containerDefinitions": [*old["containerDefinitions"], {"name": "app", "image": image}]}

    found = taskdef.differences(with_image(value), with_image(changed))
    assert bool(found) is (value != changed)


def test_a_revision_as_aws_gives_it_back_does_not_differ_from_what_would_be_registered_again() -> None:
    world = worlds.world()
    live = world.live().services[0]
    images = {container: world.image(role, 1) for container, role in SPEC.containers.items()}
    again = taskdef.next_definition(
        live.template, images, family=SPEC.name, tags={}, writable=worlds.writable(world.ecs)
    )
    assert taskdef.differences(live.definition, again) == ()


# Small things


def test_a_tag_is_found_by_its_key() -> None:
    assert taskdef.tag(template(), "cost-centre") == "42"
    assert taskdef.tag(template(), "nothing") == ""
    assert taskdef.tag({}, "cost-centre") == ""


def test_the_family_is_in_the_arn() -> None:
    assert taskdef.family("arn:aws:ecs:eu-west-1:1:task-definition/guestbook-web:12") == "guestbook-web"

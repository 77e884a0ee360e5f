"""The names of an image: the content tag first, then what the configuration says, with the CI's build number."""

from __future__ import annotations

import pytest

from deploylib import config
from deploylib.checkout import Checkout
from deploylib.errors import ConfigError
from deploylib.images import tags
from tests.fakes import world

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CLEAN = Checkout(commit=COMMIT)
FINGERPRINT = "f" * 64


def environment(**templates: tuple[str, ...]) -> config.Environment:
    images = config.Images(roles={"web": config.RoleImage(dockerfile="Dockerfile")}, tags=config.Tags(**templates))
    return world.environment(images=images)


def test_by_default_a_role_has_its_content_and_its_commit() -> None:
    found = tags.all_of(environment(), "web", FINGERPRINT, CLEAN)
    assert found == ("web-cffffffffffff", "web-0123456789ab")
    assert tags.moving(environment(), "web") == ("web-stg-latest", "web-latest")


def test_the_base_and_a_dirty_tree_have_their_content_alone() -> None:
    assert tags.all_of(environment(), "base", FINGERPRINT, CLEAN) == ("base-ffffffffffff",)
    dirty = Checkout(commit=COMMIT, dirty=("a.py",))
    assert tags.all_of(environment(), "web", FINGERPRINT, dirty) == ("web-cffffffffffff",)


def test_templates_are_filled_in_and_one_without_a_build_number_is_left_out() -> None:
    chosen = environment(immutable=("{environment}.{role}-{sha}", "{role}-b{build}", "{role}-b{build}"))
    assert tags.immutable(chosen, "web", commit=COMMIT) == (f"stg.web-{COMMIT}",)
    assert tags.immutable(chosen, "web", commit=COMMIT, build="17") == (f"stg.web-{COMMIT}", "web-b17")


@pytest.mark.parametrize(
    "name",
    ["GITHUB_RUN_NUMBER", "CI_PIPELINE_IID", "CIRCLE_BUILD_NUM", "CODEBUILD_BUILD_NUMBER", "BUILD_NUMBER"],
)
def test_each_ci_system_tells_its_build_number_in_its_own_way(name: str) -> None:
    assert tags.build_number({name: "17", "CI": "true"}) == "17"


def test_one_s_own_build_number_wins_and_without_any_there_is_none() -> None:
    assert tags.build_number({"GITHUB_RUN_NUMBER": "17", "BUILD_NUMBER": "4.2"}) == "4.2"
    assert tags.build_number({"BUILD_NUMBER": "", "CI": "true"}) == ""


@pytest.mark.parametrize("number", ["a b", "17/2", "é", "1" * 128])
def test_a_build_number_that_fits_no_tag_is_refused_by_its_name(number: str) -> None:
    with pytest.raises(ConfigError, match=r"\$BUILD_NUMBER is"):
        tags.build_number({"BUILD_NUMBER": number})


@pytest.mark.parametrize(
    ("tag", "ours", "moving"),
    [
        ("web-cffffffffffff", True, False),
        ("base-ffffffffffff", True, False),
        ("web-0123456789ab", True, False),
        ("gone-0123456789ab", True, False),
        ("web-b17", True, False),
        ("kept-0123456789ab", True, False),
        ("base", True, True),
        ("web-stg-latest", True, True),
        ("v1.2.3", False, False),
        ("latest", False, False),
        ("web-0123456789AB", False, False),
    ],
)
def test_a_tag_is_ours_when_a_template_explains_it(tag: str, ours: bool, moving: bool) -> None:  # noqa: FBT001
    chosen = environment(immutable=("{role}-b{build}",))
    assert (tags.is_ours(chosen, tag), tags.is_moving(chosen, tag)) == (ours, moving)


@pytest.mark.parametrize("content", ["web-c0123456789ab", "base-0123456789ab", "base-0123456789ab-r20260131T120000Z"])
def test_a_name_until_the_tests_have_passed_says_what_the_image_shall_be(content: str) -> None:
    assert tags.waits_for(tags.waiting(content, "ffffffffffff0000")) == content


@pytest.mark.parametrize("tag", ["built-0123456789ab", "built-web-0123456789ab", "web-c0123456789ab", "built"])
def test_other_tags_wait_for_nothing(tag: str) -> None:
    assert not tags.is_waiting(tag)

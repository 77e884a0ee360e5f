from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib.images import planning
from deploylib.images.planning import ImagePlan, plan_images
from deploylib.images.recipe import Recipe, recipes
from deploylib.images.upstream import nobody
from tests.images.kitchen import CLEAN, DIRTY, shop

if TYPE_CHECKING:
    from pathlib import Path

A, B, C, OTHER = (f"sha256:{letter * 64}" for letter in "abcd")


@pytest.fixture
def menu(tmp_path: Path) -> tuple[Recipe, ...]:
    return recipes(shop(tmp_path), CLEAN, nobody)


def all_present(menu: tuple[Recipe, ...]) -> dict[str, str]:
    return {tag: digest for recipe, digest in zip(menu, (A, B, C), strict=True) for tag in recipe.tags}


def plans(menu: tuple[Recipe, ...], present: dict[str, str]) -> dict[str, ImagePlan]:
    return {one.image: one for one in plan_images(menu, present)}


def test_the_registry_is_asked_for_every_tag(menu: tuple[Recipe, ...]) -> None:
    base, web, job = menu
    assert planning.tags(menu) == (*base.tags, *web.tags, *job.tags)


def test_nothing_is_built_when_the_registry_has_everything(menu: tuple[Recipe, ...]) -> None:
    found = plans(menu, all_present(menu))
    assert {image: (one.action, one.digest, one.missing_tags) for image, one in found.items()} == {
        "base": ("reuse", A, ()),
        "web": ("reuse", B, ()),
        "job": ("reuse", C, ()),
    }


def test_everything_is_built_when_the_registry_has_nothing(menu: tuple[Recipe, ...]) -> None:
    found = plans(menu, {})
    assert [(one.image, one.action, one.tags, one.digest) for one in found.values()] == [
        (recipe.image, "build", recipe.tags, "") for recipe in menu
    ]
    assert found["base"].reason == f"the registry has no {menu[0].tags[0]}"
    assert found["web"].reason == "its base image is new"


def test_only_the_role_whose_content_is_missing_is_built(menu: tuple[Recipe, ...]) -> None:
    web = menu[1]
    present = all_present(menu)
    del present[web.tags[0]], present[web.tags[1]]
    found = plans(menu, present)
    assert {image: one.action for image, one in found.items()} == {"base": "reuse", "web": "build", "job": "reuse"}
    assert found["web"].reason == f"the registry has no {web.tags[0]}"
    assert found["base"].digest == A


def test_a_new_commit_without_new_content_is_only_a_tag(menu: tuple[Recipe, ...]) -> None:
    content_tags = {recipe.tags[0]: digest for recipe, digest in zip(menu, (A, B, C), strict=True)}
    found = plans(menu, content_tags)
    assert found["job"] == ImagePlan(
        image="job",
        action="reuse",
        reason="the registry has this very content",
        tags=menu[2].tags,
        missing_tags=menu[2].tags[1:],
        digest=C,
    )


@pytest.mark.parametrize("content_is_there", [True, False])
def test_the_tag_of_a_commit_that_is_another_images_is_left_alone(
    menu: tuple[Recipe, ...],
    content_is_there: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    web = menu[1]
    present = {**all_present(menu), web.tags[1]: OTHER}
    if not content_is_there:
        del present[web.tags[0]]
    found = plans(menu, present)["web"]
    assert found.action == ("reuse" if content_is_there else "build")
    assert found.tags == web.tags[:1]
    assert (found.missing_tags, found.taken_tags) == ((), web.tags[1:])


def test_a_base_that_no_build_needs_is_not_planned_when_the_registry_lost_it(menu: tuple[Recipe, ...]) -> None:
    present = all_present(menu)
    del present[menu[0].tags[0]]
    assert [(image, one.action) for image, one in plans(menu, present).items()] == [("web", "reuse"), ("job", "reuse")]


def test_a_base_that_the_registry_lost_is_built_for_the_role_that_needs_it(menu: tuple[Recipe, ...]) -> None:
    present = dict.fromkeys(menu[2].tags, C)
    found = plans(menu, present)
    assert {image: one.action for image, one in found.items()} == {"base": "build", "web": "build", "job": "reuse"}


def test_a_dirty_tree_gets_its_content_tag_alone(tmp_path: Path) -> None:
    menu = recipes(shop(tmp_path), DIRTY, nobody)
    assert all(len(one.tags) == 1 for one in plan_images(menu, {}))

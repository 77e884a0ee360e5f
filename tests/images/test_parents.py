from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploylib.errors import ImageError
from deploylib.images.recipe import Recipe, recipes
from deploylib.images.upstream import nobody
from tests.images.kitchen import CLEAN, shop
from tests.images.program import Kind, Program, program

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["program"]

NEW, OLD = f"sha256:{'a1' * 32}", f"sha256:{'b2' * 32}"
MODERN: dict[str, Any] = {"buildkit": (0, 13), "driver": "docker"}


@pytest.fixture
def base(tmp_path: Path) -> Recipe:
    found = recipes(shop(tmp_path / "app"), CLEAN, nobody)[0]
    return replace(found, parents=(("debian:12", NEW),))


def build(program: Program, recipe: Recipe, kind: Kind = "buildkit", **more: Any) -> list[str]:
    """Build *recipe*; return what was asked of the program for it, the question for the local image left out."""
    program.docker(kind, **more).build(recipe, "localhost:1/shop:base", base="", line=lambda _: None)
    return [call for call in program.calls if not call.startswith("image inspect")]


def test_a_builder_with_named_contexts_is_told_the_digest(program: Program, base: Recipe) -> None:
    program.holds("debian:12", OLD, f"debian@{OLD}")
    (only,) = build(program, base, "buildx", **MODERN)
    assert f"--build-context=debian:12=docker-image://debian@{NEW}" in only


@pytest.mark.parametrize("kind", ["buildkit", "classic", "podman"])
def test_for_the_others_the_local_tag_is_made_to_name_the_digest(program: Program, base: Recipe, kind: Kind) -> None:
    program.holds("debian:12", "sha256:00", f"debian@{OLD}")
    pull, tag, built = build(program, base, kind)
    assert pull == f"pull debian@{NEW}"
    assert tag == f"tag debian@{NEW} debian:12"
    assert "--build-context" not in built


def test_nothing_is_pulled_when_the_local_tag_is_that_digest(program: Program, base: Recipe) -> None:
    program.holds("debian:12", "sha256:00", f"debian@{OLD}", f"debian@{NEW}")
    assert len(build(program, base)) == 1


def test_an_image_that_this_machine_lacks_is_pulled(program: Program, base: Recipe) -> None:
    assert build(program, base)[0] == f"pull debian@{NEW}"


def test_another_platform_is_pulled_for(program: Program, base: Recipe) -> None:
    assert build(program, base, platform="linux/arm64")[0] == f"pull --platform=linux/amd64 debian@{NEW}"


@pytest.mark.parametrize("identifier", [NEW, NEW.removeprefix("sha256:")])
@pytest.mark.parametrize(("kind", "more"), [("buildkit", {}), ("buildx", MODERN)])
def test_an_image_that_only_this_machine_has_is_taken_as_it_is(
    program: Program, base: Recipe, identifier: str, kind: Kind, more: dict[str, Any]
) -> None:
    program.holds("debian:12", identifier)
    (only,) = build(program, base, kind, **more)
    assert "--build-context" not in only


def test_a_builder_apart_from_the_engine_cannot_see_such_an_image(program: Program, base: Recipe) -> None:
    program.holds("debian:12", NEW)
    with pytest.raises(ImageError, match="only this machine's engine has debian:12, and BuildKit by buildx") as caught:
        build(program, base, "buildx", builder="ci", driver="docker-container")
    assert caught.value.hint == "docker buildx use default"


def test_where_an_id_is_a_digest_too_a_builder_apart_fetches_what_a_registry_has(
    program: Program, base: Recipe
) -> None:
    program.holds("debian:12", NEW, f"debian@{NEW}")  # as containerd's image store says it
    (only,) = build(program, base, "buildx", builder="ci", driver="docker-container", containerd=True)
    assert f"--build-context=debian:12=docker-image://debian@{NEW}" in only


def test_parents_without_a_digest_and_those_that_name_theirs_are_left_alone(program: Program, base: Recipe) -> None:
    build(program, replace(base, parents=(("debian:12", ""), (f"debian@{OLD}", OLD))))
    assert len(program.calls) == 1


def test_a_parent_that_cannot_be_pulled_is_an_image_error_with_the_engines_words(
    program: Program, base: Recipe
) -> None:
    program.will("toomanyrequests: You have reached your pull rate limit.", code=1)
    with pytest.raises(ImageError, match=r"^image base was not built \(exit code 1\)\ntoomanyrequests") as caught:
        build(program, base)
    assert caught.value.hint.startswith("sign in to Docker Hub")

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from deploylib.config import ImageTest
from deploylib.errors import ConfigError, ImageError
from deploylib.events import BuildStarted, Event, Noticed
from deploylib.images import planning, registry, trial
from deploylib.images.recipe import Recipe, recipes
from deploylib.images.upstream import nobody
from tests.fakes.account import FakeAccount
from tests.images.builder import Builder
from tests.images.kitchen import CLEAN, shop
from tests.images.test_testing import MIGRATION, contract

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from deploylib.config import Environment
    from deploylib.images import gate

REPOSITORY = "localhost:4566/shop"
TEST = ImageTest(commands=(("run", "tests"),))


@dataclass
class Tried:
    """Tests that only note what they were given."""

    images: tuple[str, ...] = ()
    references: dict[str, str] = field(default_factory=dict)
    fail: bool = False

    def run(self, image: str, emit: gate.Emit) -> None:
        if self.fail:
            raise ImageError(f"image {image} did not pass its tests")

    def stop(self) -> None:
        """Nothing runs."""

    @contextlib.contextmanager
    def opened(
        self, variables: Mapping[str, str], references: Mapping[str, str], images: Sequence[str]
    ) -> Iterator[Tried]:
        self.references, self.images = dict(references), tuple(images)
        yield self


@dataclass
class Scene:
    """An application in a folder, its registry, and what trying it out did."""

    environment: Environment
    fake: FakeAccount
    builder: Builder
    tried: Tried = field(default_factory=Tried)

    @property
    def menu(self) -> tuple[Recipe, ...]:
        return recipes(self.environment, CLEAN, nobody)

    def have(self, image: str) -> str:
        """Have an image in the registry; return its digest."""
        made = next(one for one in self.menu if one.image == image)
        return self.fake.ecr.have("shop", *made.tags)

    def test(self, role: str = "") -> list[Event]:
        present = registry.present(self.fake.account.ecr, REPOSITORY, planning.tags(self.menu))
        self.fake.forget_calls()
        return list(
            trial.carry_out(
                self.fake.account,
                self.environment,
                contract(),
                self.menu,
                present,
                role=role,
                clock=self.fake.clock,
                connect=lambda _: self.builder,
                open_tests=self.tried.opened,
            )
        )


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """An application whose role `web` has tests, and `job` none."""
    fake = FakeAccount()
    fake.ecr.have("shop", "something-else")
    return Scene(environment=with_tests(shop(tmp_path), web=TEST), fake=fake, builder=Builder(fake))


def with_tests(environment: Environment, **tests: ImageTest) -> Environment:
    roles = {name: replace(one, test=tests.get(name)) for name, one in environment.images.roles.items()}
    return replace(environment, images=replace(environment.images, roles=roles), migration=MIGRATION)


def test_what_the_registry_lacks_is_built_here_on_a_base_that_was_built_here_and_nothing_is_pushed(
    scene: Scene,
) -> None:
    scene.test()
    base = scene.menu[0].tags[0]
    made = dict(scene.builder.built)
    assert [*made] == ["base", "web"]
    assert made["web"] == f"{REPOSITORY}:{base}"
    assert scene.builder.pushed == []
    assert scene.fake.wrote == ()
    assert scene.tried.images == ("web",)


def test_what_the_registry_has_is_tested_as_it_is_there(scene: Scene) -> None:
    scene.have("base")
    digest = scene.have("web")
    assert not [one for one in scene.test() if isinstance(one, BuildStarted)]
    assert scene.tried.references["web"] == f"{REPOSITORY}@{digest}"
    assert scene.builder.built == []
    assert scene.fake.wrote == ()


def test_a_role_whose_base_is_in_the_registry_stands_on_that(scene: Scene) -> None:
    digest = scene.have("base")
    scene.test()
    assert scene.builder.built == [("web", f"{REPOSITORY}@{digest}")]


def test_the_image_that_carries_the_migration_is_made_too_when_a_test_asks_for_it(scene: Scene) -> None:
    scene.environment = with_tests(scene.environment, job=replace(TEST, migrate=True))
    scene.have("base")
    scene.test()
    assert {image for image, _ in scene.builder.built} == {"web", "job"}
    assert scene.tried.images == ("job",)


def test_one_role_is_tested_alone(scene: Scene) -> None:
    scene.environment = with_tests(scene.environment, web=TEST, job=TEST)
    scene.have("base")
    scene.test("job")
    assert [image for image, _ in scene.builder.built] == ["job"]
    assert scene.tried.images == ("job",)


def test_an_image_that_does_not_pass_is_an_image_error(scene: Scene) -> None:
    scene.tried.fail = True
    with pytest.raises(ImageError, match="image web did not pass its tests"):
        scene.test()


@pytest.mark.parametrize(
    ("role", "said"),
    [
        ("", "nothing to test: no role has tests (images.roles.ROLE.test)"),
        ("job", "nothing to test: the role job has no tests (images.roles.job.test)"),
    ],
)
def test_when_there_is_nothing_to_test_that_is_said_and_nothing_is_built(scene: Scene, role: str, said: str) -> None:
    if not role:
        scene.environment = with_tests(scene.environment)
    assert scene.test(role) == [Noticed(message=said)]
    assert scene.builder.built == []


def test_an_unknown_role_is_a_mistake_of_the_command_line(scene: Scene) -> None:
    with pytest.raises(ConfigError, match="no role 'jobs'; there are web, job") as caught:
        trial.roles_to_test(scene.environment, "jobs")
    assert caught.value.exit_code == 2
    assert caught.value.hint == "inv image.test --role web"

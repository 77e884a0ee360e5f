"""What a pipeline's files are made from: the images of a commit, or those that others pushed, in the right account."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from deploylib import config, generated
from deploylib.config import ServiceRelease
from deploylib.errors import RefusedError
from deploylib.pipeline import buildspec, files, observation
from tests.fakes import world as worlds
from tests.images import kitchen
from tests.images.builder import Builder, finish

if TYPE_CHECKING:
    from deploylib.config import Environment
    from deploylib.pipeline.observation import Images
    from tests.fakes.world import World

WEB = worlds.ServiceSpec(
    key="web", containers={"app": "web", "nginx": "nginx"}, tasks=2, balanced=True, codedeploy=True
)
JOB = worlds.SERVICES[1]
BUILD_ROLE = Path(__file__).parents[2] / "terraform/modules/pipeline/build.tf"
FREE = "sts:GetCallerIdentity"


class Pushing(Builder):
    """A builder whose pushes go to the repository of the world."""

    def push(self, image: str, reference: str) -> str:
        return self.fake.ecr.have(worlds.APP, reference.rpartition(":")[2])


@pytest.fixture
def app(tmp_path: Path) -> Environment:
    """An application that starts from nothing, so that nobody outside has to be asked."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile.j2").write_text("FROM scratch\nLABEL role={{ role }}\n")
    roles = {role: config.RoleImage(dockerfile="Dockerfile.j2") for role in worlds.ROLES}
    services = {"web": {"containers": {"app": {"role": "web"}, "nginx": {"role": "nginx"}}}}
    return worlds.environment(
        tmp_path,
        images=config.Images(roles=roles, cache=False),
        services={"web": ServiceRelease(strategy="codedeploy")},
        terraform={"services": {**services, "job": {"containers": {"worker": {"role": "job"}}}}},
        migration=None,
    )


@pytest.fixture
def world() -> World:
    return worlds.world(WEB, JOB)


def test_images_that_are_there_are_released_by_digest(world: World, app: Environment) -> None:
    there = {one.image: world.aws.ecr.have(worlds.APP, one.tags[0]) for one in looked(world, app).recipes}
    found = looked(world, app)
    observation.refuse_missing(app, found, build=False)
    assert found.digests == there
    assert world.aws.wrote == ()


def test_images_that_are_not_there_are_refused_with_what_makes_them(world: World, app: Environment) -> None:
    found = looked(world, app)
    with pytest.raises(RefusedError, match="lacks this commit's image of") as refused:
        observation.refuse_missing(app, found, build=False)
    assert refused.value.hint == "add --build"
    observation.refuse_missing(app, found, build=True)


def test_an_environment_that_takes_what_was_released_elsewhere_never_builds(world: World, app: Environment) -> None:
    production = replace(app, promote_from="dev")
    with pytest.raises(RefusedError) as refused:
        observation.refuse_missing(production, looked(world, app), build=True)
    assert refused.value.hint == "inv image.promote --env stg"


def test_what_is_missing_is_built_and_its_files_say_where_it_is(world: World, app: Environment, tmp_path: Path) -> None:
    live = observation.live(world.account, app)
    happening = observation.built(
        world.account, app, looked(world, app), clock=world.clock, connect=lambda _: Pushing(fake=world.aws)
    )
    _, digests = finish(happening)
    made = files.files(observation.release(world.account, live, digests, "c0ffee"))
    for name, text in made.items():
        generated.write(tmp_path / "out" / name, text)
    assert set(made) == {
        "web/taskdef.json",
        "web/appspec.yaml",
        "job/imagedefinitions.json",
        "images/web/imageDetail.json",
        "images/nginx/imageDetail.json",
    }
    (job,) = json.loads((tmp_path / "out/job/imagedefinitions.json").read_text())
    assert job == {"name": "worker", "imageUri": f"{world.repository}@{digests['job']}"}
    world.ecs.register_task_definition(**json.loads((tmp_path / "out/web/taskdef.json").read_text()))


def test_the_folders_are_those_of_the_buildspec(world: World, app: Environment) -> None:
    live = observation.live(world.account, app)
    digests = dict.fromkeys(worlds.ROLES, f"sha256:{'a' * 64}")
    made = files.files(observation.release(world.account, live, digests))
    secondary: dict[str, Any] = yaml.safe_load(buildspec.render(app))["artifacts"]["secondary-artifacts"]
    images = {f"{one['base-directory']}/imageDetail.json" for key, one in secondary.items() if key != "files"}
    assert images == {f"artifacts/{path}" for path in made if path.endswith("imageDetail.json")}


def test_a_wrong_account_is_refused(world: World, app: Environment) -> None:
    other = replace(app, account=replace(app.account, id="999999999999"))
    with pytest.raises(RefusedError):
        observation.live(world.account, other)


def test_a_service_that_somebody_else_moves_than_the_configuration_says_is_refused(
    world: World, app: Environment
) -> None:
    with pytest.raises(RefusedError, match=r"services\.web\.strategy is ecs"):
        observation.live(world.account, replace(app, services={}))


def test_the_role_of_the_build_may_do_all_that_is_asked_of_aws(world: World, app: Environment) -> None:
    looked(world, app)
    asked = {*world.aws.calls} - {FREE}
    assert asked
    allowed = BUILD_ROLE.read_text(encoding="utf-8")
    assert {one for one in asked if f'"{one}"' not in allowed} == set()


def looked(world: World, app: Environment) -> Images:
    live = observation.live(world.account, app)
    return observation.images(world.account, app, live.contract, kitchen.CLEAN)

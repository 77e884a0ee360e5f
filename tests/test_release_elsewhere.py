"""A release whose images CodeBuild builds, from the first look to the services, on a machine without an engine."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploylib import config, events, release
from deploylib.errors import ContractError, ImageError, ToolMissingError
from deploylib.serving import Answer
from tests.fakes import world as worlds
from tests.fakes.codebuild import Course
from tests.images.kitchen import CLEAN

if TYPE_CHECKING:
    from pathlib import Path

    from deploylib.config import Environment
    from tests.fakes.world import World

PLACE = {"project": "guestbook-stg-build", "bucket": "guestbook-stg-build-111111111111", "platform": "linux/amd64"}
TEST = config.ImageTest(commands=(("true",),))


@pytest.fixture(autouse=True)
def _no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing on this machine but git: whoever asks an engine, or starts its client, fails."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")


@pytest.fixture
def app(tmp_path: Path) -> Environment:
    """An application that starts from nothing, and leaves its images to CodeBuild."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile.base").write_text("FROM scratch\nCOPY Dockerfile.base /\n")
    (folder / "Dockerfile.j2").write_text("FROM {{ base_image }}\nLABEL role={{ role }}\n")
    roles = {role: config.RoleImage(dockerfile="Dockerfile.j2") for role in worlds.ROLES}
    base = config.BaseImage(dockerfile="Dockerfile.base")
    return worlds.environment(tmp_path, images=config.Images(engine="codebuild", roles=roles, base=base))


@pytest.fixture
def world() -> World:
    made = worlds.world()
    made.aws.codebuild.projects.add(PLACE["project"])
    made.aws.s3.objects[PLACE["bucket"]] = {}
    publish(made, remote_build=PLACE)
    return made


def publish(world: World, **more: object) -> None:
    world.aws.ssm.give(worlds.PARAMETER, json.dumps(world.contract_document() | more))


def proposed(world: World, app: Environment) -> release.Release:
    one = release.propose(app, world.account, CLEAN, clock=world.clock)
    world.aws.forget_calls()
    return replace(one, get=lambda _: Answer(status=200, body=CLEAN.commit))


def run(one: release.Release) -> list[events.Event]:
    return list(release.execute(one))


def test_a_release_needs_no_engine_on_this_machine(world: World, app: Environment) -> None:
    seen = run(proposed(world, app))
    assert isinstance(seen[-1], events.Completed)
    assert {one.image for one in seen if isinstance(one, events.Built)} == {"base", *worlds.ROLES}
    assert len(world.aws.codebuild.builds) == 4
    pushed = {one.image: one.digest for one in seen if isinstance(one, events.Pushed)}
    service = world.ecs.describe_services(cluster=world.cluster, services=[worlds.JOB])["services"][0]
    revision = world.ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    assert f"{world.repository}@{pushed['job']}" in {one["image"] for one in revision["containerDefinitions"]}


def test_with_tests_of_images_the_engine_is_asked_for_before_anything_is_built(world: World, app: Environment) -> None:
    roles = {**app.images.roles, "web": replace(app.images.roles["web"], test=TEST)}
    one = proposed(world, replace(app, images=replace(app.images, roles=roles)))
    with pytest.raises(ToolMissingError, match="no container engine answers") as caught:
        run(one)
    assert caught.value.__notes__ == ["image tests run on this machine, wherever the images are built"]
    assert not world.aws.codebuild.builds


def test_a_build_that_fails_leaves_the_services_alone(world: World, app: Environment) -> None:
    world.aws.codebuild.course = Course(status="FAILED", lines=("no such package",))
    with pytest.raises(ImageError, match=r"(?s)image base was not built: .* is FAILED.*no such package") as caught:
        run(proposed(world, app))
    assert caught.value.exit_code == 4
    assert not [call for call in world.aws.wrote if call in {"update_service", "register_task_definition"}]


def test_a_build_that_is_stopped_in_the_console_ends_the_release(world: World, app: Environment) -> None:
    one = proposed(world, app)
    world.clock.after(30, lambda: world.aws.codebuild.stop_build(id=world.aws.codebuild.builds[0].id))
    with pytest.raises(ImageError, match=r"image base was not built: .* is STOPPED") as caught:
        run(one)
    assert (caught.value.exit_code, caught.value.hint) == (4, "somebody stopped the build; repeat the command")


def test_without_a_project_the_hint_makes_one_before_anybody_is_asked(world: World, app: Environment) -> None:
    publish(world)
    with pytest.raises(ContractError, match="names no project that builds") as caught:
        proposed(world, app)
    assert caught.value.hint.endswith("inv infra.apply --env stg")


def test_what_is_built_already_needs_no_project(world: World, app: Environment) -> None:
    run(proposed(world, app))
    publish(world)
    assert {one.action for one in proposed(world, app).plan.images} == {"reuse"}


def test_the_run_after_one_that_died_in_its_migration_builds_nothing(world: World, app: Environment) -> None:
    first = release.execute(proposed(world, app))
    for event in first:
        if isinstance(event, events.Registered):
            break
    world.corpses.append(first)
    world.clock.advance(3600)
    seen = run(proposed(world, app))
    assert isinstance(seen[-1], events.Completed)
    assert not world.aws.calls["codebuild:StartBuild"]


def test_ctrl_c_stops_every_build(world: World, app: Environment) -> None:
    world.aws.codebuild.course = Course(seconds=600_000)
    steps = release.execute(proposed(world, app))
    with pytest.raises(KeyboardInterrupt):
        for event in steps:
            if isinstance(event, events.BuildStarted):
                steps.throw(KeyboardInterrupt())
    assert [one.status for one in world.aws.codebuild.builds if one.status != "STOPPED"] == []

"""The compiled example, as its README says: a static program in an empty image, without base and without database."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import aws, config, serving
from deploylib.toolchain import engine
from tests.e2e.project import Project, Visitor, copy_project

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

SOURCE = "examples/clock/main.go"
DEPLOY = ("deploy", "--yes")
SMALL = 10_000_000


@contextlib.contextmanager
def compiling(project: Project) -> Iterator[None]:
    """Fill the layer cache beside what else happens: Terraform mostly waits. A failure is for the deploy to tell."""
    docker, name = engine.find(), f"compiling-{project.head[:12]}"
    words = ("build", "--target", "build", "--build-arg", "OS_IMAGE=local/debian:bookworm", "--tag", name, ".")
    beside = subprocess.Popen(
        [docker.program, *words],
        cwd=project.path / "examples" / "clock",
        env={**os.environ, **docker.environ, "DOCKER_BUILDKIT": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
        beside.wait()
    finally:
        beside.kill()
        beside.wait()
        docker.api.delete(f"/images/{name}")


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A copy of this project with the example's environments, its infrastructure applied."""
    project = copy_project(tmp_path_factory.mktemp("clock"))
    shutil.rmtree(project.path / "environments")
    shutil.copytree(project.path / "examples/clock/environments", project.path / "environments")
    project.commit("The compiled example's environments")
    try:
        project.inv("local.up")
        with compiling(project):
            project.inv("infra.apply", "--yes")
        yield project
    finally:
        project.inv("local.down")


def url(project: Project) -> str:
    found = re.search(r"http://\S+\.alb\.localhost:\d+", project.inv("local.status").out)
    assert found, "inv local.status prints no URL"
    return found[0]


def image(url: str) -> dict[str, Any]:
    """Return what the engine knows of the newest image in the registry beside *url*."""
    registry = f"localhost:{url.rpartition(':')[2]}/clock"
    listed = subprocess.run(
        ["docker", "images", "--quiet", registry], capture_output=True, text=True, check=True
    ).stdout.split()
    inspected = subprocess.run(["docker", "image", "inspect", listed[0]], capture_output=True, text=True, check=True)
    return dict(json.loads(inspected.stdout)[0])


def test_a_static_program_is_released_in_an_empty_image(clock: Project) -> None:
    ran = clock.inv(*DEPLOY)
    assert "image web: passed its tests" in ran.out
    assert "image base" not in ran.out

    address = url(clock)
    assert json.loads(serving.fetch(f"{address}/version").body) == {"commit": clock.head}
    answer = serving.fetch(f"{address}/?zone=Asia/Tokyo")
    assert (answer.status, "+09:00" in answer.body) == (200, True), answer.body
    made = image(address)
    assert len(made["RootFS"]["Layers"]) == 1
    assert made["Size"] < SMALL
    assert made["Config"]["User"] == "65532:65532"


def test_a_second_deploy_does_nothing(clock: Project) -> None:
    before = len(clock.api_calls())
    assert "nothing to do" in clock.inv(*DEPLOY).out.lower()
    assert [one for one in clock.api_calls()[before:] if one["write"]] == []


@pytest.mark.parametrize("words", [("base.status",), ("base.status", "--check"), ("base.refresh",)])
def test_commands_for_the_base_say_that_there_is_none(words: tuple[str, ...], clock: Project) -> None:
    assert "this app has no base image" in clock.inv(*words, expect=2).err


def test_a_go_test_that_fails_stops_the_release(clock: Project) -> None:
    clock.replace("examples/clock/clock.go", '"status": "ok"', '"status": "broken"')
    clock.commit("A health page that its test does not know")
    ran = clock.inv(*DEPLOY, expect=4)
    assert "FAIL: TestAnswers" in ran.text
    clock.git("revert", "--no-edit", "HEAD")


def test_a_changed_line_is_compiled_and_rolled_out_without_a_failed_request(clock: Project) -> None:
    clock.replace(SOURCE, "stopping: finishing", "stopping, but finishing")
    clock.commit("Another word in the log")
    with Visitor(f"{url(clock)}/version") as visitor:
        ran = clock.inv(*DEPLOY)
    assert "image web: built" in ran.out
    assert "Setting up golang" not in ran.out, "the compiler was installed again"
    assert visitor.failures == []
    assert any(clock.head in body for body in visitor.bodies)


def test_destroy_takes_the_revisions_of_the_deploys_too(clock: Project) -> None:
    """Comes last."""
    environment = config.load(clock.path, variables={})
    ecs = aws.signed_in(environment).ecs
    assert ecs.list_task_definitions()["taskDefinitionArns"]
    ran = clock.inv("infra.destroy", "--yes")
    assert re.search(r"removing \d revisions? of clock-local-web", ran.out)
    assert ecs.list_task_definitions()["taskDefinitionArns"] == []
    assert clock.inv("infra.tf", "--", "state", "list").out == ""
    assert "Terraform has not published" in clock.inv(*DEPLOY, expect=2).err

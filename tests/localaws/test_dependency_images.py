from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from deploylib.errors import ProcessError
from deploylib.localaws import dependency_images
from deploylib.localaws.dependency_images import POSTGRES, REDIS, DependencyImage
from deploylib.toolchain.engine import Engine
from tests.toolchain.fake_engine import FakeEngine
from tests.toolchain.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeEngine]:
    made = FakeEngine(tmp_path / "docker.sock")
    made.start()
    yield made
    made.stop()


def engine_of(stage: Stage, fake: FakeEngine) -> Engine:
    return Engine(host=fake.host, program=str(stage.bin / "docker"), name="docker", version="1", bridge_address="")


def ensure(stage: Stage, fake: FakeEngine, image: DependencyImage = POSTGRES) -> bool:
    return dependency_images.ensure(stage.checkout, engine_of(stage, fake), stage.say, image=image)


@pytest.mark.parametrize("image", dependency_images.ALL, ids=lambda image: image.folder)
def test_an_image_comes_from_the_public_registry_where_that_answers(
    stage: Stage, fake: FakeEngine, image: DependencyImage
) -> None:
    stage.program("docker")

    assert ensure(stage, fake, image)

    assert stage.calls[0] == f"docker pull --quiet {image.registry_name}"
    assert f"--tag {image.name} " in stage.calls[1]
    assert "--build-arg" not in stage.calls[1]


@pytest.mark.parametrize("image", dependency_images.ALL, ids=lambda image: image.folder)
def test_without_the_registry_an_image_is_built_on_the_os_image(
    stage: Stage, fake: FakeEngine, image: DependencyImage
) -> None:
    keep = f'eval folder=\\${{$#}}; cp -r "$folder" {stage.root}/context'
    stage.program("docker", f"case $1 in pull) exit 1;; build) {keep};; esac")

    assert ensure(stage, fake, image)

    assert f"--build-arg OS_IMAGE=local/debian:bookworm --build-arg MAJOR={image.major}" in stage.calls[1]
    assert sorted(path.name for path in (stage.root / "context").iterdir()) == ["Dockerfile", "docker-entrypoint.sh"]


def test_an_image_that_is_there_is_not_made_again(stage: Stage, fake: FakeEngine) -> None:
    fake.add_image(POSTGRES.name)

    assert not ensure(stage, fake)
    assert stage.calls == []


def test_only_what_is_missing_is_made(stage: Stage, fake: FakeEngine) -> None:
    stage.program("docker")
    fake.add_image(POSTGRES.name)

    dependency_images.ensure_all(stage.checkout, engine_of(stage, fake), stage.say)

    assert stage.said == [f"making the image {REDIS.name} from {REDIS.registry_name}"]


def test_the_images_are_made_side_by_side(stage: Stage, fake: FakeEngine) -> None:
    meeting = stage.root / "meeting"  # a pipe: who opens one end waits until the other is opened
    os.mkfifo(meeting)
    stage.program("docker", f"case $* in build*postgres*) read x < {meeting};; build*redis*) echo x > {meeting};; esac")

    dependency_images.ensure_all(stage.checkout, engine_of(stage, fake), stage.say)

    assert len([call for call in stage.calls if call.startswith("docker build")]) == 2


def test_one_that_fails_is_told(stage: Stage, fake: FakeEngine) -> None:
    stage.program("docker", f"case $* in *{REDIS.name}*) echo no space; exit 1;; esac")

    with pytest.raises(ProcessError, match="no space"):
        dependency_images.ensure_all(stage.checkout, engine_of(stage, fake), stage.say)


def test_the_emulator_is_told_the_image_by_its_major_version() -> None:
    assert dependency_images.ANY_POSTGRES.format(major=POSTGRES.major) == POSTGRES.name

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib.localaws import database_image
from deploylib.localaws.database_image import DatabaseImage
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


def ensure(stage: Stage, fake: FakeEngine) -> bool:
    engine = Engine(host=fake.host, program=str(stage.bin / "docker"), name="docker", version="1", bridge_address="")
    return database_image.ensure(stage.checkout, engine, stage.say)


def test_the_database_comes_from_the_public_registry_where_that_answers(stage: Stage, fake: FakeEngine) -> None:
    stage.program("docker")

    assert ensure(stage, fake)

    assert stage.calls[0] == "docker pull --quiet postgres:15"
    assert "--build-arg" not in stage.calls[1]


def test_without_the_registry_the_database_is_built_on_the_os_image(stage: Stage, fake: FakeEngine) -> None:
    keep = f'eval folder=\\${{$#}}; cp -r "$folder" {stage.root}/context'
    stage.program("docker", f"case $1 in pull) exit 1;; build) {keep};; esac")

    assert ensure(stage, fake)

    assert "--build-arg OS_IMAGE=local/debian:bookworm --build-arg MAJOR=15" in stage.calls[1]
    assert sorted(path.name for path in (stage.root / "context").iterdir()) == ["Dockerfile", "docker-entrypoint.sh"]


def test_a_database_image_that_is_there_is_not_made_again(stage: Stage, fake: FakeEngine) -> None:
    fake.add_image(DatabaseImage().name)

    assert not ensure(stage, fake)
    assert stage.calls == []


def test_the_emulator_is_told_the_image_by_its_major_version() -> None:
    assert database_image.ANY_MAJOR.format(major=DatabaseImage().major) == DatabaseImage().name

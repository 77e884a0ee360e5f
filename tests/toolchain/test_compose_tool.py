from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploylib.errors import ToolMissingError
from deploylib.toolchain import compose_tool
from deploylib.toolchain.compose_tool import PROJECT_LABEL, SERVICE_LABEL, Removed
from deploylib.toolchain.engine import Engine
from deploylib.toolchain.engine_api import EngineApi
from tests.toolchain.fake_engine import FakeEngine
from tests.toolchain.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROJECT = "guestbook-dev-co-1"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeEngine]:
    made = FakeEngine(tmp_path / "docker.sock")
    made.start()
    yield made
    made.stop()


def engine(stage: Stage, name: str = "docker") -> Engine:
    docker = Engine(
        host="unix:///nowhere", program=str(stage.bin / name), name="docker", version="1", bridge_address=""
    )
    return docker if name == "docker" else replace(docker, name="podman")


def find(stage: Stage, name: str = "docker", plugins: tuple[str, ...] = ()) -> tuple[str, ...]:
    return compose_tool.find(engine(stage, name), stage.environ, plugins=plugins)


def ensure(stage: Stage, *, has_apt: bool = False) -> bool:
    machine = stage.machine(has_apt=has_apt)
    return compose_tool.ensure(machine, engine(stage), stage.say, environ=stage.environ, plugins=())


def add(
    fake: FakeEngine, service: str, *, project: str = PROJECT, port: int = 0, state: dict[str, object] | None = None
) -> None:
    labels = {PROJECT_LABEL: project, SERVICE_LABEL: service}
    fake.add_container(f"{project}-{service}", labels, state=state, port=port)


def test_dockers_plugin_comes_first(stage: Stage) -> None:
    stage.program("docker-compose")
    stage.program("docker-compose", folder=stage.root / "plugins")
    assert find(stage, plugins=(str(stage.root / "plugins"),)) == (str(stage.bin / "docker"), "compose")


def test_a_plugin_of_the_users_own_counts(stage: Stage) -> None:
    stage.program("docker-compose", folder=stage.home / ".docker/cli-plugins")
    assert find(stage)[1:] == ("compose",)


def test_without_a_plugin_the_program_is_taken(stage: Stage) -> None:
    stage.program("docker-compose")
    stage.program("podman-compose")
    assert find(stage) == find(stage, "podman") == (str(stage.bin / "docker-compose"),)


def test_podmans_own_tool_is_for_podman_only(stage: Stage) -> None:
    stage.program("podman-compose")
    assert find(stage, "podman") == (str(stage.bin / "podman-compose"),)
    with pytest.raises(ToolMissingError) as missing:
        find(stage)
    assert missing.value.hint == "make setup"


def test_setup_does_nothing_where_there_is_one(stage: Stage) -> None:
    stage.program("docker-compose")
    assert not ensure(stage)
    assert (stage.said, stage.calls) == ([], [])


def test_setup_goes_on_where_none_can_be_installed(stage: Stage) -> None:
    assert not ensure(stage)
    assert len(stage.said) == 1
    assert stage.said[0].startswith("no compose tool is installed: install Docker's compose plugin")


@pytest.mark.parametrize(
    ("status", "health", "state"),
    [
        ("created", None, "created"),
        ("restarting", None, "created"),
        ("running", None, "running"),
        ("running", "none", "running"),
        ("running", "starting", "starting"),
        ("running", "healthy", "healthy"),
        ("running", "unhealthy", "unhealthy"),
        ("exited", "unhealthy", "exited"),
        ("dead", None, "exited"),
    ],
)
def test_state_of_a_container_is_one_word(fake: FakeEngine, status: str, health: str | None, state: str) -> None:
    add(fake, "web", state={"Status": status, "ExitCode": 3, "Health": {"Status": health} if health else None})
    (found,) = compose_tool.containers(EngineApi(host=fake.host), PROJECT)
    assert (found.service, found.state, found.exit_code) == ("web", state, 3)


def test_containers_of_one_project_are_found_in_order_with_their_ports(fake: FakeEngine) -> None:
    add(fake, "web", port=8080)
    add(fake, "job")
    add(fake, "web", project="another")
    found = compose_tool.containers(EngineApi(host=fake.host), PROJECT)
    assert [(one.service, one.ports) for one in found] == [("job", frozenset()), ("web", frozenset({8080}))]


def test_what_is_removed_is_stopped_first_and_the_data_stays(fake: FakeEngine) -> None:
    add(fake, "web")
    add(fake, "web", project="another")
    for kind in (fake.networks, fake.volumes):
        kind.append({"Id": "one", "Name": "one", "Labels": {PROJECT_LABEL: PROJECT}})

    removed = compose_tool.remove(EngineApi(host=fake.host), PROJECT, volumes=False)

    assert removed == Removed(containers=1, networks=1)
    assert str(removed) == "1 container, 1 network"
    assert fake.stopped == [f"id-{PROJECT}-web"]
    assert [one["Names"] for one in fake.containers] == [["/another-web"]]
    assert len(fake.volumes) == 1


def test_the_data_goes_when_that_is_asked_for(fake: FakeEngine) -> None:
    fake.volumes.append({"Name": "one", "Labels": {PROJECT_LABEL: PROJECT}})
    assert compose_tool.remove(EngineApi(host=fake.host), PROJECT, volumes=True) == Removed(volumes=1)
    assert str(compose_tool.remove(EngineApi(host=fake.host), PROJECT, volumes=True)) == "nothing"


def test_projects_of_a_checkout_are_found_by_the_end_of_their_name(fake: FakeEngine) -> None:
    add(fake, "web")
    add(fake, "web", project="other-dev-co-2")
    fake.volumes.append({"Name": "one", "Labels": {PROJECT_LABEL: "kept-dev-co-1"}})
    assert compose_tool.projects(EngineApi(host=fake.host), "-dev-co-1") == (PROJECT, "kept-dev-co-1")

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from deploylib.errors import RefusedError, ToolMissingError
from deploylib.toolchain import engine
from deploylib.toolchain.engine import ClientMissingError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.toolchain.fake_engine import FakeEngine
    from tests.toolchain.stage import Stage


def context(home: Path, name: str, host: str) -> None:
    """Write a Docker context as `docker context create` and `use` do."""
    folder = home / ".docker" / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
    (home / ".docker" / "config.json").write_text(json.dumps({"currentContext": name}))


def test_the_engine_that_answers_is_described_from_its_socket(
    stage: Stage, engine_at: Callable[..., FakeEngine]
) -> None:
    fake = engine_at(stage.root / "docker.sock")
    docker = stage.program("docker")

    found = engine.find(stage.environ, sockets=(str(fake.socket),))

    assert found == engine.Engine(
        host=fake.host, program=str(docker), name="docker", version="20.10.24", bridge_address="172.17.0.1"
    )
    assert found.environ == {"DOCKER_HOST": fake.host}
    assert stage.calls == [], "finding an engine runs no program"


def test_docker_is_preferred_to_podman(stage: Stage, engine_at: Callable[..., FakeEngine]) -> None:
    docker, podman = engine_at(stage.root / "docker.sock"), engine_at(stage.root / "podman.sock", podman=True)
    stage.program("docker")

    found = engine.find(stage.environ, sockets=(str(docker.socket), str(podman.socket)))

    assert (found.name, found.host) == ("docker", docker.host)


def test_podman_is_used_through_its_docker_socket_with_its_own_command_line(
    stage: Stage, engine_at: Callable[..., FakeEngine]
) -> None:
    fake = engine_at(stage.root / "podman.sock", podman=True)
    podman = stage.program("podman")

    found = engine.find(stage.environ, sockets=(str(stage.root / "docker.sock"), str(fake.socket)))

    assert (found.name, found.program, found.version) == ("podman", str(podman), "4.3.1")


def test_rootless_sockets_are_looked_for_in_the_runtime_directory() -> None:
    sockets = engine.usual_sockets({"XDG_RUNTIME_DIR": "/run/user/7"})

    assert sockets.index("/run/user/7/docker.sock") < sockets.index("/run/podman/podman.sock")
    assert sockets[-1] == "/run/user/7/podman/podman.sock"


def test_an_engine_that_does_not_name_its_gateway_has_the_first_address_of_its_subnet(
    stage: Stage, engine_at: Callable[..., FakeEngine]
) -> None:
    fake = engine_at(stage.root / "docker.sock", bridge={"IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}]}})
    stage.program("docker")

    assert engine.find(stage.environ, sockets=(str(fake.socket),)).bridge_address == "10.9.0.1"


def test_an_engine_without_a_default_network_is_refused(stage: Stage, engine_at: Callable[..., FakeEngine]) -> None:
    fake = engine_at(stage.root / "docker.sock", bridge={"IPAM": {"Config": []}})
    stage.program("docker")

    with pytest.raises(ToolMissingError, match="no default bridge network"):
        engine.find(stage.environ, sockets=(str(fake.socket),))


def test_no_engine_is_an_error_that_says_where_it_was_looked_for(stage: Stage) -> None:
    with pytest.raises(ToolMissingError, match=r"no container engine answers at unix:///nowhere or unix:///neither"):
        engine.find(stage.environ, sockets=("/nowhere", "/neither"))


@pytest.mark.parametrize("host", ["tcp://10.0.0.7:2375", "tcp://localhost:2375", "ssh://deploy@server", "npipe://x"])
def test_an_engine_that_may_be_on_another_machine_is_refused(stage: Stage, host: str) -> None:
    with pytest.raises(RefusedError, match=host) as refused:
        engine.find({**stage.environ, "DOCKER_HOST": host})

    assert refused.value.exit_code == 3
    assert "DOCKER_HOST" in refused.value.hint


def test_a_remote_context_is_refused(stage: Stage) -> None:
    context(stage.home, "production", "tcp://10.0.0.7:2376")

    with pytest.raises(RefusedError, match="another machine"):
        engine.find(stage.environ)


def test_a_remote_engine_that_is_meant_is_asked(stage: Stage) -> None:
    environ = {**stage.environ, "DOCKER_HOST": "tcp://127.0.0.1:1", "DEPLOY_ALLOW_REMOTE_ENGINE": "1"}

    with pytest.raises(ToolMissingError, match=r"no container engine answers at tcp://127\.0\.0\.1:1"):
        engine.find(environ)


def test_a_local_context_wins_over_the_usual_sockets(stage: Stage, engine_at: Callable[..., FakeEngine]) -> None:
    other, chosen = engine_at(stage.root / "docker.sock"), engine_at(stage.root / "desktop.sock")
    context(stage.home, "desktop", chosen.host)
    stage.program("docker")

    assert engine.find(stage.environ, sockets=(str(other.socket),)).host == chosen.host


def test_docker_host_wins_over_the_context(stage: Stage, engine_at: Callable[..., FakeEngine]) -> None:
    chosen = engine_at(stage.root / "mine.sock")
    context(stage.home, "production", "tcp://10.0.0.7:2376")
    stage.program("docker")

    assert engine.find({**stage.environ, "DOCKER_HOST": chosen.host}).host == chosen.host


def test_a_context_that_does_not_exist_is_named(stage: Stage) -> None:
    with pytest.raises(ToolMissingError, match="context 'gone' does not exist"):
        engine.find({**stage.environ, "DOCKER_CONTEXT": "gone"})


def test_an_engine_without_its_command_line_is_told_apart(stage: Stage, engine_at: Callable[..., FakeEngine]) -> None:
    fake = engine_at(stage.root / "docker.sock")

    with pytest.raises(ClientMissingError, match="`docker` is not installed"):
        engine.find(stage.environ, sockets=(str(fake.socket),))


def test_of_several_clients_without_buildx_the_distributions_own_is_taken(stage: Stage) -> None:
    newer = stage.program("docker", folder=stage.root / "local")
    packaged = stage.program("docker", folder=stage.root / "usr")
    environ = {"PATH": f"{newer.parent}:{packaged.parent}", "HOME": str(stage.home)}

    assert engine.client(environ, "docker", packaged=str(packaged), plugins=()) == str(packaged)


def test_with_buildx_the_first_client_on_path_is_taken(stage: Stage) -> None:
    newer = stage.program("docker", folder=stage.root / "local")
    packaged = stage.program("docker", folder=stage.root / "usr")
    stage.program("docker-buildx", folder=stage.home / ".docker" / "cli-plugins")
    environ = {"PATH": f"{newer.parent}:{packaged.parent}", "HOME": str(stage.home)}

    assert engine.client(environ, "docker", packaged=str(packaged), plugins=()) == str(newer)

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from deploylib.errors import ImageError, ToolMissingError
from deploylib.images import ability, docker
from deploylib.images.ability import Ability
from deploylib.images.supplies import Supplies
from deploylib.toolchain.engine import Engine
from tests.images.program import Program, program
from tests.toolchain.fake_engine import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["program"]

OLD, NEW = "Docker version 20.10.24+dfsg1, build 297e128\n", "Docker version 28.2.2, build e6534b4\n"
INSPECTED = """\
Name:          {name}
Driver:        {driver}
Last Activity: 2026-01-31 10:00:00 +0000 UTC

Nodes:
Name:             {name}0
Endpoint:         unix:///var/run/docker.sock
Status:           running
BuildKit version: {version}
Platforms:        linux/amd64*, linux/arm64, linux/386
Labels:
 org.mobyproject.buildkit.worker.snapshotter: overlayfs
"""


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeEngine]:
    engine = FakeEngine(tmp_path / "docker.sock")
    engine.start()
    yield engine
    engine.stop()


def engine(fake: FakeEngine, program: Program, name: Literal["docker", "podman"] = "docker") -> Engine:
    return Engine(host=fake.host, program=program.path, name=name, version=fake.version, bridge_address="172.17.0.1")


def inspected(name: str = "default", driver: str = "docker", version: str = "v0.13.1") -> str:
    return INSPECTED.format(name=name, driver=driver, version=version)


def test_buildx_is_taken_where_it_is_with_what_its_builder_says(fake: FakeEngine, program: Program) -> None:
    fake.architecture = "arm64"
    program.has_buildx(inspected())
    found = ability.ask(engine(fake, program), {})
    assert found == Ability(
        kind="buildx",
        program=program.path,
        platform="linux/arm64",
        buildkit=(0, 13),
        builder="default",
        driver="docker",
        platforms=("linux/amd64", "linux/arm64", "linux/386"),
    )
    assert found.name == "BuildKit 0.13 by buildx (default, driver docker)"
    assert (found.has_secrets, found.pins, found.keeps_cache, found.attests) == (True, True, False, False)


def test_images_in_containerd_make_caches_and_attestations_possible(fake: FakeEngine, program: Program) -> None:
    fake.store = "io.containerd.snapshotter.v1"
    program.has_buildx(inspected())
    found = ability.ask(engine(fake, program), {})
    assert (found.keeps_cache, found.attests, found.loads_attested, found.is_apart) == (True, True, True, False)


def test_a_builder_of_its_own_keeps_caches_but_sees_no_local_image(fake: FakeEngine, program: Program) -> None:
    program.has_buildx(inspected("ci", "docker-container"))
    found = ability.ask(engine(fake, program), {})
    assert (found.keeps_cache, found.is_apart, found.attests, found.loads_attested) == (True, True, True, False)


def test_a_builder_that_does_not_run_yet_is_taken_for_new(fake: FakeEngine, program: Program) -> None:
    program.has_buildx("Name:   ci\nDriver: docker-container\n\nNodes:\nName:     ci0\nStatus:   inactive\n")
    found = ability.ask(engine(fake, program), {})
    assert found.buildkit is None
    assert found.pins
    assert found.name == "BuildKit by buildx (ci, driver docker-container)"


def test_the_buildkit_of_an_old_engine_knows_no_named_contexts(fake: FakeEngine, program: Program) -> None:
    program.has_buildx(inspected(version="v0.8+unknown"))
    found = ability.ask(engine(fake, program), {})
    assert (found.buildkit, found.pins) == ((0, 8), False)


def test_a_chosen_builder_that_is_gone_is_said(fake: FakeEngine, program: Program) -> None:
    program.has_buildx("", trouble='ERROR: no builder "ci" found\n')
    with pytest.raises(ToolMissingError, match='does not answer: ERROR: no builder "ci" found') as caught:
        ability.ask(engine(fake, program), {})
    assert caught.value.hint == "docker buildx use default"


@pytest.mark.parametrize(
    ("client", "server", "expected"),
    [
        (OLD, "20.10.24+dfsg1", ("buildkit", (0, 8))),
        (OLD, "24.0.9", ("buildkit", (0, 11))),
        (OLD, "19.03.15", ("classic", None)),
        ("Docker version 19.03.15, build 99e3ed8919\n", "20.10.24", ("classic", None)),
        (NEW, "20.10.24", ("classic", None)),
        (NEW, "28.2.2", ("classic", None)),
    ],
)
def test_without_buildx_an_old_client_uses_the_buildkit_inside_the_engine(
    fake: FakeEngine, program: Program, client: str, server: str, expected: tuple[str, tuple[int, int] | None]
) -> None:
    fake.version = server
    program.is_version(client)
    found = ability.ask(engine(fake, program), {})
    assert (found.kind, found.buildkit) == expected
    assert (found.has_secrets, found.keeps_cache, found.attests) == (expected[0] == "buildkit", False, False)


def test_podman_builds_by_its_own_command_line(fake: FakeEngine, program: Program) -> None:
    (program.folder / "podman").symlink_to(program.path)
    found = ability.ask(engine(fake, program, "podman"), {"PATH": str(program.folder)})
    assert (found.kind, found.program) == ("podman", str(program.folder / "podman"))
    assert found.has_secrets


def test_podman_behind_dockers_client_is_built_with_in_the_classic_way(fake: FakeEngine, program: Program) -> None:
    found = ability.ask(engine(fake, program, "podman"), {"PATH": "/nowhere"})
    assert (found.kind, found.program) == ("classic", program.path)


def test_an_engine_that_does_not_answer_is_a_missing_tool(fake: FakeEngine, program: Program) -> None:
    there = engine(fake, program)
    fake.stop()
    with pytest.raises(ToolMissingError, match="does not answer"):
        ability.ask(there, {})


@pytest.mark.parametrize(("kind", "switch"), [("buildx", "1"), ("buildkit", "1"), ("classic", "0")])
def test_the_client_is_told_which_builder_is_meant(fake: FakeEngine, program: Program, kind: str, switch: str) -> None:
    program.is_version(OLD if kind == "buildkit" else NEW)
    if kind == "buildx":
        program.has_buildx(inspected())
    found = docker.asked(engine(fake, program), Supplies(variables={"DOCKER_CONFIG": "/config"}))
    assert found.variables["DOCKER_BUILDKIT"] == switch
    assert found.variables["DOCKER_HOST"] == fake.host
    assert found.variables["DOCKER_CONFIG"] == "/config"


def test_podman_gets_the_log_ins_in_its_own_file(fake: FakeEngine, program: Program) -> None:
    (program.folder / "podman").symlink_to(program.path)
    given = Supplies(variables={"DOCKER_CONFIG": "/config", "PATH": str(program.folder)})
    assert docker.asked(engine(fake, program, "podman"), given).variables["REGISTRY_AUTH_FILE"] == "/config/auth.json"


def test_attestations_that_the_engine_cannot_hold_are_refused_and_not_left_out(
    fake: FakeEngine, program: Program
) -> None:
    program.has_buildx(inspected())
    with pytest.raises(ImageError, match=r"images\.sbom and images\.provenance: attestations need buildx") as caught:
        docker.asked(engine(fake, program), Supplies(sbom=True, provenance=True))
    assert caught.value.hint == "docker buildx create --use"
    fake.store = "io.containerd.snapshotter.v1"
    assert docker.asked(engine(fake, program), Supplies(sbom=True)).given.sbom

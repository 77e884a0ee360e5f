from __future__ import annotations

import os
from typing import TYPE_CHECKING

from deploylib.toolchain import copy_tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.toolchain.fake_engine import FakeEngine
    from tests.toolchain.stage import Stage


def test_skopeo_is_taken_where_it_is_and_no_engine_is_asked(stage: Stage) -> None:
    program = stage.program("skopeo")
    assert copy_tool.find(stage.environ) == copy_tool.CopyTool(kind="skopeo", program=str(program))


def test_without_skopeo_the_engine_copies_by_buildx_where_it_has_it(
    stage: Stage, engine_at: Callable[..., FakeEngine]
) -> None:
    fake = engine_at(stage.root / "docker.sock")
    docker = stage.program("docker")
    environ = {**stage.environ, "DOCKER_HOST": fake.host}
    (stage.home / ".docker/cli-plugins").mkdir(parents=True)
    (stage.home / ".docker/cli-plugins/docker-buildx").touch()
    found = copy_tool.find(environ)
    assert (found.kind, found.program, found.variables) == ("buildx", str(docker), {"DOCKER_HOST": fake.host})


def test_setup_installs_skopeo_where_nothing_better_than_the_engine_is(stage: Stage) -> None:
    for name in ("apt-get", "apt-cache"):
        stage.program(name)
    environ = {**os.environ, "PATH": str(stage.bin), "HOME": str(stage.home)}
    copy_tool.ensure(stage.machine(has_apt=True), stage.say, environ=environ)
    assert [one for one in stage.calls if "install" in one and "--no-install-recommends skopeo" in one]


def test_setup_goes_on_where_skopeo_cannot_be_installed(stage: Stage) -> None:
    copy_tool.ensure(stage.machine(is_root=False), stage.say, environ=stage.environ)
    stage.program("apt-get", "exit 100")
    copy_tool.ensure(stage.machine(has_apt=True), stage.say, environ=stage.environ)
    assert all("promoted through the container engine" in one for one in (stage.said[0], stage.said[-1]))


def test_setup_says_nothing_where_skopeo_is(stage: Stage) -> None:
    stage.program("skopeo")
    copy_tool.ensure(stage.machine(has_apt=True), stage.say, environ=stage.environ)
    assert (stage.said, stage.calls) == ([], [])

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploylib.errors import RefusedError, ToolMissingError
from deploylib.toolchain import engine_service, recorded_process
from deploylib.toolchain.engine_service import LOG, RECORD
from tests.fakes.clock import FakeClock
from tests.toolchain import fake_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.toolchain.fake_engine import FakeEngine
    from tests.toolchain.stage import Stage


@pytest.fixture
def dockerd(stage: Stage) -> Iterator[Stage]:
    """Install a dockerd that answers on the stage's socket; end it after the test."""
    stage.program("docker")
    stage.python_program("dockerd", str(Path(fake_engine.__file__)), str(stage.root / "docker.sock"))
    yield stage
    if (record := stage.checkout / RECORD).exists():
        found = json.loads(record.read_text())
        started = recorded_process.RecordedProcess(pid=found["pid"], started=found["started"])
        recorded_process.stop(started, patience_seconds=5)  # a test may have ended it, and its number be another's


def running_dockerd(stage: Stage, pid: int = 7) -> None:
    """Let the stage's process table show a dockerd."""
    folder = stage.root / "proc" / str(pid)
    folder.mkdir(parents=True)
    (folder / "comm").write_text("dockerd\n")


def test_an_engine_that_answers_is_used_and_nothing_is_started(
    stage: Stage, engine_at: Callable[..., FakeEngine]
) -> None:
    fake = engine_at(stage.root / "docker.sock")
    for name in ("docker", "dockerd", "apt-get"):
        stage.program(name)

    found = engine_service.ensure(stage.checkout, stage.machine(has_apt=True), stage.say, environ=stage.environ)

    assert found.host == fake.host
    assert (stage.calls, stage.said) == ([], [])


def test_an_installed_engine_that_does_not_run_is_started_and_recorded(dockerd: Stage) -> None:
    (dockerd.root / "docker.pid").write_text("4711")

    found = engine_service.ensure(dockerd.checkout, dockerd.machine(), dockerd.say, environ=dockerd.environ)

    assert found.host == f"unix://{dockerd.root}/docker.sock"
    assert dockerd.said == ["starting dockerd"]
    assert not (dockerd.root / "docker.pid").exists(), "dockerd does not start beside a stale pid file"
    assert json.loads((dockerd.checkout / RECORD).read_text())["host"] == found.host


def test_an_engine_that_setup_started_is_stopped(dockerd: Stage) -> None:
    engine_service.ensure(dockerd.checkout, dockerd.machine(), dockerd.say, environ=dockerd.environ)
    record = recorded_process.record(json.loads((dockerd.checkout / RECORD).read_text())["pid"])

    assert engine_service.stop_ours(dockerd.checkout, dockerd.say)

    assert not recorded_process.is_alive(record)


def test_an_engine_that_setup_started_keeps_running_for_the_containers_of_others(
    stage: Stage, engine_at: Callable[..., FakeEngine]
) -> None:
    fake = engine_at(stage.root / "docker.sock")
    fake.add_container("somebody-elses")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as sleeper:
        record = recorded_process.record(sleeper.pid)
        path = stage.checkout / RECORD
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"pid": record.pid, "started": record.started, "host": fake.host}))

        assert not engine_service.stop_ours(stage.checkout, stage.say)

        assert recorded_process.is_alive(record)
        sleeper.kill()
    assert "somebody-elses" in stage.said[0]


def test_an_engine_that_somebody_else_started_is_never_stopped(stage: Stage) -> None:
    assert not engine_service.stop_ours(stage.checkout, stage.say)
    assert stage.said == []


def test_a_dockerd_that_ends_at_once_is_an_error_with_its_last_words(stage: Stage) -> None:
    stage.program("dockerd", "echo 'failed to mount overlay: operation not permitted' >&2; exit 1")

    with pytest.raises(ToolMissingError, match="failed to mount overlay") as failed:
        engine_service.ensure(stage.checkout, stage.machine(), stage.say, environ=stage.environ)

    assert str(LOG) in failed.value.hint


def test_no_second_dockerd_is_started_beside_one_that_does_not_answer(stage: Stage) -> None:
    stage.program("dockerd")
    running_dockerd(stage)
    clock = FakeClock()

    with pytest.raises(ToolMissingError, match=r"dockerd runs \(process 7\) but does not answer"):
        engine_service.ensure(stage.checkout, stage.machine(), stage.say, environ=stage.environ, clock=clock)

    assert stage.calls == []
    assert clock.monotonic() >= engine_service.START_SECONDS


def test_a_dockerd_that_is_just_starting_is_waited_for(stage: Stage, engine_at: Callable[..., FakeEngine]) -> None:
    stage.program("dockerd")
    stage.program("docker")
    running_dockerd(stage)
    clock = FakeClock()
    clock.after(3, lambda: engine_at(stage.root / "docker.sock"))

    found = engine_service.ensure(stage.checkout, stage.machine(), stage.say, environ=stage.environ, clock=clock)

    assert found.name == "docker"
    assert stage.calls == []


def test_under_systemd_the_service_is_started(stage: Stage, engine_at: Callable[..., FakeEngine]) -> None:
    for name in ("dockerd", "docker", "systemctl"):
        stage.program(name)
    clock = FakeClock()
    clock.after(1, lambda: engine_at(stage.root / "docker.sock"))

    engine_service.ensure(
        stage.checkout, stage.machine(has_systemd=True), stage.say, environ=stage.environ, clock=clock
    )

    assert stage.calls == ["systemctl start docker"]
    assert not (stage.checkout / RECORD).exists(), "systemd's engine is not ours to stop"


def test_an_installed_podman_is_started_where_there_is_no_docker(
    stage: Stage, engine_at: Callable[..., FakeEngine]
) -> None:
    stage.program("podman", "exec /bin/sleep 60")
    clock = FakeClock()
    clock.after(1, lambda: engine_at(stage.root / "podman.sock", podman=True))

    found = engine_service.ensure(stage.checkout, stage.machine(), stage.say, environ=stage.environ, clock=clock)

    os.kill(json.loads((stage.checkout / RECORD).read_text())["pid"], signal.SIGKILL)
    assert found.name == "podman"
    assert stage.calls == [f"podman system service --time=0 unix://{stage.root}/podman.sock"]


def test_who_is_not_root_is_told_what_to_start(stage: Stage) -> None:
    stage.program("dockerd")

    with pytest.raises(ToolMissingError, match="only root may start it") as failed:
        engine_service.ensure(stage.checkout, stage.machine(is_root=False), stage.say, environ=stage.environ)

    assert failed.value.hint == "sudo systemctl start docker"


def test_where_none_is_installed_the_distributions_is(stage: Stage, engine_at: Callable[..., FakeEngine]) -> None:
    install = f"printf '#!/bin/sh\\n' > {stage.bin}/dockerd; cp {stage.bin}/dockerd {stage.bin}/docker"
    stage.program("apt-get", f'case "$*" in *install*) {install}; chmod +x {stage.bin}/docker*;; esac')
    stage.program("apt-cache", 'test "$3" = docker-cli || exit 100')
    running_dockerd(stage)
    clock = FakeClock()
    clock.after(1, lambda: engine_at(stage.root / "docker.sock"))

    engine_service.ensure(stage.checkout, stage.machine(has_apt=True), stage.say, environ=stage.environ, clock=clock)

    installs = [call for call in stage.calls if " install " in call]
    assert len(installs) == 1
    assert installs[0].endswith("--no-install-recommends docker.io ca-certificates docker-cli")


@pytest.mark.parametrize(
    ("system", "sentence"), [("linux", "the package docker.io"), ("darwin", "install Docker Desktop")]
)
def test_where_nothing_can_be_installed_one_sentence_says_what_is_missing(
    stage: Stage, system: str, sentence: str
) -> None:
    with pytest.raises(ToolMissingError, match=sentence):
        engine_service.ensure(stage.checkout, stage.machine(system=system), stage.say, environ=stage.environ)

    assert stage.calls == []


def test_a_chosen_engine_that_is_silent_is_not_replaced_by_another(
    stage: Stage, engine_at: Callable[..., FakeEngine]
) -> None:
    engine_at(stage.root / "docker.sock")
    stage.program("dockerd")
    environ = {**stage.environ, "DOCKER_HOST": "unix:///nowhere.sock"}

    with pytest.raises(ToolMissingError, match=r"unix:///nowhere\.sock does not answer"):
        engine_service.ensure(stage.checkout, stage.machine(), stage.say, environ=environ)

    assert stage.calls == []


def test_a_remote_engine_is_refused_before_anything_is_started(stage: Stage) -> None:
    stage.program("dockerd")

    environ = {**stage.environ, "DOCKER_HOST": "tcp://10.0.0.7:2375"}

    with pytest.raises(RefusedError):
        engine_service.ensure(stage.checkout, stage.machine(), stage.say, environ=environ)

    assert stage.calls == []

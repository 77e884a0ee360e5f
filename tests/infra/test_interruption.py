from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploylib.infra.runner import STOPPING, WAITING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.infra.stand_in import StandIn

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A process group of its own, as a terminal would make it, in which an apply is under way."""

    process: subprocess.Popen[str]
    folder: Path

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> None:
        os.killpg(self.process.pid, number)

    def reads(self, *lines: str) -> None:
        """Read on until each of *lines* has come, in any order."""
        missing = set(lines)
        while missing:
            line = self._line()
            assert line, f"the session ended without {missing}"
            missing.discard(line.rstrip("\n"))

    def let_go(self) -> None:
        (self.folder / "go").write_text("")

    def end(self) -> int:
        assert self.process.stdout is not None
        self.process.stdout.read()
        return self.process.wait()

    @property
    def locked(self) -> bool:
        return (self.folder / "lock").exists()

    @property
    def interrupts(self) -> int:
        record = self.folder / "interrupts"
        return int(record.read_text()) if record.exists() else 0

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@pytest.fixture
def session(tmp_path: Path, stand_in: StandIn) -> Iterator[Callable[..., Session]]:
    os.mkfifo(tmp_path / "go")
    stand_in.answer(apply=[{"hold": str(tmp_path)}])
    running: list[subprocess.Popen[str]] = []

    def start(ignored: str = "") -> Session:
        process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                "-m",
                "tests.infra.apply_session",
                str(tmp_path),
                stand_in.program,
                ignored,
            ],
            cwd=ROOT,
            env={**os.environ, **stand_in.variables},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        running.append(process)
        found = Session(process=process, folder=tmp_path)
        found.reads("holding")
        return found

    yield start
    for process in running:
        process.kill()
        with process:
            pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_apply_ends_after_terraform_has_released_its_lock(
    session: Callable[..., Session], number: signal.Signals
) -> None:
    apply = session()
    apply.interrupt(number)
    apply.reads("interrupted", WAITING)
    assert apply.locked
    assert apply.process.poll() is None
    apply.let_go()
    apply.reads("released")
    assert apply.end() == 130
    assert not apply.locked


def test_ctrl_c_reaches_terraform_once_although_the_whole_group_gets_it(session: Callable[..., Session]) -> None:
    apply = session()
    apply.interrupt()
    apply.reads("interrupted")
    apply.let_go()
    apply.end()
    assert apply.interrupts == 1


def test_a_second_ctrl_c_is_passed_on_and_leaves_no_process(session: Callable[..., Session], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "child")
    apply = session()
    with (tmp_path / "child").open() as open_while_the_child_lives:
        apply.interrupt()
        apply.reads("interrupted")
        apply.interrupt()
        apply.reads(STOPPING)
        assert apply.end() == 130
        assert open_while_the_child_lives.read() == ""  # blocks for ever when the child outlives the session
    assert apply.interrupts == 2


def test_an_apply_under_nohup_survives_the_end_of_its_terminal(session: Callable[..., Session]) -> None:
    apply = session("SIGHUP")
    apply.interrupt(signal.SIGHUP)
    apply.let_go()
    assert apply.end() == 0
    assert apply.interrupts == 0

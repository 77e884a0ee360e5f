from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploylib.toolchain import recorded_process
from deploylib.toolchain.recorded_process import Owner, RecordedProcess
from tests.fakes.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STUBBORN = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); input()"


@pytest.fixture
def waiting() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE) as program:
        yield program
        program.kill()


def test_a_recorded_process_is_found_again_and_stopped(waiting: subprocess.Popen[bytes]) -> None:
    record = recorded_process.record(waiting.pid)

    assert recorded_process.is_alive(record)
    assert recorded_process.stop(record, patience_seconds=5)
    assert waiting.wait(5) == -signal.SIGTERM


def test_a_process_that_ignores_the_request_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", STUBBORN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        clock = FakeClock()

        recorded_process.stop(recorded_process.record(program.pid), patience_seconds=5, clock=clock)

        assert program.wait(5) == -signal.SIGKILL
    assert clock.monotonic() >= 5


def test_a_later_process_of_the_same_number_is_never_touched() -> None:
    recycled = RecordedProcess(pid=os.getpid(), started="the one before")

    assert not recorded_process.is_alive(recycled)
    assert not recorded_process.stop(recycled, patience_seconds=0)  # else this test would end here


def test_a_process_that_was_never_recorded_is_not_alive() -> None:
    assert not recorded_process.is_alive(RecordedProcess(pid=0, started=""))


def test_a_zombie_is_not_alive(waiting: subprocess.Popen[bytes]) -> None:
    record = recorded_process.record(waiting.pid)
    waiting.kill()
    os.waitid(os.P_PID, waiting.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has asked how

    assert not recorded_process.is_alive(record)


def owner(process: RecordedProcess) -> Owner:
    """Return *process* as the owner of something that was made here."""
    return replace(Owner.this(), process=process)


def test_a_process_that_was_killed_is_provably_gone(waiting: subprocess.Popen[bytes]) -> None:
    made = owner(recorded_process.record(waiting.pid))
    assert not made.provably_gone()
    waiting.kill()
    waiting.wait(5)
    assert made.provably_gone()
    assert not Owner.this().provably_gone()


def test_nothing_is_proved_of_a_process_that_cannot_be_looked_for(waiting: subprocess.Popen[bytes]) -> None:
    made = owner(recorded_process.record(waiting.pid))
    waiting.kill()
    waiting.wait(5)
    boot, _, numbers = made.space.partition(" ")
    elsewhere = (f"{boot} pid:[1]", f"0-0-0 {numbers}", "host", boot)
    assert not any(replace(made, space=one).provably_gone() for one in elsewhere)
    assert not owner(RecordedProcess(pid=waiting.pid, started="")).provably_gone()


def test_an_owner_is_read_as_it_was_written() -> None:
    this = Owner.this()
    assert Owner.read(str(this)) == this
    assert Owner.read("") is None


def test_a_detached_process_has_its_own_session_its_own_log_and_only_the_environment_that_it_is_given(
    tmp_path: Path,
) -> None:
    code = "import os; print(os.getsid(0) == os.getpid(), sorted(os.environ.items()))"
    log = tmp_path / "deep" / "log"

    program = recorded_process.start_detached([sys.executable, "-I", "-S", "-c", code], log=log, env={"LC_ALL": "C"})

    os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
    assert log.read_text().strip() == "True [('LC_ALL', 'C')]"


def test_a_detached_process_of_ours_that_was_stopped_is_no_zombie(tmp_path: Path) -> None:
    record = recorded_process.start_detached(
        (sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"), log=tmp_path / "log"
    )

    assert recorded_process.stop(record, patience_seconds=5)

    with pytest.raises(ChildProcessError):
        os.waitpid(record.pid, os.WNOHANG)

"""Processes found again by their id *and* their start: a recycled id is never killed, nor taken for one that died."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploylib import process as process_door

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploylib.clock import Clock

POLL_SECONDS = 0.02
FOREIGN_SECONDS = 24 * 3600.0
_children: list[subprocess.Popen[bytes]] = []  # Python complains of a running child that nobody holds


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedProcess:
    """A process id with the start that tells it from a later process of the same number."""

    pid: int
    started: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The process that made something: number, boot and start, and the space in which its number counts."""

    process: RecordedProcess
    space: str

    @classmethod
    def this(cls) -> Owner:
        """Return this process."""
        return cls(process=record(os.getpid()), space=_space())

    @classmethod
    def read(cls, label: str) -> Owner | None:
        """Return the owner that *label* names, None when it is not one of ours."""
        pid, _, rest = label.partition("|")
        space, _, started = rest.partition("|")
        return cls(process=RecordedProcess(pid=int(pid), started=started), space=space) if pid.isdecimal() else None

    def __str__(self) -> str:
        return f"{self.process.pid}|{self.space}|{self.process.started}"

    def gone(self, *, age_seconds: float) -> bool:
        """Whether it has ended; of one that cannot be looked for only *age_seconds* tells."""
        if self.space != _space():
            return age_seconds > FOREIGN_SECONDS
        return not is_alive(self.process)

    def provably_gone(self) -> bool:
        """Whether it was a process of this very boot and space of process numbers, and has certainly ended."""
        comparable = " pid:[" in self.space and self.space == _space() and self.process.started != ""
        return comparable and not is_alive(self.process) and self._is_visible()

    def _is_visible(self) -> bool:
        """Whether its number can be looked up: a /proc that hides what others run shows no process there."""
        if os.access(f"/proc/{self.process.pid}/stat", os.R_OK):
            return True
        try:
            os.kill(self.process.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


def start_detached(
    argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> RecordedProcess:
    """Start *argv* in a session of its own, both streams into *log*; *env* is its whole environment."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        program = subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=env, cwd=cwd, start_new_session=True
        )
    _children.append(program)
    return record(program.pid)


def record(pid: int) -> RecordedProcess:
    """Return what finds the running process *pid* again."""
    return RecordedProcess(pid=pid, started=_start_of(pid))


def is_alive(process: RecordedProcess) -> bool:
    """Return whether it still runs: the same process, and no zombie."""
    alive = process.started != "" and _start_of(process.pid) == process.started
    if not alive:
        _reap()
    return alive


def stop(process: RecordedProcess, *, patience_seconds: float, clock: Clock = time) -> bool:
    """Send SIGTERM, and SIGKILL when it is still there after *patience_seconds*. Return whether it was running."""
    if not is_alive(process):
        return False
    _signal(process, signal.SIGTERM)
    if not _gone(process, patience_seconds, clock):
        _signal(process, signal.SIGKILL)
        _gone(process, patience_seconds, clock)
    return True


def _gone(process: RecordedProcess, patience_seconds: float, clock: Clock) -> bool:
    deadline = clock.monotonic() + patience_seconds
    while is_alive(process):
        if clock.monotonic() >= deadline:
            return False
        clock.sleep(POLL_SECONDS)
    return True


def _reap() -> None:
    """Take note of our own children that ended: a zombie would stay, and Python takes it for a program that runs."""
    _children[:] = [child for child in _children if child.poll() is None]


def _signal(process: RecordedProcess, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, number)


def _start_of(pid: int) -> str:
    """Return boot and start time of *pid*, empty when there is no such process or only its zombie."""
    if not Path("/proc/self/stat").exists():
        return _start_by_ps(pid)
    try:
        # The second field is the program's name in brackets, which may itself hold brackets and blanks.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    state, start_ticks = fields[0], fields[19]
    return "" if state in "ZX" else f"{_boot()} {start_ticks}"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _start_by_ps(pid: int) -> str:
    line = process_door.run(("ps", "-o", "stat=,lstart=", "-p", str(pid)), env={"LC_ALL": "C"}, ok=(0, 1)).stdout
    state, _, start = line.strip().partition(" ")
    return "" if state.startswith("Z") else start.strip()


def _space() -> str:
    """Return what tells the numbers of this machine's processes (of this container's) from those of another."""
    numbers, boot = Path("/proc/self/ns/pid"), Path("/proc/sys/kernel/random/boot_id")
    try:
        return f"{boot.read_text(encoding='ascii').strip()} {numbers.readlink()}"
    except OSError:  # no Linux
        return platform.node()

"""The door to other programs: argv lists, never a shell; secrets by standard input or environment only."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib.errors import ProcessError, ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

LAST_LINES = 40
STOP_SECONDS = 10

_running: set[subprocess.Popen[str]] = set()
_running_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A program that ended: its exit code and what it printed (text, both streams apart)."""

    returncode: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    ok: tuple[int, ...] = (0,),
    timeout_seconds: float | None = None,
) -> Finished:
    """Run *argv* to its end and return what it printed.

    *env* is added to this process's environment. Raises `ToolMissingError` when the program is not there and
    `ProcessError`, with the last lines of its output, when its exit code is not in *ok*.
    """
    try:
        done = subprocess.run(
            list(argv),
            cwd=cwd,
            env={**os.environ, **env} if env else None,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise _missing(argv[0]) from error
    except subprocess.TimeoutExpired as error:
        raise ProcessError(argv[0], -signal.SIGKILL, f"no answer within {timeout_seconds:g} s") from error
    if done.returncode not in ok:
        raise ProcessError(argv[0], done.returncode, _tail(done.stdout + done.stderr))
    return Finished(returncode=done.returncode, stdout=done.stdout, stderr=done.stderr)


def stream(
    argv: Sequence[str],
    line: Callable[[str], None],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> None:
    """Run *argv* and hand each line that it prints (both streams, in order) to *line* as it comes.

    The program runs in its own process group, so that Ctrl-C reaches it once, from us: it gets SIGINT, ten seconds
    to tidy up, then SIGKILL. Raises as `run` does.
    """
    try:
        program = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env={**os.environ, **env} if env else None,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise _missing(argv[0]) from error
    with program, _registered(program):
        try:
            lines = _pump(program, line, stdin)
        except BaseException:
            stop(program)
            raise
    if program.returncode != 0:
        raise ProcessError(argv[0], program.returncode, "\n".join(lines[-LAST_LINES:]))


def stop_all() -> None:
    """Stop every program that `stream` is running in any thread: what Ctrl-C in the main thread has to do."""
    with _running_lock:
        programs = tuple(_running)
    for program in programs:
        stop(program)


def stop(program: subprocess.Popen[str]) -> None:
    """Send SIGINT to *program*'s group, and SIGKILL when it is still there ten seconds later."""
    for number, patience in ((signal.SIGINT, STOP_SECONDS), (signal.SIGKILL, None)):
        if program.poll() is not None:
            return
        os.killpg(program.pid, number)
        try:
            program.wait(patience)
        except subprocess.TimeoutExpired:
            continue


@contextlib.contextmanager
def _registered(program: subprocess.Popen[str]) -> Iterator[None]:
    with _running_lock:
        _running.add(program)
    try:
        yield
    finally:
        with _running_lock:
            _running.discard(program)


def _pump(program: subprocess.Popen[str], line: Callable[[str], None], stdin: str | None) -> list[str]:
    if stdin is not None and program.stdin is not None:
        program.stdin.write(stdin)
        program.stdin.close()
    lines: list[str] = []
    for raw in program.stdout or ():
        lines.append(raw.rstrip("\n"))
        line(lines[-1])
    program.wait()
    return lines


def _missing(program: str) -> ToolMissingError:
    return ToolMissingError(f"{program} is not installed or not on PATH", hint="make setup")


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-LAST_LINES:])

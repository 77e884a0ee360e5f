"""The door to other programs: argv lists, never a shell; secrets by standard input or environment only."""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib.errors import DeployError, ProcessError, ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from pathlib import Path

LAST_LINES = 40
STOP_SECONDS = 10
LOOK_SECONDS = 0.1  # how often it is seen that a program has ended whose output somebody else holds open
CHUNK_BYTES = 65536

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
    `ProcessError`, with the last lines of its output, when its exit code is not in *ok* or it does not end in time.
    """
    with _started(argv, cwd=cwd, env=env, stdin=stdin, stderr=subprocess.PIPE) as program:
        try:
            stdout, stderr = program.communicate(stdin, timeout_seconds)
        except subprocess.TimeoutExpired as error:
            stop(program)
            output = f"no end within {timeout_seconds:g} s\n{_tail(_rest(program))}"
            raise ProcessError(argv[0], program.returncode, output) from error
    if program.returncode not in ok:
        raise ProcessError(argv[0], program.returncode, _tail(stdout + stderr))
    return Finished(returncode=program.returncode, stdout=stdout, stderr=stderr)


def stream(
    argv: Sequence[str],
    line: Callable[[str], None],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> None:
    """Run *argv* and hand each line that it prints (both streams, in order) to *line* as it comes.

    Raises as `run` does.
    """
    with _started(argv, cwd=cwd, env=env, stdin=stdin, stderr=subprocess.STDOUT) as program:
        lines = _pump(program, line, stdin)
    if program.returncode != 0:
        raise ProcessError(argv[0], program.returncode, "\n".join(lines[-LAST_LINES:]))


def lines(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_seconds: float,
    meanwhile: Callable[[], object] = lambda: None,
) -> Generator[str, None, int]:
    """Run *argv*, yield each line that it prints (both streams, in order) and return its exit code, whatever it is.

    *meanwhile* is called again and again while it runs, and stops it by what it raises; so does whoever closes the
    generator, or raises in it. Raises `ProcessError` when it does not end in time; a daemon that it has left behind,
    and that keeps its output open, is not waited for.
    """
    deadline = time.monotonic() + timeout_seconds
    with _started(argv, cwd=cwd, env=env, stdin=None, stderr=subprocess.STDOUT) as program:
        try:
            yield from _spoken(program, deadline, meanwhile)
            return program.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            stop(program)
            raise ProcessError(argv[0], program.returncode, f"no end within {timeout_seconds:g} s") from error


def attached(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
    """Run *argv* with this terminal, to its end, and return its exit code.

    What is typed is for it, Ctrl-C too: this process is deaf to that meanwhile.
    """
    before = {one: signal.signal(one, _pass_by) for one in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)}
    try:
        return subprocess.run(list(argv), env={**os.environ, **(env or {})}, check=False).returncode
    except OSError as error:
        raise _not_started(argv[0], None, error) from error
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _pass_by(*_: object) -> None:
    """Do nothing about a signal. (What is ignored outright a program would inherit, and be deaf too.)"""


def stop_all() -> None:
    """Stop every program that is running in any thread: what Ctrl-C in the main thread has to do."""
    with _running_lock:
        programs = tuple(_running)
    for program in programs:
        stop(program)


def stop(program: subprocess.Popen[str], *, patience_seconds: float = STOP_SECONDS) -> None:
    """Send SIGINT to *program*'s group, and SIGKILL to what is left after *patience_seconds* or at a second Ctrl-C."""
    if program.poll() is not None:
        return
    try:
        _signal(program, signal.SIGINT)
        program.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _signal(program, signal.SIGKILL)
        program.wait()


@contextlib.contextmanager
def _started(
    argv: Sequence[str], *, cwd: Path | None, env: Mapping[str, str] | None, stdin: str | None, stderr: int
) -> Iterator[subprocess.Popen[str]]:
    """Start *argv* in a process group of its own, so that Ctrl-C reaches it once, from us, and its children too."""
    try:
        program = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env={**os.environ, **env} if env else None,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise _not_started(argv[0], cwd, error) from error
    with program, _registered(program):
        try:
            yield program
        except BaseException:
            stop(program)
            raise


def _signal(program: subprocess.Popen[str], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # the whole group has ended in the meantime
        os.killpg(program.pid, number)


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
        with contextlib.suppress(BrokenPipeError), program.stdin:  # what it prints says why it would not read
            program.stdin.write(stdin)
    lines: list[str] = []
    for raw in program.stdout or ():
        lines.append(raw.rstrip("\n"))
        line(lines[-1])
    program.wait()
    return lines


def _spoken(program: subprocess.Popen[str], deadline: float, meanwhile: Callable[[], object]) -> Iterator[str]:
    """Yield the lines of *program* until its output, or the program itself, has ended."""
    output = program.stdout.fileno() if program.stdout else -1  # always there; Popen's type does not know
    decoder, held = codecs.getincrementaldecoder("utf-8")("replace"), ""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            ended = program.poll() is not None  # before the look: what it said last is there then
            if selector.select(0 if ended else LOOK_SECONDS):
                if not (chunk := os.read(output, CHUNK_BYTES)):
                    break
                *whole, held = (held + decoder.decode(chunk)).split("\n")
                yield from whole
            elif ended:
                break
            meanwhile()
            if time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(program.args, deadline)
    if held:
        yield held


def _rest(program: subprocess.Popen[str]) -> str:
    """Return what a stopped program had printed; a daemon that it left behind may hold its output open."""
    try:
        return "".join(program.communicate(timeout=1))
    except subprocess.TimeoutExpired:
        return ""


def _not_started(program: str, cwd: Path | None, error: OSError) -> DeployError:
    if cwd is not None and not cwd.is_dir():
        return DeployError(f"{program} cannot run in {cwd}: no such folder")
    if isinstance(error, FileNotFoundError):
        return ToolMissingError(f"{program} is not installed or not on PATH", hint="make setup")
    return ToolMissingError(f"{program} cannot be run: {error.strerror}", hint="make setup")


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-LAST_LINES:])

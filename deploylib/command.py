"""The one task wrapper: what we understand becomes a line and an exit code, a bug keeps its traceback."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import os
import select
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar

from invoke.exceptions import Exit

from deploylib import secrecy
from deploylib.errors import ConfigError, DeployError, Terminated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")
R = TypeVar("R")

OUTPUTS = ("text", "json")
INTERRUPTED = 130
BOLD_RED, CYAN, PLAIN = "\033[1;31m", "\033[36m", "\033[0m"


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Wrap the body of an Invoke task (below `@task`): our errors and Ctrl-C end it with a line and an exit code.

    With `output="json"` among the task's arguments the failure is also the last JSON line on standard output.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        output = signature.bind(*args, **kwargs).arguments.get("output", "text")
        try:
            _refuse_unknown(output)
            with _terminated_is_interrupted():
                result = function(*args, **kwargs)
        except (DeployError, KeyboardInterrupt) as error:
            _tell_machines(error, output)
            raise Exit(secrecy.hidden(_text(error)), _exit_code(error)) from error
        except BrokenPipeError as error:
            if not _reader_is_gone():
                raise
            _drop_output()
            raise Exit(code=1) from error
        _print()
        return result

    return wrapped


@contextlib.contextmanager
def _terminated_is_interrupted() -> Iterator[None]:
    """Let SIGTERM, which a CI system sends when somebody cancels a job, tidy up as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: object) -> NoReturn:
    raise Terminated


def _refuse_unknown(output: object) -> None:
    if output not in OUTPUTS:
        raise ConfigError(f"--output is {' or '.join(OUTPUTS)}, not {output!r}", hint="--output json")


def _exit_code(error: DeployError | KeyboardInterrupt) -> int:
    return error.exit_code if isinstance(error, DeployError) else INTERRUPTED


def _notes(error: BaseException) -> list[str]:
    """Return what the code that was on its way added to *error*, such as what goes on without us."""
    return list(getattr(error, "__notes__", ()))


def _text(error: DeployError | KeyboardInterrupt) -> str:
    """Return what Invoke prints on standard error."""
    if isinstance(error, KeyboardInterrupt):
        return ": ".join(filter(None, ("interrupted", "; ".join(_notes(error)))))
    lines = [f"{_painted('error:', BOLD_RED)} {error}", *(f"note: {one}" for one in _notes(error))]
    return "\n".join([*lines, *([f"{_painted('hint:', CYAN)} {error.hint}"] if error.hint else [])])


def _painted(word: str, colour: str) -> str:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stderr.isatty()
    return word if plain else f"{colour}{word}{PLAIN}"


def _tell_machines(error: DeployError | KeyboardInterrupt, output: object) -> None:
    """Print the failure as the last JSON line."""
    if output == "json":
        document = {
            "event": "Failed",
            "error": type(error).__name__,
            "exit_code": _exit_code(error),
            "message": str(error) or "interrupted",
            "notes": _notes(error),
            "hint": getattr(error, "hint", ""),
        }
        _print(json.dumps(secrecy.without_secrets(document)) + "\n")


def _print(text: str = "") -> None:
    """Write to standard output and flush; what breaks because nobody reads it changes nothing."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()


def _drop_output() -> None:
    """Send what nobody reads nowhere, or Python would trip over it when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _reader_is_gone() -> bool:
    """Whether the pipe that broke is standard output, and not that of some program that we ran."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), select.POLLOUT)
    except OSError:  # standard output is no file at all
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))

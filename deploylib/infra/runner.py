"""Terraform through python-terraform: it turns keywords into command lines, running them is done here.

All verbs of python-terraform 0.10.1 go through its `cmd`, so overriding that one mends them all: nothing implicit is
added to a command line, no local state is read, no attribute turns into a command by accident, no variable ever gets
into a log or a file of the system's temporary folder.

Ctrl-C. A terminal sends SIGINT to every process of its group; Terraform takes a second one as "stop at once", which
can lose state, and when its parent goes first its output breaks, and it dies with the lock held. So Terraform gets a
session of its own, and we stay: each SIGINT, SIGTERM or SIGHUP that reaches us is passed on as one SIGINT, we read on
until Terraform has saved its state and released its lock, and only then raise KeyboardInterrupt.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from typing import IO, TYPE_CHECKING, Any, ClassVar, NoReturn, Self

import python_terraform

from deploylib.errors import ToolMissingError
from deploylib.infra.diagnostics import CommandError, plain, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WAITING = "Waiting for Terraform to save its state and release its lock; Ctrl-C again can lose state"
STOPPING = "Passed on: Terraform stops at once"

Flag = python_terraform.IsFlagged


class Terraform(python_terraform.Terraform):  # type: ignore[misc]  # published without types
    """Terraform in *folder*, with *variables* as its whole environment.

    Terraform's own text goes line by line to *line*, for the commands that are `streamed`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        program: str,
        variables: Mapping[str, str],
        line: Callable[[str], None],
        colours: bool = False,
    ) -> None:
        super().__init__(working_dir=str(folder), terraform_bin_path=program)
        self._variables = dict(variables)
        self._line = line
        self._colours = colours

    def __getattr__(self, item: str) -> NoReturn:
        """Undo "every attribute is a sub-command"."""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {item!r}")

    def read_state_file(self, file_path: str | None = None) -> None:  # noqa: ARG002  # the signature is python-terraform's
        """Read no local state: there is none."""
        self.tfstate = None

    def _generate_default_options(self, input_options: Mapping[str, Any]) -> dict[str, Any]:
        """Add nothing but `-input=false`: the plan file and the variables file say the rest."""
        return {"input": False, **input_options, "no_color": None}  # in colour, diagnostics come in boxes: see `read`

    def destroy(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: its `-force` is gone from Terraform, and a destroy is a plan that is shown like any other."""
        raise NotImplementedError("plan(destroy=Flag), then apply that plan")

    def output(self, **options: Any) -> str:
        """Return the outputs as Terraform's JSON text, secrets in clear."""
        return self.cmd("output", json=Flag, **options)[1]

    def cmd(
        self,
        cmd: str,
        *args: str,
        ok: tuple[int, ...] = (0,),
        streamed: bool = False,
        typed: bool = False,
        **options: Any,
    ) -> tuple[int, str, str]:
        """Run a command and return its exit code and what it printed, without colours.

        *typed*: it reads our standard input; otherwise it has none. Raises `CommandError` when the exit code is not in
        *ok*; `KeyboardInterrupt`, once Terraform has ended, when a signal asked us to stop.
        """
        if any(isinstance(value, dict) for value in options.values()):
            raise TypeError("python-terraform would write a mapping to a file of its own: name a variables file")
        argv: list[str] = self.generate_cmd_string(cmd, *args, **options)
        with _Interrupts() as interrupts:
            code, text = self._run(argv, interrupts, streamed=streamed, typed=typed)
        if interrupts.count:
            raise _interruption(text["stderr"])
        if code not in ok:
            # Errors are on standard error, the warnings that go with them on standard output.
            raise CommandError(cmd, code, text["stderr"] or text["stdout"], shown=streamed)
        return code, plain(text["stdout"]), plain(text["stderr"])

    def _run(
        self, argv: list[str], interrupts: _Interrupts, *, streamed: bool, typed: bool
    ) -> tuple[int, dict[str, str]]:
        program = self._start(argv, stdin=None if typed else subprocess.DEVNULL)
        news = interrupts.follow(program)
        kept: dict[str, list[str]] = {"stdout": [], "stderr": []}
        try:
            for source, text in _lines(program, news):
                if source in kept:
                    kept[source].append(text)
                if source == "notice" or (streamed and source in kept):
                    self._tell(text.rstrip("\n"))
                if source == "exit" and interrupts.count:
                    _end_group(program.pid)
        except BaseException:  # a bug in who listens must not leave Terraform without a reader
            program.send_signal(signal.SIGINT)
            program.wait()  # the pumps read on
            raise
        return program.wait(), {source: "".join(lines) for source, lines in kept.items()}

    def _start(self, argv: list[str], stdin: int | None) -> subprocess.Popen[str]:
        try:
            return subprocess.Popen(
                argv,
                cwd=self.working_dir,
                env=self._variables,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise ToolMissingError(f"{argv[0]} is not there", hint="make setup") from error

    def _tell(self, text: str) -> None:
        """Pass *text* on; a terminal or a pipe that is gone must not stop an apply half way."""
        with contextlib.suppress(OSError):
            self._line(text if self._colours else plain(text))


@contextlib.contextmanager
def side_by_side() -> Iterator[None]:
    """Pass the signals that come meanwhile on to the Terraforms of all other threads; then none starts any more.

    Python gives signals to the main thread only, which has to be the one that waits for the others.
    """
    with _Interrupts() as interrupts:
        interrupts.lead()
        try:
            yield
        finally:
            interrupts.leave()


class _Interrupts:
    """The signals that come while a program runs: each is passed on to it as one SIGINT."""

    _leader: ClassVar[_Interrupts | None] = None

    def __init__(self) -> None:
        self.count = 0
        self._news: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
        self._program: subprocess.Popen[str] | None = None
        self._former: dict[signal.Signals, Any] = {}
        self.followers: set[_Interrupts] = set()

    def lead(self) -> None:
        """Pass signals on to whoever enters in another thread from now on."""
        type(self)._leader = self  # noqa: SLF001  # its own class

    def leave(self) -> None:
        """Stop that."""
        type(self)._leader = None  # noqa: SLF001  # its own class

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python lets nobody else do it
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a background job of a script
                    self._former[number] = signal.signal(number, self.pass_on)
        elif self._leader:
            self._leader.followers.add(self)
            if self._leader.count:
                raise KeyboardInterrupt
        return self

    def __exit__(self, *_: object) -> None:
        if self._leader:
            self._leader.followers.discard(self)
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def follow(self, program: subprocess.Popen[str]) -> queue.SimpleQueue[tuple[str, str | None]]:
        """Pass signals on to *program* from now on, those included that came while it was starting."""
        self._program = program
        if self.count:
            program.send_signal(signal.SIGINT)
        return self._news

    def pass_on(self, number: int, frame: FrameType | None) -> None:
        """Tell the program, and whoever follows."""
        self.count += 1
        for one in tuple(self.followers):
            one.pass_on(number, frame)
        if self._program is not None:
            self._program.send_signal(signal.SIGINT)
        self._news.put(("notice", WAITING if self.count == 1 else STOPPING))


def _lines(
    program: subprocess.Popen[str], news: queue.SimpleQueue[tuple[str, str | None]]
) -> Iterator[tuple[str, str]]:
    """Yield (source, text) as it comes: `stdout`, `stderr`, `notice`, and `exit` once, until nothing more can come."""
    streams = {"stdout": program.stdout, "stderr": program.stderr}
    for source, stream in streams.items():
        threading.Thread(target=_pump, args=(source, stream, news), daemon=True).start()
    threading.Thread(target=_await, args=(program, news), daemon=True).start()
    sources = {*streams, "exit"}
    while sources:
        source, text = news.get()
        if text is None:
            sources.discard(source)
        else:
            yield source, text


def _pump(source: str, stream: IO[str], news: queue.SimpleQueue[tuple[str, str | None]]) -> None:
    try:
        with stream:
            for text in stream:
                news.put((source, text))
    finally:
        news.put((source, None))


def _await(program: subprocess.Popen[str], news: queue.SimpleQueue[tuple[str, str | None]]) -> None:
    program.wait()
    news.put(("exit", ""))
    news.put(("exit", None))


def _end_group(group: int) -> None:
    """End what an interrupted Terraform left behind: providers when it stopped at once, commands it had started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)


def _interruption(text: str) -> KeyboardInterrupt:
    """Return the interruption, with what Terraform says of a state or lock that it could not tidy up."""
    interruption = KeyboardInterrupt()
    for one in read(text):
        if "state" in one.summary:
            interruption.add_note(str(one))
    return interruption

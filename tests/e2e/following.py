"""A command that is read event by event while it runs, so that a test acts at the moment it is about."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Self

from tests.e2e.project import Ran

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from tests.e2e.project import Project

EVENT_SECONDS = 120
END_SECONDS = 240
Document = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Following:
    """A command with `--output json`: `events` are the documents that it has printed until now.

    Leaving its context ends it, if the test has not.
    """

    words: tuple[str, ...]
    program: subprocess.Popen[str]
    events: list[Document] = field(default_factory=list)
    _said: IO[str]
    _lines: queue.Queue[str | None] = field(default_factory=queue.Queue)
    _reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.program.poll() is None:
            self.program.kill()
        self.program.wait(END_SECONDS)
        if self._reader:
            self._reader.join(EVENT_SECONDS)
        if self.program.stdout:
            self.program.stdout.close()
        self._said.close()

    def _read(self) -> None:
        assert self.program.stdout
        for line in self.program.stdout:
            self._lines.put(line)
        self._lines.put(None)

    @property
    def err(self) -> str:
        """What it has printed for a person."""
        self._said.seek(0)
        return self._said.read()

    def until(self, kind: str, *, seconds: float = EVENT_SECONDS, **fields: Any) -> Document:
        """Read on to the next event of a *kind* with these *fields* and return it."""
        return self.until_one(
            lambda one: one.get("event") == kind and all(one.get(name) == value for name, value in fields.items()),
            f"{kind} {fields or ''}",
            seconds=seconds,
        )

    def until_one(self, wanted: Callable[[Document], bool], what: str, *, seconds: float = EVENT_SECONDS) -> Document:
        """Read on to the next event that is *wanted*."""
        deadline = time.monotonic() + seconds
        while (found := self._next(deadline)) is not None:
            if wanted(found):
                return found
        raise AssertionError(f"inv {' '.join(self.words)} did not get to {what}\n{self._told()}")

    def _next(self, deadline: float) -> Document | None:
        """Return the next event; nothing when the command is over or the time is."""
        try:
            line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None
        if line is None:
            self._lines.put(None)  # who asks again gets the same answer
            return None
        if not line.startswith("{"):
            return self._next(deadline)
        document: Document = json.loads(line)
        self.events.append(document)
        return document

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command alone, as a scheduler of jobs does."""
        self.program.send_signal(number)

    def kill(self) -> None:
        """End it as a machine that goes away does: nothing of ours runs any more."""
        self.program.kill()
        self.program.wait(END_SECONDS)

    def end(self, *, expect: int | None = None) -> Ran:
        """Read to the end, and check the exit code."""
        while self._next(time.monotonic() + END_SECONDS) is not None:
            pass
        code = self.program.wait(END_SECONDS)
        assert expect in {None, code}, f"inv {' '.join(self.words)}: exit {code}, expected {expect}\n{self._told()}"
        return Ran(code=code, out="\n".join(map(json.dumps, self.events)), err=self.err)

    def of(self, kind: str) -> list[Document]:
        """Return the events of a *kind* that were read until now."""
        return [one for one in self.events if one.get("event") == kind]

    def _told(self) -> str:
        last = "\n".join(json.dumps(one)[:400] for one in self.events[-12:])
        return f"exit code {self.program.poll()}; its last events:\n{last}\nand:\n{self.err[-4000:]}"


def follow(project: Project, *words: str, **variables: str) -> Following:
    """Start `inv WORDS --output json` in a process group of its own."""
    said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with what is returned
    words = (*words, "--output", "json")
    program = subprocess.Popen(
        [sys.executable, "-m", "invoke", *words],
        cwd=project.path,
        env=project.variables(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=said,
        text=True,
        start_new_session=True,
    )
    return Following(words=words, program=program, _said=said)


def documents(ran: Ran, kind: str) -> list[Document]:
    """Return the events of a *kind* that a command printed which was run to its end."""
    found = [json.loads(line) for line in ran.out.splitlines() if line.startswith("{")]
    return [one for one in found if one.get("event") == kind]


def alive(pid: int) -> bool:
    """Whether a process is there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False

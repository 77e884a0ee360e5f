"""What is told of a release, purely: events in, messages out. Nothing of a container's log is among it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, Literal

from deploylib import events, secrecy
from deploylib.errors import DeployError, RolledBackError

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["started", "waiting", "migrated", "serving", "failed", "rolled back"]
Action = Literal["release", "rollback", "restart", "scale"]

LONGEST_LINE = 500
SHORT_COMMIT = 12
MINUTE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the messages are about; *restores* is the release that a rollback goes back to, *by* the caller's ARN."""

    app: str
    environment: str
    commit: str = ""
    action: Action = "release"
    by: str = ""
    services: tuple[str, ...] = ()
    restores: int = 0

    @property
    def title(self) -> str:
        """The title of every message of one release: mail programs, and people, put the same ones together."""
        return " ".join(filter(None, (f"{self.app} {self.environment}:", self.action, self.commit[:SHORT_COMMIT])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, plain text."""

    kind: Kind
    title: str
    body: str

    @property
    def is_problem(self) -> bool:
        """Whether somebody should look."""
        return self.kind in {"failed", "rolled back"}


class Story:
    """What has been told of one release so far: its first event is its start, and a thing is told once."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._told: set[Kind] = set()
        self._name: str = subject.action
        self._standing: tuple[str, ...] = ()

    def after(self, event: events.Event) -> Iterator[Message]:
        """Yield the messages that *event* gives rise to."""
        if isinstance(event, events.Began):
            self._name = f"release {event.release}"
        if isinstance(event, events.Concluded):
            self._standing = tuple(_serves(one) for one in event.services)
        found = _said(event)
        told: tuple[tuple[Kind, str], ...] = (("started", self._start()), *([found] if found else []))
        for kind, body in told:
            if kind not in self._told:
                yield self._message(kind, body)

    def ended(self, error: BaseException) -> Message:
        """Return the message of a release that *error* has ended."""
        kind: Kind = "rolled back" if isinstance(error, RolledBackError) else "failed"
        what = _line(str(error)) if isinstance(error, DeployError) else "was interrupted"
        if not isinstance(error, DeployError | KeyboardInterrupt | GeneratorExit):
            what = f"ended with a bug: {type(error).__name__}"  # its text may hold anything
        notes = (_line(one) for one in getattr(error, "__notes__", ()))
        next_step = _line(getattr(error, "hint", ""))
        lines = (f"{self._name}: {what}", *notes, *self._standing, f"next: {next_step}" if next_step else "")
        return self._message(kind, "\n".join(filter(None, lines)))

    def _message(self, kind: Kind, body: str) -> Message:
        self._told.add(kind)
        return Message(kind=kind, title=self._subject.title, body=secrecy.hidden(body))

    def _start(self) -> str:
        one = self._subject
        what = f"back to release {one.restores}" if one.restores else ", ".join(one.services)
        by = f"by {one.by.rsplit('/', 1)[-1]}" if one.by else ""
        return ": ".join(filter(None, (f"started {by}".strip(), what)))


@singledispatch
def _said(event: events.Event) -> tuple[Kind, str] | None:  # noqa: ARG001  # most events are not told
    """Return what *event* is told as, and in what words."""
    return None


@_said.register
def _(event: events.LockWaited) -> tuple[Kind, str]:
    why = f" ({_line(event.reason)})" if event.reason else ""
    return "waiting", f"waiting for {event.by} on {event.host}, who holds the lock since {event.since}{why}"


@_said.register
def _(event: events.Migrated) -> tuple[Kind, str]:
    return "migrated", f"the migration is done in {_elapsed(event.seconds)}"


@_said.register
def _(event: events.Completed) -> tuple[Kind, str]:
    what = f"release {event.release} serves" if event.release else ("restarted" if event.restarted else "done")
    where = f"{what} at {event.url}" if event.url else what
    services = f": {', '.join(event.services)}" if event.services else ""
    return "serving", f"{where} after {_elapsed(event.seconds)}{services}"


def _serves(one: events.Serves) -> str:
    """Return one line on what a service serves after a failure."""
    what = {"nothing": "nothing", "unclear": "unclear: look at it"}.get(one.state, f"the {one.state} release")
    number = f" ({one.release})" if one.release and one.state in {"previous", "new"} else ""
    return f"{one.service} serves {what}{number}" if one.state != "unclear" else f"{one.service}: {what}"


def _line(text: str) -> str:
    """Return the first line of *text*: what follows may be the log of a container, which is nobody else's."""
    return " ".join(text.split("\n", 1)[0].split())[:LONGEST_LINE]


def _elapsed(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), MINUTE)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

"""What a command that failed leaves behind: one file with everything that explains it, for CI to keep.

The same facts as the JSON lines, but only those that matter once it is over, and the page that a person would read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import io
import json
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Group
from rich.text import Text

from deploylib import events, secrecy
from deploylib.errors import DeployError
from deploylib.infra import private
from deploylib.report import lines
from deploylib.report.console import Quoted, cleaned, page, show
from deploylib.report.failures import panel
from deploylib.report.wording import moment, serving

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from rich.console import RenderableType

    from deploylib.clock import Clock
    from deploylib.plan import Plan

T = TypeVar("T")

KEPT_LINES = 50
INTERRUPTED = 130
FOLDER = ".cache"


@dataclass(kw_only=True)
class _Seen:
    """What was seen on the way that explains the end."""

    number: int = 0
    failures: list[events.RolloutFailed] = field(default_factory=list)
    concluded: events.Concluded | None = None
    step: str = ""
    log: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))

    def take(self, event: events.Event) -> None:
        """Remember what *event* tells."""
        if isinstance(event, events.Began):
            self.number = event.release
        elif isinstance(event, events.RolloutFailed):
            self.failures.append(event)
        elif isinstance(event, events.Concluded):
            self.concluded = event
        elif step := _logging(event):
            self._listen(step, event)

    def _listen(self, step: str, event: events.Event) -> None:
        """Remember the last lines of the step that logs now."""
        if step != self.step:
            self.step = step
            self.log.clear()
        if line := getattr(event, "line", ""):
            self.log.append(line)


def failure_file(root: Path, environment: str) -> Path:
    """Return where the report of an environment's last failure lies, unless somebody wants it elsewhere."""
    return root / FOLDER / f"failure-{environment}.json"


def kept(
    happening: Generator[events.Event, Any, T], plan: Plan, to: Path, *, clock: Clock = time
) -> Generator[events.Event, Any, T]:
    """Pass on *happening*; when it fails, write the report to the file *to*, and note in the error which that is.

    A report of an earlier failure is removed first, so that a file that is there is about the last run.
    """
    began, seen = clock.time(), _Seen()
    with contextlib.suppress(OSError):  # what cannot be removed is replaced, or told then
        to.unlink()
    try:
        return (yield from _watched(happening, seen))
    except GeneratorExit:
        raise
    except BaseException as error:
        document = secrecy.without_secrets(_document(plan, seen, error, (began, clock.time())))
        note = _written(to, document)
        if not isinstance(error, KeyboardInterrupt):  # who interrupts knows why
            error.add_note(note)
        raise


def _watched(happening: Generator[events.Event, Any, T], seen: _Seen) -> Generator[events.Event, Any, T]:
    """Pass events up, answers and interruptions down, and remember what is seen."""
    answer: Any = None
    interrupt: BaseException | None = None
    try:
        while True:
            event = happening.throw(interrupt) if interrupt else happening.send(answer)
            seen.take(event)
            answer = interrupt = None
            try:
                answer = yield event
            except GeneratorExit:
                happening.close()
                raise
            except BaseException as error:  # noqa: BLE001  # it is raised where it is known what to do
                interrupt = error
    except StopIteration as end:
        value: T = end.value
        return value


def _logging(event: events.Event) -> str:
    """Return the step that an event with a line, or the start of one, is of."""
    match event:
        case events.BuildStarted() | events.BuildLogged() | events.ImageTestStarted() | events.ImageTestLogged():
            return f"image {event.image}"
        case events.MigrationStarted() | events.MigrationLogged():
            return "migration"
        case events.HookStarted() | events.HookLogged():
            return f"hook {event.hook}"
        case _:
            return ""


def _document(plan: Plan, seen: _Seen, error: BaseException, span: tuple[float, float]) -> dict[str, Any]:
    """Return the whole report; *span* is when the command began and ended, in seconds since 1970."""
    document = {
        "event": "FailureReport",
        "app": plan.contract.app,
        "environment": plan.environment,
        "account_id": plan.contract.account_id,
        "region": plan.contract.region,
        "commit": plan.commit,
        "release": seen.number,
        "name": plan.release,
        "began_at": _iso(span[0]),
        "ended_at": _iso(span[1]),
        **_failure(error, seen.concluded.hint if seen.concluded else ""),
        "failures": [_without_event(one) for one in seen.failures],
        "serving": [dataclasses.asdict(one) for one in seen.concluded.services] if seen.concluded else [],
        "step": "" if seen.failures else seen.step,
        "log": [] if seen.failures else list(seen.log),
    }
    return {**document, "page": _page(seen, document)}


def _failure(error: BaseException, hint: str) -> dict[str, Any]:
    """Return how the command ended, as its last JSON line says it."""
    known = isinstance(error, DeployError | KeyboardInterrupt)
    said = str(error) or ("interrupted" if isinstance(error, KeyboardInterrupt) else type(error).__name__)
    code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    return {
        "error": type(error).__name__,
        "exit_code": error.exit_code if isinstance(error, DeployError) else code,
        "message": said,
        "notes": list(getattr(error, "__notes__", ())),
        "hint": getattr(error, "hint", "") or hint,
        "traceback": [] if known else traceback.format_exception(error),
    }


def _without_event(failed: events.RolloutFailed) -> dict[str, Any]:
    return {key: value for key, value in lines.document(failed).items() if key not in ("event", "at")}


def _page(seen: _Seen, document: dict[str, Any]) -> list[str]:
    """Return the report as a person reads it, line by line."""
    target = io.StringIO()
    show(Group(*_parts(seen, document)), page(target, width=100, terminal=False))
    return target.getvalue().splitlines()


def _parts(seen: _Seen, document: dict[str, Any]) -> Iterator[RenderableType]:
    release = f"release {document['release']}  " if document["release"] else ""
    yield Text(f"{document['app']} → {document['environment']}  account {document['account_id']}  {document['region']}")
    yield Text(f"{release}commit {document['commit']}")
    yield Text(f"{moment(document['began_at'])} to {moment(document['ended_at'])}, exit code {document['exit_code']}\n")
    yield Text(cleaned(document["message"], keep_lines=True))
    yield from (Text(f"note: {cleaned(one)}") for one in document["notes"])
    for one in seen.failures:
        yield from (Text(), panel(one))
    if document["log"]:
        yield Text(f"\n{cleaned(document['step'])} said last:")
        yield from (Quoted(one) for one in document["log"])
    if seen.concluded:
        yield Text("\nWhat serves now:")
        yield from (Text(f"  {cleaned(serving(one))}") for one in seen.concluded.services)
    if document["hint"]:
        yield Text(f"\nNext: {cleaned(document['hint'])}")


def _written(to: Path, document: dict[str, Any]) -> str:
    """Write the report where nobody else may read it, and return what to say."""
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        private.write(to, json.dumps(document, default=str, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        return f"the report of this failure could not be written: {error}"
    return f"the whole report of this failure is in {_short(to)}"


def _short(path: Path) -> Path:
    """Return *path* as seen from here, if it is below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _iso(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="seconds")

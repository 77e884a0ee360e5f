"""The state of a deploy as a person sees it: a value that each event turns into the next one.

Pure: the seconds are those of the events, so the same events always make the same board.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Literal

from deploylib import events
from deploylib.errors import ImageError
from deploylib.report.console import elapsed, size
from deploylib.report.wording import SHORT_DIGEST, ended, held, said, words
from deploylib.taskdef import short

Mood = Literal["waiting", "busy", "good", "bad", "back", "left"]

MIGRATION, LOCK = "migration", "lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that is under way: an image, the migration, a service. `since` and `ended` are seconds."""

    name: str
    since: float
    state: str = ""
    mood: Mood = "busy"
    detail: str = ""
    revision: str = ""
    ended: float | None = None
    standing: events.Standing | None = None


Lines = tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Everything that moves, and the closing sentences. `steps` are the lock and the project's hooks."""

    steps: Lines = ()
    images: Lines = ()
    migration: Lines = ()
    services: Lines = ()
    schedules: Lines = ()
    serving: tuple[events.Serves, ...] = ()
    closing: tuple[str, ...] = ()


@singledispatch
def after(event: events.Event, board: Board) -> Board:  # noqa: ARG001  # those below read it
    """Return *board* as it is after *event*."""
    return board


def settled(board: Board) -> tuple[Board, Board]:
    """Return what of *board* is finished and can scroll away, and what has to stay in sight."""
    steps, images, migration = (_if_ended(one) for one in (board.steps, board.images, board.migration))
    stays = replace(
        board,
        steps=() if steps else board.steps,
        images=() if images else board.images,
        migration=() if migration else board.migration,
    )
    return Board(steps=steps, images=images, migration=migration), stays


def _if_ended(lines: Lines) -> Lines:
    return lines if all(one.ended is not None for one in lines) else ()


def fitting(board: Board, height: int) -> Board:
    """Return *board* so that its picture has at most *height* lines, if leaving out what matters less is enough."""
    if _height(board) > height:
        services = tuple(replace(one, detail="") if one.standing else one for one in board.services)
        board = replace(board, services=services)
    if _height(board) > height:
        done = sum(one.ended is not None for one in board.services)
        moving = tuple(one for one in board.services if one.ended is None)
        count = Line(name="", since=0.0, ended=0.0, mood="good", state=f"{done} more services have ended")
        board = replace(board, steps=(), images=(), schedules=(), services=(*moving, *([count] if done else [])))
    return board


def _height(board: Board) -> int:
    details = sum(bool(one.standing and one.detail and one.ended is None) for one in board.services)
    titles = sum(map(bool, (board.images, board.services, board.schedules, board.serving)))
    running = len((*board.steps, *board.images, *board.migration, *board.services, *board.schedules))
    return running + len((*board.serving, *board.closing)) + details + titles


def closed(board: Board, now: float, error: BaseException | None = None) -> Board:
    """Return *board* when nothing will come any more: what was under way is left as it is, *error* says why."""
    failed = error is not None and not isinstance(error, KeyboardInterrupt)
    return replace(
        board,
        steps=tuple(_left(one, now, "given up" if one.name == LOCK else "not finished") for one in board.steps),
        images=tuple(_left_image(one, now, error) for one in board.images),
        migration=tuple(_left(one, now, "failed" if failed else "not finished", bad=failed) for one in board.migration),
        services=tuple(_left(one, now, "no longer followed") for one in board.services),
    )


def _left_image(line: Line, now: float, error: BaseException | None) -> Line:
    failed = isinstance(error, ImageError) and error.image == line.name
    return _left(line, now, "failed" if failed else "not finished", bad=failed)


def _left(line: Line, now: float, state: str, *, bad: bool = False) -> Line:
    if line.ended is not None:
        return line
    if line.mood == "good":
        return replace(line, ended=now)
    if line.mood == "waiting":
        return replace(line, state="not rolled out", mood="left", ended=line.since)
    return replace(line, state=state, mood="bad" if bad else "left", ended=now)


@after.register
def _lock_waited(event: events.LockWaited, board: Board) -> Board:
    line = replace(
        _find(board.steps, LOCK, event), state="waiting", detail=f"{elapsed(event.left_seconds)} left, {held(event)}"
    )
    return replace(board, steps=_with(board.steps, line))


@after.register
def _locked(event: events.Locked, board: Board) -> Board:
    if not any(one.name == LOCK for one in board.steps):  # nobody else had it: not worth a line
        return board
    line = replace(_find(board.steps, LOCK, event), state="ours", mood="good", detail="", ended=event.at)
    return replace(board, steps=_with(board.steps, line))


@after.register
def _hook_started(event: events.HookStarted, board: Board) -> Board:
    return replace(board, steps=_with(board.steps, Line(name=event.hook, state="running", since=event.at)))


@after.register
def _hook_ended(event: events.HookEnded, board: Board) -> Board:
    mood: Mood = "good" if event.exit_code == 0 else "bad"
    line = replace(_find(board.steps, event.hook, event), state=ended(event), mood=mood, ended=event.at)
    return replace(board, steps=_with(board.steps, line))


@after.register
def _build_started(event: events.BuildStarted, board: Board) -> Board:
    line = Line(name=event.image, state="building", since=event.at, detail=event.reason)
    return replace(board, images=_with(board.images, line))


@after.register
def _build_logged(event: events.BuildLogged, board: Board) -> Board:
    line = _find(board.images, event.image, event)
    return replace(board, images=_with(board.images, replace(line, detail=event.line.strip() or line.detail)))


@after.register
def _built(event: events.Built, board: Board) -> Board:
    line = _find(board.images, event.image, event)
    line = replace(line, state="built", detail=f"in {elapsed(event.seconds)}")
    return replace(board, images=_with(board.images, line))


@after.register
def _push_started(event: events.PushStarted, board: Board) -> Board:
    line = _find(board.images, event.image, event)
    return replace(board, images=_with(board.images, replace(line, state="pushing", mood="busy", detail="")))


@after.register
def _image_test_started(event: events.ImageTestStarted, board: Board) -> Board:
    line = _find(board.images, event.image, event)
    line = replace(line, state="testing", detail=f"beside {', '.join(event.needs)}" if event.needs else "")
    return replace(board, images=_with(board.images, line))


@after.register
def _image_test_logged(event: events.ImageTestLogged, board: Board) -> Board:
    line = _find(board.images, event.image, event)
    return replace(board, images=_with(board.images, replace(line, detail=event.line.strip() or line.detail)))


@after.register
def _image_tested(event: events.ImageTested, board: Board) -> Board:
    line = _find(board.images, event.image, event)
    line = replace(line, state="tested", mood="good", detail=f"in {elapsed(event.seconds)}")
    return replace(board, images=_with(board.images, line))


@after.register
def _promotion_started(event: events.PromotionStarted, board: Board) -> Board:
    line = Line(name=event.image, state="copying", since=event.at, detail=f"from {event.source}")
    return replace(board, images=_with(board.images, line))


@after.register
def _promoted(event: events.Promoted, board: Board) -> Board:
    line = _find(board.images, event.image, event)
    travelled = f"{size(event.size)} travelled" if event.layers else "nothing had to travel"
    detail = f"{event.digest[:SHORT_DIGEST]}, {travelled}"
    line = replace(line, state="copied", mood="good", detail=detail, ended=event.at)
    return replace(board, images=_with(board.images, line))


@after.register
def _pushed(event: events.Pushed, board: Board) -> Board:
    line = _find(board.images, event.image, event)
    line = replace(line, state="pushed", mood="good", detail=event.digest[:SHORT_DIGEST], ended=event.at)
    return replace(board, images=_with(board.images, line))


@after.register
def _tagged(event: events.Tagged, board: Board) -> Board:
    if event.moved:  # names that follow a release say nothing about the image
        return board
    line = _find(board.images, event.image, event)
    line = replace(line, state="tagged", mood="good", detail=event.tag, ended=event.at)
    return replace(board, images=_with(board.images, line))


@after.register
def _registered(event: events.Registered, board: Board) -> Board:
    line = Line(name=event.service, state="registered", since=event.at, mood="waiting", detail=short(event.revision))
    return replace(board, services=_with(board.services, line))


@after.register
def _migration_started(event: events.MigrationStarted, board: Board) -> Board:
    state = "running, left by an earlier deploy" if event.attached else "running"
    line = Line(name=MIGRATION, state=state, since=event.at)
    return replace(board, migration=(line,))


@after.register
def _migrated(event: events.Migrated, board: Board) -> Board:
    line = _find(board.migration, MIGRATION, event)
    return replace(board, migration=(replace(line, state="done", mood="good", ended=event.at),))


@after.register
def _migration_skipped(event: events.MigrationSkipped, board: Board) -> Board:
    state = f"not run again: release {event.release} ran it"
    return replace(board, migration=(Line(name=MIGRATION, state=state, mood="good", since=event.at, ended=event.at),))


@after.register
def _gate_opened(event: events.GateOpened, board: Board) -> Board:
    line = _find(board.services, event.service, event)
    line = replace(line, state="starting", mood="busy", detail=f"after {', '.join(event.after)}", since=event.at)
    return replace(board, services=_with(board.services, line))


@after.register
def _schedule_moved(event: events.ScheduleMoved, board: Board) -> Board:
    state, mood = f"starts {short(event.revision)}", _moods(back=event.back)
    line = Line(name=event.task, state=state, mood=mood, since=event.at, detail=event.schedule, ended=event.at)
    return replace(board, schedules=_with(board.schedules, line))


@after.register
def _concluded(event: events.Concluded, board: Board) -> Board:
    return replace(board, serving=event.services)


@after.register
def _rollout_started(event: events.RolloutStarted, board: Board) -> Board:
    standing = events.Standing(
        service=event.service, desired=event.desired, running=0, pending=0, failed=0, old=0, state="starting"
    )
    line = Line(
        name=event.service,
        state="under way already" if event.attached else "starting",
        since=event.at,
        detail=short(event.revision),
        revision=short(event.revision),
        standing=standing,
    )
    return replace(board, services=_with(board.services, line))


@after.register
def _progressed(event: events.Progressed, board: Board) -> Board:
    services = board.services
    for one in event.services:
        line = _find(services, one.service, event)
        if line.ended is None:
            moved = replace(line, state=words(one), standing=one, detail=said(one) or line.detail)
            services = _with(services, moved)
    return replace(board, services=services)


@after.register
def _drained(event: events.Drained, board: Board) -> Board:
    line = _find(board.services, event.service, event)
    standing = line.standing and replace(line.standing, running=line.standing.desired, pending=0, old=0)
    state = f"runs {line.revision}" if line.revision else "done"
    line = replace(line, state=state, mood="good", detail="", ended=event.at, standing=standing)
    return replace(board, services=_with(board.services, line))


@after.register
def _rollout_failed(event: events.RolloutFailed, board: Board) -> Board:
    line = _find(board.services, event.service, event)
    line = replace(line, state=event.verdict, mood="bad", detail="", ended=event.at)
    return replace(board, services=_with(board.services, line))


@after.register
def _restoring(event: events.Restoring, board: Board) -> Board:
    line = Line(name=event.service, state="going back", since=event.at, detail=f"to {short(event.revision)}")
    return replace(board, services=_with(board.services, line))


@after.register
def _restored(event: events.Restored, board: Board) -> Board:
    line = _find(board.services, event.service, event)
    line = replace(line, state=f"serves {short(event.revision)} again", mood="back", detail="", ended=event.at)
    return replace(board, services=_with(board.services, line))


@after.register
def _served(event: events.Served, board: Board) -> Board:
    return replace(board, closing=(*board.closing, f"{event.url} answered {event.status}"))


@after.register
def _completed(event: events.Completed, board: Board) -> Board:
    calls = f", {event.calls} {'call' if event.calls == 1 else 'calls'} to AWS" if event.calls else ""
    address = f": {event.url}" if event.url and not board.closing else ""
    done = "Restarted" if event.restarted else "Scaled" if event.scaled else "Released"
    which = f"Release {event.release} completed" if event.release else done
    return replace(board, closing=(*board.closing, f"{which} in {elapsed(event.seconds)}{calls}{address}"))


def _moods(*, back: bool) -> Mood:
    return "back" if back else "good"


def _find(lines: Lines, name: str, event: events.Event) -> Line:
    """Return the line of *name*, or a new one: a display has to bear an event whose beginning it did not see."""
    return next((one for one in lines if one.name == name), Line(name=name, since=event.at))


def _with(lines: Lines, line: Line) -> Lines:
    """Return *lines* with *line* in the place of the one of its name, or at the end."""
    if any(one.name == line.name for one in lines):
        return tuple(line if one.name == line.name else one for one in lines)
    return (*lines, line)

"""The state of a deploy as a person sees it: a value that each event turns into the next one.

Pure: the seconds are those of the events, so the same events always make the same board.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Literal

from deploylib import events
from deploylib.errors import ImageError
from deploylib.report.console import elapsed, size

Mood = Literal["waiting", "busy", "good", "bad", "back", "left"]

MIGRATION = "migration"
SERVICE_PREFIX = re.compile(r"^\(service [^)]*\)\s*")
SHORT_DIGEST = len("sha256:") + 12


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
    """Everything that moves, and the closing sentences."""

    images: Lines = ()
    migration: Lines = ()
    services: Lines = ()
    closing: tuple[str, ...] = ()


@singledispatch
def after(event: events.Event, board: Board) -> Board:  # noqa: ARG001  # those below read it
    """Return *board* as it is after *event*."""
    return board


def settled(board: Board) -> tuple[Board, Board]:
    """Return what of *board* is finished and can scroll away, and what has to stay in sight."""
    images = board.images if all(one.ended is not None for one in board.images) else ()
    migration = board.migration if all(one.ended is not None for one in board.migration) else ()
    stays = replace(board, images=() if images else board.images, migration=() if migration else board.migration)
    return Board(images=images, migration=migration), stays


def fitting(board: Board, height: int) -> Board:
    """Return *board* so that its picture has at most *height* lines, if leaving out what matters less is enough."""
    if _height(board) > height:
        services = tuple(replace(one, detail="") if one.standing else one for one in board.services)
        board = replace(board, services=services)
    if _height(board) > height:
        done = sum(one.ended is not None for one in board.services)
        moving = tuple(one for one in board.services if one.ended is None)
        count = Line(name="", since=0.0, ended=0.0, mood="good", state=f"{done} more services have ended")
        board = replace(board, images=(), services=(*moving, *([count] if done else [])))
    return board


def _height(board: Board) -> int:
    details = sum(bool(one.standing and one.detail and one.ended is None) for one in board.services)
    titles = bool(board.images) + bool(board.services)
    return len((*board.images, *board.migration, *board.services, *board.closing)) + details + titles


def closed(board: Board, now: float, error: BaseException | None = None) -> Board:
    """Return *board* when nothing will come any more: what was under way is left as it is, *error* says why."""
    failed = error is not None and not isinstance(error, KeyboardInterrupt)
    return replace(
        board,
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
    line = Line(name=event.service, state="registered", since=event.at, mood="waiting", detail=_short(event.revision))
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
def _rollout_started(event: events.RolloutStarted, board: Board) -> Board:
    standing = events.Standing(
        service=event.service, desired=event.desired, running=0, pending=0, failed=0, old=0, state="starting"
    )
    line = Line(
        name=event.service,
        state="under way already" if event.attached else "starting",
        since=event.at,
        detail=_short(event.revision),
        revision=_short(event.revision),
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
    line = Line(name=event.service, state="going back", since=event.at, detail=f"to {_short(event.revision)}")
    return replace(board, services=_with(board.services, line))


@after.register
def _restored(event: events.Restored, board: Board) -> Board:
    line = _find(board.services, event.service, event)
    line = replace(line, state=f"serves {_short(event.revision)} again", mood="back", detail="", ended=event.at)
    return replace(board, services=_with(board.services, line))


@after.register
def _served(event: events.Served, board: Board) -> Board:
    return replace(board, closing=(*board.closing, f"{event.url} answered {event.status}"))


@after.register
def _completed(event: events.Completed, board: Board) -> Board:
    calls = f", {event.calls} {'call' if event.calls == 1 else 'calls'} to AWS" if event.calls else ""
    address = f": {event.url}" if event.url and not board.closing else ""
    done = "Restarted" if event.restarted else "Released"
    which = f"Release {event.release} completed" if event.release else done
    return replace(board, closing=(*board.closing, f"{which} in {elapsed(event.seconds)}{calls}{address}"))


def words(standing: events.Standing) -> str:
    """Return what a service is doing, in words."""
    if standing.old and standing.state in ("completed", "draining"):
        return "stopping the old tasks"
    if standing.old and standing.state == "in progress" and standing.running >= standing.desired > 0:
        return "handing over"  # ECS checks the new tasks' health, and then takes the old ones away
    return {"in progress": "rolling out"}.get(standing.state, standing.state)


def said(standing: events.Standing) -> str:
    """Return ECS's own last message about a service, without the name that it begins with."""
    return SERVICE_PREFIX.sub("", standing.message)


def _find(lines: Lines, name: str, event: events.Event) -> Line:
    """Return the line of *name*, or a new one: a display has to bear an event whose beginning it did not see."""
    return next((one for one in lines if one.name == name), Line(name=name, since=event.at))


def _with(lines: Lines, line: Line) -> Lines:
    """Return *lines* with *line* in the place of the one of its name, or at the end."""
    if any(one.name == line.name for one in lines):
        return tuple(line if one.name == line.name else one for one in lines)
    return (*lines, line)


def _short(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]

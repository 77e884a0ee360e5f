from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guestbook.job.worker import DeskError, Stamp, count_words, work

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Clock:
    """Time that passes only by waiting; asks to stop at a given second."""

    stop_at: float
    now: float = 0.0

    def is_set(self) -> bool:
        return self.now >= self.stop_at

    def wait(self, timeout: float) -> bool:
        self.now += timeout
        return self.is_set()

    def monotonic(self) -> float:
        return self.now


@dataclass
class MemoryDesk:
    """A desk with entries to stamp, behind a door that is locked for a number of visits."""

    clock: Clock
    waiting: list[int] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    seconds_a_stamp: float = 0.0

    @contextmanager
    def open(self) -> Iterator[MemoryDesk]:
        if self.locked:
            raise DeskError(self.locked.pop(0))
        yield self

    def stamp_next(self) -> Stamp | None:
        if not self.waiting:
            return None
        self.clock.now += self.seconds_a_stamp
        entry_id = self.waiting.pop(0)
        self.events.append(f"stamp {entry_id}")
        return Stamp(entry_id=entry_id, words=2)

    def beat(self) -> None:
        self.events.append("beat")

    def leave(self) -> None:
        self.events.append("leave")


def run(desk: MemoryDesk) -> list[str]:
    said: list[str] = []
    work(desk.open, desk.clock, say=said.append, monotonic=desk.clock.monotonic)
    return said


def test_entries_are_stamped_in_order_and_the_worker_signs_off() -> None:
    desk = MemoryDesk(Clock(stop_at=1), waiting=[3, 5])
    assert run(desk) == ["at work", "stamped entry 3: 2 words", "stamped entry 5: 2 words"]
    assert desk.events == ["beat", "stamp 3", "stamp 5", "leave"]


def test_an_idle_worker_is_heard_every_two_seconds() -> None:
    desk = MemoryDesk(Clock(stop_at=6.9))
    run(desk)
    assert desk.events == ["beat", "beat", "beat", "beat", "leave"]


def test_a_busy_worker_is_heard_too() -> None:
    desk = MemoryDesk(Clock(stop_at=4), waiting=[1, 2, 3, 4], seconds_a_stamp=1)
    run(desk)
    assert desk.events == ["beat", "stamp 1", "stamp 2", "beat", "stamp 3", "stamp 4", "beat", "leave"]


def test_a_stop_in_the_middle_of_an_entry_finishes_it_and_takes_no_other() -> None:
    desk = MemoryDesk(Clock(stop_at=0.5), waiting=[1, 2], seconds_a_stamp=1)
    run(desk)
    assert desk.events == ["beat", "stamp 1", "leave"]


def test_the_worker_waits_for_the_schema_and_says_so_once() -> None:
    desk = MemoryDesk(Clock(stop_at=4), locked=["no schema"] * 3)
    assert run(desk) == ["waiting: no schema", "at work"]


def test_each_kind_of_trouble_is_told() -> None:
    desk = MemoryDesk(Clock(stop_at=5), locked=["away", "away", "no schema"])
    assert run(desk) == ["waiting: away", "waiting: no schema", "at work"]


def test_a_lost_database_is_visited_again() -> None:
    class Flaky(MemoryDesk):
        def stamp_next(self) -> Stamp | None:
            if len(self.events) == 1:
                self.events.append("lost")
                raise DeskError("away")
            return super().stamp_next()

    desk = Flaky(Clock(stop_at=2), waiting=[1])
    assert run(desk) == ["at work", "waiting: away", "at work", "stamped entry 1: 2 words"]
    assert desk.events == ["beat", "lost", "beat", "stamp 1", "leave"]


def test_a_worker_told_to_stop_before_it_began_does_nothing() -> None:
    desk = MemoryDesk(Clock(stop_at=0), waiting=[1])
    assert run(desk) == []
    assert desk.events == []


def test_words_are_what_stands_between_spaces() -> None:
    assert [count_words(text) for text in ("", "one", " one\n two ", "a-b c")] == [0, 1, 2, 2]

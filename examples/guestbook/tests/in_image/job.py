"""What the `job` image has to pass before it is pushed: everything that the worker imports is in it, and it works."""

from __future__ import annotations

import threading
import time
import unittest

from guestbook.job import __main__ as job
from guestbook.job.worker import Stamp, count_words, serve


class Desk:
    """A desk with one entry; no database, so this test is over in a moment."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self.left = False

    def stamp_next(self) -> Stamp | None:
        self._stop.set()
        return Stamp(entry_id=1, words=count_words("three short words"))

    def beat(self) -> None:
        """Nobody listens."""

    def leave(self) -> None:
        self.left = True


class JobTest(unittest.TestCase):
    def test_an_entry_is_stamped_and_the_worker_leaves(self) -> None:
        stop, said = threading.Event(), list[str]()
        desk = Desk(stop)
        serve(desk, stop, say=said.append, monotonic=time.monotonic)
        assert said == ["stamped entry 1: 3 words"]
        assert desk.left

    def test_what_the_container_starts_is_there(self) -> None:
        assert callable(job.main)

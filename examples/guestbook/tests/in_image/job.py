"""What the `job` image has to pass before it is pushed: one entry stamped in a real database."""

from __future__ import annotations

import os
import unittest

import psycopg
from guestbook.database import database_from
from guestbook.job.desk import open_desk

DATABASE = database_from(os.environ)


class JobTest(unittest.TestCase):
    """The schema is that of the migration in the `web` image, which leaves a word of welcome."""

    def test_what_guests_wrote_is_stamped_with_its_words(self) -> None:
        with psycopg.connect(**DATABASE.parameters("guestbook-test"), autocommit=True) as connection:
            connection.execute("INSERT INTO entry (name, message) VALUES ('Ada', 'three short words')")
        with open_desk(DATABASE, name="test", definition="") as desk:
            desk.beat()
            welcome, written, nothing = desk.stamp_next(), desk.stamp_next(), desk.stamp_next()
        assert welcome is not None
        assert written is not None
        assert written.words == len(["three", "short", "words"])
        assert nothing is None

"""The worker's desk in PostgreSQL."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.errors import UndefinedColumn, UndefinedTable

from guestbook.job.worker import DeskError, Stamp, count_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestbook.database import Database

NEXT_ENTRY = """
    SELECT id, message FROM entry WHERE stamped_at IS NULL
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
"""  # several workers never take the same entry
STAMP = "UPDATE entry SET words = %s, stamped_by = %s, stamped_at = clock_timestamp() WHERE id = %s"
BEAT = """
    INSERT INTO worker (name, definition) VALUES (%s, %s)
    ON CONFLICT (name) DO UPDATE SET beat_at = now(), stopped_at = NULL
"""
FORGET = "DELETE FROM worker WHERE beat_at < now() - interval '1 hour'"
COUNT = "UPDATE worker SET stamped = stamped + 1, beat_at = now() WHERE name = %s"
LEAVE = "UPDATE worker SET stopped_at = now() WHERE name = %s"


class PostgresDesk:
    """One connection; each step is one transaction."""

    def __init__(self, connection: psycopg.Connection[Any], *, name: str, definition: str) -> None:
        self._connection = connection
        self._name = name
        self._definition = definition

    def stamp_next(self) -> Stamp | None:
        """Stamp the oldest entry without a stamp; None when there is none."""
        with self._connection.transaction():
            row = self._connection.execute(NEXT_ENTRY).fetchone()
            if row is None:
                return None
            stamp = Stamp(entry_id=row[0], words=count_words(row[1]))
            self._connection.execute(STAMP, (stamp.words, self._name, stamp.entry_id))
            self._connection.execute(COUNT, (self._name,))
        return stamp

    def beat(self) -> None:
        """Say that this worker is alive, and forget those that were not for an hour."""
        with self._connection.transaction():
            self._connection.execute(BEAT, (self._name, self._definition))
            self._connection.execute(FORGET)

    def leave(self) -> None:
        """Say that this worker stopped on purpose."""
        self._connection.execute(LEAVE, (self._name,))


@contextmanager
def open_desk(database: Database, *, name: str, definition: str) -> Iterator[PostgresDesk]:
    """Connect; whatever passes by itself (no server, no schema yet) becomes a DeskError."""
    try:
        with psycopg.connect(**database.parameters("guestbook-job"), autocommit=True) as connection:
            yield PostgresDesk(connection, name=name, definition=definition)
    except (UndefinedTable, UndefinedColumn) as error:
        raise DeskError("the schema is not there yet") from error
    except psycopg.OperationalError as error:
        raise DeskError(f"the database is away: {str(error).splitlines()[0]}") from error

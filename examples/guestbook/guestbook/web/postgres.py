"""The guest book in PostgreSQL."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.errors import UndefinedColumn, UndefinedTable
from psycopg.rows import class_row
from psycopg_pool import ConnectionPool

from guestbook.web.book import BookError, Entry, Page, Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestbook.database import Database

POOL_SIZE = 4
WAITING = 6  # together fewer than the server has threads, so that /healthz is answered while the database is not
WAIT_SECONDS = 2.0
ENTRIES = """
    SELECT id AS entry_id, name, message, signed_at, words, stamped_by, stamped_at
    FROM entry ORDER BY id DESC LIMIT 20
"""
WORKERS = """
    SELECT name, definition, stamped, beat_at, stopped_at
    FROM worker WHERE beat_at > now() - interval '10 minutes' ORDER BY beat_at DESC, name LIMIT 6
"""
FACTS = """
    SELECT now(), version_num, (SELECT count(*) FROM entry), (SELECT count(stamped_at) FROM entry)
    FROM alembic_version
"""
SIGN = "INSERT INTO entry (name, message) VALUES (%s, %s) RETURNING id"
REVISION = "SELECT version_num FROM alembic_version"


class PostgresBook:
    """Connects at the first use, so that it can be made before the server forks and while there is no database."""

    def __init__(self, database: Database) -> None:
        self._pool = ConnectionPool(
            kwargs={**database.parameters("guestbook-web"), "autocommit": True, "options": "-c statement_timeout=5000"},
            min_size=1,
            max_size=POOL_SIZE,
            max_waiting=WAITING,
            timeout=WAIT_SECONDS,
            check=ConnectionPool.check_connection,  # a database that was restarted costs no request
            open=False,
        )

    def read(self) -> Page:
        """Return the newest entries and who is at work."""
        with self._connection() as connection:
            now, revision, rows, stamped = _one(connection.execute(FACTS).fetchone())
            with connection.cursor(row_factory=class_row(Entry)) as cursor:
                entries = cursor.execute(ENTRIES).fetchall()
            with connection.cursor(row_factory=class_row(Worker)) as cursor:
                workers = cursor.execute(WORKERS).fetchall()
        return Page(
            now=now, revision=revision, rows=rows, stamped=stamped, entries=tuple(entries), workers=tuple(workers)
        )

    def sign(self, name: str, message: str) -> int:
        """Write an entry and return its number."""
        with self._connection() as connection:
            return int(_one(connection.execute(SIGN, (name, message)).fetchone())[0])

    def revision(self) -> str:
        """Return the revision of the schema."""
        with self._connection() as connection:
            return str(_one(connection.execute(REVISION).fetchone())[0])

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        self._pool.open()  # harmless when it is
        try:
            with self._pool.connection() as connection:
                yield connection
        except (UndefinedTable, UndefinedColumn) as error:
            raise BookError("the database has no schema yet, or an older one") from error
        except psycopg.OperationalError as error:
            raise BookError("the database does not answer") from error


def _one(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if row is None:  # only an emptied alembic_version has no row
        raise BookError("the database has no schema yet, or an older one")
    return row

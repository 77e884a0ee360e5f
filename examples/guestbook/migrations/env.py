"""Runs the migrations: all revisions in one transaction, one migration at a time."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection, NullPool, create_engine, text

from guestbook.database import database_from

LOCK = 20071969  # any number, but the same in every release
TRY_LOCK, WAIT_FOR_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)"), text("SELECT pg_advisory_xact_lock(:key)")
LOCK_TIMEOUT = text("SET LOCAL lock_timeout = '10s'")  # a table in use must not make everyone else wait behind us


def say(line: str) -> None:
    """Print a line of the log."""
    print(f"migration: {line}", flush=True)  # noqa: T201  the log of a task is its standard output


def announce(*, step, heads, **_rest) -> None:
    """Name a step that was applied."""
    say(f"{'applied' if step.is_upgrade else 'took back'} {step.up_revision_id}: {step.up_revision.doc}")


def take_lock(connection: Connection) -> None:
    """Let another migration finish first; the lock goes with the transaction."""
    if not connection.scalar(TRY_LOCK, {"key": LOCK}):
        say("waiting for another migration to finish")
        connection.execute(WAIT_FOR_LOCK, {"key": LOCK})
    connection.execute(LOCK_TIMEOUT)


def migrate() -> None:
    """Connect, wait for our turn, run what is missing."""
    database = database_from(os.environ)
    say(f"database {database.name} on {database.host}:{database.port} as {database.user}")
    parameters = database.parameters("guestbook-migration")
    engine = create_engine("postgresql+psycopg://", connect_args=dict(parameters), poolclass=NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, on_version_apply=announce)
        with context.begin_transaction():
            take_lock(connection)
            before = context.get_context().get_current_revision()
            say(f"schema at {before or 'no revision'}")
            context.run_migrations()
            after = context.get_context().get_current_revision()
        say(f"schema at {after}, nothing to do" if before == after else f"schema at {after}, committed")


migrate()

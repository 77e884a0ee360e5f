"""Runs the migrations: all revisions in one transaction, one migration at a time."""

from __future__ import annotations

import logging
import os
import signal
import sys

from alembic import context
from guestbook.database import database_from
from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

LOCK = 20071969  # any number, but the same in every release
TRY_LOCK, WAIT_FOR_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)"), text("SELECT pg_advisory_xact_lock(:key)")
LOCK_TIMEOUT = text("SET LOCAL lock_timeout = '10s'")  # a table in use must not make everyone else wait behind us

log = logging.getLogger("migration")


def migrate() -> None:
    """Connect, wait for our turn, run what is missing."""
    logging.basicConfig(stream=sys.stdout, format="migration: %(message)s")
    log.setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the statement is cancelled in the database
    with connect() as connection:
        context.configure(connection=connection)
        logging.getLogger("alembic").setLevel(logging.INFO)  # it names each step before it runs it
        with context.begin_transaction():
            take_lock(connection)
            before = revision()
            log.info("schema at %s", before)
            context.run_migrations()
            after = revision()
        log.info("schema at %s, %s", after, "nothing to do" if before == after else "committed")


def connect() -> Connection:
    """Sign in; without a database there is nothing that a traceback could add."""
    database = database_from(os.environ)
    log.info("database %s on %s:%s as %s", database.name, database.host, database.port, database.user)
    parameters = database.parameters("guestbook-migration")
    engine: Engine = create_engine("postgresql+psycopg://", connect_args=dict(parameters), poolclass=NullPool)
    try:
        return engine.connect()
    except OperationalError as error:
        raise SystemExit(f"migration: cannot connect: {error.orig}") from error


def take_lock(connection: Connection) -> None:
    """Let another migration finish first; the lock goes with the transaction."""
    if not connection.scalar(TRY_LOCK, {"key": LOCK}):
        log.info("waiting for another migration to finish")
        connection.execute(WAIT_FOR_LOCK, {"key": LOCK})
    connection.execute(LOCK_TIMEOUT)


def revision() -> str:
    """Return the revision that the database is at."""
    return context.get_context().get_current_revision() or "no revision"


migrate()

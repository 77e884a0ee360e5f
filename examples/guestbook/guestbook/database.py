"""Where the database is. Shared by the web application, the worker and the migration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUIRED = ("DB_HOST", "DB_NAME", "DB_USER", "DB_PASSWORD")


class Parameters(TypedDict):
    """What `psycopg.connect` is called with."""

    host: str
    port: str
    dbname: str
    user: str
    password: str
    sslmode: str
    application_name: str
    connect_timeout: int
    tcp_user_timeout: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A PostgreSQL database and the user that signs in to it."""

    host: str
    port: str
    name: str
    user: str
    password: str = field(repr=False)

    def parameters(self, application_name: str) -> Parameters:
        """Return connection parameters that notice a dead server within seconds."""
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.name,
            "user": self.user,
            "password": self.password,
            "sslmode": "prefer",
            "application_name": application_name,
            "connect_timeout": 3,
            "tcp_user_timeout": 5000,
        }


def database_from(environ: Mapping[str, str]) -> Database:
    """Read the DB_… variables; exit with the names of those that are missing."""
    if missing := [name for name in REQUIRED if not environ.get(name)]:
        raise SystemExit(f"guestbook: not set: {', '.join(missing)}")
    return Database(
        host=environ["DB_HOST"],
        port=environ.get("DB_PORT") or "5432",
        name=environ["DB_NAME"],
        user=environ["DB_USER"],
        password=environ["DB_PASSWORD"],
    )

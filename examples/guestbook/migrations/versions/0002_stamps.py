"""Stamps, and the workers that give them."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

UPGRADE = (
    "ALTER TABLE entry ADD words integer, ADD stamped_by varchar(40), ADD stamped_at timestamptz",
    "CREATE INDEX entry_unstamped ON entry (id) WHERE stamped_at IS NULL",
    """
    CREATE TABLE worker (
        name varchar(40) PRIMARY KEY,
        definition varchar(300) NOT NULL,
        stamped bigint NOT NULL DEFAULT 0,
        started_at timestamptz NOT NULL DEFAULT now(),
        beat_at timestamptz NOT NULL DEFAULT now(),
        stopped_at timestamptz
    )
    """,
    """
    INSERT INTO entry (name, message)
    VALUES ('Migration 0002', 'From now on a worker reads every entry, counts its words and stamps it.')
    """,
)
DOWNGRADE = (
    "DROP TABLE worker",
    "DROP INDEX entry_unstamped",
    "ALTER TABLE entry DROP stamped_at, DROP stamped_by, DROP words",
)


def upgrade() -> None:
    """Add the stamps; an entry without one waits for a worker."""
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    """Drop the stamps and the workers; the entries stay."""
    for statement in DOWNGRADE:
        op.execute(statement)

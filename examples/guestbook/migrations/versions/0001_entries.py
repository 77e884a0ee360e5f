"""Entries, and a welcome."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

CREATE = """
    CREATE TABLE entry (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name varchar(40) NOT NULL,
        message varchar(500) NOT NULL,
        signed_at timestamptz NOT NULL DEFAULT now()
    )
"""
WELCOME = """
    INSERT INTO entry (name, message)
    VALUES ('Migration 0001', 'Welcome! I created this table and wrote its first row. Please sign the book.')
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(CREATE)
    op.execute(WELCOME)


def downgrade() -> None:
    """Drop the table."""
    op.execute("DROP TABLE entry")

"""${message}."""

from __future__ import annotations

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Add only what the release that is serving now can live with."""
    ${upgrades if upgrades else "op.execute()"}


def downgrade() -> None:
    """Take it back."""
    ${downgrades if downgrades else "op.execute()"}

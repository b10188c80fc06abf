"""Stores that fail as a whole, and since when each store is known; nothing is known of either before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables, empty."""
    op.create_table(
        "circuits",
        sa.Column("store", WORD, nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("openings", sa.BigInteger(), nullable=False),
        sa.Column("failed_at", WORD, nullable=False),
        sa.Column("opened_at", WORD),
        sa.Column("next_try_at", WORD),
        sa.Column("code", WORD, nullable=False),
        sa.Column("reason", WORD, nullable=False),
        sa.PrimaryKeyConstraint("store", name="pk_circuits"),
    )
    op.create_table(
        "known_stores",
        sa.Column("store", WORD, nullable=False),
        sa.Column("since", WORD, nullable=False),
        sa.PrimaryKeyConstraint("store", name="pk_known_stores"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("known_stores")
    op.drop_table("circuits")

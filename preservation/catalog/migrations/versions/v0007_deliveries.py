"""What was taken from watched places, so that each delivery is taken once; nothing is known of earlier ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table, empty."""
    op.create_table(
        "deliveries",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        *(sa.Column(name, WORD, nullable=False) for name in ("place", "name", "fingerprint", "outcome")),
        sa.Column("identifier", WORD),
        sa.Column("version", sa.Integer()),
        sa.Column("began_at", WORD, nullable=False),
        sa.Column("ended_at", WORD),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", WORD),
        sa.Column("run", WORD),
        sa.Column("reason", WORD),
        sa.Column("told", WORD),
        sa.PrimaryKeyConstraint("number", name="pk_deliveries"),
    )
    op.create_index("ix_deliveries_place", "deliveries", ["place", "name", "number"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_deliveries_place", "deliveries")
    op.drop_table("deliveries")

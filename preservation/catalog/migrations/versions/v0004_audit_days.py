"""What audits used on each day, so that budgets hold over several runs; nothing is known of the days before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table, empty."""
    counts = ("copies", "objects", "bytes", "requests", "milliseconds", "failed", "waiting")
    op.create_table(
        "audit_days",
        *(sa.Column(name, WORD, nullable=False) for name in ("day", "store", "grade", "policy")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in counts),
        sa.Column("alone", sa.Boolean(), nullable=False),
        sa.Column("held", WORD, nullable=False),
        sa.PrimaryKeyConstraint("store", "grade", "policy", "day", name="pk_audit_days"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("audit_days")

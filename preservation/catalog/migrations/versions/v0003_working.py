"""Runs, incidents, and notices that wait to be sent. Incidents of copies begin with what is seen from now on; those
of before come with the next `rebuild_projections`.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, empty."""
    op.create_table(
        "runs",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        *(_word(name) for name in ("id", "flow", "asked", "process", "began_at", "heard_at")),
        *(sa.Column(name, WORD) for name in ("ended_at", "word")),
        sa.Column("verdict", sa.SmallInteger()),
        *(sa.Column(name, WORD) for name in ("counts", "report", "reason")),
        sa.PrimaryKeyConstraint("number", name="pk_runs"),
        sa.UniqueConstraint("id", name="uq_runs_id"),
    )
    op.create_index("ix_runs_flow", "runs", ["flow", "number"])
    op.create_index("ix_runs_ended_at", "runs", ["ended_at"])
    op.create_table(
        "incidents",
        _word("id"),
        _word("key"),
        sa.Column("open_key", WORD),
        _word("kind"),
        sa.Column("identifier", WORD),
        sa.Column("version", sa.Integer()),
        *(sa.Column(name, WORD) for name in ("store", "grade", "flow")),
        *(_word(name) for name in ("detail", "first_seen", "last_seen")),
        sa.Column("times", sa.BigInteger(), nullable=False),
        *(sa.Column(name, WORD) for name in ("acknowledged_at", "acknowledged_by", "acknowledged_why")),
        *(sa.Column(name, WORD) for name in ("closed_at", "closed_why", "told_at")),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
        sa.UniqueConstraint("open_key", name="uq_incidents_open_key"),
    )
    op.create_index("ix_incidents_first_seen", "incidents", ["first_seen", "id"])
    op.create_index("ix_incidents_kind", "incidents", ["kind", "open_key"])
    op.create_table(
        "notices",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        *(_word(name) for name in ("id", "channel", "role", "kind")),
        sa.Column("run", WORD),
        *(_word(name) for name in ("subject", "body", "content", "created_at")),
        sa.Column("attempts", sa.Integer(), nullable=False),
        *(sa.Column(name, WORD) for name in ("next_try_at", "sent_at", "trouble")),
        sa.PrimaryKeyConstraint("number", name="pk_notices"),
        sa.UniqueConstraint("id", name="uq_notices_id"),
    )
    op.create_index("ix_notices_channel", "notices", ["channel", "role", "number"])
    op.create_index("ix_notices_next_try_at", "notices", ["next_try_at"])


def downgrade() -> None:
    """Drop them; the indexes go with them."""
    for table in ("notices", "incidents", "runs"):
        op.drop_table(table)


def _word(name: str) -> sa.Column[str]:
    return sa.Column(name, WORD, nullable=False)

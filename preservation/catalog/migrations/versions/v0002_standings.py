"""What is due when, how each version stands, which copies are wanting, and the counts of all that.

Versions that are there already wait to be judged: only whoever knows the policies can do that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NEVER = "9999-12-31T00:00:00.000000Z"
ONCE = "0001-01-01T00:00:00.000000Z"


def upgrade() -> None:
    """Make the tables; every version is in them, unjudged."""
    _tables()
    _indexes()
    unjudged = sa.text(
        "INSERT INTO standings (version_id, policy, digest, word, proved, overdue_at, valid_from, valid_until)"
        " SELECT id, policy, '', '', 0, :never, :once, :never FROM versions"
    )
    op.execute(unjudged.bindparams(never=NEVER, once=ONCE))
    columns = "INSERT INTO tallies (kind, policy, store, word, day, number, items, bytes)"
    op.execute(f"{columns} SELECT 'aips', '', '', '', '', count(*), 0, 0 FROM aips HAVING count(*) > 0")  # noqa: S608
    for kind, day in (("judged", ""), ("standing", NEVER[:10])):
        op.execute(
            f"{columns} SELECT '{kind}', policy, '', '', '{day}', count(*), sum(files), sum(bytes)"  # noqa: S608
            " FROM versions GROUP BY policy"
        )


def downgrade() -> None:
    """Drop them; the indexes go with them."""
    for table in ("tallies", "wanting", "dues", "standings"):
        op.drop_table(table)


def _tables() -> None:
    op.create_table(
        "standings",
        sa.Column("version_id", NUMBER, autoincrement=False, nullable=False),
        *(sa.Column(name, WORD, nullable=False) for name in ("policy", "digest", "word")),
        sa.Column("proved", sa.Integer(), nullable=False),
        *(sa.Column(name, WORD, nullable=False) for name in ("overdue_at", "valid_from", "valid_until")),
        sa.PrimaryKeyConstraint("version_id", name="pk_standings"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_standings_version_id"),
    )
    op.create_table(
        "dues",
        sa.Column("version_id", NUMBER, nullable=False),
        *(sa.Column(name, WORD, nullable=False) for name in ("store", "grade", "due_at", "overdue_at")),
        sa.Column("proved_at", WORD),
        sa.PrimaryKeyConstraint("version_id", "store", "grade", name="pk_dues"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_dues_version_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "wanting",
        sa.Column("version_id", NUMBER, nullable=False),
        *(sa.Column(name, WORD, nullable=False) for name in ("store", "state", "grades")),
        sa.Column("proved", sa.Integer(), nullable=False),
        sa.Column("since", WORD, nullable=False),
        sa.PrimaryKeyConstraint("version_id", "store", name="pk_wanting"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_wanting_version_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tallies",
        *(sa.Column(name, WORD, nullable=False) for name in ("kind", "policy", "store", "word", "day")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("number", "items", "bytes")),
        sa.PrimaryKeyConstraint("kind", "policy", "store", "word", "day", name="pk_tallies"),
        sqlite_with_rowid=False,
    )


def _indexes() -> None:
    op.create_index("ix_standings_word", "standings", ["word", "overdue_at", "version_id"])
    op.create_index("ix_standings_digest", "standings", ["policy", "digest", "version_id"])
    op.create_index("ix_standings_valid_from", "standings", ["valid_from"])
    op.create_index("ix_standings_valid_until", "standings", ["valid_until"])
    op.create_index("ix_dues_due", "dues", ["store", "grade", "due_at", "version_id"])
    op.create_index("ix_dues_overdue", "dues", ["store", "grade", "overdue_at", "version_id"])
    op.create_index("ix_dues_proved", "dues", ["store", "grade", "proved_at"])
    op.create_index("ix_wanting_state", "wanting", ["store", "state", "proved", "since", "version_id"])
    op.create_index("ix_wanting_since", "wanting", ["store", "state", "since"])

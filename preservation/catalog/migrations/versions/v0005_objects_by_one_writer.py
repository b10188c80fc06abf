"""PostgreSQL no longer looks up version and format of each object that comes: that was three quarters of the time an
admission took. One function writes objects, in the transaction that writes what they refer to, and no other change
them; `vankho catalog compare` finds what somebody else changed. SQLite keeps the check, which costs it little.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

REFERS = (
    ("fk_objects_version_id", "versions", "version_id"),
    ("fk_objects_format_id", "formats", "format_id"),
)


def upgrade() -> None:
    """Drop the two constraints."""
    if op.get_bind().dialect.name == "postgresql":
        for name, _, _ in REFERS:
            op.drop_constraint(name, "objects", type_="foreignkey")


def downgrade() -> None:
    """Make them again; every object there is is looked at."""
    if op.get_bind().dialect.name == "postgresql":
        for name, table, column in REFERS:
            op.create_foreign_key(name, "objects", table, [column], ["id"])

"""The first tables, and the triggers that let events only be added."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Each refuses one way of changing history. The last one of SQLite is against INSERT OR REPLACE, which deletes
# without asking the triggers for deletion.
SQLITE_TRIGGERS = (
    "CREATE TRIGGER events_no_update BEFORE UPDATE ON events BEGIN"
    " SELECT RAISE(ABORT, 'events are only ever added'); END",
    "CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN"
    " SELECT RAISE(ABORT, 'events are only ever added'); END",
    "CREATE TRIGGER events_no_replace BEFORE INSERT ON events"
    " WHEN EXISTS (SELECT 1 FROM events WHERE seq = NEW.seq OR id = NEW.id) BEGIN"
    " SELECT RAISE(ABORT, 'events are only ever added'); END",
)
POSTGRESQL_TRIGGERS = (
    "CREATE FUNCTION events_only_added() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'events are only ever added'; END $$",
    "CREATE TRIGGER events_no_change BEFORE UPDATE OR DELETE ON events"
    " FOR EACH ROW EXECUTE FUNCTION events_only_added()",
    "CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON events"
    " FOR EACH STATEMENT EXECUTE FUNCTION events_only_added()",
)


def upgrade() -> None:
    """Make everything."""
    _content_tables()
    _history_tables()
    _replica_tables()
    _working_tables()
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRESQL_TRIGGERS:
        op.execute(statement)
    op.execute(sa.text("INSERT INTO chain_head (id, seq, digest) VALUES (1, 0, :zero)").bindparams(zero="0" * 64))
    op.execute("INSERT INTO counters (name, value) VALUES ('lease', 0)")


def downgrade() -> None:
    """Drop everything; the triggers go with their table."""
    for table in (
        "capabilities",
        "counters",
        "leases",
        "evidence",
        "replicas",
        "chain_head",
        "events",
        "holdings",
        "objects",
        "formats",
        "versions",
        "aips",
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION events_only_added()")


def _content_tables() -> None:
    op.create_table(
        "aips",
        sa.Column("identifier", WORD, nullable=False),
        sa.Column("producer_identifier", WORD),
        sa.Column("collection", WORD),
        sa.PrimaryKeyConstraint("identifier", name="pk_aips"),
    )
    op.create_index(
        "uq_aips_producer", "aips", ["producer_identifier", sa.text("coalesce(collection, '')")], unique=True
    )
    op.create_table(
        "versions",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("identifier", WORD, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content_digest", WORD, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("files", "bytes", "objects", "object_bytes")),
        *(sa.Column(name, WORD, nullable=False) for name in ("policy", "admitted_at", "submission", "source")),
        *(sa.Column(name, WORD) for name in ("title", "title_searchable", "staged")),
        sa.PrimaryKeyConstraint("id", name="pk_versions"),
        sa.ForeignKeyConstraint(["identifier"], ["aips.identifier"], name="fk_versions_identifier"),
        sa.UniqueConstraint("content_digest", name="uq_versions_content_digest"),
        sa.UniqueConstraint("identifier", "version", name="uq_versions_identifier_version"),
    )
    op.create_table(
        "formats",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("key", WORD, nullable=False),
        *(sa.Column(name, WORD) for name in ("puid", "name", "version", "mime")),
        *(sa.Column(name, WORD, nullable=False) for name in ("basis", "tool", "signatures", "candidates")),
        sa.Column("extension_mismatch", sa.Boolean(), nullable=False),
        *(sa.Column(name, WORD) for name in ("xml_format", "xml_namespace")),
        sa.PrimaryKeyConstraint("id", name="pk_formats"),
        sa.UniqueConstraint("key", name="uq_formats_key"),
    )
    op.create_table(
        "objects",
        sa.Column("version_id", NUMBER, nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("role", WORD, nullable=False),
        sa.Column("searchable", WORD, nullable=False),
        sa.Column("original_name", sa.LargeBinary()),
        sa.Column("format_id", NUMBER),
        sa.Column("format_note", WORD),
        sa.PrimaryKeyConstraint("version_id", "path", name="pk_objects"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_objects_version_id"),
        sa.ForeignKeyConstraint(["format_id"], ["formats.id"], name="fk_objects_format_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "holdings",
        sa.Column("version_id", NUMBER, nullable=False),
        sa.Column("format_id", NUMBER, nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version_id", "format_id", name="pk_holdings"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_holdings_version_id"),
        sa.ForeignKeyConstraint(["format_id"], ["formats.id"], name="fk_holdings_format_id"),
    )


def _history_tables() -> None:
    op.create_table(
        "events",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        *(sa.Column(name, WORD, nullable=False) for name in ("id", "type", "at", "agent", "outcome")),
        sa.Column("submission", WORD),
        sa.Column("identifier", WORD),
        sa.Column("version", sa.Integer()),
        sa.Column("store", WORD),
        *(sa.Column(name, WORD, nullable=False) for name in ("detail", "previous", "digest")),
        sa.PrimaryKeyConstraint("seq", name="pk_events"),
        sa.UniqueConstraint("id", name="uq_events_id"),
    )
    op.create_index("ix_events_aip", "events", ["identifier", "version", "seq"])
    op.create_index("ix_events_submission", "events", ["submission", "seq"])
    op.create_table(
        "chain_head",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", WORD, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chain_head"),
        sa.CheckConstraint("id = 1", name="ck_chain_head_one"),
    )


def _replica_tables() -> None:
    op.create_table(
        "replicas",
        sa.Column("version_id", NUMBER, nullable=False),
        sa.Column("store", WORD, nullable=False),
        sa.Column("claimed_at", WORD, nullable=False),
        sa.PrimaryKeyConstraint("version_id", "store", name="pk_replicas"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_replicas_version_id"),
    )
    op.create_index("ix_replicas_store", "replicas", ["store", "version_id"])
    op.create_table(
        "evidence",
        sa.Column("version_id", NUMBER, nullable=False),
        *(sa.Column(name, WORD, nullable=False) for name in ("store", "grade", "outcome", "at")),
        sa.PrimaryKeyConstraint("version_id", "store", "grade", name="pk_evidence"),
        sa.ForeignKeyConstraint(
            ["version_id", "store"],
            ["replicas.version_id", "replicas.store"],
            name="fk_evidence_version_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_evidence_due", "evidence", ["store", "grade", "at"])


def _working_tables() -> None:
    op.create_table(
        "leases",
        sa.Column("key", WORD, nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        *(sa.Column(name, WORD, nullable=False) for name in ("owner", "machine", "process", "taken_at", "beat_at")),
        sa.Column("beats", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_leases"),
    )
    op.create_table(
        "counters",
        sa.Column("name", WORD, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )
    op.create_table(
        "capabilities",
        sa.Column("store", WORD, nullable=False),
        sa.Column("probed_at", WORD, nullable=False),
        sa.Column("facts", WORD, nullable=False),
        sa.PrimaryKeyConstraint("store", name="pk_capabilities"),
    )

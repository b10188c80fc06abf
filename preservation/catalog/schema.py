"""The tables. The migrations beside this file make them; a test holds the two equal.

Text compares byte by byte in both dialects, times are text of fixed width in UTC, so that both sort and hash alike.
Binary only in `objects`, by far the largest table: digests of 32 bytes, paths as the producer's bytes in UTF-8.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

REVISION = "0007"  # of the newest migration: what this release reads and writes
VERSION_TABLE = "vankho_schema"  # not Alembic's default, so that Prefect's database is never taken for ours

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

Word = Text().with_variant(Text(collation="C"), "postgresql")
Number = BigInteger().with_variant(Integer(), "sqlite")  # SQLite gives out row numbers for INTEGER only


def written(at: datetime) -> str:
    """The moment as the catalog writes it: `2026-11-22T05:37:18.000000Z`. Refuses a time without zone."""
    if at.tzinfo is None:
        raise ValueError(f"a time without zone: {at!r}")
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


class Moment(TypeDecorator[datetime]):
    """An aware datetime in UTC, as text of fixed width."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Byte order on PostgreSQL too."""
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """To text."""
        return None if value is None else written(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """From text."""
        return None if value is None else datetime.fromisoformat(value)


aips = Table(
    "aips",
    metadata,
    Column("identifier", Word, primary_key=True),
    Column("producer_identifier", Word),
    Column("collection", Word),
)
# One AIP for one producer identifier in one collection; packages without one are each an AIP of their own.
Index("uq_aips_producer", aips.c.producer_identifier, func.coalesce(aips.c.collection, ""), unique=True)

versions = Table(
    "versions",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("identifier", Word, ForeignKey("aips.identifier"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("content_digest", Word, nullable=False, unique=True),
    Column("files", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("objects", BigInteger, nullable=False),
    Column("object_bytes", BigInteger, nullable=False),
    Column("policy", Word, nullable=False),
    Column("admitted_at", Moment, nullable=False),
    Column("submission", Word, nullable=False),
    Column("source", Word, nullable=False),
    Column("title", Word),
    Column("title_searchable", Word),
    Column("staged", Word),
    UniqueConstraint("identifier", "version", name="uq_versions_identifier_version"),
)

formats = Table(  # each distinct answer of an identifier once; objects point to it
    "formats",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("key", Word, nullable=False, unique=True),  # SHA-256 of the answer's canonical JSON
    Column("puid", Word),
    Column("name", Word),
    Column("version", Word),
    Column("mime", Word),
    Column("basis", Word, nullable=False),
    Column("tool", Word, nullable=False),
    Column("signatures", Word, nullable=False),
    Column("candidates", Word, nullable=False),  # JSON list of PUIDs
    Column("extension_mismatch", Boolean, nullable=False),
    Column("xml_format", Word),
    Column("xml_namespace", Word),
)

objects = Table(  # by far the largest; on PostgreSQL without the two foreign keys, see migration 0005
    "objects",
    metadata,
    Column("version_id", Number, ForeignKey("versions.id"), nullable=False),
    Column("path", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("role", Word, nullable=False),
    Column("searchable", Word, nullable=False),
    Column("original_name", LargeBinary),
    Column("format_id", Number, ForeignKey("formats.id")),
    Column("format_note", Word),
    PrimaryKeyConstraint("version_id", "path"),
    sqlite_with_rowid=False,  # the primary key is the table: no second tree to keep
)

holdings = Table(  # projection: how many payload files of each format a version has
    "holdings",
    metadata,
    Column("version_id", Number, ForeignKey("versions.id"), nullable=False),
    Column("format_id", Number, ForeignKey("formats.id"), nullable=False),
    Column("files", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    PrimaryKeyConstraint("version_id", "format_id"),
)

events = Table(
    "events",
    metadata,
    Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
    Column("id", Word, nullable=False, unique=True),
    Column("type", Word, nullable=False),
    Column("at", Moment, nullable=False),
    Column("agent", Word, nullable=False),
    Column("outcome", Word, nullable=False),
    Column("submission", Word),
    Column("identifier", Word),
    Column("version", Integer),
    Column("store", Word),
    Column("detail", Word, nullable=False),  # canonical JSON
    Column("previous", Word, nullable=False),
    Column("digest", Word, nullable=False),
    Index("ix_events_aip", "identifier", "version", "seq"),
    Index("ix_events_submission", "submission", "seq"),
)

chain_head = Table(  # one row: the last event; locked by whoever adds events
    "chain_head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("digest", Word, nullable=False),
    CheckConstraint("id = 1", name="one"),
)

replicas = Table(  # projection
    "replicas",
    metadata,
    Column("version_id", Number, ForeignKey("versions.id"), nullable=False),
    Column("store", Word, nullable=False),
    Column("claimed_at", Moment, nullable=False),
    PrimaryKeyConstraint("version_id", "store"),
    Index("ix_replicas_store", "store", "version_id"),
)

evidence = Table(  # projection: the last proof per replica and grade; the index finds what is due
    "evidence",
    metadata,
    Column("version_id", Number, nullable=False),
    Column("store", Word, nullable=False),
    Column("grade", Word, nullable=False),
    Column("outcome", Word, nullable=False),
    Column("at", Moment, nullable=False),
    PrimaryKeyConstraint("version_id", "store", "grade"),
    ForeignKeyConstraint(["version_id", "store"], ["replicas.version_id", "replicas.store"], ondelete="CASCADE"),
    Index("ix_evidence_due", "store", "grade", "at"),
)

standings = Table(  # projection: the judgement of each version; `word` leaves lateness aside, overdue_at tells it
    "standings",
    metadata,
    Column("version_id", Number, ForeignKey("versions.id"), primary_key=True, autoincrement=False),
    Column("policy", Word, nullable=False),
    Column("digest", Word, nullable=False),  # of the rules it was judged by; empty when not judged yet
    Column("word", Word, nullable=False),
    Column("proved", Integer, nullable=False),  # copies that count
    Column("overdue_at", Moment, nullable=False),
    Column("valid_from", Moment, nullable=False),
    Column("valid_until", Moment, nullable=False),
    Index("ix_standings_word", "word", "overdue_at", "version_id"),
    Index("ix_standings_digest", "policy", "digest", "version_id"),
    Index("ix_standings_valid_from", "valid_from"),
    Index("ix_standings_valid_until", "valid_until"),
)

dues = Table(  # projection: when each copy must be proved again
    "dues",
    metadata,
    Column("version_id", Number, ForeignKey("versions.id"), nullable=False),
    Column("store", Word, nullable=False),
    Column("grade", Word, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("overdue_at", Moment, nullable=False),
    Column("proved_at", Moment),
    PrimaryKeyConstraint("version_id", "store", "grade"),
    Index("ix_dues_due", "store", "grade", "due_at", "version_id"),
    Index("ix_dues_overdue", "store", "grade", "overdue_at", "version_id"),
    Index("ix_dues_proved", "store", "grade", "proved_at"),
    sqlite_with_rowid=False,
)

wanting = Table(  # projection: wanted copies that do not count, the most endangered first in the index
    "wanting",
    metadata,
    Column("version_id", Number, ForeignKey("versions.id"), nullable=False),
    Column("store", Word, nullable=False),
    Column("state", Word, nullable=False),  # absent, unproved, damaged
    Column("grades", Word, nullable=False),  # that are audited there, with commas between
    Column("proved", Integer, nullable=False),  # copies of the version that count
    Column("since", Moment, nullable=False),  # when the version was admitted
    PrimaryKeyConstraint("version_id", "store"),
    Index("ix_wanting_state", "store", "state", "proved", "since", "version_id"),
    Index("ix_wanting_since", "store", "state", "since"),
    sqlite_with_rowid=False,
)

tallies = Table(  # projection: how many of what, so that no count has to count
    "tallies",
    metadata,
    Column("kind", Word, nullable=False),
    Column("policy", Word, nullable=False),
    Column("store", Word, nullable=False),
    Column("word", Word, nullable=False),
    Column("day", Word, nullable=False),  # 2026-11-22, in UTC
    Column("number", BigInteger, nullable=False),
    Column("items", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    PrimaryKeyConstraint("kind", "policy", "store", "word", "day"),
    sqlite_with_rowid=False,
)

leases = Table(
    "leases",
    metadata,
    Column("key", Word, primary_key=True),
    Column("token", BigInteger, nullable=False),
    Column("owner", Word, nullable=False),
    Column("machine", Word, nullable=False),  # JSON: host, boot, process space
    Column("process", Word, nullable=False),  # "<pid> <start time>"
    Column("taken_at", Moment, nullable=False),
    Column("beat_at", Moment, nullable=False),
    Column("beats", BigInteger, nullable=False),
)

counters = Table(  # fencing tokens: one counter for all leases, so that a lease given back leaves no row
    "counters",
    metadata,
    Column("name", Word, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

capabilities = Table(
    "capabilities",
    metadata,
    Column("store", Word, primary_key=True),
    Column("probed_at", Moment, nullable=False),
    Column("facts", Word, nullable=False),  # canonical JSON
)

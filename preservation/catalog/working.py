"""The tables of the daily work: runs, incidents, notices to be sent, days of audits, stores that fail. The migrations
make them, as all others.

Runs and notices are no history: nothing of them is proved, and with the catalog they are lost. Incidents of damaged
and of unreadable copies follow from the events, and are made again with the projections.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    UniqueConstraint,
)

from preservation.catalog.schema import Moment, Number, Word, metadata

runs = Table(
    "runs",
    metadata,
    Column(
        "number", Number, primary_key=True, autoincrement=True
    ),  # the order in which they began, whatever clocks say
    Column("id", Word, nullable=False, unique=True),
    Column("flow", Word, nullable=False),
    Column("asked", Word, nullable=False),  # JSON: what the flow was asked to do
    Column("process", Word, nullable=False),  # leases.this_process
    Column("began_at", Moment, nullable=False),
    Column("heard_at", Moment, nullable=False),  # the last sign that it got on
    Column("ended_at", Moment),
    Column("word", Word),  # well, found, failed, interrupted, broken-off; NULL while it runs
    Column("verdict", SmallInteger),  # 0, 1, 3; NULL where there was none
    Column("counts", Word),  # JSON
    Column("report", Word),  # the folder of its report, relative to the workspace
    Column("reason", Word),  # JSON of the sentence, when it failed as a whole
    Index("ix_runs_flow", "flow", "number"),
    Index("ix_runs_ended_at", "ended_at"),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Word, primary_key=True),
    Column("key", Word, nullable=False),  # what it is about: the same trouble again has the same key
    Column("open_key", Word),  # the key while it is open: of one trouble at most one incident is open
    Column("kind", Word, nullable=False),
    Column("identifier", Word),
    Column("version", Integer),
    Column("store", Word),
    Column("grade", Word),  # of a copy's incident: the strongest at which it was seen
    Column("flow", Word),
    Column("detail", Word, nullable=False),  # JSON of the sentence that says more, "" for none
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("times", BigInteger, nullable=False),
    Column("acknowledged_at", Moment),
    Column("acknowledged_by", Word),
    Column("acknowledged_why", Word),
    Column("closed_at", Moment),
    Column("closed_why", Word),  # proved, readable, given-up, back, ended-well, enough
    Column("told_at", Moment),  # when a notice told of it at once
    UniqueConstraint("open_key", name="uq_incidents_open_key"),
    Index("ix_incidents_first_seen", "first_seen", "id"),
    Index("ix_incidents_kind", "kind", "open_key"),
)

notices = Table(  # what is to be sent, until it was; and what was, so that the same is not sent again
    "notices",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", Word, nullable=False, unique=True),
    Column("channel", Word, nullable=False),
    Column("role", Word, nullable=False),
    Column("kind", Word, nullable=False),  # digest, damage, auditor-silent
    Column("run", Word),
    Column("subject", Word, nullable=False),
    Column("body", Word, nullable=False),
    Column("content", Word, nullable=False),  # digest of what it says, without times and numbers of runs
    Column("created_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", Moment),
    Column("sent_at", Moment),
    Column("trouble", Word),  # why the last try failed, without any secret
    Index("ix_notices_channel", "channel", "role", "number"),
    Index("ix_notices_next_try_at", "next_try_at"),
)

audit_days = Table(  # what audits read on each day of their schedule
    "audit_days",
    metadata,
    Column("day", Word, nullable=False),  # of the calendar in the schedule's time zone
    Column("store", Word, nullable=False),
    Column("grade", Word, nullable=False),
    Column("policy", Word, nullable=False),
    Column("copies", BigInteger, nullable=False),
    Column("objects", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("milliseconds", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("waiting", BigInteger, nullable=False),
    Column("alone", Boolean, nullable=False),
    Column("held", Word, nullable=False),
    PrimaryKeyConstraint("store", "grade", "policy", "day"),
)

circuits = Table(  # stores that failed as a whole the last time they were used; no row: all well
    "circuits",
    metadata,
    Column("store", Word, primary_key=True),
    Column("failures", BigInteger, nullable=False),  # in a row
    Column("openings", BigInteger, nullable=False),  # in a row: each doubles the wait for the next try
    Column("failed_at", Moment, nullable=False),
    Column("opened_at", Moment),  # since when the store is not tried but by a probe; NULL: it is tried
    Column("next_try_at", Moment),
    Column("code", Word, nullable=False),  # of the last failure: store-unavailable, store-denied, store-full
    Column("reason", Word, nullable=False),  # JSON of its sentence
)

known_stores = Table(  # since when a store stands in the settings, as far as a run saw it
    "known_stores",
    metadata,
    Column("store", Word, primary_key=True),
    Column("since", Moment, nullable=False),
)

deliveries = Table(  # what was taken from watched places, one row for each state in which a package was met
    "deliveries",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("place", Word, nullable=False),  # folder, or s3://bucket/prefix
    Column("name", Word, nullable=False),  # in the place; what is no UTF-8 in it as %XX
    Column("fingerprint", Word, nullable=False),  # of names, sizes and times, not of the bytes
    Column("outcome", Word, nullable=False),  # taking, accepted, already-here, rejected, failed
    Column("identifier", Word),
    Column("version", Integer),
    Column("began_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", Moment),  # of one that the system failed
    Column("run", Word),  # the run that took it last
    Column("reason", Word),  # JSON of the weightiest sentence
    Column("told", Word),  # where the outcome was written for the producer
    Index("ix_deliveries_place", "place", "name", "number"),
)

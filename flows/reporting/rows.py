"""What a run tells of each thing it worked on, a row for a package, a copy or a store: `workspace.run.tell(Row(…))`.

A row is told once, when the answer stands, and is gone from memory then; the report of the run is made of them.
Without a report being kept, as in a part of a flow that is called by itself, nobody hears them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from preservation.findings import Finding


class Kind(StrEnum):
    """What a row is about."""

    PACKAGE = "package"  # one delivery of an ingest; one AIP given back
    COPY = "copy"  # one AIP version in one store
    STORE = "store"  # one store as a whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One answer. `outcome` is the flow's own word: intact, damaged, unreadable, accepted, rejected, failed, skipped.

    `counts` are of objects by their own outcome (intact, altered, missing, unreadable, unexpected), `bytes` those
    that were read or put, `reason` the weightiest finding, `findings` how many there were. `away` says that the store
    could not be used at all, so that the copy is not to blame. `copies` is more than one only where many were left
    for the same reason.
    """

    kind: Kind
    outcome: str
    identifier: str | None = None
    version: int | None = None
    store: str | None = None
    grade: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    bytes: int = 0
    seconds: float = 0.0
    reason: Finding | None = None
    findings: int = 0
    source: str | None = None  # of a package: where it was delivered
    policy: str | None = None
    away: bool = False
    copies: int = 1


def _nobody(_row: Row) -> None:
    """Nobody hears it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a flow. `id` is empty and `began` None where no report is kept. Safe to share between threads."""

    id: str = ""
    flow: str = ""
    began: datetime | None = None
    hear: Callable[[Row], None] = _nobody

    def tell(self, row: Row) -> None:
        """Tell of one thing. Never raises, and never waits for anything but the disk for long."""
        self.hear(row)

"""Facts to put into catalogs."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from preservation.facts import (
    AIPVersion,
    Basis,
    Event,
    EventOutcome,
    EventType,
    FormatFact,
    ObjectFact,
    Role,
)

NOW = datetime(2026, 11, 22, 5, 37, 18, 123456, tzinfo=UTC)
TIFF = FormatFact(
    "x.tif", "fmt/353", "Tagged Image File Format", Basis.SIGNATURE, "fido 1.6.1", "PRONOM v109", mime="image/tiff"
)


def objects(count: int, *, seed: str = "") -> Iterator[ObjectFact]:
    """Objects of 1000 bytes with Vietnamese names, all TIFF, sorted by path."""
    for number in range(count):
        path = f"data/trang/{number:07d} Địa chí.tif"
        digest = hashlib.sha256(f"{seed}{number}".encode()).hexdigest()
        yield ObjectFact(path, 1000, digest, Role.PAYLOAD, format=replace(TIFF, path=path))


def version(count: int = 3, **changes: Any) -> AIPVersion:
    """A version of `count` such objects, its identifier and content new each time."""
    facts = AIPVersion(
        identifier=str(uuid.uuid4()),
        version=1,
        content_digest=hashlib.sha256(uuid.uuid4().bytes).hexdigest(),
        files=count,
        bytes=count * 1000,
        objects=count,
        object_bytes=count * 1000,
        policy="default",
        admitted_at=NOW,
        submission=str(uuid.uuid4()),
        source="/mnt/usb/Sách cũ",
        title="Địa chí Thừa Thiên Huế",
        collection="thu-vien-hue",
        staged="staging/x",
    )
    return replace(facts, **changes)


def event(about: AIPVersion | None = None, **changes: Any) -> Event:
    """An event, of that version when one is given."""
    facts = Event(
        id=str(uuid.uuid4()),
        type=EventType.INGESTION_END,
        at=NOW,
        agent="vankho 0.1.0",
        outcome=EventOutcome.SUCCESS,
        submission=about.submission if about else None,
        identifier=about.identifier if about else None,
        version=about.version if about else None,
    )
    return replace(facts, **changes)

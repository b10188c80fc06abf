"""Received packages and plans, as the writer gets them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

from preservation.bags.plan import BagPlan
from preservation.facts import Basis, Event, EventOutcome, EventType, FileFact, Form, FormatFact
from preservation.inventory import load_file, load_format, write_facts
from preservation.packages.received import Received
from preservation.packages.submission import Submission
from tests.bags.bag_maker import digest

NOW = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)


@lru_cache(maxsize=16)
def a_lock(folder: Path) -> int:
    """A descriptor on the file system of the folder, as a claim holds one."""
    return os.open(folder, os.O_RDONLY)


def received_package(
    folder: Path,
    files: Mapping[str, bytes],
    *,
    given_tags: Mapping[str, bytes] | None = None,
    set_aside: Mapping[str, bytes] | None = None,
    algorithms: tuple[str, ...] = ("sha256",),
) -> Received:
    """A received package as preservation.packages leaves it in its staging folder."""
    home = folder / "received"
    payload = home / "data" if given_tags is not None else home
    facts = {}
    for place, group in ((payload, files), (home, given_tags or {}), (folder / "set-aside", set_aside or {})):
        for path, content in sorted(group.items(), key=lambda item: item[0].encode()):
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_bytes(content)
            fact = FileFact(path, len(content), {name: digest(content, name) for name in algorithms})
            facts.setdefault(place, []).append(fact)
    inventory = facts.get(payload, [])
    listing = b"".join(f"{f.digests['sha256']} {f.size} {f.path}\n".encode() for f in inventory)
    return Received(
        submission=Submission("s-1", folder / "source", Form.FOLDER, folder, a_lock(Path(folder.anchor))),
        is_bag=given_tags is not None,
        payload=payload,
        given_tags=home if given_tags is not None else None,
        inventory=write_facts(folder / "inventory.jsonl", inventory, load_file),
        given_tag_files=tuple(facts.get(home, [])) if given_tags is not None else (),
        set_aside=tuple(facts.get(folder / "set-aside", [])),
        empty_folders=(),
        files=len(inventory),
        bytes=sum(f.size for f in inventory),
        content_digest=digest(listing),
        findings=(),
    )


def a_plan(received: Received, **changes: object) -> BagPlan:
    """A plan with a format for every file and two events."""
    formats = (
        FormatFact(
            file.path,
            "fmt/353",
            "Tagged Image File Format",
            Basis.SIGNATURE,
            "fido 1.6.1",
            "PRONOM v109",
            "image/tiff",
        )
        for file in received.inventory
    )
    events = tuple(
        Event(f"0000000{n}-0000-4000-8000-000000000000", kind, NOW, "vankho 0.1.0", EventOutcome.SUCCESS,
              submission="s-1", detail={"files": received.files, "ghi chú": "đã nhận"})
        for n, kind in enumerate((EventType.INGESTION_START, EventType.MESSAGE_DIGEST_CALCULATION))
    )  # fmt: skip
    facts: dict[str, object] = {
        "identifier": "01jd7q3v",
        "version": 1,
        "algorithms": ("sha256",),
        "bagging_date": date(2026, 11, 22),
        "agent": "vankho 0.1.0",
        "events": events,
        "formats": write_facts(received.submission.folder / "formats.jsonl", formats, load_format),
        "bag_info": {"Source-Organization": "Thư viện tỉnh Điện Biên"},
    }
    return BagPlan(**(facts | changes))  # type: ignore[arg-type]

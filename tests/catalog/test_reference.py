"""The reference page says what the code does."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from preservation.catalog import chain, leases
from preservation.catalog.schema import VERSION_TABLE, metadata

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "catalog.md").read_text(encoding="utf-8")


def test_every_table_is_explained() -> None:
    listed = PAGE.split("## Tables")[1].split("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.+?) \|", listed, re.MULTILINE))))
    assert named == set(metadata.tables) | {VERSION_TABLE}


def test_the_worked_example_of_a_digest() -> None:
    spelt, digest = re.search(r"```json\n(\{.*\})\n```\n\nand its digest:\n\n```\n(\w+)\n```", PAGE).groups()
    assert f"{len(spelt.encode())} bytes" in PAGE
    assert hashlib.sha256(bytes(32) + spelt.encode()).hexdigest() == digest
    record = json.loads(spelt)
    assert chain.canonical(record) == spelt.encode()
    detail, seq = record.pop("detail"), record.pop("seq")
    assert set(record) == set(chain.FIELDS)
    assert chain.link("0" * 64, seq, record, detail) == digest


def test_every_finding_of_the_chain_is_explained() -> None:
    source = Path(chain.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r'"(event-[a-z-]+)"', source)) == set(re.findall(r"`(event-[a-z-]+)`", PAGE))


def test_the_times_of_leases() -> None:
    for seconds in leases.BEAT, leases.EXPIRY.total_seconds(), leases.WATCH:
        assert f"{seconds:.0f} s" in PAGE

"""The conformance list on the stores that need no server. The S3 ones are in tests/live/."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage_adapters import conformance
from storage_adapters.conformance_clauses import CLAUSES
from storage_adapters.errors import StorageDenied
from storage_adapters.opening import LocalSettings, MemorySettings, open_for_check


def test_memory_keeps_every_clause():
    results = conformance.run(open_for_check("memory", MemorySettings()))
    assert [(each.name, each.detail) for each in results if each.outcome is not conformance.Outcome.HELD] == []
    assert len(results) == len(CLAUSES) == len({each.name for each in results})


def test_local_keeps_every_clause_and_leaves_nothing_behind(tmp_path: Path):
    results = conformance.run(open_for_check("local", LocalSettings(path=tmp_path)))
    assert [(each.name, each.detail) for each in results if each.outcome is not conformance.Outcome.HELD] == []
    assert list(tmp_path.iterdir()) == []


def test_watch_is_told_of_each_clause_as_it_ends():
    seen: list[str] = []
    results = conformance.run(open_for_check("m", MemorySettings()), watch=lambda each: seen.append(each.name))
    assert seen == [each.name for each in results]


def test_a_store_that_is_not_there_is_no_verdict_on_the_contract(tmp_path: Path):
    with pytest.raises(StorageDenied):
        conformance.run(open_for_check("gone", LocalSettings(path=tmp_path / "absent")))


def test_no_file_stays_open(tmp_path: Path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    conformance.run(open_for_check("local", LocalSettings(path=tmp_path)))
    assert len(list(Path("/proc/self/fd").iterdir())) == before

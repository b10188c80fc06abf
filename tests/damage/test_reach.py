"""One audit reaches everything: a copy that cannot be read hides no other, and much damage is told within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

import flows.workspace
from examples.servers import flip_byte
from flows import audit as auditing
from flows.audit import audit
from flows.ingest import ingest
from flows.outcomes import Verdict
from flows.workspace import Workspace
from storage_adapters.errors import StorageDenied, StorageUnavailable
from storage_adapters.store import ObjectStat
from tests.damage.lab import Behind
from tests.flows.houses import House, codes, package
from wording import say


@contextmanager
def locked(prefix: str, *, open_too: bool, error: type[Exception] = StorageDenied) -> Iterator[None]:
    """Below the prefix store b may not be listed, and not opened either."""
    opened = flows.workspace.open_named

    class Locked(Behind):
        def list(self, below: str) -> Iterator[ObjectStat]:
            for stat in self._store.list(below):
                if stat.key.startswith(prefix):
                    raise error(say("No."))
                yield stat

        def open(self, key: str) -> object:
            if open_too and key.startswith(prefix):
                raise error(say("No."))
            return super().open(key)

        def stat(self, key: str) -> object:
            if open_too and key.startswith(prefix):
                raise error(say("No."))
            return self._store.stat(key)

    def behind(workspace: Workspace, name: str) -> object:
        store = opened(workspace, name)
        return Locked(store, set(), {}, None) if name == "b" else store

    with mock.patch.object(flows.workspace, "open_named", behind):
        yield


@pytest.fixture
def two(house: House, tmp_path: Path) -> tuple[str, str]:
    """Two AIPs, the second damaged in b; in the order in which they are audited."""
    with house.open() as workspace:
        first, second = (
            str(ingest(workspace, str(package(tmp_path / name, {"x": name.encode() * 9}))).identifier)
            for name in ("one", "two")
        )
    file = house.store_folder("b") / f"aip/{second}/v1/data/x"
    file.chmod(0o600)
    flip_byte(file)
    return first, second


@pytest.mark.parametrize("error", [StorageDenied, StorageUnavailable])
def test_a_copy_that_may_not_be_read_hides_no_other(house: House, two: tuple[str, str], error: type[Exception]):
    with house.open() as workspace, locked(f"aip/{two[0]}/", open_too=True, error=error):
        first, second = audit(workspace, [], store="b")
    assert (first.word, first.verdict, first.away) == ("unreadable", Verdict.FAILED, None)
    assert (second.word, codes(second.report.findings)) == ("damaged", ["object-altered"])


def test_a_folder_that_may_not_be_listed_hides_no_damage_in_it(house: House, two: tuple[str, str]):
    with house.open() as workspace, locked(f"aip/{two[1]}/v1/data/", open_too=False):
        first, second = audit(workspace, [], store="b")
    assert first.word == "intact"
    assert second.word == "damaged"
    assert set(codes(second.report.findings)) == {"object-altered", "replica-not-listed"}


def test_what_one_run_tells_has_bounds_and_the_counts_are_exact(
    house: House, two: tuple[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(auditing, "FINDINGS_TOLD", 4)
    monkeypatch.setattr(auditing, "FINDINGS_LEAST", 2)
    for identifier in two:
        for file in (house.store_folder("b") / f"aip/{identifier}/v1/metadata").rglob("*"):
            file.unlink()
        (house.store_folder("b") / f"aip/{identifier}/v1/bagit.txt").unlink()
        (house.store_folder("b") / f"aip/{identifier}/v1/bag-info.txt").unlink()
    with house.open() as workspace:
        first, second = audit(workspace, [], store="b")
    lost = first.report.counts["missing"]
    assert codes(first.report.findings) == ["object-missing"] * min(lost, 4) + ["more-findings"] * (lost > 4)
    assert codes(second.report.findings) == ["object-missing"] * 2 + ["more-findings"]
    assert second.report.findings[-1].message.values["count"] == lost + 1 - 2
    assert (second.report.counts["missing"], second.report.counts["altered"]) == (lost, 1)
    assert second.report.wrong == ()

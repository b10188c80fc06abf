"""Reconcile names every disagreement between catalog and store, in both directions, and changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from preservation.facts import Replica
from preservation.findings import Severity
from preservation.replicas.layout import parse_key, replica_prefix
from preservation.replicas.reconcile import Reconciled, reconcile_store
from storage_adapters.errors import StorageDenied
from tests.replicas.places import FILES, NFD, OTHER_PAGE, PAGE, Aip, Place, Through, in_memory
from wording import say

ALL = len(FILES)
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def reconcile(place: Place, claimed: list[Aip]) -> Reconciled:
    by_place = {(aip.identifier, aip.version): aip for aip in claimed}
    replicas = [Replica(aip.identifier, aip.version, place.store.name, NOW) for aip in claimed]
    return reconcile_store(place.store, replicas, lambda *place: by_place[place].objects())


def told(report: Reconciled) -> list[tuple[str, str | None]]:
    return sorted((finding.code, finding.path) for finding in report.findings)


def test_agreement(place: Place):
    several = [Aip(), Aip(), Aip(identifier="one", version=1), Aip(identifier="one", version=10)]
    for aip in several:
        aip.copy_to(place.store)
    assert reconcile(place, several) == Reconciled(place.store.name, 4, 4 * ALL, ())


def test_an_empty_store_and_an_empty_catalog(place: Place):
    assert reconcile(place, []) == Reconciled(place.store.name, 0, 0, ())


def test_every_disagreement_by_name(place: Place):
    kept, lost, unknown, unfinished = Aip(), Aip(), Aip(), Aip()
    for aip in (kept, unknown, unfinished):
        aip.copy_to(place.store)
    place.delete(unfinished.key("bagit.txt"))
    place.delete(kept.key(PAGE))
    place.write(kept.key(OTHER_PAGE), b"short")
    place.rename(kept.key(NFD), kept.key("data/khác"))
    place.write("aip/readme.md", b"?")
    place.write(f"aip/{kept.identifier}/notes.txt", b"?")
    place.write("elsewhere/notes.txt", b"no place of the layout")
    place.write("verify_ledger.py", b"this one belongs there")
    place.write("ledger/x/y", b"and the ledger's own checker looks at these")
    report = reconcile(place, [kept, lost])
    assert told(report) == sorted(
        [
            ("object-missing", kept.key(PAGE)),
            ("object-missing", kept.key(NFD)),
            ("object-size-differs", kept.key(OTHER_PAGE)),
            ("object-unexpected", kept.key("data/khác")),
            ("object-stray", "aip/readme.md"),
            ("object-stray", "elsewhere/notes.txt"),
            ("object-stray", f"aip/{kept.identifier}/notes.txt"),
            ("replica-lost", replica_prefix(lost.identifier, 1)),
            ("replica-unknown", replica_prefix(unknown.identifier, 1)),
            ("replica-unfinished", replica_prefix(unfinished.identifier, 1)),
        ]
    )
    by_code = {finding.code: finding for finding in report.findings}
    assert (by_code["object-size-differs"].expected, by_code["object-size-differs"].seen) == ("3072 B", "5 B")
    assert (by_code["replica-unknown"].severity, by_code["replica-unknown"].seen) == (
        Severity.WARNING,
        f"{ALL} objects",
    )
    assert by_code["replica-unfinished"].seen == f"{ALL - 1} objects"


@pytest.mark.parametrize("locked", ["$RECYCLE.BIN/", "lost+found/", "aip/"])
def test_a_folder_beside_the_copies_that_may_not_be_listed_is_said(aip: Aip, locked: str):
    place = in_memory()
    aip.copy_to(place.store)
    place.delete(aip.key(PAGE))
    place.write(locked + "x", b"")
    place.write("zzz", b"")

    class Locked(Through):
        def list(self, prefix: str):
            for stat in super().list(prefix):
                if stat.key.startswith(locked):
                    raise StorageDenied(say("No."))
                yield stat

    if locked == "aip/":
        with pytest.raises(StorageDenied):
            reconcile(Place(Locked(place.store), place.read, place.write, place.delete), [aip])
        return
    report = reconcile(Place(Locked(place.store), place.read, place.write, place.delete), [aip])
    assert told(report) == [("object-missing", aip.key(PAGE)), ("store-not-all-listed", None)]
    assert report.objects == ALL - 1


def test_findings_are_bounded_and_the_rest_is_counted(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("preservation.replicas.reconcile.FINDINGS_KEPT", 3)
    report = reconcile(place, [Aip() for _ in range(10)])
    assert [finding.code for finding in report.findings] == ["replica-lost"] * 3 + ["more-findings"]
    assert report.findings[-1].message.values == {"count": 7}


def test_changed_bytes_are_not_its_business(place: Place, aip: Aip):
    """It looks at lists only; a flipped bit is found by an audit that reads."""
    aip.copy_to(place.store)
    place.flip(aip.key(PAGE))
    assert reconcile(place, [aip]).findings == ()


def test_nothing_is_changed(place: Place):
    kept, unknown = Aip(), Aip()
    for aip in (kept, unknown):
        aip.copy_to(place.store)
    place.write("aip/stray", b"?")
    before = [(stat.key, stat.size) for stat in place.store.list("")]
    reconcile(place, [kept, Aip()])
    assert [(stat.key, stat.size) for stat in place.store.list("")] == before


def test_a_commit_mark_in_the_payload_is_none(place: Place):
    inner = Aip(files={"data/bag/bagit.txt": b"a bag in a bag", "data/x": b"x"})
    inner.copy_to(place.store)
    assert told(reconcile(place, [])) == [("replica-unfinished", replica_prefix(inner.identifier, 1))]


@pytest.mark.live
def test_on_a_real_s3_server(bucket: Place):
    kept, unknown, lost = Aip(), Aip(), Aip()
    for aip in (kept, unknown):
        aip.copy_to(bucket.store)
    bucket.delete(kept.key(PAGE))
    bucket.settle()
    ours = {replica_prefix(aip.identifier, 1) for aip in (kept, unknown, lost)}
    report = reconcile(bucket, [kept, lost])
    # Other tests keep AIPs in this bucket too.
    assert [
        each for each in told(report) if each[1] and any(each[1].startswith(prefix) for prefix in ours)
    ] == sorted(
        [
            ("object-missing", kept.key(PAGE)),
            ("replica-lost", replica_prefix(lost.identifier, 1)),
            ("replica-unknown", replica_prefix(unknown.identifier, 1)),
        ]
    )


@pytest.mark.parametrize(
    ("key", "parsed"),
    [
        ("aip/abc/v1/data/a b.tif", ("abc", 1, "data/a b.tif")),
        ("aip/abc/v12/bagit.txt", ("abc", 12, "bagit.txt")),
        ("aip/abc/v0/x", None),
        ("aip/abc/v01/x", None),
        ("aip/abc/vx/x", None),
        ("aip/abc/v1/", None),
        ("aip/abc/v1", None),
        ("aip//v1/x", None),
        ("ledger/2026/x", None),
    ],
)
def test_the_layout(key: str, parsed: tuple[str, int, str] | None):
    assert parse_key(key) == parsed

"""Repair brings back proved bytes, keeps the damaged ones, and stops when a store cannot be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from preservation.facts import ObjectOutcome, Outcome
from preservation.progress import Silent
from preservation.replicas.copy import from_folder, from_store
from preservation.replicas.repair import Donor, Repaired, RepairFailed, repair_replica
from preservation.replicas.verify import ObjectReport
from storage_adapters.errors import StorageUnavailable
from tests.replicas.places import FILES, NFC, NFD, OTHER_PAGE, PAGE, Aip, Place, Through, in_memory
from wording import say


class Workspace:
    """Where repair keeps evidence and spools."""

    def __init__(self, folder: Path) -> None:
        self.evidence, self.spool = folder / "evidence", folder / "spool"

    def repair(self, aip: Aip, store: object, donors: Sequence[Donor], wrong: Sequence[ObjectReport] | None = None):
        reports = aip.verify_in(store).wrong if wrong is None else wrong
        return repair_replica(
            reports,
            store,
            donors,
            identifier=aip.identifier,
            version=aip.version,
            evidence=self.evidence,
            spool=self.spool,
            progress=Silent(),
        )

    def left_in_spool(self) -> list[Path]:
        return list(self.spool.iterdir())


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def donor(aip: Aip, place: Place, name: str | None = None) -> Donor:
    return Donor(name or place.store.name, from_store(place.store, aip.identifier, aip.version))


def copied(aip: Aip, name: str) -> Place:
    place = in_memory(name)
    aip.copy_to(place.store)
    return place


def test_every_kind_of_damage_is_repaired_and_kept(place: Place, aip: Aip, workspace: Workspace):
    aip.copy_to(place.store)
    good = copied(aip, "good")
    flipped = place.flip(aip.key(PAGE))
    place.write(aip.key(OTHER_PAGE), b"short")
    place.delete(aip.key(NFD))
    place.delete(aip.key("bagit.txt"))
    place.write(aip.key("data/thêm/của ai.txt"), b"whose?")
    done = workspace.repair(aip, place.store, [donor(aip, good)])
    assert set(done.repaired) == {(path, "good") for path in (PAGE, OTHER_PAGE, NFD, "bagit.txt")}
    assert done.repaired[-1] == ("bagit.txt", "good")  # the commit mark last, as in copying
    assert (done.removed, done.findings) == (("data/thêm/của ai.txt",), ())
    assert {path.relative_to(workspace.evidence).as_posix(): path.read_bytes() for path in done.kept} == {
        PAGE: flipped,
        OTHER_PAGE: b"short",
        "data/thêm/của ai.txt": b"whose?",
    }
    assert aip.verify_in(place.store).outcome is Outcome.INTACT
    assert {path: place.read(aip.key(path)) for path in FILES} == FILES
    assert workspace.left_in_spool() == []


@pytest.mark.live
def test_on_a_real_s3_server(bucket: Place, workspace: Workspace):
    aip = Aip()
    aip.copy_to(bucket.store)
    bucket.flip(aip.key(PAGE))
    bucket.delete(aip.key(NFC))
    bucket.settle()
    done = workspace.repair(aip, bucket.store, [donor(aip, copied(aip, "good"))])
    assert {path for path, _ in done.repaired} == {PAGE, NFC}
    assert aip.verify_in(bucket.store).outcome is Outcome.INTACT


def test_the_donor_is_proved_now_and_a_damaged_one_is_passed_over(aip: Aip, workspace: Workspace):
    place, bad, good = copied(aip, "p"), copied(aip, "bad"), copied(aip, "good")
    place.flip(aip.key(PAGE))
    bad.write(aip.key(PAGE), bytes(3072))  # last seen intact, damaged since
    done = workspace.repair(aip, place.store, [donor(aip, bad), donor(aip, good)])
    assert done.repaired == ((PAGE, "good"),)
    assert place.read(aip.key(PAGE)) == FILES[PAGE]


def test_a_donor_that_is_off_or_lacks_the_file_is_passed_over(aip: Aip, workspace: Workspace, tmp_path: Path):
    place, off, lacking = copied(aip, "p"), Through(copied(aip, "off").store), in_memory("lacking")
    off.away = True
    place.flip(aip.key(PAGE))
    donors = [
        Donor("workspace", from_folder(tmp_path / "no such bag")),
        Donor("off", from_store(off, aip.identifier, 1)),
        donor(aip, lacking),
        donor(aip, copied(aip, "good")),
    ]
    assert workspace.repair(aip, place.store, donors).repaired == ((PAGE, "good"),)


def test_the_workspaces_bag_can_give(aip: Aip, workspace: Workspace, tmp_path: Path):
    place = copied(aip, "p")
    for path, content in FILES.items():
        (tmp_path / "bag" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "bag" / path).write_bytes(content)
    place.flip(aip.key(NFC))
    done = workspace.repair(aip, place.store, [Donor("workspace", from_folder(tmp_path / "bag"))])
    assert done.repaired == ((NFC, "workspace"),)


def test_no_good_copy_anywhere_is_a_finding_and_changes_nothing(aip: Aip, workspace: Workspace):
    """Two copies that agree with each other and not with the record are two damaged copies: never a vote."""
    place, other, third = copied(aip, "p"), copied(aip, "other"), copied(aip, "third")
    for each in (place, other, third):
        each.write(aip.key(PAGE), bytes(3072))
    place.flip(aip.key(OTHER_PAGE))
    done = workspace.repair(aip, place.store, [donor(aip, other), donor(aip, third)])
    assert [(f.code, f.path, f.expected) for f in done.findings] == [("no-good-copy", PAGE, aip.fact(PAGE).sha256)]
    assert "other, third" in str(done.findings[0].message)
    assert done.repaired == ((OTHER_PAGE, "other"),)  # the rest goes on
    assert place.read(aip.key(PAGE)) == bytes(3072)
    assert [path.name for path in done.kept] == [OTHER_PAGE.removeprefix("data/")]
    assert workspace.left_in_spool() == []


def test_without_any_donor(aip: Aip, workspace: Workspace):
    place = copied(aip, "p")
    place.delete(aip.key(PAGE))
    done = workspace.repair(aip, place.store, [])
    assert [finding.code for finding in done.findings] == ["no-good-copy"]
    assert (done.repaired, done.kept) == ((), ())


def test_what_reads_back_wrongly_after_repair_stops_it(aip: Aip, workspace: Workspace):
    place, good = copied(aip, "p"), copied(aip, "good")
    place.flip(aip.key(PAGE))
    place.flip(aip.key(OTHER_PAGE))
    wrong = aip.verify_in(place.store).wrong
    store = Through(place.store)
    # The disk under this store spoils what is written: the first read (for evidence) is honest, later ones are not.
    store.cut = lambda key, time: b"spoilt" if key == aip.key(PAGE) and time > 1 else None
    told = workspace.repair(aip, store, [donor(aip, good)], wrong)
    assert isinstance(told.gave_up, RepairFailed)
    assert (told.gave_up.where, told.gave_up.expected) == (PAGE, aip.fact(PAGE).sha256)
    assert (told.repaired, len(told.kept)) == ((), 1)  # the evidence is told though the repair failed
    assert aip.key(OTHER_PAGE) not in store.puts  # nothing else was touched
    assert workspace.left_in_spool() == []


def test_unreadable_objects_are_left_alone(aip: Aip, workspace: Workspace):
    place, good = copied(aip, "p"), copied(aip, "good")
    report = ObjectReport(PAGE, ObjectOutcome.UNREADABLE, aip.fact(PAGE))
    store = Through(place.store)
    assert workspace.repair(aip, store, [donor(aip, good)], [report]) == Repaired((), (), (), ())
    assert (store.puts, store.opened) == ([], {})


@pytest.mark.parametrize("when", ["before the erase", "before the put", "after the put"])
def test_cut_off_and_run_again_with_the_same_report(aip: Aip, workspace: Workspace, when: str):
    """A flow runs a step again with what it was given; nothing good may be erased, nothing be put twice."""
    place, good = copied(aip, "p"), copied(aip, "good")
    flipped = place.flip(aip.key(PAGE))
    place.delete(aip.key(NFC))
    place.write(aip.key("data/x"), b"stray")
    wrong = aip.verify_in(place.store).wrong
    store = Breaking(place.store, aip, when)
    assert isinstance(workspace.repair(aip, store, [donor(aip, good)], wrong).gave_up, StorageUnavailable)
    store.when = ""
    first, workspace.evidence = workspace.evidence, workspace.evidence / "second try"
    done = workspace.repair(aip, store, [donor(aip, good)], wrong)
    assert done.findings == ()
    assert aip.verify_in(place.store).outcome is Outcome.INTACT
    assert store.erased.count(aip.key(PAGE)) == 1
    assert (first / PAGE).read_bytes() == flipped
    assert not (workspace.evidence / PAGE).exists() or (workspace.evidence / PAGE).read_bytes() == flipped
    assert workspace.left_in_spool() == []


class Breaking(Through):
    """Breaks off at one moment of the repair of PAGE."""

    def __init__(self, store: object, aip: Aip, when: str) -> None:
        super().__init__(store)
        self.aip, self.when, self.erased = aip, when, []

    def erase(self, key: str) -> None:
        self._break("before the erase", key)
        self.erased.append(key)
        super().erase(key)

    def put(self, key: str, source, *, size: int, sha256: str) -> None:
        self._break("before the put", key)
        super().put(key, source, size=size, sha256=sha256)
        self._break("after the put", key)

    def _break(self, moment: str, key: str) -> None:
        if self.when == moment and key == self.aip.key(PAGE):
            raise StorageUnavailable(say("The line was cut."))


def test_an_object_whose_name_leads_out_stays_in_the_store_and_is_said(aip: Aip, workspace: Workspace):
    """Other software can put any key into a bucket; evidence of ours never leaves its folder for it."""
    place, good = copied(aip, "p"), copied(aip, "good")
    evil = aip.key("../../../../outside/evil.txt")
    place.write(evil, b"gotcha")
    place.flip(aip.key(PAGE))
    done = workspace.repair(aip, place.store, [donor(aip, good)])
    assert [finding.code for finding in done.findings] == ["object-not-removed"]
    assert done.repaired == ((PAGE, "good"),)
    assert not (workspace.evidence.parent.parent / "outside").exists()
    assert all(path.is_relative_to(workspace.evidence) for path in done.kept)

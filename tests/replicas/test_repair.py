"""Repair brings back proved bytes, keeps the damaged ones, and stops when a store cannot be trusted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from preservation.facts import ObjectOutcome, Outcome
from preservation.progress import Silent
from preservation.replicas.copy import from_folder, from_store
from preservation.replicas.repair import Donor, Repaired, RepairFailed, repair_replica
from preservation.replicas.verify import ObjectReport
from storage_adapters.errors import StorageUnavailable
from storage_adapters.local import LocalStore
from tests.replicas.places import (
    FILES,
    NFC,
    NFD,
    OTHER_PAGE,
    PAGE,
    Aip,
    Place,
    Through,
    cut_reader,
    in_folder,
    in_memory,
)
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


# Good bytes are found wherever they are left, and only a place that answered is said to have none.


def test_a_donor_that_could_not_be_read_may_hold_a_good_copy(aip: Aip, workspace: Workspace):
    place, bad, off = copied(aip, "p"), copied(aip, "bad"), Through(copied(aip, "off").store)
    for each in (place, bad):
        each.flip(aip.key(PAGE))
    off.away = True
    done = workspace.repair(aip, place.store, [donor(aip, bad), Donor("off", from_store(off, aip.identifier, 1))])
    assert [(f.code, f.path) for f in done.findings] == [("donor-away", PAGE)]
    assert "off did not answer" in str(done.findings[0].message)
    assert (done.repaired, done.kept) == ((), ())


def test_the_bag_of_the_workspace_may_be_unreadable(aip: Aip, workspace: Workspace):
    """An OSError of the donor's disk is not one of the disk that repair writes to."""
    place, good = copied(aip, "p"), copied(aip, "good")
    place.flip(aip.key(PAGE))

    def broken(_path: str):
        raise OSError(5, "Input/output error")

    donors = [Donor("workspace", broken), Donor("as a folder", lambda _path: workspace.spool.open("rb"))]
    assert workspace.repair(aip, place.store, [*donors, donor(aip, good)]).repaired == ((PAGE, "good"),)


def test_a_donor_that_reads_wrongly_once_is_read_again(aip: Aip, workspace: Workspace):
    place, far = copied(aip, "p"), Through(copied(aip, "far").store)
    place.flip(aip.key(PAGE))
    far.cut = lambda _key, time: b"noise" if time == 1 else None
    assert workspace.repair(aip, place.store, [Donor("far", from_store(far, aip.identifier, 1))]).repaired
    place.flip(aip.key(PAGE))
    far.cut = lambda _key, time: b"noise %d" % time
    done = workspace.repair(aip, place.store, [Donor("far", from_store(far, aip.identifier, 1))])
    assert [finding.code for finding in done.findings] == ["donor-away"]  # never: no good copy is left


def test_bytes_that_stand_under_another_name_are_found(aip: Aip, workspace: Workspace):
    place = copied(aip, "p")
    place.rename(aip.key(PAGE), aip.key("data/TRANG 0001.TIF"))
    done = workspace.repair(aip, place.store, [])
    assert done.repaired == ((PAGE, f"p: {'data/TRANG 0001.TIF'}"),)
    assert done.removed == ("data/TRANG 0001.TIF",)
    assert aip.verify_in(place.store).outcome is Outcome.INTACT


def test_two_objects_that_changed_places_are_put_right_without_any_other_copy(aip: Aip, workspace: Workspace):
    place = copied(aip, "p")
    place.swap(aip.key(PAGE), aip.key(OTHER_PAGE))
    done = workspace.repair(aip, place.store, [])
    assert {path for path, _ in done.repaired} == {PAGE, OTHER_PAGE}
    assert aip.verify_in(place.store).outcome is Outcome.INTACT
    assert {path.read_bytes() for path in done.kept} == {FILES[PAGE], FILES[OTHER_PAGE]}


def test_where_something_is_lost_what_does_not_belong_is_left_alone(aip: Aip, workspace: Workspace):
    place = copied(aip, "p")
    place.delete(aip.key(PAGE))
    place.write(aip.key("data/perhaps page 1"), b"a person must look")
    done = workspace.repair(aip, place.store, [])
    assert [finding.code for finding in done.findings] == ["no-good-copy"]
    assert (done.removed, done.kept) == ((), ())
    assert place.read(aip.key("data/perhaps page 1")) == b"a person must look"


def test_a_stranger_in_the_way_goes_first(aip: Aip, workspace: Workspace, tmp_path: Path):
    folder = tmp_path / "disk"
    folder.mkdir()
    place, good = in_folder(LocalStore("disk", folder), folder), copied(aip, "good")
    aip.copy_to(place.store)
    shutil.rmtree(folder / aip.key("data/Quyển một"), ignore_errors=True)
    shutil.rmtree(folder / aip.key("data"))
    place.write(aip.key("data"), b"a file where the folder was")
    place.delete(aip.key("bag-info.txt"))
    place.write(aip.key("bag-info.txt/x"), b"a folder where the file was")
    done = workspace.repair(aip, place.store, [donor(aip, good)])
    assert done.gave_up is None
    assert aip.verify_in(place.store).outcome is Outcome.INTACT
    assert {path.read_bytes() for path in done.kept} == {
        b"a file where the folder was",
        b"a folder where the file was",
    }


def test_what_is_no_file_in_an_objects_place_is_left_to_a_person(aip: Aip, workspace: Workspace, tmp_path: Path):
    folder = tmp_path / "disk"
    folder.mkdir()
    place, good = in_folder(LocalStore("disk", folder), folder), copied(aip, "good")
    aip.copy_to(place.store)
    place.delete(aip.key(PAGE))
    os.mkfifo(folder / aip.key(PAGE))
    place.flip(aip.key(OTHER_PAGE))
    done = workspace.repair(aip, place.store, [donor(aip, good)])
    assert [finding.code for finding in done.findings] == ["object-obstructed"]
    assert done.repaired == ((OTHER_PAGE, "good"),)  # the rest goes on
    assert aip.verify_in(place.store).counts["missing"] == 1


def test_what_a_disk_cannot_hold_side_by_side_is_all_kept(aip: Aip, workspace: Workspace):
    """A bucket may hold `x` and `x/y` at once; the folder for evidence may not."""
    place, good = copied(aip, "bucket"), copied(aip, "good")
    strange = {"x": b"1", "x/y": b"2", "x/y/z": b"3", "~2": b"4", "~2/x": b"5"}
    for path, content in strange.items():
        place.write(aip.key(path), content)
    done = workspace.repair(aip, place.store, [donor(aip, good)])
    assert sorted(done.removed) == sorted(strange)
    assert sorted(path.read_bytes() for path in done.kept) == sorted(strange.values())
    assert len(set(done.kept)) == len(strange)
    assert aip.verify_in(place.store).outcome is Outcome.INTACT


def test_evidence_is_on_the_disk_before_anything_is_erased(
    aip: Aip, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    place, good = copied(aip, "p"), copied(aip, "good")
    place.flip(aip.key(NFC))
    settled: list[str] = []
    fsync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda file: (settled.append(str(Path(f"/proc/self/fd/{file}").readlink())), fsync(file))
    )
    store = Through(place.store)
    when_erased: list[set[str]] = []
    store.erase = lambda key: (when_erased.append(set(settled)), place.store.erase(key))  # type: ignore[assignment]
    (kept,) = workspace.repair(aip, store, [donor(aip, good)]).kept
    needed = {kept, *kept.parents} - set(workspace.evidence.parent.parents)
    assert {str(path) for path in needed} <= when_erased[0]


def test_evidence_that_cannot_be_kept_whole_is_not_left_half(aip: Aip, workspace: Workspace):
    place, good = copied(aip, "p"), copied(aip, "good")
    place.flip(aip.key(PAGE))
    wrong = aip.verify_in(place.store).wrong
    store = Through(place.store)
    store.open = lambda _key: cut_reader()  # type: ignore[assignment]
    done = workspace.repair(aip, store, [donor(aip, good)], wrong)
    assert isinstance(done.gave_up, StorageUnavailable)
    assert [path for path in workspace.evidence.rglob("*") if path.is_file()] == []
    assert place.read(aip.key(PAGE)) != FILES[PAGE]  # it stands there still


def test_a_full_disk_for_the_evidence_stops_repair_and_tells_what_was_done(
    aip: Aip, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    place, good = copied(aip, "p"), copied(aip, "good")
    place.flip(aip.key(PAGE))
    place.flip(aip.key(OTHER_PAGE))
    fsync, files = os.fsync, []

    def full(file: int) -> None:
        if Path(f"/proc/self/fd/{file}").is_file():
            files.append(file)
            if len(files) == 2:
                raise OSError(28, "No space left on device")
        fsync(file)

    monkeypatch.setattr(os, "fsync", full)
    done = workspace.repair(aip, place.store, [donor(aip, good)])
    assert isinstance(done.gave_up, OSError)
    assert ([path for path, _ in done.repaired], len(done.kept)) == ([PAGE], 1)


def test_a_fresh_object_that_reads_wrongly_once_calls_nobody(aip: Aip, workspace: Workspace):
    place, good = copied(aip, "p"), copied(aip, "good")
    place.flip(aip.key(PAGE))
    wrong = aip.verify_in(place.store).wrong
    store = Through(place.store)
    store.cut = lambda key, time: b"noise" if (key, time) == (aip.key(PAGE), 2) else None
    done = workspace.repair(aip, store, [donor(aip, good)], wrong)
    assert (done.gave_up, done.repaired) == (None, ((PAGE, "good"),))

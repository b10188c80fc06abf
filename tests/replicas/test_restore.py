"""Restore gives back exactly the bytes recorded, or nothing at all."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from preservation.errors import NoGoodCopy, UsageError
from preservation.progress import Silent
from preservation.replicas.copy import from_folder, from_store
from preservation.replicas.repair import Donor
from preservation.replicas.restore import Restored, RestoreFailed, holds, refuse_occupied, restore_bag, untold
from storage_adapters.errors import KeyRefused, StorageUnavailable
from tests.replicas.places import FILES, NFC, NFD, OTHER_PAGE, PAGE, Aip, Place, Through, in_memory

ALL, BYTES = len(FILES), sum(map(len, FILES.values()))


def place_of(aip: Aip, store: object, name: str) -> Donor:
    return Donor(name, from_store(store, aip.identifier, aip.version))


def holding(aip: Aip, name: str) -> Place:
    place = in_memory(name)
    aip.copy_to(place.store)
    return place


def restore(aip: Aip, places: list[Donor], to: Path) -> Restored:
    return restore_bag(aip.objects(), places, to, progress=Silent())


def tree(folder: Path) -> dict[str, bytes]:
    """Every file by the exact bytes of its path."""
    return {
        Path(at, name).relative_to(folder).as_posix(): Path(at, name).read_bytes()
        for at, _, names in os.walk(folder)
        for name in names
    }


def test_every_byte_and_every_name(place: Place, aip: Aip, tmp_path: Path):
    aip.copy_to(place.store)
    done = restore(aip, [place_of(aip, place.store, "s")], tmp_path / "out" / "túi")
    assert (done.files, done.bytes, done.places, done.findings) == (ALL, BYTES, ("s",), ())
    assert tree(done.folder) == FILES
    assert {NFC, NFD} <= set(tree(done.folder))
    assert [each.name for each in done.folder.parent.iterdir()] == ["túi"]


@pytest.mark.live
def test_from_a_real_s3_server(bucket: Place, tmp_path: Path):
    aip = Aip()
    aip.copy_to(bucket.store)
    assert tree(restore(aip, [place_of(aip, bucket.store, "s")], tmp_path / "out").folder) == FILES


def test_into_an_empty_folder_and_into_this_folder(aip: Aip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    places = [place_of(aip, holding(aip, "s").store, "s")]
    (tmp_path / "empty").mkdir()
    assert tree(restore(aip, places, tmp_path / "empty").folder) == FILES
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert tree(restore(aip, places, Path()).folder) == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "here"]


def test_a_bad_first_place_is_passed_over_file_by_file(aip: Aip, tmp_path: Path):
    bad, good = holding(aip, "bad"), holding(aip, "good")
    bad.flip(aip.key(PAGE))
    bad.delete(aip.key(NFD))
    done = restore(aip, [place_of(aip, bad.store, "bad"), place_of(aip, good.store, "good")], tmp_path / "out")
    assert tree(done.folder) == FILES
    assert sorted((f.code, f.path) for f in done.findings) == sorted(
        [("place-passed-over", PAGE), ("place-passed-over", NFD)]
    )
    assert set(done.places) == {"bad", "good"}


def test_a_place_that_is_off_is_asked_once_and_then_last(aip: Aip, tmp_path: Path):
    off, good = Through(holding(aip, "off").store), holding(aip, "good")
    tries = 0

    def count(_key: str) -> None:
        nonlocal tries
        tries += 1

    off.away = True
    off._look = lambda look=off._look: (count(""), look())
    done = restore(aip, [place_of(aip, off, "off"), place_of(aip, good.store, "good")], tmp_path / "out")
    assert tree(done.folder) == FILES
    assert (tries, done.places) == (1, ("good",))
    assert [f.code for f in done.findings] == ["place-passed-over"]


def test_a_bag_that_is_gone_from_the_workspace_is_passed_over(aip: Aip, tmp_path: Path):
    places = [Donor("workspace", from_folder(tmp_path / "gone")), place_of(aip, holding(aip, "s").store, "s")]
    assert tree(restore(aip, places, tmp_path / "out").folder) == FILES


def test_damaged_everywhere_restores_nothing(aip: Aip, tmp_path: Path):
    one, two = holding(aip, "one"), holding(aip, "two")
    one.flip(aip.key(OTHER_PAGE))
    two.delete(aip.key(OTHER_PAGE))
    with pytest.raises(NoGoodCopy) as told:
        restore(aip, [place_of(aip, one.store, "one"), place_of(aip, two.store, "two")], tmp_path / "out")
    assert told.value.where == OTHER_PAGE
    assert told.value.expected == aip.fact(OTHER_PAGE).sha256
    assert "one: its bytes have changed" in (told.value.seen or "")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_off_may_hold_the_good_copy_so_it_is_not_called_lost(aip: Aip, tmp_path: Path):
    one, off = holding(aip, "one"), Through(holding(aip, "off").store)
    one.flip(aip.key(OTHER_PAGE))
    off.away = True
    with pytest.raises(RestoreFailed):
        restore(aip, [place_of(aip, one.store, "one"), place_of(aip, off, "off")], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_two_halves_make_a_whole(aip: Aip, tmp_path: Path):
    one, two = holding(aip, "one"), holding(aip, "two")
    one.flip(aip.key(PAGE))
    two.flip(aip.key(OTHER_PAGE))
    done = restore(aip, [place_of(aip, one.store, "one"), place_of(aip, two.store, "two")], tmp_path / "out")
    assert tree(done.folder) == FILES


def test_all_places_off_is_the_systems_failure_and_leaves_nothing(aip: Aip, tmp_path: Path):
    off = Through(holding(aip, "off").store)
    off.away = True
    (tmp_path / "out").mkdir()
    with pytest.raises(StorageUnavailable):
        restore(aip, [place_of(aip, off, "off")], tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]


def test_interrupted_leaves_nothing(aip: Aip, tmp_path: Path):
    class Interrupting(Silent):
        def advance(self, amount: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore_bag(
            aip.objects(),
            [place_of(aip, holding(aip, "s").store, "s")],
            tmp_path / "out",
            progress=Interrupting(),
        )
    assert list(tmp_path.iterdir()) == []


def test_interrupted_when_the_bag_is_there_the_next_run_can_tell(
    aip: Aip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(_folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("preservation.replicas.restore._sync_names", interrupted)
    asked = [place_of(aip, holding(aip, "s").store, "s")]
    with pytest.raises(KeyboardInterrupt):
        restore_bag(aip.objects(), asked, tmp_path / "out", progress=Silent(), note="one")
    assert untold(tmp_path / "out") == "one"
    assert holds(aip.objects(), tmp_path / "out", progress=Silent()) is not None


@pytest.mark.parametrize("path", ["../outside.txt", "data/../../outside.txt", "{}/outside.txt", "data//outside.txt"])
def test_a_path_that_leads_out_of_the_destination_is_refused(tmp_path: Path, path: str):
    (tmp_path / "outside.txt").write_bytes(b"mine")
    hostile = Aip(files={"bagit.txt": FILES["bagit.txt"], path.format(tmp_path): b"theirs"})
    given = Donor("s", lambda path: io.BytesIO(hostile.files[path]))
    with pytest.raises(KeyRefused):
        restore(hostile, [given], tmp_path / "out")
    assert tree(tmp_path) == {"outside.txt": b"mine"}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["outside.txt"]


def test_what_stands_there_already_is_refused_and_untouched(aip: Aip, tmp_path: Path):
    places = [place_of(aip, holding(aip, "s").store, "s")]
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    for name in ("full", "file", "link", "broken"):
        with pytest.raises(UsageError):
            restore(aip, places, tmp_path / name)
        with pytest.raises(UsageError):
            refuse_occupied(tmp_path / name)
    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_folder_that_only_looks_like_ours_is_not_removed(aip: Aip, tmp_path: Path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "thesis.odt").write_bytes(b"ten years of work")
    restore(aip, [place_of(aip, holding(aip, "s").store, "s")], tmp_path / "out")
    assert (tmp_path / "out.partial" / "thesis.odt").read_bytes() == b"ten years of work"


def test_leftovers_of_a_killed_restore_do_not_get_in(aip: Aip, tmp_path: Path):
    left = tmp_path / ".out.vankho-unfinished"
    (left / "data").mkdir(parents=True)
    (left / "data" / "old").write_bytes(b"half")
    done = restore(aip, [Donor("s", lambda path: io.BytesIO(FILES[path]))], tmp_path / "out")
    assert tree(done.folder) == FILES
    assert not left.exists()

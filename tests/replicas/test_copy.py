"""Copying goes on where it was cut off, puts the commit mark last, and never overwrites."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from preservation.facts import Grade, ObjectFact, Outcome
from preservation.progress import Silent
from preservation.replicas.copy import Copied, copy_replica, from_folder, from_store
from storage_adapters.errors import ObjectDamaged, ObjectExists, StorageUnavailable
from storage_adapters.local import LocalStore
from storage_adapters.memory import MemoryStore
from tests.replicas.places import FILES, NFC, NFD, PAGE, Aip, Place, Through, in_memory, sha256

ALL, BYTES = len(FILES), sum(map(len, FILES.values()))


def test_copies_every_object_byte_for_byte(place: Place, aip: Aip):
    assert aip.copy_to(place.store) == Copied(put=ALL, already=0, bytes=BYTES)
    assert {path: place.read(aip.key(path)) for path in FILES} == FILES
    assert aip.verify_in(place.store).outcome is Outcome.INTACT


def test_again_puts_nothing(place: Place, aip: Aip):
    aip.copy_to(place.store)
    assert aip.copy_to(place.store) == Copied(put=0, already=ALL, bytes=0)


@pytest.mark.live
def test_on_a_real_s3_server_names_in_nfc_and_nfd_stay_two(bucket: Place):
    aip = Aip()
    assert aip.copy_to(bucket.store).put == ALL
    assert (bucket.read(aip.key(NFC)), bucket.read(aip.key(NFD))) == (FILES[NFC], FILES[NFD])
    assert aip.copy_to(bucket.store) == Copied(put=0, already=ALL, bytes=0)
    assert aip.verify_in(bucket.store).outcome is Outcome.INTACT


def test_the_commit_mark_is_put_last(aip: Aip):
    store = Through(MemoryStore("far"))
    aip.copy_to(store)
    assert store.puts[0] == "README.txt"
    assert store.puts[-1] == aip.key("bagit.txt")


@pytest.mark.parametrize("fails_at", ["data/rỗng.txt", "bagit.txt", "bag-info.txt", "metadata/premis.xml"])
def test_cut_off_and_run_again(aip: Aip, fails_at: str):
    store = Through(MemoryStore("far"))
    store.refuse_put = lambda key: key == aip.key(fails_at)
    with pytest.raises(StorageUnavailable):
        aip.copy_to(store)
    there = {stat.key for stat in store.list(f"aip/{aip.identifier}/v1/")}
    assert aip.key("bagit.txt") not in there  # unfinished, and it shows
    store.refuse_put = lambda key: False
    again = aip.copy_to(store)
    assert (again.put, again.already) == (ALL - len(there), len(there))
    assert aip.verify_in(store).outcome is Outcome.INTACT


def test_something_of_another_size_is_never_overwritten(place: Place, aip: Aip):
    place.write(aip.key(PAGE), b"not ours")
    with pytest.raises(ObjectExists) as told:
        aip.copy_to(place.store)
    assert (told.value.where, told.value.expected, told.value.seen) == (aip.key(PAGE), "3072 B", "8 B")
    assert place.read(aip.key(PAGE)) == b"not ours"
    assert aip.key("bagit.txt") not in {stat.key for stat in place.store.list("aip/")}


def test_other_bytes_of_the_same_size_are_left_for_the_audit(place: Place, aip: Aip):
    place.write(aip.key(PAGE), bytes(3072))
    assert aip.copy_to(place.store) == Copied(put=ALL - 1, already=1, bytes=BYTES - 3072)
    assert place.read(aip.key(PAGE)) == bytes(3072)
    assert aip.verify_in(place.store).outcome is Outcome.DAMAGED


def test_a_source_that_changed_stores_nothing_wrong(place: Place, aip: Aip):
    def source(path: str):
        return io.BytesIO(bytes(3072) if path == PAGE else FILES[path])

    with pytest.raises(ObjectDamaged):
        copy_replica(source, aip.objects(), place.store, identifier=aip.identifier, version=1, progress=Silent())
    there = {stat.key for stat in place.store.list("aip/")}
    assert aip.key(PAGE) not in there
    assert aip.key("bagit.txt") not in there


def test_an_error_of_the_source_passes_unchanged(place: Place, aip: Aip, tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        copy_replica(
            from_folder(tmp_path), aip.objects(), place.store, identifier=aip.identifier, version=1, progress=Silent()
        )


def test_from_one_store_to_another(place: Place, aip: Aip):
    aip.copy_to(place.store)
    other = in_memory("other").store
    copied = copy_replica(
        from_store(place.store, aip.identifier, 1),
        aip.objects(),
        other,
        identifier=aip.identifier,
        version=1,
        progress=Silent(),
    )
    assert copied.put == ALL
    assert aip.verify_in(other, Grade.BYTES).outcome is Outcome.INTACT


def test_facts_are_taken_as_they_are_needed():
    """Ten thousand objects come from a generator that is never more than a few ahead of what was put."""
    store = Through(MemoryStore("far"))
    given = 0
    furthest = 0

    def facts() -> Iterator[ObjectFact]:
        nonlocal given, furthest
        for fact in Aip(files={f"data/{number:05}": b"x" for number in range(10_000)}).objects():
            given += 1
            furthest = max(furthest, given - len(store.puts))
            yield fact

    copied = copy_replica(
        lambda _path: io.BytesIO(b"x"), facts(), store, identifier="many", version=1, progress=Silent()
    )
    assert copied.put == 10_000
    assert furthest < 50


def test_progress_counts_every_byte_once(aip: Aip):
    class Counting(Silent):
        done = 0

        def advance(self, amount: int) -> None:
            self.done += amount

    store = in_memory().store
    for _ in range(2):  # what is there already counts too
        heard = Counting()
        aip.copy_to(store, progress=heard)
        assert heard.done == BYTES


def test_a_readme_stands_at_the_root_and_is_never_replaced(place: Place, aip: Aip):
    aip.copy_to(place.store)
    text = place.read("README.txt").decode()
    assert "aip/<identifier>/v<N>/" in text
    assert "bảo quản" in text
    place.write("README.txt", b"a note by the sysadmin")
    Aip(FILES).copy_to(place.store)
    assert place.read("README.txt") == b"a note by the sysadmin"


def test_the_check_that_the_readme_tells_of_works(tmp_path: Path):
    """`sha256sum -c` on the manifests, in the folder of a replica, without any software of ours."""
    payload = {PAGE: FILES[PAGE], NFC: FILES[NFC], NFD: FILES[NFD]}
    manifest = "".join(f"{sha256(content)}  {path}\n" for path, content in sorted(payload.items())).encode()
    tags = {"bagit.txt": FILES["bagit.txt"], "manifest-sha256.txt": manifest}
    tags["tagmanifest-sha256.txt"] = "".join(f"{sha256(c)}  {path}\n" for path, c in tags.items()).encode()
    aip = Aip(files={**payload, **tags})
    aip.copy_to(LocalStore("local", tmp_path))
    readme = (tmp_path / "README.txt").read_text("utf-8")
    command = next(line for line in readme.splitlines() if "sha256sum -c" in line)
    assert subprocess.run(command, shell=True, cwd=tmp_path / aip.key("bagit.txt").rpartition("/")[0]).returncode == 0

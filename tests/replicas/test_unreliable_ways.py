"""Lists that are behind, requests that go twice, and lines that flip bits: none of them is damage, nor an end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from preservation.facts import Grade, Outcome
from preservation.progress import Silent
from preservation.replicas.copy import from_store
from preservation.replicas.donors import Donor
from preservation.replicas.restore import RestoreFailed, restore_bag
from storage_adapters.errors import ObjectExists
from storage_adapters.local import LocalStore
from storage_adapters.pacing import Pace, paced
from storage_adapters.store import ObjectStat, Reader
from tests.replicas.places import FILES, OTHER_PAGE, PAGE, Aip, Through, in_folder, in_memory


class Behind(Through):
    """Lists what it listed first."""

    first: list[ObjectStat] | None = None

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        if self.first is None:
            self.first = list(self.inner.list(""))
        return iter([each for each in self.first if each.key.startswith(prefix)])


def test_a_copy_goes_on_past_objects_of_its_own_that_the_list_lacks():
    place, aip = in_memory("s"), Aip()
    behind = Behind(place.store)
    assert list(behind.list("")) == []
    aip.copy_to(place.store)
    place.delete(aip.key("bagit.txt"))
    assert aip.copy_to(behind).put == len(FILES)
    assert aip.verify_in(place.store).outcome is Outcome.INTACT


def test_another_object_in_its_place_still_stops_a_copy():
    place, aip = in_memory("s"), Aip()
    behind = Behind(place.store)
    assert list(behind.list("")) == []
    place.write(aip.key(PAGE), b"another")
    with pytest.raises(ObjectExists, match="holds another object"):
        aip.copy_to(behind)


def test_what_a_list_still_names_and_is_gone_is_not_unexpected():
    place, aip = in_memory("s"), Aip()
    aip.copy_to(place.store)
    place.write(aip.key("data/stray"), b"x")
    behind = Behind(place.store)
    assert aip.verify_in(behind).outcome is Outcome.DAMAGED
    place.delete(aip.key("data/stray"))
    report = aip.verify_in(behind)
    assert (report.outcome, report.counts["unexpected"]) == (Outcome.INTACT, 0)


def flipping(aip: Aip, store: object, *, wrong: int) -> Through:
    """The first so many readings of the page go wrong, each in another way."""
    through = Through(store)
    through.cut = lambda key, time: b"%d" % time if key == aip.key(PAGE) and time <= wrong else None
    return through


@pytest.mark.parametrize("wrong", [1, 100])
def test_a_restore_reads_again_before_it_says_that_bytes_have_changed(wrong: int, tmp_path: Path):
    place, aip = in_memory("s"), Aip()
    aip.copy_to(place.store)
    places = [Donor("s", from_store(flipping(aip, place.store, wrong=wrong), aip.identifier, aip.version))]
    if wrong == 1:
        done = restore_bag(aip.objects(), places, tmp_path / "out", progress=Silent())
        assert (done.files, done.findings) == (len(FILES), ())
        return
    with pytest.raises(RestoreFailed) as failed:
        restore_bag(aip.objects(), places, tmp_path / "out", progress=Silent())
    assert "reads differently every time" in str(failed.value.seen)


def test_wrong_bytes_in_memory_are_looked_at_again_on_the_disk(tmp_path: Path):
    """One look that was wrong is told; two are damage; and what memory does not give is asked of the store."""
    store, aip = LocalStore("disk", tmp_path), Aip()
    aip.copy_to(store)
    place = in_folder(store, tmp_path)
    told: dict[str, bytes | None] = {path: place.read(aip.key(path)) for path in aip.files}
    told[PAGE], told[OTHER_PAGE] = b"another", None
    seen: list[str] = []

    class Remembers(LocalStore):
        def glimpse(self, wanted: Sequence[tuple[str, int]]) -> Iterator[memoryview | None]:
            for key, _ in wanted:
                content = told[key.removeprefix(aip.key(""))]
                yield None if content is None else memoryview(content)

        @contextmanager
        def open(self, key: str) -> Iterator[Reader]:
            seen.append(key)
            with super().open(key) as reader:
                yield reader

    report = aip.verify_in(Remembers("disk", tmp_path))
    assert (report.outcome, [each.code for each in report.findings]) == (Outcome.INTACT, ["first-read-differed"])
    assert sorted(seen) == [aip.key(PAGE), aip.key(OTHER_PAGE)]
    assert report.bytes_read == sum(map(len, aip.files.values())) + len(aip.files[PAGE])
    told[PAGE] = place.flip(aip.key(PAGE))
    report = aip.verify_in(Remembers("disk", tmp_path))
    assert (report.outcome, [each.code for each in report.findings]) == (Outcome.DAMAGED, ["object-altered"])
    assert seen.count(aip.key(PAGE)) == 2  # once each time
    assert aip.verify_in(Remembers("disk", tmp_path), Grade.PRESENCE).bytes_read == 0


def test_a_paced_audit_of_what_is_in_memory_counts_its_bytes_and_requests(tmp_path: Path):
    store, aip = LocalStore("disk", tmp_path), Aip()
    aip.copy_to(store)
    for path in aip.files:
        (tmp_path / aip.key(path)).read_bytes()
    pace = Pace()
    assert aip.verify_in(paced(store, pace)).outcome is Outcome.INTACT
    assert (pace.bytes_used, pace.requests_used) == (sum(map(len, aip.files.values())), len(FILES) + 1)
    slow = Pace(bytes_per_second=10_000, sleep=lambda _: None, clock=iter(range(10_000)).__next__)
    assert list(paced(store, slow).glimpse([("x", slow.piece + 1)])) == [None]

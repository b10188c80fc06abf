"""Each kind of damage, at each grade, gives exactly its own answer; what cannot be read is never called altered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from preservation.facts import Grade, ObjectOutcome, Outcome
from preservation.replicas.verify import ReplicaReport
from storage_adapters.errors import StorageDenied, StorageUnavailable, not_found
from storage_adapters.store import ObjectStat
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
    in_memory,
    sha256,
)
from wording import say

ALL = len(FILES)


def counts(report: ReplicaReport) -> dict[str, int]:
    """The counts that are not zero."""
    return {name: count for name, count in report.counts.items() if count}


def told(report: ReplicaReport) -> list[tuple[str, str | None, str | None, str | None]]:
    return [(finding.code, finding.path, finding.expected, finding.seen) for finding in report.findings]


@dataclass(frozen=True)
class Damage:
    """Something done to a replica, and what an audit must say: code, path, expected, seen of every finding."""

    do: Callable[[Place, Aip], object]
    wrong: dict[str, int]
    findings: list[tuple[str, str, str | None, str | None]]
    by_size: bool = True  # seen without reading a byte


def _flipped(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    return bytes(changed)


DIGEST = {path: sha256(content) for path, content in FILES.items()}
DAMAGES = {
    "flip": Damage(
        lambda place, aip: place.flip(aip.key(PAGE)),
        {"altered": 1},
        [("object-altered", PAGE, DIGEST[PAGE], sha256(_flipped(FILES[PAGE])))],
        by_size=False,
    ),
    "flip in a name in NFD": Damage(
        lambda place, aip: place.flip(aip.key(NFD)),
        {"altered": 1},
        [("object-altered", NFD, DIGEST[NFD], sha256(_flipped(FILES[NFD])))],
        by_size=False,
    ),
    "truncate": Damage(
        lambda place, aip: place.write(aip.key(PAGE), FILES[PAGE][:1000]),
        {"altered": 1},
        [("object-altered", PAGE, "3072 B", "1000 B")],
    ),
    "empty": Damage(
        lambda place, aip: place.write(aip.key(NFC), b""),
        {"altered": 1},
        [("object-altered", NFC, f"{len(FILES[NFC])} B", "0 B")],
    ),
    "delete": Damage(
        lambda place, aip: place.delete(aip.key(PAGE)),
        {"missing": 1},
        [("object-missing", PAGE, DIGEST[PAGE], None)],
    ),
    "add": Damage(
        lambda place, aip: place.write(aip.key("data/Trang 0001.tif.bak"), b"what is this"),
        {"unexpected": 1},
        [("object-unexpected", "data/Trang 0001.tif.bak", None, "12 B")],
    ),
    "rename": Damage(
        lambda place, aip: place.rename(aip.key(PAGE), aip.key("data/page1.tif")),
        {"missing": 1, "unexpected": 1},
        [
            ("object-missing", PAGE, DIGEST[PAGE], None),
            ("object-unexpected", "data/page1.tif", None, "3072 B"),
        ],
    ),
    "two pages change places": Damage(
        lambda place, aip: place.swap(aip.key(PAGE), aip.key(OTHER_PAGE)),
        {"altered": 2},
        [
            ("object-altered", PAGE, DIGEST[PAGE], DIGEST[OTHER_PAGE]),
            ("object-altered", OTHER_PAGE, DIGEST[OTHER_PAGE], DIGEST[PAGE]),
        ],
        by_size=False,
    ),
    "NFC and NFD change places": Damage(
        lambda place, aip: place.swap(aip.key(NFC), aip.key(NFD)),
        {"altered": 2} if len(FILES[NFC]) == len(FILES[NFD]) else {},
        [
            ("object-altered", NFD, DIGEST[NFD], DIGEST[NFC]),
            ("object-altered", NFC, DIGEST[NFC], DIGEST[NFD]),
        ],
        by_size=False,
    ),
    "commit mark lost": Damage(
        lambda place, aip: place.delete(aip.key("bagit.txt")),
        {"missing": 1},
        [("object-missing", "bagit.txt", DIGEST["bagit.txt"], None)],
    ),
}


@pytest.mark.parametrize("grade", list(Grade))
def test_a_whole_replica(place: Place, aip: Aip, grade: Grade):
    aip.copy_to(place.store)
    report = aip.verify_in(place.store, grade)
    if grade is Grade.PROVIDER and place.store.name == "local":
        # A folder has no checksum of its own: nothing is proved, and nothing is called damaged.
        assert (report.outcome, counts(report)) == (Outcome.UNREADABLE, {"unreadable": ALL})
        assert [finding.code for finding in report.findings] == ["no-provider-checksum"]  # once, not per object
        return
    assert (report.outcome, counts(report), report.findings) == (Outcome.INTACT, {"intact": ALL}, ())
    assert report.bytes_read == (sum(map(len, FILES.values())) if grade is Grade.BYTES else 0)
    assert (report.identifier, report.version, report.store) == (aip.identifier, 1, place.store.name)
    assert report.grade is grade


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_seen_by_reading(place: Place, aip: Aip, name: str):
    damage = DAMAGES[name]
    aip.copy_to(place.store)
    damage.do(place, aip)
    report = aip.verify_in(place.store)
    intact = ALL - sum(damage.wrong.get(kind, 0) for kind in ("altered", "missing"))
    assert (report.outcome, counts(report)) == (Outcome.DAMAGED, {"intact": intact, **damage.wrong})
    assert sorted(told(report), key=str) == sorted(damage.findings, key=str)
    assert {each.path for each in report.wrong} == {path for _, path, _, _ in damage.findings}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_seen_by_presence_and_by_the_provider(place: Place, aip: Aip, name: str):
    damage = DAMAGES[name]
    aip.copy_to(place.store)
    damage.do(place, aip)
    presence = aip.verify_in(place.store, Grade.PRESENCE)
    if damage.by_size:
        assert {code for code, *_ in told(presence)} == {code for code, *_ in damage.findings}
        assert presence.outcome is Outcome.DAMAGED
    else:  # presence says only what it can: listed, with the right size
        assert (presence.outcome, counts(presence)) == (Outcome.INTACT, {"intact": ALL})
    assert presence.bytes_read == 0
    provider = aip.verify_in(place.store, Grade.PROVIDER)
    if place.store.name == "memory":
        assert sorted(told(provider), key=str) == sorted(damage.findings, key=str)
    else:
        assert provider.outcome is (Outcome.DAMAGED if damage.by_size else Outcome.UNREADABLE)
        assert provider.counts["altered"] == (damage.wrong.get("altered", 0) if damage.by_size else 0)


def test_two_valid_replicas_change_places(place: Place):
    """Each is a bag without a fault; only what was recorded tells that it is the wrong one."""
    one = Aip()
    other = Aip(files={**FILES, PAGE: b"another scan", "data/Trang 0003.tif": b"one page more"})
    for aip in (one, other):
        aip.copy_to(place.store)
    for path in sorted({*one.files, *other.files}):
        left = place.read(one.key(path)) if path in one.files else None
        right = place.read(other.key(path)) if path in other.files else None
        for key, content, was in ((one.key(path), right, left), (other.key(path), left, right)):
            if content is None:
                place.delete(key)
            elif content != was:
                place.write(key, content)
    report = one.verify_in(place.store)
    assert (report.outcome, counts(report)) == (
        Outcome.DAMAGED,
        {"intact": ALL - 1, "altered": 1, "unexpected": 1},
    )
    assert counts(other.verify_in(place.store)) == {"intact": ALL - 1, "altered": 1, "missing": 1}


def test_version_1_is_not_version_10(place: Place, aip: Aip):
    aip.copy_to(place.store)
    Aip(aip.files, aip.identifier, version=10).copy_to(place.store)
    assert counts(aip.verify_in(place.store)) == {"intact": ALL}


@pytest.mark.live
def test_every_damage_at_once_on_a_real_s3_server(bucket: Place):
    aip = Aip()
    aip.copy_to(bucket.store)
    assert counts(aip.verify_in(bucket.store)) == {"intact": ALL}
    assert counts(aip.verify_in(bucket.store, Grade.PRESENCE)) == {"intact": ALL}
    bucket.flip(aip.key(PAGE))
    bucket.write(aip.key(OTHER_PAGE), FILES[OTHER_PAGE][:-1])
    bucket.delete(aip.key(NFD))
    bucket.rename(aip.key("metadata/premis.xml"), aip.key("metadata/Premis.xml"))
    bucket.write(aip.key("data/thêm.txt"), b"added")
    bucket.settle()
    report = aip.verify_in(bucket.store)
    assert (report.outcome, counts(report)) == (
        Outcome.DAMAGED,
        {"intact": ALL - 4, "altered": 2, "missing": 2, "unexpected": 2},
    )
    assert sorted(told(report), key=str) == sorted(
        [
            ("object-altered", PAGE, DIGEST[PAGE], sha256(_flipped(FILES[PAGE]))),
            ("object-altered", OTHER_PAGE, "3072 B", "3071 B"),
            ("object-missing", NFD, DIGEST[NFD], None),
            ("object-missing", "metadata/premis.xml", DIGEST["metadata/premis.xml"], None),
            ("object-unexpected", "metadata/Premis.xml", None, "9 B"),
            ("object-unexpected", "data/thêm.txt", None, "5 B"),
        ],
        key=str,
    )
    presence = aip.verify_in(bucket.store, Grade.PRESENCE)
    assert counts(presence) == {"intact": ALL - 3, "altered": 1, "missing": 2, "unexpected": 2}
    provider = aip.verify_in(bucket.store, Grade.PROVIDER)
    assert provider.counts["intact"] == 0  # this server has no SHA-256 of its own to give
    assert provider.counts["altered"] == 1


# What the way to the bytes does is not what happened to the bytes.


def behind_a_network(aip: Aip) -> tuple[Place, Through]:
    place = in_memory("far")
    aip.copy_to(place.store)
    return place, Through(place.store)


def test_read_wrongly_once_then_rightly_is_intact_and_said(aip: Aip):
    _, far = behind_a_network(aip)
    far.cut = lambda key, time: b"noise" if (key, time) == (aip.key(PAGE), 1) else None
    report = aip.verify_in(far)
    assert (report.outcome, counts(report)) == (Outcome.INTACT, {"intact": ALL})
    assert told(report) == [("first-read-differed", PAGE, DIGEST[PAGE], sha256(b"noise"))]


def test_read_differently_every_time_is_unreadable(aip: Aip):
    _, far = behind_a_network(aip)
    far.cut = lambda key, time: b"noise %d" % time if key == aip.key(PAGE) else None
    report = aip.verify_in(far)
    assert (report.outcome, counts(report)) == (Outcome.UNREADABLE, {"intact": ALL - 1, "unreadable": 1})
    assert [code for code, *_ in told(report)] == ["reads-differ"]


class CutOff(Through):
    """Some reads of some objects break off."""

    def __init__(self, store: object, breaks: Callable[[str, int], bool]) -> None:
        super().__init__(store)
        self.breaks = breaks

    def open(self, key: str):
        opened = super().open(key)
        if not self.breaks(key, self.opened[key]):
            return opened
        return cut_reader()


@pytest.mark.parametrize(
    ("breaks", "outcome"),
    [
        ({1}, ObjectOutcome.INTACT),
        ({1, 2}, ObjectOutcome.UNREADABLE),
        ({1, 2, 3}, ObjectOutcome.UNREADABLE),
    ],
)
def test_a_good_object_behind_a_bad_line(aip: Aip, breaks: set[int], outcome: ObjectOutcome):
    place, _ = behind_a_network(aip)
    report = aip.verify_in(CutOff(place.store, lambda key, time: key == aip.key(PAGE) and time in breaks))
    assert report.counts[outcome.value] == (1 if outcome is ObjectOutcome.UNREADABLE else ALL)
    assert report.counts["altered"] == 0


@pytest.mark.parametrize(
    ("breaks", "outcome"),
    [
        ({1}, ObjectOutcome.ALTERED),  # two full reads agree
        ({2}, ObjectOutcome.ALTERED),
        ({1, 2}, ObjectOutcome.UNREADABLE),  # one full read is not enough to cry damage
        ({2, 3}, ObjectOutcome.UNREADABLE),
        ({1, 3}, ObjectOutcome.UNREADABLE),
    ],
)
def test_an_altered_object_behind_a_bad_line(aip: Aip, breaks: set[int], outcome: ObjectOutcome):
    place, _ = behind_a_network(aip)
    place.flip(aip.key(PAGE))
    report = aip.verify_in(CutOff(place.store, lambda key, time: key == aip.key(PAGE) and time in breaks))
    assert counts(report) == {"intact": ALL - 1, outcome.value: 1}


def test_one_object_that_we_may_not_read(aip: Aip):
    place, _ = behind_a_network(aip)

    class Denied(Through):
        def open(self, key: str):
            if key == aip.key(PAGE):
                raise StorageDenied(say("No."))
            return super().open(key)

    report = aip.verify_in(Denied(place.store))
    assert (report.outcome, counts(report)) == (Outcome.UNREADABLE, {"intact": ALL - 1, "unreadable": 1})
    assert told(report) == [("object-unreadable", PAGE, None, None)]


def test_a_store_that_is_off_raises(aip: Aip):
    _, far = behind_a_network(aip)
    far.away = True
    with pytest.raises(StorageUnavailable):
        aip.verify_in(far)


MANY = {f"data/{number:03}": b"page %d" % number for number in range(60)} | {"bagit.txt": b"mark"}


class GoesAway(Through):
    """Answers until so many objects were read."""

    def __init__(self, store: object, after: int) -> None:
        super().__init__(store)
        self.after = after
        self.tries = 0

    def open(self, key: str):
        self.tries += 1
        if len(self.opened) >= self.after:
            self.away = True
        return super().open(key)


@pytest.mark.parametrize("grade", [Grade.BYTES])
def test_a_store_that_goes_away_in_the_middle_raises(grade: Grade):
    aip = Aip(files=MANY)
    place, _ = behind_a_network(aip)
    with pytest.raises(StorageUnavailable, match="stopped answering"):
        aip.verify_in(GoesAway(place.store, after=20), grade)


def test_damage_seen_before_the_store_went_away_is_not_forgotten():
    aip = Aip(files={f"data/{number:03}": b"page %d" % number for number in range(400)})
    place, _ = behind_a_network(aip)
    place.flip(aip.key("data/003"))
    store = GoesAway(place.store, after=30)
    report = aip.verify_in(store)
    assert report.outcome is Outcome.DAMAGED
    assert (report.counts["altered"], report.counts["missing"]) == (1, 0)
    assert report.counts["unreadable"] > 360
    assert sum(report.counts.values()) == 400
    assert store.tries < 150  # what is gone is not asked again for every object that is left


def test_objects_that_cannot_be_read_do_not_hide_damage_after_them():
    """A disk with a bad stretch still answers; what stands behind the stretch is read all the same."""
    aip = Aip(files=MANY)
    place, _ = behind_a_network(aip)
    place.flip(aip.key("data/040"))
    bad = {aip.key(f"data/{number:03}") for number in range(10, 25)}
    report = aip.verify_in(CutOff(place.store, lambda key, _time: key in bad))
    assert counts(report) == {"intact": len(MANY) - 16, "unreadable": 15, "altered": 1}
    assert report.outcome is Outcome.DAMAGED


def test_the_expected_digest_never_comes_from_the_store(aip: Aip):
    """A store whose own checksum fits its own bytes is still wrong when it is not what was recorded."""
    place, _ = behind_a_network(aip)
    place.write(aip.key(PAGE), bytes(3072))
    report = aip.verify_in(place.store, Grade.PROVIDER)
    assert told(report) == [("object-altered", PAGE, DIGEST[PAGE], sha256(bytes(3072)))]


def test_a_replica_that_is_all_gone(place: Place, aip: Aip):
    report = aip.verify_in(place.store)
    assert (report.outcome, counts(report)) == (Outcome.DAMAGED, {"missing": ALL})


def test_findings_are_bounded_and_counts_exact():
    aip = Aip(files={f"data/{number:05}": b"" for number in range(1200)})
    report = aip.verify_in(in_memory().store)
    assert report.counts["missing"] == 1200
    assert len(report.findings) == len(report.wrong) == 1000


# A first bad answer of any kind is confirmed by a second.


class Stutters(Through):
    """Gives another answer the first times it is asked."""

    def __init__(self, store: object, key: str) -> None:
        super().__init__(store)
        self.key, self.looks = key, 0
        self.first: Callable[[ObjectStat], ObjectStat | None] = lambda stat: stat  # None: says it is not there
        self.times = 1

    def stat(self, key: str) -> ObjectStat:
        stat = super().stat(key)
        if key != self.key:
            return stat
        self.looks += 1
        instead = self.first(stat) if self.looks <= self.times else stat
        if instead is None:
            raise not_found(self.name, key)
        return instead


def test_a_providers_wrong_checksum_is_asked_for_twice(aip: Aip):
    place, _ = behind_a_network(aip)
    far = Stutters(place.store, aip.key(PAGE))
    far.first = lambda stat: replace(stat, checksums={"sha256": "0" * 64})
    report = aip.verify_in(far, Grade.PROVIDER)
    assert (report.outcome, told(report)) == (
        Outcome.INTACT,
        [("first-read-differed", PAGE, DIGEST[PAGE], "0" * 64)],
    )
    far.looks, far.times = 0, 9
    assert counts(aip.verify_in(far, Grade.PROVIDER)) == {"intact": ALL - 1, "altered": 1}
    far.looks = 0
    far.first = lambda stat: replace(stat, checksums={"sha256": f"{far.looks}" * 64})
    report = aip.verify_in(far, Grade.PROVIDER)
    assert (report.outcome, [code for code, *_ in told(report)]) == (Outcome.UNREADABLE, ["reads-differ"])


def test_an_object_that_is_listed_and_cannot_be_opened_once_is_looked_at_again(aip: Aip):
    place, _ = behind_a_network(aip)

    class Absent(Through):
        times = 1

        def open(self, key: str):
            opened = super().open(key)
            if key == aip.key(PAGE) and self.opened[key] <= self.times:
                raise not_found(self.name, key)
            return opened

    assert counts(aip.verify_in(Absent(place.store))) == {"intact": ALL}
    gone = Absent(place.store)
    gone.times = 9
    assert counts(aip.verify_in(gone)) == {"intact": ALL - 1, "missing": 1}


def test_a_folder_that_may_not_be_listed_hides_no_damage_beside_it(aip: Aip):
    place, _ = behind_a_network(aip)
    place.flip(aip.key("metadata/premis.xml"))  # behind the locked folder in the order of keys
    place.write(aip.key("zzz"), b"nobody can tell")

    class Locked(Through):
        def list(self, prefix: str):
            for stat in super().list(prefix):
                if stat.key.startswith(aip.key("data/")):
                    raise StorageDenied(say("No."))
                yield stat

        def open(self, key: str):
            if key == aip.key(PAGE):
                raise StorageDenied(say("No."))
            return super().open(key)

    report = aip.verify_in(Locked(place.store))
    assert (report.outcome, counts(report)) == (
        Outcome.DAMAGED,
        {"intact": ALL - 2, "altered": 1, "unreadable": 1},
    )
    assert {code for code, *_ in told(report)} == {"object-altered", "object-unreadable", "replica-not-listed"}
    place.flip(aip.key("metadata/premis.xml"))
    assert aip.verify_in(Locked(place.store), Grade.PRESENCE).outcome is Outcome.UNREADABLE  # never intact


def test_a_store_that_refuses_everything_raises(aip: Aip):
    place, _ = behind_a_network(aip)

    class Closed(Through):
        def list(self, prefix: str):
            raise StorageDenied(say("No."))

        def stat(self, key: str):
            raise StorageDenied(say("No."))

    with pytest.raises(StorageDenied):
        aip.verify_in(Closed(place.store))

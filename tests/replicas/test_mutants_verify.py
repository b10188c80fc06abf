"""What mutation testing found unguarded in the verification of replicas: whole answers, and each limit just reached."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import Any

import pytest

from preservation.facts import EventOutcome, EventType, Grade, ObjectOutcome, Outcome
from preservation.findings import Severity
from preservation.replicas import report as reports
from preservation.replicas.layout import README_KEY, replica_prefix
from preservation.replicas.overtaken import overtaken
from preservation.replicas.pairing import in_order
from preservation.replicas.report import ReplicaReport
from preservation.replicas.verify import (
    FINDINGS_KEPT,
    UNREADABLE_IN_A_ROW,
    answers,
    chunks,
    digest_of,
    verify_replica,
)
from storage_adapters.errors import ObjectNotFound, StorageDenied, StorageError, StorageUnavailable
from storage_adapters.memory import MemoryStore
from storage_adapters.store import ObjectStat
from tests.replicas.places import FILES, PAGE, Aip, Through, cut_reader, in_memory, sha256
from wording import say

FACT = Aip().fact(PAGE)


def whole(answer: reports.ObjectReport) -> tuple[Any, ...]:
    """Every field, and every field of the finding; the sentence as a person reads it."""
    found = answer.finding
    told = None
    if found is not None:
        told = (found.code, found.severity, found.path, found.expected, found.seen, str(found.message))
    return answer.path, answer.outcome, answer.fact, answer.bytes_read, told


def test_every_answer_for_one_object_is_whole():
    error, warning = Severity.ERROR, Severity.WARNING
    away = StorageUnavailable(say("The line is dead."))
    assert whole(reports.intact(FACT)) == (PAGE, ObjectOutcome.INTACT, FACT, 0, None)
    assert whole(reports.intact(FACT, bytes_read=7, first="f1")) == (
        *(PAGE, ObjectOutcome.INTACT, FACT, 7),
        (
            *("first-read-differed", warning, PAGE, FACT.sha256, "f1"),
            f"{PAGE} read wrongly once and rightly the second time: the stored bytes are intact, "
            "the way to them is not reliable.",
        ),
    )
    assert whole(reports.altered(FACT, expected="1 B", seen="2 B", bytes_read=9)) == (
        *(PAGE, ObjectOutcome.ALTERED, FACT, 9),
        ("object-altered", error, PAGE, "1 B", "2 B", f"{PAGE} is not what was stored: its bytes have changed."),
    )
    assert reports.altered(FACT, expected="1 B", seen="2 B").bytes_read == 0
    assert whole(reports.missing(FACT)) == (
        *(PAGE, ObjectOutcome.MISSING, FACT, 0),
        ("object-missing", error, PAGE, FACT.sha256, None, f"{PAGE} is gone from the store."),
    )
    assert whole(reports.unexpected(ObjectStat("aip/x/v1/data/x", 5), "aip/x/v1/")) == (
        *("data/x", ObjectOutcome.UNEXPECTED, None, 0),
        (
            *("object-unexpected", error, "data/x", None, "5 B"),
            "data/x stands among the files of this AIP, but Vankho did not put it there.",
        ),
    )
    assert whole(reports.unreadable(FACT, away)) == (
        *(PAGE, ObjectOutcome.UNREADABLE, FACT, 0),
        (
            *("object-unreadable", warning, PAGE, None, None),
            f"{PAGE} could not be read: The line is dead. This is no evidence of damage.",
        ),
    )
    assert whole(reports.wavering(FACT, seen="s", bytes_read=3)) == (
        *(PAGE, ObjectOutcome.UNREADABLE, FACT, 3),
        (
            *("reads-differ", warning, PAGE, FACT.sha256, "s"),
            f"{PAGE} reads differently every time, so nothing can be said of the stored bytes. "
            "Have the disk or the network looked at.",
        ),
    )
    assert reports.wavering(FACT, seen="s").bytes_read == 0
    assert whole(reports.without_checksum(FACT)) == (PAGE, ObjectOutcome.UNREADABLE, FACT, 0, None)


def test_every_answer_for_a_whole_replica_is_whole():
    store = MemoryStore("cloud")
    found = reports.no_checksum(store, 3, 8)
    assert (found.code, found.severity, found.path) == (reports.NO_CHECKSUM, Severity.WARNING, None)
    assert str(found.message).startswith(
        "Store cloud keeps no SHA-256 of its own for 3 of the 8 objects of this copy"
    )
    found = reports.not_listed(store, StorageDenied(say("No rights.")), "aip/x/v1/")
    assert (found.code, found.severity, found.path) == ("replica-not-listed", Severity.WARNING, "aip/x/v1/")
    assert str(found.message).startswith("Store cloud could not list all of this copy: No rights. Every file")
    gone = reports.store_away(store, "data/x")
    assert (str(gone), gone.where) == ("Store cloud stopped answering in the middle of the audit.", "data/x")
    assert str(gone.next_step) == "See that the store is reachable, then run the audit again."


def stale(grade: Grade, outcome: Outcome, kind: EventType, came: EventOutcome, detail: dict[str, str]) -> bool:
    report = ReplicaReport("x", 1, "s", grade, outcome, {}, 0, (), ())
    return overtaken(report, kind, came, detail)


@pytest.mark.parametrize("kind", [EventType.REPLICATION, EventType.RECOVERY])
@pytest.mark.parametrize("outcome", list(Outcome))
def test_whatever_changes_bytes_makes_a_report_stale(kind: EventType, outcome: Outcome):
    for came in EventOutcome:
        assert stale(Grade.BYTES, outcome, kind, came, {})


STRENGTH = [Grade.PRESENCE, Grade.PROVIDER, Grade.BYTES]


@pytest.mark.parametrize("ours", STRENGTH)
@pytest.mark.parametrize("theirs", STRENGTH)
def test_a_later_audit_makes_a_report_stale_only_when_it_contradicts(ours: Grade, theirs: Grade):
    as_strong = STRENGTH.index(theirs) >= STRENGTH.index(ours)
    as_weak = STRENGTH.index(theirs) <= STRENGTH.index(ours)
    check, detail = EventType.FIXITY_CHECK, {"grade": theirs.value}
    for came in EventOutcome:
        assert stale(ours, Outcome.DAMAGED, check, came, detail) is (came is EventOutcome.SUCCESS and as_strong)
        for outcome in (Outcome.INTACT, Outcome.UNREADABLE):
            assert stale(ours, outcome, check, came, detail) is (came is EventOutcome.FAIL and as_weak)


def test_other_events_are_no_news():
    for kind in EventType:
        if kind not in (EventType.REPLICATION, EventType.RECOVERY, EventType.FIXITY_CHECK):
            assert not stale(Grade.BYTES, Outcome.DAMAGED, kind, EventOutcome.SUCCESS, {"grade": "bytes"})
    # a fixity check of something else than a replica has no grade
    assert not stale(Grade.BYTES, Outcome.DAMAGED, EventType.FIXITY_CHECK, EventOutcome.SUCCESS, {})


class Heard:
    def __init__(self) -> None:
        self.amounts: list[int] = []

    def begin(self, step: str, total: int | None) -> None:
        raise AssertionError("who asked for the audit begins the step")

    def advance(self, amount: int) -> None:
        self.amounts.append(amount)


def test_progress_moves_by_what_was_expected():
    aip, place = Aip(), in_memory()
    aip.copy_to(place.store)
    place.write(aip.key("data/zzz"), b"not ours")
    heard = Heard()
    verify_replica(
        aip.objects(), place.store, identifier=aip.identifier, version=1, grade=Grade.PRESENCE, progress=heard
    )
    assert heard.amounts == [*(fact.size for fact in aip.objects() if fact.path < "data/zzz"), 0] + [
        fact.size for fact in aip.objects() if fact.path > "data/zzz"
    ]


def test_bytes_read_count_every_reading():
    aip, place = Aip(), in_memory()
    aip.copy_to(place.store)
    place.flip(aip.key(PAGE))
    report = aip.verify_in(place.store)
    assert report.bytes_read == sum(map(len, FILES.values())) + len(FILES[PAGE])  # the altered one was read twice
    (wrong,) = report.wrong
    assert wrong.bytes_read == 2 * len(FILES[PAGE])


def test_bytes_of_readings_that_differ_count_too():
    aip, place = Aip(), in_memory()
    aip.copy_to(place.store)
    far = Through(place.store)
    far.cut = lambda key, time: b"%d" % time if key == aip.key(PAGE) else None
    report = aip.verify_in(far)
    (wrong,) = report.wrong
    assert (wrong.bytes_read, wrong.finding.seen) == (3, sha256(b"3"))
    far = Through(place.store)
    far.cut = lambda key, time: b"12" if (key, time) == (aip.key(PAGE), 1) else None
    assert aip.verify_in(far).bytes_read == sum(map(len, FILES.values())) + 2


class Dark(Through):
    """Some objects cannot be opened; how often was it asked whether it is there at all?"""

    def __init__(self, store: object, dark: set[str]) -> None:
        super().__init__(store)
        self.dark = dark
        self.asked = 0
        self.there = True

    def open(self, key: str):
        if key in self.dark:
            raise StorageUnavailable(say("Not this one."))
        return super().open(key)

    def stat(self, key: str) -> ObjectStat:
        if key == README_KEY:
            self.asked += 1
            if not self.there:
                raise StorageUnavailable(say("Nobody."))
        return super().stat(key)


def pages(count: int) -> Aip:
    return Aip(files={f"data/{number:04}": b"%d" % number for number in range(count)})


@pytest.mark.parametrize(
    ("dark", "asked"),
    [
        (UNREADABLE_IN_A_ROW - 1, 0),
        (UNREADABLE_IN_A_ROW, 1),
        (2 * UNREADABLE_IN_A_ROW - 1, 1),
        (2 * UNREADABLE_IN_A_ROW, 2),
    ],
)
def test_after_so_many_in_a_row_the_store_is_asked_whether_it_is_there(dark: int, asked: int):
    aip, place = pages(20), in_memory()
    aip.copy_to(place.store)
    store = Dark(place.store, {aip.key(f"data/{number:04}") for number in range(3, 3 + dark)})
    report = aip.verify_in(store)
    assert store.asked == asked
    assert (report.outcome, report.counts["unreadable"]) == (Outcome.UNREADABLE, dark)


def test_one_that_can_be_read_begins_the_count_anew():
    aip, place = pages(20), in_memory()
    aip.copy_to(place.store)
    dark = {aip.key(f"data/{number:04}") for number in (0, 1, 2, 3, 5, 6, 7, 8)}
    store = Dark(place.store, dark)
    aip.verify_in(store)
    assert store.asked == 0


def test_objects_without_a_checksum_are_no_reason_to_ask():
    aip, place = pages(20), in_memory()
    aip.copy_to(place.store)

    class Bare(Dark):
        def stat(self, key: str) -> ObjectStat:
            return ObjectStat(key, super().stat(key).size)

    store = Bare(place.store, set())
    report = aip.verify_in(store, Grade.PROVIDER)
    assert store.asked == 0
    assert report.outcome is Outcome.UNREADABLE
    (found,) = report.findings
    assert "for 20 of the 20 objects" in str(found.message)
    assert len(report.wrong) == 20


def test_a_store_that_went_away_is_named_with_the_object_it_stopped_at():
    aip, place = pages(20), in_memory()
    aip.copy_to(place.store)
    store = Dark(place.store, {aip.key(f"data/{number:04}") for number in range(3, 20)})
    store.there = False
    with pytest.raises(StorageUnavailable) as caught:
        aip.verify_in(store)
    assert caught.value.where == f"data/{3 + UNREADABLE_IN_A_ROW - 1:04}"
    assert store.asked == 1


@pytest.mark.parametrize("more", [0, 1])
def test_a_thousand_findings_are_kept_and_no_more(more: int):
    report = pages(FINDINGS_KEPT + more).verify_in(MemoryStore("empty"))
    assert len(report.findings) == len(report.wrong) == FINDINGS_KEPT
    assert report.counts["missing"] == FINDINGS_KEPT + more


class Says:
    """A store that answers a stat so."""

    name = "says"

    def __init__(self, answer: Exception | None) -> None:
        self.answer = answer
        self.keys: list[str] = []

    def stat(self, key: str) -> ObjectStat:
        self.keys.append(key)
        if self.answer is not None:
            raise self.answer
        return ObjectStat(key, 1)


def test_whether_a_store_is_there_at_all():
    assert answers(Says(None))
    assert answers(Says(ObjectNotFound(say("No such."))))
    assert not answers(Says(StorageUnavailable(say("Nobody."))))
    assert not answers(Says(StorageError(say("Strange."))))
    asked = Says(None)
    answers(asked)
    assert asked.keys == [README_KEY]


class Locked(Through):
    """May be read by name and not be listed beyond the first few."""

    def __init__(self, store: object, error: StorageError) -> None:
        super().__init__(store)
        self.error = error
        self.there = True

    def list(self, prefix: str):
        for number, stat in enumerate(super().list(prefix)):
            if number == 2:
                raise self.error
            yield stat

    def stat(self, key: str) -> ObjectStat:
        if key == README_KEY and not self.there:
            raise StorageUnavailable(say("Nobody."))
        return super().stat(key)


def test_a_listing_that_is_refused_half_way_hides_no_damage_and_proves_nothing():
    aip, place = Aip(), in_memory()
    aip.copy_to(place.store)
    locked = Locked(place.store, StorageDenied(say("Not here.")))
    report = aip.verify_in(locked)
    assert (report.outcome, report.counts["intact"]) == (Outcome.UNREADABLE, len(FILES))
    (found,) = report.findings
    assert (found.code, found.path) == ("replica-not-listed", replica_prefix(aip.identifier, 1))
    place.flip(aip.key(PAGE))
    report = aip.verify_in(locked)
    assert report.outcome is Outcome.DAMAGED
    assert [each.code for each in report.findings] == ["replica-not-listed", "object-altered"]


def test_a_listing_that_breaks_off_is_raised_when_it_may_go_better_or_nobody_is_there():
    aip, place = Aip(), in_memory()
    aip.copy_to(place.store)
    with pytest.raises(StorageUnavailable, match="Later"):
        aip.verify_in(Locked(place.store, StorageUnavailable(say("Later."))))
    locked = Locked(place.store, StorageDenied(say("Not here.")))
    locked.there = False
    with pytest.raises(StorageDenied, match="Not here"):
        aip.verify_in(locked)


class Pieces:
    """A reader that remembers what it was asked for."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.asked: list[int] = []

    def read(self, size: int = -1, /) -> bytes:
        self.asked.append(size)
        return self.pieces.pop(0) if self.pieces else b""


def test_objects_are_read_in_pieces_of_a_mebibyte_to_their_end():
    reader = Pieces(b"ab", b"c")
    assert list(chunks(reader)) == [b"ab", b"c"]
    assert reader.asked == [1 << 20] * 3


def test_digest_and_length_of_an_object():
    place = in_memory()
    place.write("a", b"abc")
    assert digest_of(place.store, "a") == (sha256(b"abc"), 3)
    place.write("empty", b"")
    assert digest_of(place.store, "empty") == (sha256(b""), 0)


class Stuttering(Through):
    """Says of one object's checksum what it is told to, one after the other."""

    def __init__(self, store: object, key: str, *said: str | None) -> None:
        super().__init__(store)
        self.key, self.said = key, list(said)

    def stat(self, key: str) -> ObjectStat:
        stat = super().stat(key)
        if key != self.key or not self.said:
            return stat
        word = self.said.pop(0)
        return ObjectStat(key, stat.size, {} if word is None else {"sha256": word})


@pytest.mark.parametrize(
    ("said", "outcome", "code", "seen"),
    [
        (["bad", "bad"], "altered", "object-altered", "bad"),
        (["bad", FACT.sha256], "intact", "first-read-differed", "bad"),
        (["bad", "worse"], "unreadable", "reads-differ", "worse"),
        (["bad", None], "unreadable", "reads-differ", "bad"),
        ([FACT.sha256, "bad"], "intact", None, None),
        ([None, "bad"], "unreadable", "no-provider-checksum", None),
    ],
)
def test_a_providers_wrong_word_is_asked_for_twice(said: list[str | None], outcome: str, code: str | None, seen: str):
    aip, place = Aip(), in_memory()
    aip.copy_to(place.store)
    report = aip.verify_in(Stuttering(place.store, aip.key(PAGE), *said), Grade.PROVIDER)
    assert report.counts[outcome] == (len(FILES) if outcome == "intact" else 1)
    assert [(each.code, each.seen) for each in report.findings] == ([] if code is None else [(code, seen)])


def test_a_reading_that_was_cut_off_twice_raises_and_is_told_by_its_reason():
    aip, place = Aip(), in_memory()
    aip.copy_to(place.store)

    class CutTwice(Through):
        def open(self, key: str):
            opened = super().open(key)
            if key == aip.key(PAGE):
                return cut_reader()
            return opened

    far = CutTwice(place.store)
    report = aip.verify_in(far)
    assert far.opened[aip.key(PAGE)] == 2
    (found,) = report.findings
    assert "Store cut does not answer." in str(found.message)


def test_at_most_a_few_items_are_begun_ahead():
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    given = in_order(lambda number: number, items(), threads=3)
    next(given)
    assert len(taken) == 12
    next(given)
    assert len(taken) == 13
    given.close()


def test_the_length_of_an_object_is_that_of_all_its_pieces():
    place = in_memory()
    place.write("a", b"abcde")

    class InPieces(Through):
        @contextmanager
        def open(self, key: str):
            yield Pieces(b"ab", b"cde")

    assert digest_of(InPieces(place.store), "a") == (sha256(b"abcde"), 5)


def test_no_more_are_at_work_at_once_than_asked_for():
    lock, at_work, most = threading.Lock(), 0, 0

    def work(number: int) -> int:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.005)
        with lock:
            at_work -= 1
        return number

    assert list(in_order(work, range(24), threads=2)) == list(range(24))
    assert most <= 2


def test_what_does_not_belong_there_is_not_counted_among_what_lacks_a_checksum():
    aip, place = pages(3), in_memory()
    aip.copy_to(place.store)
    place.write(aip.key("data/zzz"), b"not ours")

    class Bare(Through):
        def stat(self, key: str) -> ObjectStat:
            return ObjectStat(key, super().stat(key).size)

    report = aip.verify_in(Bare(place.store), Grade.PROVIDER)
    assert "for 3 of the 3 objects" in str(report.findings[-1].message)


class Stale(Through):
    """Lists what was erased; asked for it by name, it answers so."""

    def __init__(self, store: object, key: str, answer: Exception | None) -> None:
        super().__init__(store)
        self.key, self.answer = key, answer
        self.looked: list[str] = []

    def list(self, prefix: str):
        yield from sorted([*super().list(prefix), ObjectStat(self.key, 5)], key=lambda stat: stat.key.encode())

    def stat(self, key: str) -> ObjectStat:
        if key != self.key:
            return super().stat(key)
        self.looked.append(key)
        if self.answer is not None:
            raise self.answer
        return ObjectStat(key, 5)


@pytest.mark.parametrize(
    ("answer", "unexpected"),
    [
        (ObjectNotFound(say("Gone.")), 0),
        (StorageUnavailable(say("Not now.")), 1),
        (StorageDenied(say("No.")), 1),
        (None, 1),
    ],
)
def test_what_is_only_listed_is_looked_at_by_its_name(answer: Exception | None, unexpected: int):
    aip, place = Aip(), in_memory()
    aip.copy_to(place.store)
    store = Stale(place.store, aip.key("data/zzz"), answer)
    report = aip.verify_in(store)
    assert store.looked == [aip.key("data/zzz")]
    assert report.counts["unexpected"] == unexpected
    assert report.outcome is (Outcome.DAMAGED if unexpected else Outcome.INTACT)


def test_what_is_expected_and_gone_is_never_left_out():
    aip, place = Aip(), in_memory()
    aip.copy_to(place.store)
    place.delete(aip.key(PAGE))
    assert aip.verify_in(place.store, Grade.PRESENCE).counts["missing"] == 1

"""The reader alone, with no catalog and no second store to compare: what it raises, at which event."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from preservation.ledger import LedgerBroken, books, checkpoints, highest, newest, read_admissions, read_events
from preservation.ledger.guard import BookInForce, Found, look, objection
from preservation.ledger.layout import book_of, checkpoint_key, checkpoint_of
from preservation.ledger.records import read_checkpoint, version_of
from tests.catalog.samples import event
from tests.ledger import history as hands
from tests.ledger.history import History, first_named


def fault(history: History, *, after: int = 0) -> tuple[str, int]:
    """(The code, the event) at which reading store b ends."""
    with pytest.raises(LedgerBroken) as error:
        list(read_events(history.stores[1], 1, after=after))
    return error.value.finding.code, error.value.seq


def lines(history: History) -> tuple[Path, list[dict[str, Any]]]:
    file = hands.segment(history.folder / "b", 8)
    return file, hands.read_lines(file)


def chained(history: History, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with digests that follow from one another, after event 4."""
    previous = hands.read_lines(hands.segment(history.folder / "b", 4))[-1]["digest"]
    for row in rows:
        row["digest"] = previous = hands.digest_line(row, previous)
    return rows


def test_all_of_it(history: History) -> None:
    store = history.stores[1]
    assert (books(store), [point.last for point, _ in checkpoints(store, 1)]) == ([1], list(hands.PUSHES))
    point = newest(store, 1)
    assert point is not None
    assert highest(store) == (1, point)
    assert (point.store, point.first, point.last, point.objects) == ("b", 13, 16, False)
    with history.open() as catalog:
        recorded = list(catalog.events())
        for after in range(17):
            read = list(read_events(store, 1, after=after))
            assert [(each.seq, each.digest, each.previous) for each in read] == [
                (each.seq, each.digest, each.previous) for each in recorded[after:]
            ]
            assert [each.record["detail"] for each in read] == [dict(each.event.detail) for each in recorded[after:]]
        assert len(list_of(store, after=0)) == 2
        assert len(list_of(store, after=3)) == 1
        assert list_of(store, after=11) == []


def list_of(store: Any, *, after: int) -> list[Any]:
    return [(version, list(objects)) for version, objects in read_admissions(store, 1, after=after)]


def test_a_digest_that_was_edited(history: History) -> None:
    file, rows = lines(history)
    rows[2]["digest"] = "0" * 64
    hands.write_lines(file, rows)
    assert fault(history) == ("event-altered", 7)
    assert fault(history, after=6) == ("event-altered", 7)
    assert len(list(read_events(history.stores[1], 1, after=8))) == 8  # what stands before is not asked for


def test_a_number_left_out_of_a_chain_made_again(history: History) -> None:
    file, rows = lines(history)
    del rows[2]
    hands.write_lines(file, chained(history, rows))
    assert fault(history) == ("event-missing", 7)


def test_an_event_behind_the_last(history: History) -> None:
    file, rows = lines(history)
    hands.write_lines(file, chained(history, [*rows, {**rows[-1], "seq": 9}]))
    assert fault(history) == ("event-unexpected", 9)


def test_the_last_event_cut_off(history: History) -> None:
    file, rows = lines(history)
    hands.write_lines(file, rows[:-1])
    assert fault(history) == ("event-missing", 8)
    code, words = history.script("b")
    assert (code, first_named(words)) == (1, 8)


def test_a_chain_made_again_is_not_the_checkpoints(history: History) -> None:
    file, rows = lines(history)
    rows[1]["agent"] = "x"
    hands.write_lines(file, chained(history, rows))
    assert fault(history) == ("ledger-segment-altered", 8)


def test_a_segment_made_again_with_its_checkpoint(history: History) -> None:
    """The next checkpoint knows what stood there."""
    file, rows = lines(history)
    rows[1]["agent"] = "x"
    rows = chained(history, rows)
    hands.write_lines(file, rows)
    hands.forge(hands.checkpoint(history.folder / "b", 8), digest=rows[-1]["digest"])
    assert fault(history) == ("ledger-checkpoint-altered", 8)
    assert fault(history, after=5) == ("ledger-checkpoint-altered", 8)
    assert fault(history, after=8) == ("ledger-checkpoint-altered", 8)
    assert len(list(read_events(history.stores[1], 1, after=12))) == 4


def test_files_that_are_gone(history: History) -> None:
    folder = history.folder / "b"
    hands.segment(folder, 12).unlink()
    assert fault(history) == ("ledger-segment-missing", 9)
    hands.checkpoint(folder, 8).unlink()
    assert fault(history) == ("ledger-checkpoint-missing", 5)
    assert fault(history, after=4) == ("ledger-checkpoint-missing", 5)


def test_segments_that_overlap_must_agree(history: History) -> None:
    """Events 5 to 10 once more, of which 5 to 8 are there already."""
    folder = history.folder / "b"
    rows = [*hands.read_lines(hands.segment(folder, 8)), *hands.read_lines(hands.segment(folder, 12))[:2]]
    before = hashlib.sha256(hands.checkpoint(folder, 4).read_bytes()).hexdigest()

    def put(rows: list[dict[str, Any]]) -> None:
        file = folder / "ledger/9998-book-1/events/000000000005-000000000010.jsonl"
        file.unlink(missing_ok=True)
        file.touch()
        hands.write_lines(file, rows)
        point = folder / checkpoint_key(1, 10)
        point.unlink(missing_ok=True)
        point.write_bytes(hands.checkpoint(folder, 8).read_bytes())
        hands.forge(point, last=10, digest=rows[-1]["digest"], before=before)

    put(rows)
    assert [each.seq for each in read_events(history.stores[1], 1)] == list(range(1, 17))
    assert history.script("b")[0] == 0
    rows[1]["agent"] = "x"
    put(chained(history, rows))
    assert fault(history) == ("ledger-segment-altered", 10)
    assert history.script("b")[0] == 1


@pytest.mark.parametrize("seq", [3, 11])
def test_an_object_list_edited(history: History, seq: int) -> None:
    file = hands.object_list(history.folder / "b", 4 if seq == 3 else 12)
    hands.repack(file, lambda lines: lines.replace(b'"size":1000', b'"size":1001', 1))
    with pytest.raises(LedgerBroken) as error:
        list_of(history.stores[1], after=0)
    assert (error.value.finding.code, error.value.seq) == ("ledger-objects-altered", seq)


@pytest.mark.parametrize("objects", [b"Infinity", b"NaN", b'"1"', b"9" * 40, b"[]"])
def test_an_object_list_that_counts_what_is_no_number(history: History, objects: bytes) -> None:
    """Of the list before the one that is looked for, which is skipped by its own word."""
    file = hands.object_list(history.folder / "b", 4)
    hands.repack(file, lambda lines: b'{"objects":' + objects + b',"seq":2}\n' + lines)
    with pytest.raises(LedgerBroken) as error:
        list_of(history.stores[1], after=0)
    assert (error.value.finding.code, error.value.seq) == ("ledger-objects-altered", 3)


def test_an_admission_that_counts_what_is_no_number(history: History) -> None:
    detail = next(
        each.record["detail"] for each in read_events(history.stores[1], 1) if "aip" in each.record["detail"]
    )
    assert version_of(detail).version == 1
    for wrong in ("1", -1, True, None, 1.0):
        with pytest.raises(ValueError, match="no numbers"):
            version_of({"aip": {**detail["aip"], "objects": wrong}})


def test_an_object_list_under_another_number(history: History) -> None:
    file = hands.object_list(history.folder / "b", 4)
    hands.repack(file, lambda lines: lines.replace(b'"seq":3', b'"seq":4', 1))
    with pytest.raises(LedgerBroken) as error:
        list_of(history.stores[1], after=0)
    assert (error.value.finding.code, error.value.seq) == ("ledger-objects-altered", 3)
    assert history.script("b")[0] == 1


def test_a_list_that_was_not_read_to_its_end_is_noticed(history: History) -> None:
    with pytest.raises(RuntimeError, match="to their end"):
        [version for version, _ in read_admissions(history.stores[1], 1)]


def test_keys() -> None:
    """Countdowns that do not fit are nobody's keys."""
    key = checkpoint_key(1, 12)
    assert (key, checkpoint_of(key)) == ("ledger/9998-book-1/checkpoints/99999999/9987-12.json", (1, 12))
    assert checkpoint_of(key.replace("-12.json", "-13.json")) is None
    assert (book_of("ledger/9998-book-2/x"), book_of("ledger/9997-book-2/x"), book_of("ledger/x")) == (None, 2, None)
    assert sorted([checkpoint_key(1, last) for last in (9, 10, 9999, 10000, 10001, 123456789)]) == [
        checkpoint_key(1, last) for last in (123456789, 10001, 10000, 9999, 10, 9)
    ]


@pytest.mark.parametrize(
    "spoil",
    [
        {"first": 0},
        {"first": 20},
        {"first": "x"},
        {"last": True},
        {"digest": "x"},
        {"at": 5},
        {"at": "2026-11-22T10:00:00"},
        {"policies": {"a": "b"}},
        {"policies": {"a": 5}},
        {"policies": {"../../a": "0" * 64}},
        {"policies": {"/a": "0" * 64}},
        {"policies": {"a/b": "0" * 64}},
        {"policies": {"a\n": "0" * 64}},
        {"policies": {"a" * 250: "0" * 64}},
    ],
)
def test_checkpoints_that_cannot_be(history: History, spoil: dict[str, Any]) -> None:
    """With the right SHA-256 of themselves."""
    file = hands.checkpoint(history.folder / "b", 16)
    assert read_checkpoint(file.read_bytes()).last == 16
    hands.forge(file, **spoil)
    with pytest.raises(ValueError, match=r".+"):
        read_checkpoint(file.read_bytes())
    members = json.loads(file.read_bytes())
    assert members["sha256"]


@pytest.mark.parametrize("changes", [{"previous": "0" * 64}, {"before": "0" * 64}], ids=["previous", "before"])
def test_a_checkpoint_that_names_another_one_before_it(history: History, changes: dict[str, Any]) -> None:
    hands.forge(hands.checkpoint(history.folder / "b", 8), **changes)
    assert fault(history) == ("ledger-checkpoint-altered", 4)
    assert history.script("b")[0] == 1


@pytest.mark.parametrize("changes", [{"previous": "0" * 64}, {"before": "0" * 64}], ids=["previous", "before"])
def test_the_newest_checkpoint_too(history: History, changes: dict[str, Any]) -> None:
    """None stands behind it that would name it."""
    hands.forge(hands.checkpoint(history.folder / "b", 16), **changes)
    assert fault(history) == ("ledger-checkpoint-altered", 12)
    assert history.script("b")[0] == 1


def test_the_newest_checkpoint_of_another_catalog(history: History) -> None:
    hands.forge(hands.checkpoint(history.folder / "b", 16), catalog="0" * 64)
    with history.open() as catalog:
        found = objection(catalog, look(history.stores[1]), BookInForce())
        assert found is not None
        assert found.code == "ledger-other-catalog"
    assert history.script("b")[0] == 1


def test_a_checkpoint_under_anothers_name(history: History) -> None:
    folder = history.folder / "b"
    hands.overwrite(hands.checkpoint(folder, 16), hands.checkpoint(folder, 12).read_bytes())
    assert fault(history) == ("ledger-checkpoint-altered", 16)
    code, words = history.script("b")
    assert (code, first_named(words)) == (1, 16)


@pytest.mark.parametrize("spoil", [lambda text: text.replace(b",", b", ", 1), lambda text: b"[" * 100_000])
def test_a_checkpoint_in_another_spelling(history: History, spoil: Any) -> None:
    """There is one way to write it; and however deep it is nested, reading it ends well."""
    file = hands.checkpoint(history.folder / "b", 16)
    hands.overwrite(file, spoil(file.read_bytes()))
    assert fault(history) == ("ledger-checkpoint-altered", 16)


def test_a_checkpoint_set_aside_counts_for_older_books_only(history: History) -> None:
    """A decision says nothing of what a store says later, nor of another store's checkpoint."""
    with history.open() as catalog:
        point = newest(history.stores[1], 1)
        assert point is not None
        catalog.record([event(detail={"n": 17})])
        stranger = Found("c", 1, point, point.last)
        record = {"store": "c", "book": 1, "last": 16, "digest": point.digest, "catalog": point.catalog, "named": "b"}
        assert objection(catalog, stranger, BookInForce(2, (record,))) is None
        for force in (
            BookInForce(1, (record,)),
            BookInForce(2, ()),
            BookInForce(2, ({**record, "last": 15},)),
            BookInForce(2, ({**record, "store": "a"},)),
        ):
            found = objection(catalog, stranger, force)
            assert found is not None
            assert found.code == "ledger-other-store"

"""Whatever is done to an event, in the catalog or in a store, is found, and the first wrong event is named with its
place: by `verify` and by the script, each judged alone.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ledger import history as hands
from tests.ledger.history import History, first_named, wrong_lines

Rows = list[dict[str, Any]]
N = 7  # the event that is worked on; in the second of four segments, which ends with event 8


def other_row(row: dict[str, Any]) -> dict[str, Any]:
    """The same event in other words, whether it stands in a catalog or in a store."""
    detail = {"n": "another"}
    return {**row, "detail": json.dumps(detail, separators=(",", ":")) if isinstance(row["detail"], str) else detail}


def edited(rows: Rows) -> Rows:
    return [other_row(row) if row["seq"] == N else row for row in rows]


def deleted(rows: Rows) -> Rows:
    return [row for row in rows if row["seq"] != N]


def inserted(rows: Rows) -> Rows:
    at = next(i for i, row in enumerate(rows) if row["seq"] == N)
    return [*rows[:at], {**other_row(rows[at]), "id": "0-put-in"}, *rows[at:]]


def reordered(rows: Rows) -> Rows:
    at = next(i for i, row in enumerate(rows) if row["seq"] == N)
    return [*rows[:at], rows[at + 1], rows[at], *rows[at + 2 :]]


def renumbered(change: Callable[[Rows], Rows]) -> Callable[[Rows], Rows]:
    """The numbers run on as if nothing had been done; what else is covered up is the skill's matter."""

    def work(rows: Rows) -> Rows:
        first = rows[0]["seq"]
        return [{**row, "seq": seq} for seq, row in enumerate(change(rows), start=first)]

    return work


CHANGES = {
    "edited": edited,
    "deleted": renumbered(deleted),
    "inserted": renumbered(inserted),
    "reordered": renumbered(reordered),
}


def test_what_nobody_touched_passes(either: History) -> None:
    checked = either.check(objects=True)
    assert (checked.events, checked.first, checked.places) == (16, None, ())
    assert checked.faults == ()
    assert [(store.store, store.book, store.last, store.faults) for store in checked.stores] == [
        (name, 1, 16, []) for name in "abc"
    ]
    places = ("a", "b", "c", "catalog.db") if either.catalog_file.exists() else ("a", "b", "c")
    code, words = either.script(*places)
    assert (code, wrong_lines(words)) == (0, [])
    assert words.endswith("Nothing is wrong.\n")
    assert words.count("16 events hold") == len(places)


@pytest.mark.parametrize("skill", ["none", "own", "all"])
@pytest.mark.parametrize("kind", sorted(CHANGES))
def test_in_the_catalog(either: History, kind: str, skill: str) -> None:
    """Even a chain that was made again from end to end is not the one that the stores have."""
    hands.rewrite(either, CHANGES[kind], skill=skill)
    checked = either.check()
    assert checked.first is not None
    assert (checked.first.seq, checked.places) == (N, ("catalog",))
    if either.catalog_file.exists():
        code, words = either.script()
        assert (code, first_named(words)) == (1, N)
        assert any("catalog.db" in line for line in wrong_lines(words))
        code, words = either.script("catalog.db")  # alone, it cannot know what was made again from end to end
        assert code == (0 if skill == "all" else 1)


@pytest.mark.parametrize("kind", ["deleted", "inserted"])
def test_in_the_catalog_with_gaps_and_doubles(history: History, kind: str) -> None:
    """The rows after it keep their numbers."""
    change = {"deleted": deleted, "inserted": lambda rows: [*rows, {**rows[-1], "seq": 99, "id": "0"}]}[kind]
    hands.rewrite(history, change, skill="none")
    checked = history.check()
    first = {"deleted": N, "inserted": 17}[kind]
    assert checked.faults[0].seq in (first, 99)
    assert checked.places in (("catalog",), ())
    code, words = history.script()
    assert (code, first_named(words)) == (1, first)


@pytest.mark.parametrize("skill", ["none", "all"])
def test_the_end_of_the_catalog_cut_off(either: History, skill: str) -> None:
    """`all` is what an older copy of the catalog is like: sound, only not long enough."""
    hands.rewrite(either, lambda rows: rows[:10], skill=skill)
    checked = either.check()
    assert checked.first is not None
    assert (checked.first.seq, checked.places) == (11, ("catalog",))
    codes = [store.faults[0].finding.code for store in checked.stores]
    assert skill == "none" or codes == ["ledger-catalog-behind"] * 3
    if either.catalog_file.exists():
        code, words = either.script()
        assert (code, first_named(words)) == (1, 11)
        assert "catalog.db" in wrong_lines(words)[0]
        code, words = either.script("catalog.db")  # alone: it remembers its end, unless that was changed too
        assert (code, first_named(words)) == ((1, 11) if skill == "none" else (0, None))


@pytest.mark.parametrize("skill", ["none", "own", "segment", "all"])
@pytest.mark.parametrize("kind", sorted(CHANGES))
def test_in_a_store(history: History, kind: str, skill: str) -> None:
    """One store's word, however well it was covered up, stands against the catalog and two others."""
    change = CHANGES[kind]
    if skill == "all" and kind in ("deleted", "inserted"):
        pytest.skip("the numbers of all that follow would have to change too; the catalog's cases do that")
    hands.rewrite_store(history.folder / "b", change, skill=skill)
    checked = history.check()
    assert checked.first is not None
    assert (checked.first.seq, checked.places) == (N, ("b",))
    code, words = history.script("a", "b", "c")
    assert (code, first_named(words)) == (1, N)
    assert any(str(history.folder / "b") in line for line in wrong_lines(words))
    code, words = history.script("b")
    assert code == (0 if skill == "all" else 1)
    if skill == "none":
        assert first_named(words) == N
    if skill == "own":
        assert first_named(words) in (N, N + 1)  # one of the two was changed; alone, it cannot know which


@pytest.mark.parametrize("skill", ["none", "own", "segment", "all"])
def test_one_store_alone_against_the_catalog(history: History, skill: str) -> None:
    """A chain that breaks convicts its own place; where none breaks, both places are named."""
    for name in "ac":
        shutil.rmtree(history.folder / name)
        (history.folder / name).mkdir()
    shutil.copy(hands.SCRIPT, history.folder / "a")
    hands.rewrite_store(history.folder / "b", edited, skill=skill)
    checked = history.check()
    assert checked.first is not None
    named = [fault for store in checked.stores if store.store == "b" for fault in store.faults]
    assert min(fault.seq for fault in named if fault.seq) == N
    code, words = history.script("b", "catalog.db")
    assert (code, first_named(words)) == (1, N)


def of_b(name: str) -> Callable[[History], Path]:
    return {
        "events": lambda history: hands.segment(history.folder / "b", 8),
        "checkpoint": lambda history: hands.checkpoint(history.folder / "b", 8),
        "newest checkpoint": lambda history: hands.checkpoint(history.folder / "b", 16),
        "objects": lambda history: hands.object_list(history.folder / "b", 4),
        "policy": lambda history: next(history.folder.glob("b/ledger/*/policies/*")),
    }[name]


# file → (first event that verify names, that the script names when it sees b alone)
REMOVED = {
    "events": (5, 5),
    "checkpoint": (5, 5),
    "newest checkpoint": (13, None),
    "objects": (3, 3),
    "policy": (4, 4),
}


@pytest.mark.parametrize("name", sorted(REMOVED))
def test_a_file_removed(history: History, name: str) -> None:
    of_b(name)(history).unlink()
    verified, alone = REMOVED[name]
    checked = history.check()
    [store] = [store for store in checked.stores if store.store == "b"]
    assert checked.first is not None
    assert store.wrong
    assert checked.first.seq in (verified, verified + 12 if name == "policy" else verified)
    assert checked.places == ("b",)
    assert [other.faults for other in checked.stores if other.store != "b"] == [[], []]
    code, words = history.script("b")
    assert (code, first_named(words) is None) == (0 if alone is None else 1, alone is None)
    code, words = history.script()
    assert code == 1
    assert str(history.folder / "b") in wrong_lines(words)[0]
    if name != "policy":
        assert first_named(words) == verified


@pytest.mark.parametrize("name", sorted(REMOVED))
@pytest.mark.parametrize("how", ["a byte", "cut", "empty", "more"])
def test_a_file_damaged(history: History, name: str, how: str) -> None:
    """Every byte of the ledger counts."""
    file = of_b(name)(history)
    content = file.read_bytes()
    middle = len(content) // 2
    wrong = {
        "a byte": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "cut": content[:middle],
        "empty": b"",
        "more": content + b"more\n",
    }[how]
    hands.overwrite(file, wrong)
    if (name, how) == ("objects", "more"):
        return  # what stands behind the end of a gzip stream belongs to nobody's list
    checked = history.check()
    assert "b" in checked.places
    assert [other.faults for other in checked.stores if other.store != "b"] == [[], []]
    for places in (("b",), ("a", "b", "c", "catalog.db")):
        code, words = history.script(*places)
        assert code == 1, words
        assert str(history.folder / "b") in wrong_lines(words)[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": "0" * 64},
        {"previous": "0" * 64},
        {"first": 6},
        {"last": 9},
        {"before": "0" * 64},
        {"catalog": "0" * 64},
        {"at": "2020-01-01T00:00:00.000000Z"},
        {"agent": "somebody"},
        {"policies": {}},
        {"book": 2},
        {"extra": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
@pytest.mark.parametrize("skilled", [False, True])
def test_a_checkpoint_edited(history: History, changes: dict[str, Any], skilled: bool) -> None:
    """Also with the right SHA-256 of itself: the next checkpoint names the one that stood there."""
    file = hands.checkpoint(history.folder / "b", 8)
    if skilled:
        hands.forge(file, **changes)
    else:
        members = json.loads(file.read_bytes()) | changes
        hands.overwrite(file, json.dumps(members, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    checked = history.check()
    assert checked.first is not None
    assert checked.places == ("b",)
    assert checked.first.seq <= 8
    code, words = history.script("b")
    assert code == 1, words


def test_the_newest_checkpoint_rewritten_for_another_end(history: History) -> None:
    hands.forge(hands.checkpoint(history.folder / "b", 16), digest=hashlib.sha256(b"x").hexdigest())
    checked = history.check()
    assert checked.places == ("b",)
    assert history.script("b")[0] == 1


def test_a_file_of_one_store_in_place_of_anothers(history: History) -> None:
    """Segments are the same everywhere; checkpoints name their store."""
    shutil.copy(hands.segment(history.folder / "a", 8), hands.segment(history.folder / "b", 8))
    assert history.check().first is None
    hands.overwrite(
        hands.checkpoint(history.folder / "b", 16), hands.checkpoint(history.folder / "a", 16).read_bytes()
    )
    assert history.check().places == ("b",)


def test_the_object_list_of_a_package_edited(history: History) -> None:
    """The list is bound to the event that admitted it."""
    file = hands.object_list(history.folder / "b", 12)
    hands.repack(file, lambda lines: lines.replace(b'"size":1000', b'"size":1001', 1))
    checked = history.check()
    assert checked.first is not None
    assert (checked.first.seq, checked.places, checked.first.finding.code) == (11, ("b",), "ledger-objects-altered")
    code, words = history.script()
    assert (code, first_named(words)) == (1, 11)


@pytest.mark.parametrize(
    "spoil", [lambda packed: packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:], lambda p: p + b"\0x"]
)
def test_the_end_of_an_object_list(history: History, spoil: Callable[[bytes], bytes]) -> None:
    """The lists read well; only gzip's own check at the end, or what follows it, tells."""
    (packed, *_) = sorted((history.folder / "b").rglob("objects/*.jsonl.gz"))
    hands.overwrite(packed, spoil(packed.read_bytes()))
    assert history.check().places == ("b",)
    assert history.script("b")[0] == 1


def test_the_objects_in_the_catalog_edited(either: History) -> None:
    """Looked at when asked for: a million of them take a while."""
    hands.sql(either, lambda raw: raw.execute("UPDATE objects SET size = 1001 WHERE size = 1000"))
    assert either.check().first is None
    checked = either.check(objects=True)
    assert checked.first is not None
    assert (checked.first.seq, checked.places) == (3, ("catalog",))


def test_an_older_copy_of_the_catalog(history: History) -> None:
    """Brought back, it is behind every store; the first event that it lacks is named."""
    older = hands.copy_of_catalog(history)
    with history.open() as catalog:
        catalog.record([hands.event(detail={"n": n}) for n in (17, 18)])
        history.push(catalog)
    assert history.check().first is None
    hands.bring_back(history, older)
    checked = history.check()
    assert checked.first is not None
    assert (checked.first.seq, checked.places) == (17, ("catalog",))
    code, words = history.script()
    assert (code, first_named(words)) == (1, 17)
    assert "catalog.db ends with event 16" in words


def test_an_older_copy_of_the_catalog_that_went_on(history: History) -> None:
    """It has as many events as the stores, but not the same ones."""
    older = hands.copy_of_catalog(history)
    with history.open() as catalog:
        catalog.record([hands.event(detail={"n": 17})])
        history.push(catalog)
    hands.bring_back(history, older)
    with history.open() as catalog:
        catalog.record([hands.event(detail={"n": "another 17"})])
    checked = history.check()
    assert checked.first is not None
    assert (checked.first.seq, checked.places) == (17, ("catalog",))
    assert first_named(history.script()[1]) == 17


def test_an_older_copy_of_a_store(history: History) -> None:
    """It is behind; the next push completes it."""
    older = history.folder / "older"
    shutil.copytree(history.folder / "b", older)
    with history.open() as catalog:
        catalog.record([hands.event(detail={"n": 17})])
        history.push(catalog)
        shutil.rmtree(history.folder / "b")
        older.rename(history.folder / "b")
    checked = history.check()
    [fault] = [fault for store in checked.stores for fault in store.faults]
    assert (fault.seq, fault.finding.code, checked.places) == (17, "ledger-behind", ("b",))
    assert first_named(history.script()[1]) == 17
    with history.open() as catalog:
        history.push(catalog)
    assert history.check().first is None


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b'{"seq":5}', b"null", b'{"detail":5,"seq":5}', b'{"seq":5', b"\xff"]
)
def test_lines_that_are_no_events(history: History, line: bytes) -> None:
    """No crash, whatever stands there."""
    file = hands.segment(history.folder / "b", 8)
    rest = file.read_bytes().split(b"\n", 1)[1]
    hands.overwrite(file, b"0" * 64 + b" " + line + b"\n" + rest)
    checked = history.check()
    assert checked.first is not None
    assert (checked.first.seq, checked.places) == (5, ("b",))
    assert history.script("b")[0] == 1


@pytest.mark.parametrize("content", [b"[" * 100_000, b"null", b"{}", b"\xff", b'{"form":"vankho ledger 1"}'])
def test_checkpoints_that_are_none(history: History, content: bytes) -> None:
    hands.overwrite(hands.checkpoint(history.folder / "b", 8), content)
    assert history.check().places == ("b",)
    assert history.script("b")[0] == 1

"""Events are only added, and whatever is done to them behind our back is found and named."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from preservation.catalog import Catalog, chain, open_catalog
from preservation.catalog.chain import canonical, link, plain
from preservation.errors import CatalogError
from tests.catalog.samples import NOW, event

EVENTS = 7


class Intruder:
    """Someone with rights on the database itself."""

    def __init__(self, address: str) -> None:
        self.lite = address.startswith("sqlite")
        self.address = address.removeprefix("sqlite:///") if self.lite else address

    def run(self, *statements: str, disarm: bool = True) -> None:
        if self.lite:
            with sqlite3.connect(self.address) as raw:
                if disarm:
                    for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                        raw.execute(f"DROP TRIGGER {name}")
                for statement in statements:
                    raw.execute(statement)
            raw.close()
            return
        with psycopg.connect(self.address) as raw:
            if disarm:
                raw.execute("ALTER TABLE events DISABLE TRIGGER ALL")
            for statement in statements:
                raw.execute(statement)


@pytest.fixture
def intruder(address: str) -> Intruder:
    return Intruder(address)


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    catalog.record([event(detail={"n": n, "tên": "Huế"}) for n in range(3)])
    for n in range(3, EVENTS):
        catalog.record([event(detail={"n": n})])
    return catalog


def copy_of(seq: int, new: int) -> str:
    columns = "id, type, at, agent, outcome, submission, identifier, version, store, detail, previous, digest"
    values = columns.replace("id,", "'x' || id,", 1)
    return f"INSERT INTO events (seq, {columns}) SELECT {new}, {values} FROM events WHERE seq = {seq}"


def test_an_untouched_chain_is_sound(filled: Catalog) -> None:
    report = filled.verify_chain()
    assert (report.sound, report.events, report.first_bad, report.finding) == (True, EVENTS, None, None)
    records = list(filled.events())
    assert [record.seq for record in records] == list(range(1, EVENTS + 1))
    assert records[0].previous == "0" * 64
    assert [record.previous for record in records[1:]] == [record.digest for record in records[:-1]]
    assert report.head == records[-1].digest


def test_an_empty_chain_is_sound(catalog: Catalog) -> None:
    report = catalog.verify_chain()
    assert (report.sound, report.events, report.head) == (True, 0, "0" * 64)


def test_anyone_can_compute_the_digest_from_the_documented_bytes(filled: Catalog) -> None:
    first = next(filled.events())
    told = first.event
    record = {
        "agent": told.agent,
        "at": "2026-11-22T05:37:18.123456Z",
        "detail": {"n": 0, "tên": "Huế"},
        "id": told.id,
        "identifier": None,
        "outcome": "success",
        "seq": 1,
        "store": None,
        "submission": None,
        "type": "ingestion end",
        "version": None,
    }
    spelt = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    assert first.digest == hashlib.sha256(bytes(32) + spelt.encode()).hexdigest()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("outcome", "'fail'"),
        ("at", "'2026-11-22T05:37:18.123457Z'"),
        ("at", "'yesterday'"),
        ("agent", "'someone'"),
        ("type", "'deletion'"),
        ("type", "'no such type'"),
        ("id", "'other'"),
        ("submission", "'s'"),
        ("identifier", "'i'"),
        ("version", "1"),
        ("store", "'s'"),
        ("detail", "'{}'"),
        ("detail", """'{"n": 3}'"""),
        ("detail", "'not json'"),
        ("detail", """'{"n":NaN}'"""),
    ],
)
def test_an_edited_event_is_named(filled: Catalog, intruder: Intruder, column: str, value: str) -> None:
    intruder.run(f"UPDATE events SET {column} = {value} WHERE seq = 4")
    report = filled.verify_chain()
    assert (report.sound, report.events, report.first_bad) == (False, 3, 4)
    assert report.finding is not None
    assert (report.finding.code, report.finding.path) == ("event-altered", "event 4")


def test_an_edit_with_a_fresh_digest_breaks_the_next_link(filled: Catalog, intruder: Intruder) -> None:
    fourth = list(filled.events())[3]
    fields = chain._fields(fourth.event) | {"outcome": "fail"}
    forged = link(fourth.previous, 4, fields, dict(fourth.event.detail))
    intruder.run(f"UPDATE events SET outcome = 'fail', digest = '{forged}' WHERE seq = 4")
    report = filled.verify_chain()
    assert (report.sound, report.first_bad) == (False, 5)
    assert report.finding is not None
    assert report.finding.code == "event-chain-broken"


def test_a_forged_last_event_differs_from_the_remembered_end(filled: Catalog, intruder: Intruder) -> None:
    last = list(filled.events())[-1]
    forged = link(last.previous, EVENTS, chain._fields(last.event) | {"agent": "x"}, dict(last.event.detail))
    intruder.run(f"UPDATE events SET agent = 'x', digest = '{forged}' WHERE seq = {EVENTS}")
    report = filled.verify_chain()
    assert (report.sound, report.first_bad) == (False, EVENTS)
    assert report.finding is not None
    assert report.finding.code == "event-head-differs"


@pytest.mark.parametrize("gone", range(1, EVENTS + 1))
def test_a_deleted_event_is_missed(filled: Catalog, intruder: Intruder, gone: int) -> None:
    intruder.run(f"DELETE FROM events WHERE seq = {gone}")
    report = filled.verify_chain()
    assert (report.sound, report.first_bad) == (False, gone)
    assert report.finding is not None
    assert report.finding.code == "event-missing"


def test_all_events_deleted(filled: Catalog, intruder: Intruder) -> None:
    intruder.run("DELETE FROM events")
    assert filled.verify_chain().first_bad == 1


def test_a_cut_end_stays_visible_when_more_is_added(filled: Catalog, intruder: Intruder) -> None:
    intruder.run(f"DELETE FROM events WHERE seq >= {EVENTS - 1}")
    filled.record([event()])
    assert filled.verify_chain().first_bad == EVENTS - 1


def test_a_deletion_that_renumbers_the_rest_is_found(filled: Catalog, intruder: Intruder) -> None:
    moves = [f"UPDATE events SET seq = {seq - 1} WHERE seq = {seq}" for seq in range(5, EVENTS + 1)]
    intruder.run("DELETE FROM events WHERE seq = 4", *moves, f"UPDATE chain_head SET seq = {EVENTS - 1}")
    assert filled.verify_chain().first_bad == 4


@pytest.mark.parametrize("seq", [-3, 0, EVENTS + 1])
def test_an_inserted_event_is_named(filled: Catalog, intruder: Intruder, seq: int) -> None:
    intruder.run(copy_of(2, seq))
    report = filled.verify_chain()
    assert (report.sound, report.first_bad) == (False, seq)
    assert report.finding is not None
    assert report.finding.code == "event-unexpected"


def test_swapped_events_are_found(filled: Catalog, intruder: Intruder) -> None:
    moves = [(3, 99), (5, 3), (99, 5)]
    intruder.run(*(f"UPDATE events SET seq = {new} WHERE seq = {old}" for old, new in moves))
    assert filled.verify_chain().first_bad == 3


def test_a_lost_end_is_told_and_stops_writing(filled: Catalog, intruder: Intruder) -> None:
    intruder.run("DELETE FROM chain_head")
    report = filled.verify_chain()
    assert not report.sound
    with pytest.raises(CatalogError, match="lost the end"):
        filled.record([event()])


def test_an_unreadable_event_is_a_catalog_error_when_read(filled: Catalog, intruder: Intruder) -> None:
    intruder.run("UPDATE events SET type = 'no such type' WHERE seq = 4")
    with pytest.raises(CatalogError, match="Event 4"):
        list(filled.events())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET outcome = 'fail' WHERE seq = 1",
        "DELETE FROM events WHERE seq = 1",
        "DELETE FROM events",
    ],
)
def test_the_database_itself_refuses_to_change_events(filled: Catalog, intruder: Intruder, statement: str) -> None:
    with pytest.raises((sqlite3.DatabaseError, psycopg.DatabaseError), match="only ever added"):
        intruder.run(statement, disarm=False)
    assert filled.verify_chain().sound


def test_replacing_and_truncating_are_refused_too(filled: Catalog, intruder: Intruder) -> None:
    sly = copy_of(1, 2).replace("INSERT", "INSERT OR REPLACE") if intruder.lite else "TRUNCATE events"
    with pytest.raises((sqlite3.DatabaseError, psycopg.DatabaseError), match="only ever added"):
        intruder.run(sly, disarm=False)
    assert filled.verify_chain().sound


def test_the_chain_is_read_in_pages(catalog: Catalog, monkeypatch: pytest.MonkeyPatch, intruder: Intruder) -> None:
    monkeypatch.setattr(chain, "PAGE", 3)
    catalog.record([event() for _ in range(9)])
    assert catalog.verify_chain().events == 9
    assert len(list(catalog.events())) == 9
    intruder.run("UPDATE events SET agent = 'x' WHERE seq = 7")
    assert catalog.verify_chain().first_bad == 7


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
@pytest.mark.parametrize("moment", ["_head", "all_rows"])
def test_events_added_during_the_check_are_no_alarm(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, page: int, moment: str
) -> None:
    monkeypatch.setattr(chain, "PAGE", page)
    catalog.record([event() for _ in range(4)])
    for before in True, False:
        real, left = getattr(chain, moment), [3]

        def busy(*args, real=real, left=left, before=before, **kwargs):
            answer = None if before else real(*args, **kwargs)
            if left[0] > 0:
                left[0] -= 1
                catalog.record([event(), event()])
            return real(*args, **kwargs) if before else answer

        with monkeypatch.context() as patch:
            patch.setattr(chain, moment, busy)
            report = catalog.verify_chain()
        assert report.sound, report
    assert catalog.verify_chain().events > 4


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
# hypothesis keeps surrogates out of text(); file names bring them in
awkward = st.text(st.characters(exclude_categories=()), max_size=8)


@given(json_values)
def test_canonical_json_reads_back_and_is_stable(value: object) -> None:
    assert json.loads(canonical(value)) == value
    assert canonical(json.loads(canonical(value))) == canonical(value)


@given(awkward)
@example("\ud800\udc00")
def test_canonical_json_of_any_string_at_all(value: str) -> None:
    spelt = canonical(plain({value: value}))
    assert spelt.decode("utf-8")
    assert canonical(json.loads(spelt)) == spelt


@settings(max_examples=25, deadline=None)
@given(st.lists(st.dictionaries(awkward | st.integers(), json_values | awkward, max_size=4), max_size=5))
def test_any_details_make_a_sound_chain(tmp_path_factory: pytest.TempPathFactory, details: list[dict]) -> None:
    folder: Path = tmp_path_factory.mktemp("chain")
    with open_catalog("sqlite:///c.db", base=folder) as catalog:
        for detail in details:
            catalog.record([event(detail=detail, at=NOW)])
        assert catalog.verify_chain().sound
        assert len(list(catalog.events())) == len(details)


def test_keys_that_are_numbers_and_tuples_are_hashed_as_they_will_be_read(catalog: Catalog) -> None:
    catalog.record([event(detail={10: (1, 2), 9: {"b": 1.5, "a": -0.0}})])
    (record,) = catalog.events()
    assert record.event.detail == {"9": {"a": -0.0, "b": 1.5}, "10": [1, 2]}
    assert catalog.verify_chain().sound

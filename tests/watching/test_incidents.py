"""One trouble is one incident: counted while it lasts, closed by proof, the same after every replay."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.ledger import in_ledger
from flows.reporting.incidents import acknowledge, sentence
from flows.reporting.rows import Kind, Row
from flows.workspace import Workspace
from policies.standing import is_damaged
from preservation import events
from preservation.catalog import incidents
from preservation.catalog.incidents import Incident
from preservation.errors import UsageError
from preservation.facts import AIPVersion, Grade, Outcome
from preservation.findings import Finding, Severity
from tests.watching.rooms import Ended, Room, kept, prove
from wording import say

STEPS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(Outcome), st.sampled_from(Grade)), min_size=1, max_size=12
)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "w").settle()


@pytest.fixture
def workspace(room: Room) -> Iterator[Workspace]:
    with room.open() as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Room, Workspace]]:
    room = Room(tmp_path_factory.mktemp("shared") / "w").settle()
    with room.open() as opened:
        yield room, opened


def all_of(workspace: Workspace) -> list[Incident]:
    return incidents.listed(workspace.catalog.database, closed=True, limit=100_000)


def open_of(workspace: Workspace, of: AIPVersion | None = None) -> list[Incident]:
    found = incidents.listed(workspace.catalog.database, limit=100_000)
    return [each for each in found if of is None or each.identifier == of.identifier]


@settings(max_examples=12, deadline=None)
@given(STEPS)
def test_replays_give_the_same_incidents(
    shared: tuple[Room, Workspace], steps: list[tuple[str, Outcome, Grade]]
) -> None:
    """And a copy has an open incident of damage exactly while its standing calls it damaged."""
    room, workspace = shared
    of = kept(workspace)
    for store, outcome, grade in steps:
        room.clock.go_on(seconds=1)
        prove(workspace, of, store, outcome, grade=grade)
        for replica in workspace.catalog.replicas(of.identifier, of.version):
            damage = [e for e in open_of(workspace, of) if (e.kind, e.store) == ("damage", replica.store)]
            assert len(damage) == is_damaged(replica, now=room.clock())
            assert (
                len([e for e in open_of(workspace, of) if e.store == replica.store and e.kind == "unreadable"]) <= 1
            )
    before = all_of(workspace)
    workspace.catalog.rebuild_projections()
    assert all_of(workspace) == before


def test_the_same_damage_a_hundred_times_is_one_incident(room: Room, workspace: Workspace) -> None:
    of, first = kept(workspace), room.clock()
    for _ in range(100):
        prove(workspace, of, "a", Outcome.DAMAGED)
        room.clock.go_on(days=1)
    (found,) = open_of(workspace)
    assert (found.times, found.first_seen, found.last_seen) == (100, first, first + timedelta(days=99))
    assert of.identifier in str(sentence(found))


def test_only_a_proof_as_strong_closes_damage(room: Room, workspace: Workspace) -> None:
    of = kept(workspace)
    prove(workspace, of, "a", Outcome.DAMAGED, grade=Grade.PROVIDER)
    for grade in (Grade.PRESENCE,):
        prove(workspace, of, "a", Outcome.INTACT, grade=grade)
        assert [each.closed_at for each in all_of(workspace)] == [None]
    prove(workspace, of, "a", Outcome.UNREADABLE)
    prove(workspace, of, "b", Outcome.INTACT)
    assert sorted(each.kind for each in open_of(workspace)) == ["damage", "unreadable"]
    room.clock.go_on(hours=1)
    prove(workspace, of, "a", Outcome.INTACT)
    assert {each.kind: each.closed_why for each in all_of(workspace)} == {
        "damage": "proved",
        "unreadable": "readable",
    }
    prove(workspace, of, "a", Outcome.DAMAGED)
    assert len(all_of(workspace)) == 3  # what comes back after a proof is another incident


def test_a_copy_that_is_given_up_has_no_incident(workspace: Workspace) -> None:
    of = kept(workspace)
    prove(workspace, of, "a", Outcome.DAMAGED)
    told = events.event(events.EventType.DELETION, workspace.clock(), of=of, store="a")
    workspace.catalog.record([told], dropped=[(of.identifier, of.version, "a")])
    assert [each.closed_why for each in all_of(workspace)] == ["given-up"]


def test_a_store_that_is_away_is_no_trouble_of_its_copies(workspace: Workspace) -> None:
    of, now = kept(workspace), workspace.clock()
    away = Finding("store-unavailable", Severity.ERROR, say("away"))
    workspace.catalog.record([events.not_checked(of, "a", Grade.BYTES, away, now, away=True)])
    workspace.catalog.record([events.not_checked(of, "a", Grade.BYTES, away, now)])
    assert open_of(workspace) == []
    locked = Finding("store-denied", Severity.ERROR, say("a folder of it is locked"))
    workspace.catalog.record([events.not_checked(of, "a", Grade.BYTES, locked, now, away=False)])
    assert [each.kind for each in open_of(workspace)] == ["unreadable"]


def test_a_store_that_keeps_no_checksums_is_none_either(workspace: Workspace) -> None:
    of = kept(workspace)
    prove(workspace, of, "a", Outcome.UNREADABLE, grade=Grade.PROVIDER, findings=[{"code": "no-provider-checksum"}])
    assert open_of(workspace) == []


def test_acknowledging_is_an_event_that_outlives_the_tables(workspace: Workspace) -> None:
    of = kept(workspace)
    prove(workspace, of, "a", Outcome.DAMAGED)
    (found,) = open_of(workspace)
    with pytest.raises(UsageError):
        acknowledge(workspace, found.id, reason="  ")
    done = acknowledge(workspace, found.id[:5], reason=" đĩa cũ ", by="lan@kho")
    assert (done.acknowledged_why, done.acknowledged_by, done.closed_at) == ("đĩa cũ", "lan@kho", None)
    *_, last = workspace.catalog.events(identifier=of.identifier)
    assert last.event.detail["incident"]["reason"] == "đĩa cũ"
    assert workspace.catalog.verify_chain().sound
    workspace.catalog.rebuild_projections()
    assert open_of(workspace) == [done]
    prove(workspace, of, "a", Outcome.INTACT)
    with pytest.raises(UsageError):
        acknowledge(workspace, found.id, reason="late")
    with pytest.raises(UsageError):
        acknowledge(workspace, "ffffffff", reason="which?")


def test_a_store_that_is_away_is_one_incident_until_it_answers(room: Room, workspace: Workspace) -> None:
    away = Finding("store-unavailable", Severity.ERROR, say("no route"))

    def audit(workspace: Workspace, *, there: bool) -> list[Ended]:
        for _ in range(20):
            outcome = "intact" if there else "unreadable"
            row = Row(kind=Kind.COPY, outcome=outcome, store="a", away=not there, reason=None if there else away)
            workspace.run.tell(row)
        return [Ended()]

    (room.folder / "stores").write_bytes(b"")  # nothing can be opened, so nothing was compared
    for _ in range(3):
        in_ledger(workspace, audit, there=False)
    found = {each.store: each for each in open_of(workspace)}
    assert {store: each.kind for store, each in found.items()} == dict.fromkeys("abc", "store-away")
    assert found["a"].times == 3
    assert "no route" in str(sentence(found["a"]))
    (room.folder / "stores").unlink()
    in_ledger(workspace, audit, there=True)
    assert open_of(workspace) == []
    assert {each.closed_why for each in all_of(workspace)} == {"back"}


def test_two_who_see_the_same_open_one_incident(room: Room, workspace: Workspace) -> None:
    from concurrent.futures import ThreadPoolExecutor

    database, now = workspace.catalog.database, workspace.clock()
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: incidents.see(database, "store-away", about="a", now=now), range(16)))
    assert len({name for name, _ in seen}) == 1
    assert sum(new for _, new in seen) == 1
    assert [each.times for each in open_of(workspace)] == [16]

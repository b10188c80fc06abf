"""Replicas and evidence follow from the events: rebuilt, they are the same, over any history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update

from preservation.catalog import Catalog, open_catalog
from preservation.catalog.schema import evidence, holdings, replicas
from preservation.errors import CatalogError
from preservation.facts import AIPVersion, EventType, Evidence, Grade, Outcome, Replica
from tests.catalog.samples import NOW, event, objects, version

STORES = "primary", "cloud-a"
moments = st.integers(-(10**6), 10**6).map(lambda seconds: NOW + timedelta(seconds=seconds))
places = st.tuples(st.integers(0, 1), st.sampled_from(STORES))
changes = st.one_of(
    st.tuples(st.just("claimed"), places, moments),
    st.tuples(st.just("proved"), places, moments, st.sampled_from(Grade), st.sampled_from(Outcome)),
    st.tuples(st.just("dropped"), places),
)
calls = st.lists(changes, min_size=1, max_size=4)


class Model:
    """What replicas there should be, in the plainest way."""

    def __init__(self, versions: list[AIPVersion]) -> None:
        self.versions = versions
        self.known: dict[tuple[int, str], Replica] = {}

    def expect(self, call: list[tuple[Any, ...]]) -> bool:
        """Take over the changes of one call, or none when it must be refused."""
        known = dict(self.known)
        for word in "dropped", "claimed", "proved":
            for change in [change for change in call if change[0] == word]:
                place = change[1]
                if word == "dropped":
                    known.pop(place, None)
                elif word == "claimed":
                    known[place] = replace(
                        self.claim(change), evidence=known[place].evidence if place in known else {}
                    )
                elif place not in known:
                    return False
                else:
                    proof = self.proof(change)
                    known[place] = replace(known[place], evidence={**known[place].evidence, proof.grade: proof})
        self.known = known
        return True

    def where(self, place: tuple[int, str]) -> tuple[str, int, str]:
        return self.versions[place[0]].identifier, self.versions[place[0]].version, place[1]

    def claim(self, change: tuple[Any, ...]) -> Replica:
        return Replica(*self.where(change[1]), change[2])

    def proof(self, change: tuple[Any, ...]) -> Evidence:
        _, place, at, grade, outcome = change
        return Evidence(*self.where(place), grade, outcome, at)

    def replicas(self) -> list[Replica]:
        return [self.known[place] for place in sorted(self.known)]


@pytest.fixture
def endless(address: str, tmp_path: Path) -> Iterator[tuple[Catalog, list[AIPVersion]]]:
    with open_catalog(address, base=tmp_path) as catalog:
        yield catalog, [catalog.admit(version(1), objects(1), []) for _ in range(2)]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(history=st.lists(calls, max_size=12), about_others=st.booleans())
def test_rebuilt_projections_equal_those_kept(
    endless: tuple[Catalog, list[AIPVersion]], history: list[list[tuple[Any, ...]]], about_others: bool
) -> None:
    catalog, versions = endless
    model = Model(versions)
    clear = [model.where((i, store)) for i in range(2) for store in STORES]
    catalog.record([event()], dropped=clear)
    for call in history:
        given_changes = {
            "claims": [model.claim(change) for change in call if change[0] == "claimed"],
            "evidence": [model.proof(change) for change in call if change[0] == "proved"],
            "dropped": [model.where(change[1]) for change in call if change[0] == "dropped"],
        }
        events = [event(versions[0], store=STORES[0], type=EventType.FIXITY_CHECK), event(detail={"n": 1})]
        if about_others:
            events.reverse()
        if model.expect(call):
            catalog.record(events, **given_changes)
        else:
            with pytest.raises(CatalogError, match="nothing can be recorded"):
                catalog.record(events, **given_changes)
    kept = list(catalog.all_replicas())
    assert kept == model.replicas()
    catalog.rebuild_projections()
    assert list(catalog.all_replicas()) == kept
    assert catalog.verify_chain().sound


def test_replicas_with_evidence_by_grade(catalog: Catalog) -> None:
    one, two = (catalog.admit(version(1), objects(1), []) for _ in range(2))
    claims = [Replica(one.identifier, 1, store, NOW) for store in ("b", "a")] + [Replica(two.identifier, 1, "a", NOW)]
    proof = Evidence(one.identifier, 1, "a", Grade.BYTES, Outcome.DAMAGED, NOW)
    seen = replace(proof, grade=Grade.PRESENCE, outcome=Outcome.INTACT)
    catalog.record([event(one, store="a")], claims=claims, evidence=[proof, seen])
    first = Replica(one.identifier, 1, "a", NOW, {Grade.BYTES: proof, Grade.PRESENCE: seen})
    assert catalog.replicas(one.identifier, 1) == [first, Replica(one.identifier, 1, "b", NOW)]
    assert catalog.replicas(two.identifier, 1) == [Replica(two.identifier, 1, "a", NOW)]
    assert catalog.replicas("nothing", 1) == []
    places = [(two.identifier, 1), ("nothing", 1), (one.identifier, 2), (one.identifier, 1), (two.identifier, 1)]
    assert catalog.replicas_of_each(places) == [catalog.replicas(*place) for place in places]
    assert catalog.replicas_of_each([]) == []


def test_the_change_stands_in_the_event_about_that_replica(catalog: Catalog) -> None:
    one = catalog.admit(version(1), objects(1), [])
    about, other = event(one, store="a", detail={"objects": 5}), event(one)
    catalog.record([about, other], claims=[Replica(one.identifier, 1, "a", NOW)])
    first, second = (record.event for record in catalog.events(identifier=one.identifier))
    assert first.detail["objects"] == 5
    assert [change["change"] for change in first.detail["projection"]] == ["claimed"]
    assert second == other


def test_the_last_evidence_recorded_stands_even_if_an_earlier_clock_was_in_the_future(catalog: Catalog) -> None:
    one = catalog.admit(version(1), objects(1), [])
    future = Evidence(one.identifier, 1, "a", Grade.BYTES, Outcome.DAMAGED, NOW + timedelta(days=9999))
    catalog.record([event(one)], claims=[Replica(one.identifier, 1, "a", NOW)], evidence=[future])
    today = replace(future, outcome=Outcome.INTACT, at=NOW)
    catalog.record([event(one)], evidence=[today])
    assert catalog.replicas(one.identifier, 1)[0].evidence == {Grade.BYTES: today}


def test_a_replica_that_is_dropped_and_claimed_again_has_no_old_evidence(catalog: Catalog) -> None:
    one = catalog.admit(version(1), objects(1), [])
    claim = Replica(one.identifier, 1, "a", NOW)
    proof = Evidence(one.identifier, 1, "a", Grade.BYTES, Outcome.INTACT, NOW)
    catalog.record([event(one)], claims=[claim], evidence=[proof])
    catalog.record([event(one)], claims=[claim], dropped=[(one.identifier, 1, "a")])
    assert catalog.replicas(one.identifier, 1) == [claim]
    catalog.record([event(one)], dropped=[(one.identifier, 1, "a")])
    assert catalog.replicas(one.identifier, 1) == []


def test_changes_need_an_event_and_a_known_version(catalog: Catalog) -> None:
    with pytest.raises(ValueError, match="needs an event"):
        catalog.record([], claims=[Replica("x", 1, "a", NOW)])
    with pytest.raises(CatalogError, match="no version 1"):
        catalog.record([event()], claims=[Replica("x", 1, "a", NOW)])
    assert not list(catalog.events())


def test_a_rebuild_undoes_what_was_changed_behind_our_back(catalog: Catalog) -> None:
    one = catalog.admit(version(3), objects(3), [])
    claim = Replica(one.identifier, 1, "a", NOW)
    proof = Evidence(one.identifier, 1, "a", Grade.BYTES, Outcome.DAMAGED, NOW)
    catalog.record([event(one)], claims=[claim], evidence=[proof])
    kept, counted = list(catalog.all_replicas()), catalog.format_counts()
    later = NOW + timedelta(days=1)
    with catalog._database.writing() as connection:
        connection.execute(update(evidence).values(outcome="intact"))
        connection.execute(insert(replicas).values(version_id=1, store="b", claimed_at=later))
        for grade in "bytes", "presence":
            row = {"version_id": 1, "store": "b", "grade": grade, "outcome": "intact", "at": later}
            connection.execute(insert(evidence).values(**row))
        connection.execute(update(holdings).values(files=99))
    assert list(catalog.all_replicas()) != kept
    catalog.rebuild_projections()
    assert (list(catalog.all_replicas()), catalog.format_counts()) == (kept, counted)


def test_all_replicas_over_many_pages(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preservation.catalog.reading.PAGE", 4)
    made = [catalog.admit(version(1), objects(1), []) for _ in range(3)]
    claims = [Replica(one.identifier, 1, store, NOW) for one in made for store in "abc"]
    proofs = [Evidence(c.identifier, 1, c.store, Grade.BYTES, Outcome.INTACT, NOW) for c in claims]
    catalog.record([event()], claims=claims, evidence=proofs)
    expected = [replace(c, evidence={Grade.BYTES: p}) for c, p in zip(claims, proofs, strict=True)]
    assert list(catalog.all_replicas()) == expected

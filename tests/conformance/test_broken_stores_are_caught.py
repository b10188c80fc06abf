"""Every store broken on purpose is caught by the clause that is there for it: a checker must be able to say no."""

from __future__ import annotations

import pytest

from storage_adapters import conformance
from storage_adapters.conformance_clauses import CLAUSES
from storage_adapters.errors import StorageUnavailable
from storage_adapters.memory import MemoryStore
from tests.conformance.broken_stores import CAUGHT, Broken, CutsLongNames
from wording import Message


@pytest.mark.parametrize(("broken", "name"), CAUGHT, ids=lambda each: getattr(each, "__name__", each))
def test_a_broken_store_is_caught(broken: type[MemoryStore], name: str):
    [result] = conformance.run(broken("broken"), clauses=[each for each in CLAUSES if each.name == name])
    assert result.outcome is conformance.Outcome.BROKEN
    assert result.detail


def test_every_clause_catches_a_store_and_there_are_enough_of_them():
    assert {each.name for each in CLAUSES} == {name for _, name in CAUGHT}
    assert len({broken for broken, _ in CAUGHT}) >= 50


def test_what_the_broken_stores_are_made_of_is_sound():
    """So that what is caught is the lie and not the base it was built on."""
    assert all(result.passed for result in conformance.run(Broken("honest")))


def test_a_store_that_stops_answering_is_no_verdict():
    class Stops(Broken):
        def stat(self, key):
            raise StorageUnavailable(Message("gone"))

    with pytest.raises(StorageUnavailable):
        conformance.run(Stops("broken"))


def test_what_a_store_put_under_other_names_is_cleared_too():
    """The prefix is ours alone; an object that a store named otherwise than it was told stays nobody's otherwise."""
    store = CutsLongNames("broken")
    store.keep("aip/x/v1/bagit.txt", b"of somebody else")
    assert not all(result.passed for result in conformance.run(store))
    assert list(store._objects) == ["aip/x/v1/bagit.txt"]

"""Two sorted streams side by side: nothing is lost, doubled or mispaired, whatever the names."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preservation.facts import ObjectFact, Role
from preservation.replicas.pairing import in_order, pair
from storage_adapters.store import ObjectStat

# Letters around "/" in byte order, Vietnamese ones, and one that UTF-16 would sort elsewhere than UTF-8 does.
paths = st.text(alphabet="!-./0aAàạ\u0300đ￿𐀀", min_size=1, max_size=6)


def by_bytes(names: set[str]) -> list[str]:
    return sorted(names, key=lambda name: name.encode())


@given(expected=st.sets(paths, max_size=30), listed=st.sets(paths, max_size=30))
def test_every_path_comes_once_with_its_partner(expected: set[str], listed: set[str]):
    prefix = "aip/x/v1/"
    facts = [ObjectFact(path, 1, "", Role.PAYLOAD) for path in by_bytes(expected)]
    stats = [ObjectStat(prefix + path, 1) for path in by_bytes(listed)]
    pairs = list(pair(facts, stats, prefix=prefix))
    paths = []
    for fact, stat in pairs:
        path = fact.path if fact is not None else stat.key.removeprefix(prefix)
        assert stat is None or stat.key == prefix + path
        assert (fact is not None, stat is not None) == (path in expected, path in listed)
        paths.append(path)
    assert paths == by_bytes(expected | listed)


def test_answers_come_in_order_whatever_the_threads_do():
    gate = threading.Barrier(4, timeout=5)

    def work(number: int) -> int:
        if number < 4:
            gate.wait()  # four are at work at once
        return number * number

    assert list(in_order(work, range(500), threads=4)) == [number * number for number in range(500)]


def test_items_are_taken_as_answers_are_read():
    taken = 0

    def items():
        nonlocal taken
        for number in range(10_000):
            taken += 1
            yield number

    answers = in_order(lambda number: number, items(), threads=4)
    assert [next(answers) for _ in range(10)] == list(range(10))
    assert taken < 40
    answers.close()
    assert taken < 40


def test_the_first_error_is_raised_and_nothing_more_is_begun():
    begun = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 3:
            raise ValueError(number)
        return number

    answers = in_order(work, range(10_000), threads=2)
    with pytest.raises(ValueError, match="3"):
        list(answers)
    assert len(begun) < 30


def test_an_error_of_the_items_is_raised():
    def items():
        yield 1
        raise OSError("the catalog went away")

    with pytest.raises(OSError, match="went away"):
        list(in_order(lambda number: number, items(), threads=2))

"""Two sorted streams side by side: nothing is lost, doubled or mispaired, whatever the names."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preservation.facts import ObjectFact, Role
from preservation.replicas.pairing import TOGETHER, in_order, pair
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


@given(sizes=st.lists(st.integers(0, 2 << 20), max_size=200), wrong=st.none() | st.integers(0, 199))
@settings(deadline=None, max_examples=50)
def test_small_items_go_together_and_answers_and_errors_come_where_they_belong(sizes: list[int], wrong: int | None):
    def work(item: tuple[int, int]) -> int:
        if item[0] == wrong:
            raise ValueError(item)
        return item[0]

    answers = in_order(work, enumerate(sizes), threads=3, size=lambda item: item[1])
    seen: list[int] = []
    if wrong is not None and wrong < len(sizes):
        with pytest.raises(ValueError, match=str(wrong)):
            seen.extend(answers)
        assert seen == list(range(len(seen)))
        seen = list(range(wrong)) if len(seen) == wrong else seen
        assert len(seen) == wrong
    else:
        assert list(answers) == list(range(len(sizes)))


def test_what_goes_together_is_bounded():
    taken = 0

    def items():
        nonlocal taken
        for number in range(100_000):
            taken += 1
            yield number

    answers = in_order(lambda number: number, items(), threads=2, size=lambda _: 1)
    assert next(answers) == 0
    answers.close()
    assert taken <= TOGETHER * 9


def test_after_an_error_a_batch_that_has_begun_ends_early():
    begun: list[int] = []
    gate = threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        if number == 0:
            raise ValueError(number)
        if number == TOGETHER:
            gate.wait(5)
        return number

    answers = in_order(work, range(TOGETHER * 8), threads=2, size=lambda _: 1)
    timer = threading.Timer(0.3, gate.set)
    timer.start()
    with pytest.raises(ValueError, match="0"):
        next(answers)
    assert len(begun) < TOGETHER * 2


def test_what_is_answered_here_is_not_handed_over_and_all_stays_in_order():
    threads: set[str] = set()

    def work(number: int) -> int:
        threads.add(threading.current_thread().name)
        assert number % 3
        return number

    def here(batch: Sequence[int]) -> list[int | None]:
        assert threading.current_thread() is threading.main_thread()
        return [number if number % 3 == 0 or number < TOGETHER else None for number in batch]

    answers = in_order(work, range(TOGETHER * 9), threads=2, size=lambda _: 1, here=here)
    assert [next(answers) for _ in range(TOGETHER)] == list(range(TOGETHER))
    assert not threads  # nothing had to be handed over so far
    assert list(answers) == list(range(TOGETHER, TOGETHER * 9))
    assert threads
    assert threading.current_thread().name not in threads

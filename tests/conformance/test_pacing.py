"""No more passes than the rate allows, whoever takes it and however; and nothing waits longer than it must."""

from __future__ import annotations

import io
import signal
import threading
import time
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage_adapters import conformance
from storage_adapters.conformance_trial import read_all, sha256
from storage_adapters.memory import MemoryStore
from storage_adapters.pacing import BURST, Pace, PacedReader, paced, paced_erasable


@dataclass
class Clock:
    """Time that passes only by sleeping."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds


takes = st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 5), st.floats(0, 20)), max_size=40)


@settings(deadline=None)
@given(rate=st.integers(1000, 1_000_000), requests=st.integers(1, 50), takes=takes)
def test_no_stretch_of_time_sees_more_than_the_rate_and_one_burst(rate, requests, takes):
    clock = Clock()
    pace = Pace(rate, requests, clock=clock, sleep=clock.sleep)
    passed: list[tuple[float, int, int]] = []
    for size, asked, idle in takes:
        clock.now += idle
        pace.take(size, requests=asked)
        passed.append((clock.now, size, asked))
    for first in range(len(passed)):
        began, all_bytes, all_requests = passed[first][0], 0, 0
        for at, size, asked in passed[first + 1 :]:
            all_bytes, all_requests = all_bytes + size, all_requests + asked
            allowed = at - began + BURST + 1e-6 * (1 + at)
            assert all_bytes <= rate * allowed
            assert all_requests <= requests * allowed
    assert pace.bytes_used == sum(size for size, _, _ in takes)
    assert pace.requests_used == sum(asked for _, asked, _ in takes)


@settings(deadline=None)
@given(rate=st.integers(1000, 1_000_000), sizes=st.lists(st.integers(1, 100_000), min_size=1, max_size=40))
def test_nothing_waits_longer_than_the_rate_asks(rate: int, sizes: list[int]):
    clock = Clock()
    pace = Pace(rate, clock=clock, sleep=clock.sleep)
    for size in sizes:
        pace.take(size)
    assert clock.now == pytest.approx(max(0.0, sum(sizes) / rate - BURST), abs=1e-3)
    assert all(each <= 0.25 for each in clock.slept)  # Ctrl-C is heard


def test_without_limits_nothing_waits_and_everything_counts():
    clock = Clock()
    pace = Pace(clock=clock, sleep=clock.sleep)
    pace.take(1 << 40, requests=1 << 20)
    assert (clock.slept, pace.bytes_used, pace.requests_used) == ([], 1 << 40, 1 << 20)


def test_a_rate_that_changes_with_the_hour():
    clock = Clock()
    rate: list[int | None] = [100]
    pace = Pace(lambda: rate[0], clock=clock, sleep=clock.sleep)
    pace.take(200)
    assert clock.now == pytest.approx(1)
    rate[0] = None
    pace.take(10_000)
    assert clock.now == pytest.approx(1)


@pytest.mark.parametrize("rate", [0, -1])
def test_a_rate_that_lets_nothing_pass_is_refused(rate: int):
    with pytest.raises(ValueError, match="lets nothing pass"):
        Pace(rate)
    with pytest.raises(ValueError, match="lets nothing pass"):
        Pace(None, rate)


def test_threads_share_one_rate():
    pace = Pace(400_000)
    began = time.monotonic()

    def work() -> None:
        for _ in range(10):
            pace.take(15_000)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began >= 600_000 / 400_000 - BURST - 0.01
    assert pace.bytes_used == 600_000


def test_work_that_yields_rests_three_times_as_long_as_it_works():
    clock = Clock()
    busy = [True]
    pace = Pace(yields=lambda: busy[0], clock=clock, sleep=clock.sleep)
    pace.take(1)
    clock.now += 0.5
    pace.take(1)
    assert sum(clock.slept) == pytest.approx(1.5)
    busy[0] = False
    clock.now += 0.5
    pace.take(1)
    assert sum(clock.slept) == pytest.approx(1.5)


def test_ctrl_c_ends_the_wait():
    pace = Pace(1)
    pace.take(1)
    timer = threading.Timer(0.2, signal.raise_signal, (signal.SIGINT,))
    began = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        pace.take(100)
    assert time.monotonic() - began < 2


def test_a_paced_store_keeps_the_contract():
    results = conformance.run(paced_erasable(MemoryStore("m"), Pace()))
    assert [(each.name, each.detail) for each in results if not each.passed] == []


def test_every_byte_and_request_of_a_paced_store_counts():
    clock = Clock()
    pace = Pace(1_000_000, clock=clock, sleep=clock.sleep)
    store = paced(MemoryStore("m"), pace)
    data = b"x" * 3_000_000
    store.put("a", io.BytesIO(data), size=len(data), sha256=sha256(data))
    assert pace.bytes_used == 3_000_000
    with store.open("a") as reader:
        assert read_all(reader) == data
    assert store.stat("a").size == 3_000_000
    assert [each.key for each in store.list("")] == ["a"]
    assert (pace.bytes_used, pace.requests_used) == (6_000_000, 4)
    assert clock.now == pytest.approx(5)
    assert not hasattr(store, "erase")


def test_a_paced_reader_gives_small_pieces_and_the_end():
    clock = Clock()
    reader = PacedReader(io.BytesIO(b"x" * 30_000), Pace(40_000, clock=clock, sleep=clock.sleep))
    assert len(reader.read(1 << 20)) == 10_000
    assert len(reader.read(-1)) == 20_000
    assert reader.read(10) == reader.read() == b""

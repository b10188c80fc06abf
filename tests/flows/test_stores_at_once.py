"""Stores read side by side: none waits for another, none hides another, and Ctrl-C ends all of them at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.audit import audit
from flows.auditing.by_store import Heed, Part, Together, by_store
from flows.due import audit_due
from flows.ingest import ingest
from flows.ledger import in_ledger
from flows.outcomes import Verdict, worst_of
from flows.workspace import Workspace, utc_now
from preservation.facts import Grade
from preservation.formats.identify import Identifier
from tests.flows.houses import House, local_stores, package

SIZE = 300_000
SLOW = """
replication: {copies: 3, floor: 1, separation: {by: [], min: 1}}
audit:
  defaults:
    bytes: {interval: P90D, grace: P14D}
    presence: never
  stores:
    a: {bytes: {interval: P90D, throttle: {bytes_per_second: 200000}}}
"""


class Bar:
    """What a person would see."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int | None]] = []
        self.done = 0

    def begin(self, step: str, total: int | None) -> None:
        self.begun.append((step, total))
        self.done = 0

    def advance(self, amount: int) -> None:
        self.done += amount


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Three AIPs in three stores, of which `a` is read slowly, all due: their proofs are forgotten."""
    with Identifier() as identifier:
        house = House(tmp_path / "house", local_stores(3), identifier=identifier).settle()
        house.policy("default", SLOW)
        with house.open() as workspace:
            for number in range(2):
                given = package(tmp_path / f"p{number}", {"trang.txt": f"{number}".encode() * SIZE})
                assert in_ledger(workspace, ingest, str(given)).verdict is Verdict.WELL
        house.identifier = None
    return house


@contextmanager
def later(house: House) -> Iterator[Workspace]:
    """When every copy is due."""
    with house.open() as workspace:
        workspace.clock = lambda: utc_now() + timedelta(days=80)
        yield workspace


def test_answers_in_order_and_an_error_waits_for_the_others() -> None:
    done: list[str] = []

    def work(store: str, _heed: Heed) -> str:
        time.sleep({"a": 0.2, "b": 0.0, "c": 0.1}[store])
        if store == "b":
            raise ValueError(store)
        done.append(store)
        return store

    assert by_store(work, ["a", "c"]) == ["a", "c"]
    done.clear()
    with pytest.raises(ValueError, match="b"):
        by_store(work, ["a", "b", "c"])
    assert done == ["c", "a"]


def test_an_interruption_ends_every_thread_at_its_next_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ctrl-C does it: the main thread alone hears it, in its wait."""
    import flows.auditing.by_store as module

    going, ended = threading.Barrier(3), []

    def work(store: str, heed: Heed) -> None:
        going.wait(10)
        try:
            while True:
                heed()
                time.sleep(0.01)
        except KeyboardInterrupt:
            ended.append(store)
            raise

    def interrupted(_begun: object) -> None:
        going.wait(10)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        by_store(work, ["a", "b"])
    assert sorted(ended) == ["a", "b"]


def test_one_bar_for_all_ends_full_whatever_was_left_out() -> None:
    bar = Bar()
    whole = Together(bar, "audit several", 100)
    one, other = Part(whole, 60), Part(whole, 40)
    one.advance(50)
    one.advance(50)  # more than was planned
    other.advance(10)
    assert bar.done == 70
    other.over()
    one.over()
    assert (bar.done, bar.begun) == (100, [("audit several", 100)])


def test_a_slow_store_holds_no_other_and_everything_adds_up(house: House) -> None:
    """The other two are over while the slow one reads its first copy; the one that is away is told."""
    house.store_folder("c").rename(house.store_folder("c").with_name("elsewhere"))
    ends: dict[str, float] = {}

    def step(name: str, work: Any, *args: Any) -> Any:
        answer = work(*args)
        ends[name] = time.monotonic()
        return answer

    with later(house) as workspace:
        workspace.progress = bar = Bar()
        done = in_ledger(workspace, audit_due, step=step)
        seen = Counter({(each.store, word): n for each in done for word, n in each.outcomes.items()})
        assert seen == {("a", "intact"): 2, ("b", "intact"): 2, ("c", "unreadable"): 1}
        assert [each.store for each in done if each.grade is Grade.BYTES] == ["a", "b", "c"]
        assert max(ends["audit b bytes"], ends["audit c bytes"]) < ends["audit a bytes"] - 1
        assert worst_of(done) is Verdict.FAILED
        (report,) = workspace.reported
        assert report["counts"]["copies"]["intact"] == 4
        step_name, total = bar.begun[-1]
        assert (step_name, bar.done) == ("audit several", total)


def test_what_is_asked_for_is_read_side_by_side_too(house: House) -> None:
    house.store_folder("c").rename(house.store_folder("c").with_name("elsewhere"))
    with later(house) as workspace:
        workspace.progress = bar = Bar()
        done = in_ledger(workspace, audit, [])
        assert [each.report.store for each in done] == ["a", "a", "b", "b", "c", "c"]
        assert [each.word for each in done] == ["intact"] * 4 + ["unreadable"] * 2
        assert worst_of(done) is Verdict.FAILED
        step_name, total = bar.begun[-1]
        assert (step_name, bar.done) == ("audit several", total)

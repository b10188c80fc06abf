"""Ctrl-C in the middle of a transaction: it is committed whole, nothing keeps a lock, and the interrupt follows."""

from __future__ import annotations

import os
import signal
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from preservation.catalog import Catalog, leases, upsert
from preservation.catalog.schema import counters
from preservation.catalog.whole import whole


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_was_begun_is_committed_before_the_interrupt(catalog: Catalog, asked: signal.Signals) -> None:
    before = signal.signal(asked, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), catalog.database.writing() as connection:
            os.kill(os.getpid(), asked)
            connection.execute(counters.insert(), [{"name": f"{n} {asked}", "value": n} for n in range(1000)])
        assert signal.getsignal(asked) is signal.default_int_handler
    finally:
        signal.signal(asked, before)
    with catalog.database.writing() as connection:  # at once: nobody holds the lock
        kept = connection.execute(select(counters.c.name).where(counters.c.name.endswith(f" {asked}"))).all()
    assert len(kept) == 1000


def test_an_interrupt_anywhere_in_a_transaction_leaves_no_lock(catalog: Catalog) -> None:
    """As it came: in the middle of a statement, with the traceback still held while the next one begins."""
    for tenth in range(10):
        timer = threading.Timer(0.0005 * tenth, os.kill, (os.getpid(), signal.SIGINT))
        try:
            timer.start()
            while True:
                with catalog.database.writing() as connection:
                    connection.execute(counters.insert(), [{"name": f"{n}", "value": n} for n in range(500)])
                    connection.execute(counters.delete().where(counters.c.name.in_([f"{n}" for n in range(500)])))
        except KeyboardInterrupt:
            with catalog.database.writing() as connection:  # would wait for a minute, and then fail
                connection.execute(counters.insert(), [{"name": f"after {tenth}", "value": 0}])
        timer.join()
    with catalog.database.reading() as connection:
        names = set(connection.execute(select(counters.c.name)).scalars())
    assert {name for name in names if name.startswith("after")} == {f"after {n}" for n in range(10)}
    assert not any(name.isdigit() for name in names)


def test_pressed_twice_it_is_heard_once() -> None:
    seen: list[str] = []
    with pytest.raises(KeyboardInterrupt), whole():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        seen.append("both")
    assert seen == ["both"]


def test_asked_again_later_it_is_obeyed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preservation.catalog.whole.SAME", -1.0)
    seen: list[str] = []
    with pytest.raises(KeyboardInterrupt), whole():
        signal.raise_signal(signal.SIGINT)
        seen.append("once")
        signal.raise_signal(signal.SIGINT)
        seen.append("twice")
    assert seen == ["once"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_ignored_or_left_to_the_system_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with whole():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_threads_are_left_alone() -> None:
    seen: list[object] = []

    def work() -> None:
        with whole():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_a_lease_that_was_taken_when_the_interrupt_came_is_given_back(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction that takes it is over before the interrupt is heard, and nobody has the lease in hand yet."""
    real = upsert.insert_new

    def interrupted(*args: Any) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        return real(*args)

    monkeypatch.setattr("preservation.catalog.leases.insert_new", interrupted)
    with (
        pytest.raises(KeyboardInterrupt),
        leases.held(catalog.database, "one", owner="us", now=lambda: datetime.now(UTC), wait=0.0),
    ):
        pytest.fail("the interrupt was lost")
    assert leases.holders(catalog.database, "one", now=datetime.now(UTC)) == {}

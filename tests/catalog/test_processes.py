"""Many processes at once, and processes that are killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from preservation.catalog import AlreadyAdmitted, Catalog, LeaseHeld, LeaseLost, leases, open_catalog
from preservation.catalog.schema import leases as table
from tests.catalog import workers
from tests.catalog.samples import event, objects, version
from tests.catalog.workers import PROCESSES, now, together


def test_twenty_processes_open_an_empty_catalog_at_once(address: str, tmp_path: Path) -> None:
    assert together(20, workers.open_it, address) == ["opened"] * 20
    with open_catalog(address, base=tmp_path) as catalog:
        assert catalog.verify_chain().events == 20
        assert catalog.verify_chain().sound


def test_of_twenty_that_admit_the_same_content_one_wins(catalog: Catalog, address: str) -> None:
    answers = together(20, workers.admit_it, address, "ab" * 32)
    (winner,) = list(catalog.versions())
    assert Counter(answers) == {"admitted": 1, f"already {winner.identifier}": 19}
    assert len(list(catalog.objects(winner.identifier, 1))) == 500
    assert [record.event.identifier for record in catalog.events()] == [winner.identifier]


@pytest.mark.parametrize("after", [0, 5_000, 12_000, 19_999])
def test_a_killed_admission_leaves_nothing_and_can_be_repeated(catalog: Catalog, address: str, after: int) -> None:
    _run_to_death(workers.die_admitting, address, after, "cd" * 32)
    assert not list(catalog.versions())
    assert not list(catalog.events())
    assert not catalog.format_counts()
    again = version(3, content_digest="cd" * 32)
    assert catalog.admit(again, objects(3), [event(again)]) == again
    assert catalog.verify_chain().sound


def test_an_admission_killed_after_its_commit_is_whole(catalog: Catalog, address: str) -> None:
    _run_to_death(workers.die_admitting, address, 20_000, "cd" * 32)
    (there,) = list(catalog.versions())
    assert len(list(catalog.objects(there.identifier, 1))) == 20_000
    assert len(list(catalog.events())) == 1
    with pytest.raises(AlreadyAdmitted):
        catalog.admit(version(3, content_digest="cd" * 32), objects(3), [event()])


def _run_to_death(work, *arguments) -> None:
    start, answers = PROCESSES.Barrier(1), PROCESSES.Queue()  # kept here: the child finds them by name
    process = PROCESSES.Process(target=work, args=(start, answers, *arguments))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def test_a_lease_lets_one_process_work_at_a_time(catalog: Catalog, address: str, tmp_path: Path) -> None:
    (counter := tmp_path / "counter").write_text("0")
    with catalog.lease("Hộp 7", owner="dead", now=now):
        _pretend(catalog, process="1 99999999")  # so that all begin by taking over from the dead
        tokens = together(8, workers.lease_it, address, "Hộp 7", str(counter))
    assert counter.read_text() == "8"
    assert len({int(token) for token in tokens}) == 8


def test_a_held_lease_says_who_has_it_and_a_dead_owner_blocks_nobody(catalog: Catalog, address: str) -> None:
    start, answers = PROCESSES.Barrier(1), PROCESSES.Queue()
    holder = PROCESSES.Process(target=workers.hold_it, args=(start, answers, address, "Hộp 7"))
    holder.start()
    pid = answers.get(timeout=60)
    with pytest.raises(LeaseHeld) as refused, catalog.lease("Hộp 7", owner="other", now=now, wait=0.3):
        pytest.fail("two owners")
    assert "ingest of Hộp 7" in str(refused.value)
    assert str(refused.value.holder.pid) == pid
    assert refused.value.next_step is not None
    with catalog.lease("Hộp 8", owner="other", now=now) as other:  # another key is free
        os.kill(int(pid), signal.SIGKILL)
        holder.join(30)
        begun = time.monotonic()
        with catalog.lease("Hộp 7", owner="other", now=now) as lease:
            assert time.monotonic() - begun < 2
            assert lease.token > other.token


def test_a_killed_owner_that_is_not_yet_buried_is_dead(catalog: Catalog, address: str) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
    assert leases._started(pid) == "gone"
    os.waitpid(pid, 0)
    assert leases._started(pid) == "gone"


def test_a_process_that_hides_its_start_is_taken_for_living(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert leases._started(os.getpid()) not in (leases.GONE, leases.UNKNOWN)
    with catalog.lease("k", owner="first", now=now):
        monkeypatch.setattr(leases, "_started", lambda pid: leases.UNKNOWN if leases._answers(pid) else leases.GONE)
        with pytest.raises(LeaseHeld), catalog.lease("k", owner="second", now=now):
            pytest.fail("robbed")


def test_a_process_number_given_out_again_is_not_taken_for_the_owner(catalog: Catalog) -> None:
    with catalog.lease("k", owner="first", now=now) as first:
        _pretend(catalog, process=f"{os.getpid()} 12345")
        with catalog.lease("k", owner="second", now=now) as second:
            assert second.token > first.token


def test_a_living_process_of_this_machine_is_never_robbed(catalog: Catalog) -> None:
    with catalog.lease("k", owner="first", now=now):
        _pretend(catalog, beat_at=now() - timedelta(days=1))
        with pytest.raises(LeaseHeld), catalog.lease("k", owner="second", now=now):
            pytest.fail("robbed")


def _pretend(catalog: Catalog, **values: object) -> None:
    with catalog._database.writing() as connection:
        connection.execute(update(table).values(**values))


def _elsewhere() -> str:
    _, boot, space = leases._machine()
    return f'["elsewhere", "{boot}", "{space}x"]'


def test_an_owner_elsewhere_is_taken_over_when_its_beats_stop(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "WATCH", 0.5)
    with catalog.lease("k", owner="first", now=now) as first:
        _pretend(catalog, machine=_elsewhere())
        with pytest.raises(LeaseHeld) as refused, catalog.lease("k", owner="second", now=now):
            pytest.fail("not expired yet")
        assert refused.value.holder.host == "elsewhere"
        _pretend(catalog, beat_at=now() - timedelta(seconds=61))
        begun = time.monotonic()
        with catalog.lease("k", owner="second", now=now) as second:
            assert time.monotonic() - begun >= 0.5
            assert second.token > first.token
            with pytest.raises(LeaseLost):
                catalog.record([event()], fence=first)
            with pytest.raises(LeaseLost):
                catalog.admit(version(1), objects(1), [event()], fence=first)
            assert not list(catalog.events())
            assert not list(catalog.versions())
            catalog.record([event()], fence=second)
            catalog.admit(version(1), objects(1), [], fence=second)


def test_an_owner_whose_clock_is_behind_is_not_robbed_while_it_beats(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "WATCH", 1.0)
    monkeypatch.setattr(leases, "BEAT", 0.1)

    def slow_clock():
        return now() - timedelta(minutes=10)

    with catalog.lease("k", owner="first", now=slow_clock) as first:
        _pretend(catalog, machine=_elsewhere())
        with pytest.raises(LeaseHeld), catalog.lease("k", owner="second", now=now):
            pytest.fail("robbed")
        first.check()


def test_a_dead_owner_elsewhere_whose_clock_was_ahead_blocks_nobody_for_years(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "WATCH", 0.5)
    with catalog.lease("k", owner="first", now=now) as first:
        _pretend(catalog, machine=_elsewhere(), beat_at=now() + timedelta(days=3650))
        with catalog.lease("k", owner="second", now=now) as second:
            assert second.token > first.token


def test_beats_are_dated_by_the_server_where_there_is_one(catalog: Catalog) -> None:
    def fast_clock():
        return now() + timedelta(days=400)

    with catalog.lease("k", owner="first", now=fast_clock), catalog._database.reading() as connection:
        beat_at = connection.execute(select(table.c.beat_at)).scalar_one()
        ahead = beat_at - now() > timedelta(days=399)
        assert ahead == (connection.dialect.name == "sqlite")


def test_a_robbed_owner_notices_at_its_next_beat(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT", 0.05)
    with catalog.lease("k", owner="first", now=now) as lease:
        lease.check()
        _pretend(catalog, token=99)
        assert lease.lost.wait(10)
        with pytest.raises(LeaseLost):
            lease.check()


def test_sqlite_after_a_restart_of_the_machine(tmp_path: Path) -> None:
    with open_catalog("sqlite:///c.db", base=tmp_path) as catalog, catalog.lease("k", owner="first", now=now):
        _pretend(catalog, machine='["elsewhere", "another boot", "x"]')
        with catalog.lease("k", owner="second", now=now):
            pass


def test_a_lease_is_given_back_whatever_happens_inside(catalog: Catalog) -> None:
    for error in RuntimeError, KeyboardInterrupt:
        with pytest.raises(error), catalog.lease("k", owner="first", now=now):
            raise error
        with catalog.lease("k", owner="second", now=now):
            pass


def test_threads_of_one_process_exclude_each_other(catalog: Catalog) -> None:
    seen, done = [], []

    def work() -> None:
        with catalog.lease("k", owner="thread", now=now, wait=60):
            seen.append(1)
            assert sum(seen) == 1
            time.sleep(0.02)
            seen.pop()
            done.append(1)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 5

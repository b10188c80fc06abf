"""Leases: only one process at a time works on one thing, and a dead one blocks nobody.

A lease is a row with a token that only grows. Its owner beats it now and then. A dead owner on this machine is seen
at once (its process is gone); one on another machine only when its beats have stopped, by our own stopwatch: clocks
that differ rob nobody and let no dead owner stand. Beats are dated by the server where the catalog has one. A living
process on this machine is never robbed. The token is the fence: `check` in the transaction that writes tells a robbed
owner to stop.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from preservation.catalog.errors import Holder, LeaseHeld, LeaseLost
from preservation.catalog.opening import Database
from preservation.catalog.schema import counters, leases
from preservation.catalog.upsert import insert_new
from preservation.errors import CatalogError

BEAT = 15.0  # seconds between two signs of life
EXPIRY = timedelta(seconds=60)  # an owner elsewhere without one for so long, or with one to come, is suspected dead …
WATCH = 20.0  # … and watched for so many seconds more, so that differing clocks rob nobody
POLL = 0.2
GONE, UNKNOWN = "gone", "unknown"


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that is held. `lost` is set when a beat found that another process has taken it over."""

    key: str
    owner: str
    token: int
    lost: threading.Event = field(default_factory=threading.Event, compare=False)

    def check(self) -> None:
        """Raise LeaseLost when a beat found it taken over; costs nothing, so call it often."""
        if self.lost.is_set():
            raise LeaseLost(self.key)


@contextmanager
def held(database: Database, key: str, *, owner: str, now: Callable[[], datetime], wait: float) -> Iterator[Lease]:
    """Hold the lease on a key. Waits up to `wait` seconds for it, then raises LeaseHeld saying who has it."""
    tokens: list[int] = []  # what was taken, even when the interrupt that waited for that follows at once
    ended = threading.Event()
    heart: threading.Thread | None = None
    try:
        lease = _acquire(database, key, owner=owner, now=now, wait=wait, tokens=tokens)
        heart = threading.Thread(target=_beat, args=(database, lease, now, ended), name=f"lease {key}", daemon=True)
        heart.start()
        yield lease
        _stop(heart, ended)
    except BaseException:
        _stop(heart, ended)
        with suppress(CatalogError):  # the reason why the work ended is the one to tell; this lease dies with us
            for token in tokens:
                _give_back(database, key, token)
        raise
    _give_back(database, key, lease.token)


def check(connection: Connection, lease: Lease) -> None:
    """Raise LeaseLost unless the lease still stands; inside a writing transaction this is the fence."""
    token = connection.execute(select(leases.c.token).where(leases.c.key == lease.key).with_for_update()).scalar()
    if token != lease.token:
        raise LeaseLost(lease.key)


def sweep(database: Database) -> int:
    """Remove what dead processes of this machine still hold; returns how many leases. Blocks and robs nobody: each
    would be taken over by whoever wants it, but one that nobody ever wants again would stand there for good.
    """
    one_kernel = database.engine.dialect.name == "sqlite"
    with database.reading() as connection:
        rows = connection.execute(select(leases)).all()
    dead = [row for row in rows if _dead(row, one_kernel=one_kernel, silent=False)]
    for row in dead:
        with database.writing() as connection:
            connection.execute(delete(leases).where(leases.c.key == row.key, leases.c.token == row.token))
    return len(dead)


def living(database: Database, prefix: str, *, now: datetime) -> bool:
    """Whether anybody who gave a sign of life lately holds a lease whose key begins so."""
    return how_many(database, prefix, now=now) > 0


def how_many(database: Database, prefix: str, *, now: datetime) -> int:
    """How many leases whose key begins so are held by somebody who gave a sign of life lately."""
    return len(holders(database, prefix, now=now))


def holders(database: Database, prefix: str, *, now: datetime) -> dict[str, int]:
    """Key and token of those leases."""
    one_kernel = database.engine.dialect.name == "sqlite"
    with database.reading() as connection:
        rows = connection.execute(select(leases).where(leases.c.key.startswith(prefix, autoescape=True))).all()
        now = _moment(connection, now)
    return {
        row.key: row.token
        for row in rows
        if row.beat_at + EXPIRY >= now and not _dead(row, one_kernel=one_kernel, silent=False)
    }


def server_clock(database: Database) -> datetime | None:
    """What the clock of the catalog's server says; None where there is no server."""
    if database.engine.dialect.name != "postgresql":
        return None
    with database.reading() as connection:
        moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return moment


def _acquire(
    database: Database, key: str, *, owner: str, now: Callable[[], datetime], wait: float, tokens: list[int]
) -> Lease:
    deadline = time.monotonic() + wait
    watched: _Watched | None = None
    while True:
        with database.reading() as connection:
            row = connection.execute(select(leases).where(leases.c.key == key)).one_or_none()
            age = _moment(connection, now()) - row.beat_at if row is not None else timedelta(0)
        moment = time.monotonic()
        if row is not None and abs(age) > EXPIRY and _elsewhere(row):
            if watched is None:
                deadline = max(deadline, moment + WATCH)  # long enough to see a beat, however short the wait
            if watched is None or watched.sign != (row.token, row.beats):
                watched = _Watched((row.token, row.beats), moment)
        silent = watched is not None and moment - watched.since >= WATCH
        if row is None or _dead(row, one_kernel=database.engine.dialect.name == "sqlite", silent=silent):
            token = _take(database, key, row, owner=owner, clock=now(), tokens=tokens)
            if token is not None:
                return Lease(key, owner, token)
            continue  # someone was faster; look again at once
        if moment >= deadline:
            raise LeaseHeld(key, _holder(row))
        time.sleep(POLL)


@dataclass(frozen=True, slots=True)
class _Watched:
    """The last sign of life that we saw of an owner elsewhere, and when by our own stopwatch."""

    sign: tuple[int, int]
    since: float


def _moment(connection: Connection, clock: datetime) -> datetime:
    """Now: by the server, which all machines share; by our clock where there is no server."""
    if connection.dialect.name != "postgresql":
        return clock
    moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return moment


def _take(
    database: Database, key: str, row: Row[Any] | None, *, owner: str, clock: datetime, tokens: list[int]
) -> int | None:
    with database.writing() as connection:
        now = _moment(connection, clock)
        connection.execute(update(counters).where(counters.c.name == "lease").values(value=counters.c.value + 1))
        token = int(connection.execute(select(counters.c.value).where(counters.c.name == "lease")).scalar_one())
        values = {
            "token": token,
            "owner": owner,
            "machine": json.dumps(_machine()),
            "process": f"{os.getpid()} {_started(os.getpid())}",
            "taken_at": now,
            "beat_at": now,
            "beats": 0,
        }
        if row is None:
            taken = insert_new(connection, leases, {"key": key, **values})
        else:  # only if it is still as we saw it
            same = (leases.c.key == key, leases.c.token == row.token, leases.c.beats == row.beats)
            taken = connection.execute(update(leases).where(*same).values(**values)).rowcount == 1
        if taken:
            tokens.append(token)  # in here: an interrupt comes with the end of the transaction
    return token if taken else None


def _beat(database: Database, lease: Lease, now: Callable[[], datetime], ended: threading.Event) -> None:
    ours = (leases.c.key == lease.key, leases.c.token == lease.token)
    while not ended.wait(BEAT):
        with suppress(CatalogError), database.writing() as connection:  # missed; the next beat may get through
            beat = {"beat_at": _moment(connection, now()), "beats": leases.c.beats + 1}
            beaten = update(leases).where(*ours).values(**beat)
            if connection.execute(beaten).rowcount == 0:
                lease.lost.set()
                return


def _stop(heart: threading.Thread | None, ended: threading.Event) -> None:
    ended.set()
    if heart is not None and heart.ident is not None:
        heart.join()


def _give_back(database: Database, key: str, token: int) -> None:
    with database.writing() as connection:
        connection.execute(delete(leases).where(leases.c.key == key, leases.c.token == token))


def _holder(row: Row[Any]) -> Holder:
    host = json.loads(row.machine)[0]
    return Holder(row.owner, host, int(row.process.split()[0]), row.taken_at, row.beat_at)


def _elsewhere(row: Row[Any]) -> bool:
    there: object = json.loads(row.machine)
    return bool(there != _machine())


def _dead(row: Row[Any], *, one_kernel: bool, silent: bool) -> bool:
    """Whether the owner is gone. SQLite's WAL is shared by processes of one kernel only, so there an owner from
    another boot is gone for certain.
    """
    pid, started = row.process.split()
    if not _elsewhere(row):
        seen = _started(int(pid))
        return seen == GONE or (UNKNOWN not in (seen, started) and seen != started)
    if one_kernel and json.loads(row.machine)[1] != _machine()[1]:
        return True
    return silent


def this_process() -> str:
    """Words for this process that none other has, on any machine: host, boot, process space, number, start."""
    return json.dumps([*_machine(), os.getpid(), _started(os.getpid())])


def is_gone(process: str) -> bool:
    """Whether a process, as `this_process` said it, ran on this machine and lives no more. False where that cannot be
    seen from here: on another machine, in another container, or for words of another kind.
    """
    try:
        host, boot, space, pid, started = json.loads(process)
        here_host, here_boot, here_space = _machine()
        if host != here_host or not boot:
            return False
        if boot != here_boot:
            return True  # this machine was started again since
        seen = _started(int(pid))
    except (ValueError, TypeError):
        return False
    return space == here_space and (seen == GONE or (UNKNOWN not in (seen, started) and seen != started))


@cache
def _machine() -> list[str]:
    """Host name, boot and process space: where a process number means something."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    space = Path("/proc/self/ns/pid")
    return [
        socket.gethostname(),
        boot.read_text().strip() if boot.exists() else "",
        str(space.readlink()) if space.is_symlink() else "",
    ]


def _started(pid: int) -> str:
    """When the process started, in ticks since boot, so that a number given out again is not taken for it; GONE when
    there is none, UNKNOWN where it lives but the system does not tell (no /proc, or another user's and hidden).
    """
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (OSError, ValueError):
        return UNKNOWN if _answers(pid) else GONE
    return GONE if state in (b"Z", b"X") else rest[18].decode()


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

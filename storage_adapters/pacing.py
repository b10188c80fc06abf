"""A limit on how fast bytes and requests go, shared by all threads that work under it.

Promises that in any stretch of time no more passes than the rate allows, but for the burst that begins it. Waits in
short sleeps, so that Ctrl-C is heard; never holds a lock while it waits. Refuses a rate that is not above zero.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from storage_adapters.store import Capabilities, ErasableStore, ObjectStat, Reader, Store, Unfinished, lanes_of

BURST = 1.0  # seconds' worth that may go at once after a rest
STRIDE = 0.25  # seconds' worth of bytes in one piece, so that no sleep is long
LEAST_PIECE, MOST_PIECE = 4 << 10, 1 << 20  # bytes
YIELD_SHARE = 0.25  # of its time, that work still has while it yields
LONGEST_YIELD = 5.0  # seconds in one rest

Rate = int | None
RateNow = Rate | Callable[[], Rate]


class Pace:
    """At most so many bytes and requests a second, each None for no limit; or callables that say it anew each time.

    `yields` is asked before each piece: while it says so, the caller rests three times as long as it worked since
    its last piece, whatever the rates. `bytes_used` and `requests_used` count all that passed.
    """

    def __init__(
        self,
        bytes_per_second: RateNow = None,
        requests_per_second: RateNow = None,
        *,
        yields: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._bytes = _Bucket(bytes_per_second)
        self._requests = _Bucket(requests_per_second)
        self._yields = yields
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._last = threading.local()

    @property
    def bytes_used(self) -> int:
        """Bytes that passed so far."""
        return self._bytes.used

    @property
    def requests_used(self) -> int:
        """Requests that passed so far."""
        return self._requests.used

    @property
    def piece(self) -> int:
        """How many bytes to ask for at once."""
        rate = self._bytes.rate()
        return MOST_PIECE if rate is None else max(LEAST_PIECE, min(MOST_PIECE, int(rate * STRIDE)))

    def take(self, size: int = 0, *, requests: int = 0) -> None:
        """Wait until so many bytes and requests may pass; they count as used at once."""
        with self._lock:
            now = self._clock()
            until = max(self._bytes.charge(size, now), self._requests.charge(requests, now))
        self._rest(now)
        while (left := until - self._clock()) > 0:
            self._sleep(min(left, STRIDE))

    def _rest(self, now: float) -> None:
        """Leave the machine to others for a while, if they need it."""
        if self._yields():
            worked = now - getattr(self._last, "at", now)
            until = now + min(LONGEST_YIELD, worked * (1 / YIELD_SHARE - 1))
            while (left := until - self._clock()) > 0:
                self._sleep(min(left, STRIDE))
        self._last.at = self._clock()


class _Bucket:
    """When the next one may pass. `due` is when all that was taken so far will have had its time."""

    def __init__(self, rate: RateNow) -> None:
        self._rate = rate
        self._due = float("-inf")
        self.used = 0
        self.rate()

    def rate(self) -> Rate:
        rate = self._rate() if callable(self._rate) else self._rate
        if rate is not None and rate <= 0:
            raise ValueError(f"a rate of {rate} a second lets nothing pass; leave it out for no limit")
        return rate

    def charge(self, count: int, now: float) -> float:
        """Take so many; gives the moment from which they may pass."""
        self.used += count
        rate = self.rate()
        if rate is None or not count:
            return now
        self._due = max(self._due, now - BURST) + count / rate
        return self._due


@dataclass(frozen=True, slots=True)
class Line:
    """What may go to a store and come from it at once."""

    upload: Pace
    download: Pace


def paced(store: Store, pace: Pace) -> PacedStore:
    """The same store, every request and every byte of an object under the pace; it cannot erase."""
    return PacedStore(store, pace)


def paced_erasable(store: ErasableStore, pace: Pace, *, puts: Pace | None = None) -> PacedErasableStore:
    """The same with the right to erase; what is put goes under a pace of its own, if there is one."""
    return PacedErasableStore(store, pace, puts=puts)


class PacedStore:
    """A store whose puts, reads, looks and lists go under a pace."""

    def __init__(self, store: Store, pace: Pace, *, puts: Pace | None = None) -> None:
        self.name = store.name
        self.lanes = lanes_of(store)
        self._store = store
        self._pace = pace
        self._puts = puts or pace

    def put(self, key: str, source: Reader, *, size: int, sha256: str) -> None:
        """See Store.put."""
        self._puts.take(requests=1)
        self._store.put(key, PacedReader(source, self._puts), size=size, sha256=sha256)

    @contextmanager
    def open(self, key: str) -> Iterator[Reader]:
        """See Store.open."""
        self._pace.take(requests=1)
        with self._store.open(key) as reader:
            yield PacedReader(reader, self._pace)

    def glimpse(self, wanted: Sequence[tuple[str, int]]) -> Iterator[memoryview | None]:
        """See LocalStore.glimpse; nothing where the store cannot, or where an object is more than a piece."""
        glimpse = getattr(self._store, "glimpse", None)
        piece = self._pace.piece
        if glimpse is None or any(size > piece for _, size in wanted):
            yield from (None for _ in wanted)
            return
        for view in glimpse(wanted):
            if view is not None:
                self._pace.take(len(view), requests=1)
            yield view

    def stat(self, key: str) -> ObjectStat:
        """See Store.stat."""
        self._pace.take(requests=1)
        return self._store.stat(key)

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """See Store.list; one request, however many pages."""
        self._pace.take(requests=1)
        return self._store.list(prefix)

    def capabilities(self) -> Capabilities:
        """See Store.capabilities."""
        return self._store.capabilities()


class PacedErasableStore(PacedStore):
    """A paced store that can erase."""

    def __init__(self, store: ErasableStore, pace: Pace, *, puts: Pace | None = None) -> None:
        super().__init__(store, pace, puts=puts)
        self._erasable = store

    def erase(self, key: str) -> None:
        """See ErasableStore.erase."""
        self._pace.take(requests=1)
        self._erasable.erase(key)

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        """See ErasableStore.unfinished."""
        self._pace.take(requests=1)
        return self._erasable.unfinished(prefix)

    def drop_unfinished(self, prefix: str, *, started_before: datetime) -> int:
        """See ErasableStore.drop_unfinished."""
        self._pace.take(requests=1)
        return self._erasable.drop_unfinished(prefix, started_before=started_before)


class PacedReader:
    """A reader that gives at most a piece at a time, each when its turn has come."""

    def __init__(self, reader: Reader, pace: Pace) -> None:
        self._reader = reader
        self._pace = pace

    def read(self, size: int = -1, /) -> bytes:
        """See Reader.read: fewer than asked for is allowed, all that is left when negative."""
        if size < 0:
            return b"".join(iter(lambda: self.read(MOST_PIECE), b""))
        chunk = self._reader.read(min(size, self._pace.piece))
        if chunk:
            self._pace.take(len(chunk))
        return chunk

    def readinto(self, buffer: memoryview, /) -> int:
        """The same into memory that is given; how many bytes."""
        into = getattr(self._reader, "readinto", None)
        piece = buffer[: self._pace.piece]
        if into is None:
            chunk = self._reader.read(len(piece))
            piece[: len(chunk)] = chunk
            count = len(chunk)
        else:
            count = into(piece) or 0
        if count:
            self._pace.take(count)
        return count

    def forget(self) -> None:
        """Have what follows read from the disk, where the reader can."""
        if forget := getattr(self._reader, "forget", None):
            forget()

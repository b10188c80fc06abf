"""Work on many things, shared among this process and copies of it (fork); the answers come in order.

A copy starts in two milliseconds and has all that was read so far. It writes nothing but its answers, to us.
One that ends early or stands still raises HelperEnded: no answer is made up. None outlives us by more than one thing.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from mmap import mmap
from typing import Generic, NoReturn, TypeVar

from preservation.children import ASKING
from preservation.errors import PreservationError
from wording import say

Answer = TypeVar("Answer")
Tell = Callable[[int], None]
Work = Callable[[int, Tell], Answer]

MOST_THINGS = 1000  # their numbers, four bytes each, fit into the smallest pipe
PATIENCE = 3600.0  # seconds in which a copy that works ends a file or a few buffers of it, on the slowest of disks
_ROOM = 1 << 20  # bytes of answers that may wait for us


class HelperEnded(PreservationError):
    """A copy of this process ended, or stood still, before it gave its answers."""


def alone() -> bool:
    """Whether this process may copy itself. A lock held by another thread would stay locked in the copy for ever."""
    try:
        return threading.active_count() == 1 and len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208
    except OSError:  # no Linux
        return False


@dataclass(slots=True)
class _Copy:
    pid: int
    line: int
    heard: bytearray = field(default_factory=bytearray)


@contextmanager
def shared(work: Work[Answer], count: int, *, processes: int, moved: Tell) -> Iterator[Iterator[Answer]]:
    """`work(n, tell)` for each n below `count`; the copies exist when this is entered, and are gone when it is left.

    `work` is called here or in a copy, and calls `tell` with how much further it got, again and again; the sum goes
    to `moved` as it comes in. What `work` raises in a copy, it is given the chance to raise here. Raises HelperEnded.
    """
    helped = _Shared(work, count, moved)
    try:
        helped.copy(processes - 1)
        yield helped.answers()
    finally:
        helped.end()


class _Shared(Generic[Answer]):
    def __init__(self, work: Work[Answer], count: int, moved: Tell) -> None:
        self._work, self._count, self._moved = work, count, moved
        self._copies: list[_Copy] = []
        self._done: dict[int, Answer] = {}
        self._told = mmap(-1, 8 * 256)  # shared: how far each copy is
        self._far = memoryview(self._told).cast("Q")
        self._known = 0
        self._left = _numbers(count)

    def copy(self, copies: int) -> None:
        """Make the copies; each takes the next thing that nobody has."""
        owner = os.getpid()
        for number in range(min(copies, len(self._far))):
            ours, theirs = os.pipe()
            # What asks us to end must not find the copy on its way out of our work, nor us before we know of it.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, ASKING)  # a copy hears none of them: its owner ends it
            pid = os.fork()
            if pid == 0:
                self._help(theirs, number, owner)
            self._copies.append(_Copy(pid, ours))
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(theirs)

    def _help(self, line: int, place: int, owner: int) -> NoReturn:
        import pickle  # late: who makes no copies need not wait for it

        code = 1
        try:
            with suppress(OSError):
                fcntl.fcntl(line, fcntl.F_SETPIPE_SZ, _ROOM)

            def tell(amount: int) -> None:
                self._far[place] += amount

            while (number := self._next()) is not None and os.getppid() == owner:
                try:
                    said = pickle.dumps((number, True, self._work(number, tell)))
                except Exception:  # noqa: BLE001 - our owner does it again, and sees
                    said = pickle.dumps((number, False, None))
                _write(line, len(said).to_bytes(4, "big") + said)
            code = 0
        finally:
            os._exit(code)  # nothing of our owner's is flushed, closed or removed

    def _next(self) -> int | None:
        number = os.read(self._left, 4)
        return int.from_bytes(number, "big") if number else None

    def answers(self) -> Iterator[Answer]:
        """In the order of the things; we work like the copies do, and listen to them between two things."""
        for wanted in range(self._count):
            while wanted not in self._done:
                number = self._next()
                if number is not None:
                    self._done[number] = self._work(number, self._moved)
                self._listen(waiting=number is None)
            yield self._done.pop(wanted)

    def _listen(self, *, waiting: bool) -> None:
        """Take the answers that are there; `waiting`: at least one, or an end."""
        lines = {copy.line: copy for copy in self._copies}
        poll = select.poll()
        for line in lines:
            poll.register(line, select.POLLIN)
        last = time.monotonic()
        while not (ready := poll.poll(100 if waiting else 0)):
            if self._move():
                last = time.monotonic()
            if not waiting:
                return
            if not lines or time.monotonic() - last > PATIENCE:
                raise _ended("stood still" if lines else "gave no answer")
        self._move()
        for line, _ in ready:
            self._hear(lines[line])

    def _hear(self, copy: _Copy) -> None:
        import pickle

        piece = os.read(copy.line, _ROOM)
        copy.heard += piece
        while len(copy.heard) >= 4 and len(copy.heard) >= (end := 4 + int.from_bytes(copy.heard[:4], "big")):
            number, well, answer = pickle.loads(copy.heard[4:end])  # noqa: S301 - our own copy's
            del copy.heard[:end]
            self._done[number] = answer if well else self._work(number, self._moved)
        if not piece:
            self._copies.remove(copy)
            os.close(copy.line)
            code = os.waitstatus_to_exitcode(os.waitpid(copy.pid, 0)[1])
            if code != 0 or copy.heard:
                raise _ended(f"ended with code {code}")

    def _move(self) -> int:
        far = sum(self._far)
        further, self._known = far - self._known, far
        if further:
            self._moved(further)
        return further

    def end(self) -> None:
        """Nothing is left of the copies."""
        for copy in self._copies:
            with suppress(ProcessLookupError):
                os.kill(copy.pid, signal.SIGKILL)
            os.close(copy.line)
            os.waitpid(copy.pid, 0)
        self._copies.clear()
        os.close(self._left)
        self._far.release()
        self._told.close()


def _numbers(count: int) -> int:
    """A pipe out of which each number below `count` can be read once, by whoever comes first."""
    out, into = os.pipe()
    try:
        if count > MOST_THINGS:
            raise ValueError(f"{count} things, more than {MOST_THINGS}")
        _write(into, b"".join(number.to_bytes(4, "big") for number in range(count)))
    finally:
        os.close(into)
    return out


def _write(line: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(line, rest) :]


def _ended(how: str) -> HelperEnded:
    return HelperEnded(
        say("A process that helped with the work was lost, so the work was not finished and nothing can be said."),
        next_step=say("See that memory is free, then do it again, with `--processes 1` if it happens again."),
        detail=f"the helping process {how}",
    )

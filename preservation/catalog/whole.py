"""Ctrl-C waits until a transaction is over.

An interrupt in the middle of a statement makes SQLAlchemy throw the connection away without rolling back, and SQLite
keeps the write lock for as long as anything remembers the statement: the traceback does. Whoever then wants to give
back a lease on the way out waits for a lock that its own process holds.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from preservation.children import ASKING

SAME = 2.0  # seconds within which the same one again says nothing new: people press Ctrl-C twice


@contextmanager
def whole() -> Iterator[None]:
    """Signals that would raise in the middle of the block are obeyed at its end; the same one again, seconds later,
    at once: a statement may wait for a server that has gone.

    Only the main thread is ever interrupted so; in any other this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: handler for number in ASKING if callable(handler := signal.getsignal(number))}
    asked: dict[int, float] = {}

    def note(number: int, frame: FrameType | None) -> None:
        if number not in asked:
            asked[number] = time.monotonic()
        elif time.monotonic() - asked[number] > SAME:
            before[signal.Signals(number)](number, frame)

    try:
        for number in before:
            signal.signal(number, note)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for each in asked:
            signal.raise_signal(each)

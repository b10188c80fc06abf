"""Work in several stores side by side, a thread for each, so that a store that waits for its line holds no other.

Promises that answers come in the order of the stores; that an error in one store is raised only when the others have
done their work; that Ctrl-C ends all of them before the next piece of their work. Progress is one for all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TypeVar

from preservation.progress import Progress

Answer = TypeVar("Answer")
Heed = Callable[[], None]  # to be called before each piece of work; raises KeyboardInterrupt once all is to end

AT_ONCE = 8  # stores; each has threads of its own for its reads


def by_store(work: Callable[[str, Heed], Answer], stores: Sequence[str]) -> list[Answer]:
    """The answer of each store. Even one store has a thread of its own: Ctrl-C reaches the one that waits here, and
    by `heed` those that read, in the middle of an object too.
    """
    over = threading.Event()

    def heed() -> None:
        if over.is_set():
            raise KeyboardInterrupt

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="store") as pool:
        begun = [pool.submit(copy_context().run, work, store, heed) for store in stores]
        try:
            wait(begun)
        except BaseException:
            over.set()
            for each in begun:
                each.cancel()
            raise
    return [each.result() for each in begun]


class Together:
    """One bar over parts that are worked on at once. Safe to share between threads."""

    def __init__(self, inner: Progress, step: str, total: int) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        inner.begin(step, total)

    def advance(self, amount: int) -> None:
        """So much more of the whole."""
        with self._lock:
            self._inner.advance(amount)


class Part:
    """The part of one thread: never more than its `total`, and all of it once it is over, whatever was left out."""

    def __init__(self, whole: Together, total: int) -> None:
        self._whole = whole
        self._left = total

    def begin(self, step: str, total: int | None) -> None:
        """Ignore: the whole has begun."""

    def advance(self, amount: int) -> None:
        """So much more of the part."""
        amount = min(amount, self._left)
        if amount:
            self._left -= amount
            self._whole.advance(amount)

    def over(self) -> None:
        """Nothing more comes."""
        self.advance(self._left)


class Heeding:
    """The part of a thread whose work is told only of its progress: each advance heeds first."""

    def __init__(self, part: Part, heed: Heed) -> None:
        self._part = part
        self._heed = heed

    def begin(self, step: str, total: int | None) -> None:
        """Ignore: the whole has begun."""

    def advance(self, amount: int) -> None:
        """So much more of the part. Raises KeyboardInterrupt once all is to end."""
        self._heed()
        self._part.advance(amount)

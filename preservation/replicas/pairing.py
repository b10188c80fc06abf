"""Two sorted streams side by side: what the catalog expects, and what a store lists. Flat memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from preservation.facts import ObjectFact
from storage_adapters.store import ObjectStat

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def pair(
    expected: Iterable[ObjectFact], listed: Iterable[ObjectStat], *, prefix: str
) -> Iterator[tuple[ObjectFact | None, ObjectStat | None]]:
    """Join both streams on the key. Both must be sorted by the bytes of path and key.

    Yields (fact, stat), (fact, None) for what is missing and (None, stat) for what is unexpected.
    """
    left, right = iter(expected), iter(listed)
    fact, stat = next(left, None), next(right, None)
    while fact is not None or stat is not None:
        want = (prefix + fact.path).encode() if fact is not None else None
        have = stat.key.encode() if stat is not None else None
        if have is None or (want is not None and want < have):
            yield fact, None
            fact = next(left, None)
        elif want is None or have < want:
            yield None, stat
            stat = next(right, None)
        else:
            yield fact, stat
            fact, stat = next(left, None), next(right, None)


def in_order(work: Callable[[Item], Answer], items: Iterable[Item], *, threads: int) -> Iterator[Answer]:
    """The answers in the order of the items, at most a few items ahead of the reader; the first error is raised.

    What was begun when an error or an interruption comes is finished and thrown away; nothing more is begun.
    """
    with ThreadPoolExecutor(threads) as pool:
        begun: deque[Future[Answer]] = deque()
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) >= threads * 4:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()

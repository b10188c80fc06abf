"""Two sorted streams side by side: what the catalog expects, and what a store lists. Flat memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from preservation.facts import ObjectFact
from storage_adapters.store import ObjectStat

TOGETHER = 32  # small items
SMALL = 1 << 20  # bytes

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
        if fact is not None and stat is not None and prefix + fact.path == stat.key:
            yield fact, stat
            fact, stat = next(left, None), next(right, None)
            continue
        want = (prefix + fact.path).encode() if fact is not None else None
        have = stat.key.encode() if stat is not None else None
        if have is None or (want is not None and want < have):
            yield fact, None
            fact = next(left, None)
        else:
            yield None, stat
            stat = next(right, None)


def in_order(
    work: Callable[[Item], Answer],
    items: Iterable[Item],
    *,
    threads: int,
    size: Callable[[Item], int] | None = None,
    here: Callable[[Sequence[Item]], list[Answer | None]] | None = None,
) -> Iterator[Answer]:
    """The answers in the order of the items, at most a few items ahead of the reader; the first error is raised.

    With `size` (bytes of an item) small items go to a thread together, at most TOGETHER of them or SMALL bytes.
    `here` is asked first, in this thread: it answers what costs less than handing it over, with None for the rest.
    What was begun when an error or an interruption comes is finished and thrown away; nothing more is begun.
    """
    stopped = threading.Event()

    def several(batch: list[Item], known: list[Answer | None]) -> tuple[list[Answer], BaseException | None]:
        answers: list[Answer] = []
        for item, answer in zip(batch, known, strict=True):
            if stopped.is_set():
                break
            try:
                answers.append(work(item) if answer is None else answer)
            except BaseException as error:  # noqa: BLE001 - raised where its item stands, after the answers before
                return answers, error
        return answers, None

    with ThreadPoolExecutor(threads) as pool:
        begun: deque[Future[tuple[list[Answer], BaseException | None]]] = deque()
        try:
            for batch in _batches(items, size):
                known: list[Answer | None] = here(batch) if here else [None] * len(batch)
                whole = [answer for answer in known if answer is not None]
                if len(whole) == len(batch) and not begun:
                    yield from whole
                    continue
                begun.append(pool.submit(several, batch, known))
                if len(begun) >= threads * 4:
                    yield from _answered(begun.popleft())
            while begun:
                yield from _answered(begun.popleft())
        finally:
            stopped.set()
            for future in begun:
                future.cancel()


def _answered(future: Future[tuple[list[Answer], BaseException | None]]) -> Iterator[Answer]:
    answers, error = future.result()
    yield from answers
    if error is not None:
        raise error


def _batches(items: Iterable[Item], size: Callable[[Item], int] | None) -> Iterator[list[Item]]:
    batch: list[Item] = []
    weight = 0
    for item in items:
        batch.append(item)
        weight += SMALL if size is None else size(item)
        if weight >= SMALL or len(batch) >= TOGETHER:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch

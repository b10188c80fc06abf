"""What every file of a payload is, asked of worker processes that a hostile file may kill.

Promises one answer per file, in order, in flat memory; a file that breaks its worker is "failed" and the next
one goes on in a fresh worker; no worker outlives the `with` block. Opens no file in this process.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from preservation.facts import FileFact, FormatFact
from preservation.formats.edges import Seen
from preservation.formats.limits import Limits
from preservation.formats.process import Tool, WorkerDied, WorkerProcess
from preservation.formats.pronom.facts import SignatureFiles
from preservation.formats.walk import Entry, walk

TOGETHER = 64  # files asked for at once: a worker does not wait for us between them
HELD = 4 << 20  # bytes of files read already that are asked for at once
_AHEAD = 3  # batches asked for before the first answer is taken, for each worker


class Identifier:
    """A pool of workers for a whole batch: `with Identifier() as identifier: identifier.identify(...)`.

    Entering starts the first worker without waiting for it (it loads signatures for about half a second); others
    start when there is work for them. May be shared between threads. Leaving ends every worker at once.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        workers: int = 2,
        signatures: SignatureFiles | None = None,
        tool: Tool = Tool.OURS,
    ) -> None:
        """`signatures` are the files of the release to go by, None for the one that FIDO brings along."""
        self._limits = limits or Limits()
        self._signatures, self._tool = signatures, tool
        self._workers = workers
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="identify")
        self._lock = Lock()
        self._idle: list[WorkerProcess] = []
        self._all: set[WorkerProcess] = set()
        self._closed = False

    def __enter__(self) -> Self:
        self._idle.append(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers, also those in the middle of a file."""
        with self._lock:
            self._closed = True
            workers = list(self._all)
        for worker in workers:
            worker.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in workers:
            worker.end()

    def identify(self, payload: Path, files: Iterable[FileFact]) -> Iterator[FormatFact]:
        """One FormatFact per file, in the order of `files`; paths are relative to `payload`.

        Raises IdentifierUnavailable when no worker can be started at all.
        """
        root = os.path.abspath(payload)  # noqa: PTH100 - links are kept as they are
        return self._in_order(Entry(file.path, os.path.join(root, file.path)) for file in files)  # noqa: PTH118

    def identify_seen(self, files: Iterable[Seen]) -> Iterator[FormatFact]:
        """One FormatFact per file, in order, while the files are still coming in: a few batches ahead of the answers.

        The workers are given the first and the last bytes, and open only what begins like a container. Raises
        IdentifierUnavailable when no worker can be started at all.
        """
        return self._in_order(Entry(seen.name, seen.opens, edges=(seen.head, seen.tail)) for seen in files)

    def identify_paths(self, paths: Sequence[Path]) -> Iterator[FormatFact]:
        r"""One FormatFact per file named or found in the named folders, sorted within each folder.

        `path` is as given, in a form that can be shown: bytes of a name that are not UTF-8 stand as `\xNN`.
        What is no regular file, or cannot be read, is "failed" with the reason as note.
        """
        return self._in_order(walk(paths))

    def _in_order(self, entries: Iterable[Entry]) -> Iterator[FormatFact]:
        waiting: deque[Future[list[FormatFact]]] = deque()
        try:
            for batch in _batches(entries):
                waiting.append(self._threads.submit(self._answers, batch))
                if len(waiting) >= _AHEAD * self._workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _answers(self, entries: Sequence[Entry]) -> list[FormatFact]:
        """One answer for each, in order."""
        answers = iter(self._asked([entry for entry in entries if entry.problem is None]))
        return [
            replace(next(answers) if entry.problem is None else self._failed(entry.problem), path=entry.shown)
            for entry in entries
        ]

    def _asked(self, entries: Sequence[Entry]) -> list[FormatFact]:
        """A file that breaks its worker is failed, and a fresh worker takes the rest."""
        answers: list[FormatFact] = []
        broke: dict[int, FormatFact] = {}
        while len(answers) < len(entries):
            if len(answers) in broke:
                answers.append(broke[len(answers)])
                continue
            until = min((place for place in broke if place > len(answers)), default=len(entries))
            worker = self._take()
            try:
                for fact in worker.ask(entries[len(answers) : until]):
                    answers.append(fact)  # noqa: PERF402 - what came before its death must not be lost
            except WorkerDied as death:
                with self._lock:
                    self._all.discard(worker)
                broke[min(len(answers) + death.lost, until - 1)] = worker.failed(str(death))
            else:
                self._give_back(worker)
        return answers

    def _failed(self, note: str) -> FormatFact:
        worker = self._take()
        fact = worker.failed(note)
        self._give_back(worker)
        return fact

    def _give_back(self, worker: WorkerProcess) -> None:
        with self._lock:
            self._idle.append(worker)

    def _take(self) -> WorkerProcess:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._start()

    def _start(self) -> WorkerProcess:
        with self._lock:
            if self._closed:
                raise RuntimeError("the identifier is closed")
            worker = WorkerProcess(self._limits, tool=self._tool, signatures=self._signatures)
            self._all.add(worker)
            return worker


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """So many together as are asked for at once."""
    batch: list[Entry] = []
    held = 0
    for entry in entries:
        batch.append(entry)
        held += sum(map(len, entry.edges)) if entry.edges else 0
        if len(batch) == TOGETHER or held >= HELD:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def identify(
    payload: Path, files: Iterable[FileFact], *, limits: Limits | None = None, workers: int = 2
) -> Iterator[FormatFact]:
    """As Identifier.identify, with workers of its own that end with the last answer."""
    with Identifier(limits=limits, workers=workers) as identifier:
        yield from identifier.identify(payload, files)


def identify_paths(paths: Sequence[Path], *, limits: Limits | None = None, workers: int = 2) -> Iterator[FormatFact]:
    """As Identifier.identify_paths, with workers of its own that end with the last answer."""
    with Identifier(limits=limits, workers=workers) as identifier:
        yield from identifier.identify_paths(paths)

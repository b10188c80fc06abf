"""Reads the files of a bag and compares their bytes with what the manifests promise. Nothing else does.

Every file is read once, for all its digests. A file that cannot be read to its end is told as unreadable, never as
different. It is called here, or in a forked copy of this process, with the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from preservation import forked
from preservation.bags.bag_view import BagView
from preservation.bags.manifests import Manifest

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_BUFFER = 1 << 18  # bytes read at a time: what was read is still in the processor's cache when it is hashed
_BATCH = 256  # files handed to the readers at a time
_LARGE = 1 << 18  # bytes from which on a file is worth a thread
_MANY = 2000  # small files from which on they are worth a copy of the process
_PORTION = 1 << 23  # bytes after which a portion of a bag's files is ended

Promises = list[tuple[Manifest, bytes]]  # what every manifest that lists a file says of it


class Fault(NamedTuple):
    """A file that differs from what `manifest` promises (digests in hexadecimal); unreadable when that is None."""

    path: str
    manifest: str | None
    expected: str
    seen: str


class Compared(NamedTuple):
    """One file, or several: bytes read, payload files that were read to their end, those that are as promised."""

    read: int
    checked: int
    matched: int
    faults: Sequence[Fault]


@contextmanager
def compared(
    view: BagView, manifests: Sequence[Manifest], *, processes: int, moved: Callable[[int], None]
) -> Iterator[Iterator[Compared]]:
    """Every listed file of the view, in the view's order. `moved` is told of bytes as they are read.

    Many small files are shared among so many processes, where that can be; large ones go to threads.
    """
    paths = list(view.files)
    if processes > 1 and _worth_copies(view) and forked.alone():
        portions = list(_portions(view))

        def work(number: int, tell: Callable[[int], None]) -> Compared:
            return _sum(_each(view, manifests, paths, portions[number], tell, threads=1))

        with forked.shared(work, len(portions), processes=processes, moved=moved) as answers:
            yield answers
    else:
        with closing(_each(view, manifests, paths, range(len(paths)), moved, threads=view.workers)) as each:
            yield each


def _worth_copies(view: BagView) -> bool:
    # What one thread alone may read, an archive, shares the place in its file with every copy.
    return view.workers > 1 and sum(size < _LARGE for size in view.sizes) >= _MANY


def _portions(view: BagView) -> Iterator[range]:
    """The numbers of the files, in portions of like work; large files stand alone."""
    count, total = len(view.sizes), sum(view.sizes)
    most_files = max(_BATCH, 4 * count // forked.MOST_THINGS)
    most_bytes = max(_PORTION, 4 * total // forked.MOST_THINGS)
    first, size = 0, 0
    for number, more in enumerate(view.sizes):
        if number > first and (number - first == most_files or size + more > most_bytes):
            yield range(first, number)
            first, size = number, 0
        size += more
    if count:
        yield range(first, count)


def _sum(each: Iterable[Compared]) -> Compared:
    read = checked = matched = 0
    faults: list[Fault] = []
    for one in each:
        read, checked, matched = read + one.read, checked + one.checked, matched + one.matched
        faults.extend(one.faults)
    return Compared(read, checked, matched, faults)


def _each(
    view: BagView,
    manifests: Sequence[Manifest],
    paths: Sequence[str],
    numbers: Iterable[int],
    moved: Callable[[int], None],
    *,
    threads: int,
) -> Generator[Compared]:
    """Compare the files of these numbers; answers come in their order.

    `moved` is called in this thread only. Hashing runs beside Python, so large files go to as many threads as there
    may be. A small one is read here: handing it over and waiting for Python's lock would take longer than its bytes.
    """
    reader = _Reader(view, threads)
    try:
        rest = iter(numbers)
        while batch := list(islice(rest, _BATCH)):
            promised = {number: found for number in batch if (found := _promises(manifests, number))}
            running = {
                number: reader.begin(paths[number], promises)
                for number, promises in promised.items()
                if threads > 1 and view.sizes[number] >= _LARGE
            }
            for number, promises in promised.items():
                if number in running:
                    one = running[number].result()
                    moved(one.read)
                else:
                    one = reader.compare(paths[number], promises, moved)
                yield one
    finally:
        reader.end()


def _promises(manifests: Sequence[Manifest], number: int) -> Promises:
    return [(manifest, manifest.of_number(number)) for manifest in manifests if manifest.listed[number]]


class _Reader:
    """Reads single files, here or in threads."""

    def __init__(self, view: BagView, threads: int) -> None:
        self._view = view
        self._threads = threads
        self._buffers: list[memoryview] = []  # that nobody uses now; as many come to be as there are threads
        self._pool: ThreadPoolExecutor | None = None

    def begin(self, path: str, promises: Promises) -> Future[Compared]:
        """Compare a file in a thread."""
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # late: small bags need none

            self._pool = ThreadPoolExecutor(self._threads)
        return self._pool.submit(self._read, path, promises, _nobody)

    def compare(self, path: str, promises: Promises, moved: Callable[[int], None]) -> Compared:
        """Compare a file now. Right bytes of a small one take a short way; all else the one that says why."""
        size = self._view.size(path)
        if self._view.whole is not None and 0 < size < _LARGE:
            content = self._view.whole(path, size + 1)
            if len(content) == size and _as_promised(content, promises):
                moved(size)
                payload = path.startswith("data/")
                return Compared(size, payload, payload, ())
        return self._read(path, promises, moved)

    def _read(self, path: str, promises: Promises, moved: Callable[[int], None]) -> Compared:
        hashes = {manifest.algorithm: manifest.new() for manifest, _ in promises}
        announced = self._view.size(path)
        size = 0
        try:
            buffer = self._buffers.pop()
        except IndexError:
            buffer = memoryview(bytearray(_BUFFER))
        try:
            with self._view.open(path) as stream:
                while count := stream.readinto(buffer):  # type: ignore[attr-defined]
                    size += count
                    for running in hashes.values():
                        running.update(buffer[:count])
                    moved(count)
        except self._view.errors as error:
            return _unreadable(path, announced, size, f"{type(error).__name__}: {error}")
        finally:
            self._buffers.append(buffer)
        if size != announced:
            return _unreadable(path, announced, size, f"{size} bytes read, {announced} announced")
        digests = {name: running.digest() for name, running in hashes.items()}
        faults = [
            Fault(path, manifest.name, promised.hex(), digests[manifest.algorithm].hex())
            for manifest, promised in promises
            if promised != digests[manifest.algorithm]
        ]
        payload = path.startswith("data/")
        return Compared(size, payload, payload and not faults, faults)

    def end(self) -> None:
        """Interrupted: no further file is begun."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _as_promised(content: bytes, promises: Promises) -> bool:
    for manifest, promised in promises:  # noqa: SIM110 - all() would take a microsecond more for each file
        if manifest.new(content).digest() != promised:
            return False
    return True


def _unreadable(path: str, announced: int, read: int, why: str) -> Compared:
    return Compared(read, 0, 0, [Fault(path, None, f"{announced} bytes", why)])


def _nobody(_amount: int) -> None:
    """The thread that waits for the file tells of it."""

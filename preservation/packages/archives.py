"""The producer's archive while it is read: opened read-only, watched for changes, counted against the limits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from preservation.errors import PackageUnreadable
from preservation.findings import Finding, Severity
from preservation.packages.entries import Notes
from preservation.packages.folders import changed
from preservation.packages.limits import Limits
from wording import say


class ArchiveFile:
    """An archive open for reading. An error of its disk is the package's, not ours: PackageUnreadable."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._before = self._stamp()
        self.size = self._before[0]

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; nothing means the end."""
        try:
            return self._file.read(size)
        except OSError as error:
            raise _unreadable(error) from error

    def seek(self, at: int, whence: int = 0, /) -> int:
        """Go to a place; returns it, counted from the beginning."""
        return self._file.seek(at, whence)

    def changed(self) -> bool:
        """Whether somebody wrote to it since it was opened."""
        return self._stamp() != self._before

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def _stamp(self) -> tuple[int, int]:
        seen = os.fstat(self._file.fileno())
        return (seen.st_size, seen.st_mtime_ns)


@contextmanager
def open_archive(path: Path, *, notes: Notes) -> Iterator[ArchiveFile]:
    """The archive, open; noticed when it changed meanwhile, also when that broke the reading."""
    try:
        file = ArchiveFile(path)
    except OSError as error:
        raise _unreadable(error) from error
    with closing(file):
        try:
            yield file
        finally:
            if file.changed():
                notes.add(changed(path.name))


def counter(packed: int, *, limits: Limits) -> Callable[[int], None]:
    """Counts what comes out of an archive of `packed` bytes; raises PackageUnreadable past the limits."""
    out = 0

    def count(amount: int) -> None:
        nonlocal out
        out += amount
        if out > limits.total_bytes or (out > limits.ratio_from and out > packed * limits.ratio):
            message = say(
                "The archive unpacks to far more than it should ({seen} bytes from {packed} bytes so far). "
                "It was stopped: ask for the package as a folder.",
                seen=out,
                packed=packed,
            )
            raise PackageUnreadable([Finding("package-too-large", Severity.ERROR, message)])

    return count


def _unreadable(error: OSError) -> PackageUnreadable:
    message = say(
        "This cannot be read ({problem}). Check the rights and the disk it is on.", problem=error.strerror or "?"
    )
    return PackageUnreadable([Finding("source-unreadable", Severity.ERROR, message)], detail=str(error))

"""One pass over the content: every piece read is hashed and written, its ends kept, and is not read again.

Writes only new files below one folder, never through a link, never over anything. An error of the source is
a finding (BadEntry); an error of our own disk is an OSError and passes unchanged.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, wait
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from preservation.findings import Finding, Severity
from preservation.formats.edges import Edges
from preservation.packages.entries import BadEntry, Piece
from wording import say

LARGE = 8 << 20  # bytes; such a file goes to the disk as it comes and is there when it was received
_HELPED = 128 << 10  # bytes of a piece from which a second thread hashes faster than it costs to ask it
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_UNCACHED = 0x80  # RWF_DONTCACHE (Linux 6.14): the pages go once they are written; copying stays out of their way


class Inbox:
    """Makes new files and folders below `root`. Holds one open folder, the one last written into."""

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, _FOLDER)
        self._parent: tuple[str, int] = ("", self._root)

    def __enter__(self) -> Inbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._leave()
        os.close(self._root)

    def make_folder(self, path: str) -> None:
        """Make the folder and those above it. Raises BadEntry where a file stands in the way."""
        self._enter(path)

    def new(self, path: str) -> int:
        """The descriptor of a new file to write to. Raises BadEntry when something has this name already."""
        above, _, name = path.rpartition("/")
        folder = self._enter(above)
        try:
            return os.open(name, _NEW_FILE, 0o600, dir_fd=folder)
        except FileExistsError:
            raise BadEntry(_repeated(path)) from None

    def remove(self, path: str) -> None:
        """Take away a file that could not be finished."""
        os.unlink(path, dir_fd=self._root)

    def _enter(self, path: str) -> int:
        """A descriptor of the folder, made where it is missing."""
        if path == self._parent[0]:
            return self._parent[1]
        self._leave()
        here = self._root
        for part in path.split("/") if path else ():
            try:
                below = _enter_one(part, here)
            except (NotADirectoryError, FileExistsError):
                raise BadEntry(_repeated(path)) from None
            finally:
                if here != self._root:
                    os.close(here)
            here = below
        self._parent = (path, here)
        return here

    def _leave(self) -> None:
        path, descriptor = self._parent
        if path:
            os.close(descriptor)
        self._parent = ("", self._root)


def _enter_one(part: str, here: int) -> int:
    try:
        return os.open(part, _FOLDER, dir_fd=here)
    except FileNotFoundError:
        os.mkdir(part, 0o700, dir_fd=here)
        return os.open(part, _FOLDER, dir_fd=here)


@dataclass(frozen=True, slots=True)
class Copied:
    """What one pass over a file gave; digests in hex."""

    size: int
    digests: dict[str, str]
    edges: Edges


def copy(
    pieces: Iterable[Piece],
    out: int,
    *,
    announced: int,
    algorithms: frozenset[str],
    moved: Callable[[int], None],
    helpers: Executor | None = None,
) -> Copied:
    """Write the pieces to the descriptor, which is not closed; tells `moved` of each. With `helpers`, the digests of
    a large piece are computed side by side. What was announced as large is on the disk when this returns.
    """
    running = {name: hashlib.new(name, usedforsecurity=False) for name in sorted(algorithms)}
    first, *others = running.values()
    edges = Edges(announced)
    write = _uncached_writer(out) if announced >= LARGE else _writer(out)
    size = 0
    for piece in pieces:
        helped = others if helpers is not None and len(piece) >= _HELPED else ()
        asked = [helpers.submit(one.update, piece) for one in helped] if helpers is not None else []
        try:
            first.update(piece)
            if not asked:
                for one in others:
                    one.update(piece)
            edges.add(piece)
            write(piece)
        finally:
            wait(asked)  # the piece may be overwritten from here on
        size += len(piece)
        moved(len(piece))
    if announced >= LARGE:
        os.fdatasync(out)
    return Copied(size, {name: one.hexdigest() for name, one in running.items()}, edges)


def _writer(out: int) -> Callable[[Piece], None]:
    def write(piece: Piece) -> None:
        done = os.write(out, piece)
        if done < len(piece):
            rest = memoryview(piece)[done:]
            while rest:
                rest = rest[os.write(out, rest) :]

    return write


def _uncached_writer(out: int) -> Callable[[Piece], None]:
    """Writes past the cache where kernel and file system know how to, as usual where they refuse."""
    at, flags = 0, _UNCACHED

    def write(piece: Piece) -> None:
        nonlocal at, flags
        rest = memoryview(piece)
        while rest:
            try:
                done = os.pwritev(out, [rest], at, flags)
            except OSError as error:
                if not flags or error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                    raise
                flags = 0
                continue
            at += done
            rest = rest[done:]

    return write


def _repeated(path: str) -> Finding:
    message = say("The package holds two entries of this name. It is not ours to choose: ask which one is meant.")
    return Finding("entry-repeated", Severity.ERROR, message, path=path)

"""One pass over the content: every piece read is written and hashed, and is not read again.

Writes only new files below one folder, never through a link, never over anything. An error of the source is
a finding (BadEntry); an error of our own disk is an OSError and passes unchanged.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType

from preservation.findings import Finding, Severity
from preservation.packages.entries import BadEntry
from wording import say

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


class Inbox:
    """Writes new files and folders below `root`. Holds one open folder, the one last written into."""

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

    def write(
        self, path: str, pieces: Iterable[bytes], *, algorithms: frozenset[str], moved: Callable[[int], None]
    ) -> tuple[int, dict[str, str]]:
        """Write the pieces to a new file; returns its size and its digests in hex. Tells `moved` of each piece.

        A file that could not be finished is removed. Raises BadEntry when something has this name already.
        """
        above, _, name = path.rpartition("/")
        folder = self._enter(above)
        try:
            out = os.open(name, _NEW_FILE, 0o600, dir_fd=folder)
        except FileExistsError:
            raise BadEntry(_repeated(path)) from None
        try:
            with open(out, "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor, not a path
                return _copy(pieces, file.write, algorithms=algorithms, moved=moved)
        except BaseException:
            os.unlink(name, dir_fd=folder)
            raise

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


def _copy(
    pieces: Iterable[bytes],
    write: Callable[[memoryview], int],
    *,
    algorithms: frozenset[str],
    moved: Callable[[int], None],
) -> tuple[int, dict[str, str]]:
    digests = {algorithm: hashlib.new(algorithm, usedforsecurity=False) for algorithm in sorted(algorithms)}
    size = 0
    for piece in pieces:
        for digest in digests.values():
            digest.update(piece)
        rest = memoryview(piece)
        while rest:
            rest = rest[write(rest) :]
        size += len(piece)
        moved(len(piece))
    return size, {algorithm: digest.hexdigest() for algorithm, digest in digests.items()}


def _repeated(path: str) -> Finding:
    message = say("The package holds two entries of this name. It is not ours to choose: ask which one is meant.")
    return Finding("entry-repeated", Severity.ERROR, message, path=path)

"""A store in a folder: a disk, a NAS, a tape's mount point.

Promises the whole contract: an object gets its name only when all its bytes are on the disk, by a hard
link, which the file system creates or refuses and never replaces. Works by folder descriptors and follows
no link below its root, so nothing planted there leads outside. Never makes its root: a disk that is not
mounted must not look like an empty store.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat as mode_of
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from storage_adapters.errors import StorageError, already_exists, not_found
from storage_adapters.keys import UNFINISHED, check_key, check_prefix
from storage_adapters.local_errors import explain_os_errors, no_root
from storage_adapters.local_reading import Opened, forget
from storage_adapters.local_unfinished import READ, drop_left, temporary_file
from storage_adapters.store import Capabilities, Lanes, ObjectStat, Reader, Unfinished
from storage_adapters.verifying import CHUNK, VerifyingReader, own_memory

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_UNFINISHED = UNFINISHED.encode()
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})


class LocalStore:
    """Objects as read-only files below one folder; the key is the path.

    `at_once` is how many files are read at the same moment: one for each core, unless told otherwise.
    """

    def __init__(self, name: str, root: Path, *, at_once: int | None = None) -> None:
        self.name = name
        self.root = root
        reads = at_once or min(8, max(2, len(os.sched_getaffinity(0))))
        self._begun: set[str] = set()  # what came into memory by a glimpse of ours, until it is opened
        self.lanes = Lanes(reads=reads, puts=at_once or max(reads, 4), gather=True)

    def put(self, key: str, source: Reader, *, size: int, sha256: str) -> None:
        """See Store.put: temporary file in the same folder, fsync, link to its name, fsync the folder."""
        check_key(key)
        reader = VerifyingReader(source, size=size, sha256=sha256, store=self.name, key=key)
        name = key.rpartition("/")[2]
        with self._explained(key):
            folder, unfinished, file = self._begin(key, name)
        try:
            with os.fdopen(file, "wb", buffering=0) as out:
                for start in range(0, size, CHUNK):
                    piece = own_memory()[: min(CHUNK, size - start)]
                    reader.fill(piece)
                    with self._explained(key):
                        _write_all(out.fileno(), piece)
                reader.finish()
                with self._explained(key):
                    os.fsync(out.fileno())
                    forget(out.fileno())  # so that whoever proves it reads the disk, not what we have just written
            with self._explained(key):
                self._publish(folder, unfinished, name, key=key)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(unfinished, dir_fd=folder)
            os.close(folder)

    @contextmanager
    def open(self, key: str) -> Iterator[Reader]:
        """See Store.open."""
        with self._explained(key):
            file = self._open_object(key)
        try:
            yield Opened(file, key, store=self.name, root=self.root, begun=self._begun)
        finally:
            os.close(file)

    def glimpse(self, wanted: Sequence[tuple[str, int]]) -> Iterator[memoryview | None]:
        """For each (key, size): all bytes of the object, if it has that size and lies in memory; else None, and
        `open` says what there is. Opens a folder once for the keys that follow each other in it.

        The memory is good until the next is asked for; sizes are at most `verifying.CHUNK - 1`.
        """
        memory = own_memory()
        entered, folder = None, -1
        try:
            for key, size in wanted:
                place, _, name = key.rpartition("/")
                count = -1
                try:
                    check_key(key)
                    if place != entered:
                        if entered is not None:
                            entered = None
                            os.close(folder)
                        folder, entered = self._folder(place.split("/") if place else ()), place
                    file = os.open(name, READ, dir_fd=folder)
                    try:
                        count = os.preadv(file, (memory[: size + 1],), 0, os.RWF_NOWAIT)
                    finally:
                        os.close(file)
                except BlockingIOError:  # but the system has begun to read it now
                    self._begun.add(key)
                except (OSError, StorageError):  # whoever asks for it by its name is told why
                    pass
                yield memory[:size] if count == size else None
        finally:
            if entered is not None:
                os.close(folder)

    def stat(self, key: str) -> ObjectStat:
        """See Store.stat."""
        with self._explained(key):
            file = self._open_object(key)
            try:
                return ObjectStat(key, os.fstat(file).st_size)
            finally:
                os.close(file)

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """See Store.list. Holds the names of one folder at a time (per level) in memory."""
        check_prefix(prefix)
        parts = prefix.split("/")[:-1]
        with self._explained(prefix):
            try:
                folder = self._folder(parts)
            except OSError as error:
                if error.errno in _ABSENT:
                    return
                raise
        yield from self._walk(folder, prefix)

    def capabilities(self) -> Capabilities:
        """See Store.capabilities: what hard links promise, and a disk keeps no checksums that it gives out."""
        return Capabilities(
            conditional_create=True, conditional_multipart=True, checksums=(), object_lock=False, versioning=False
        )

    def erase(self, key: str) -> None:
        """See ErasableStore.erase; folders that become empty go with the object."""
        check_key(key)
        parts = key.split("/")
        with self._explained(key):
            os.close(self._open_object(key))  # only an object can be erased, never a link or a folder
            folder = self._folder(parts[:-1])
            try:
                os.unlink(parts[-1], dir_fd=folder)
                os.fsync(folder)
            finally:
                os.close(folder)
            self._prune(parts[:-1])

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        """See ErasableStore.unfinished: temporary files."""
        for place, name, folder in self._temporary(prefix):
            with suppress(FileNotFoundError):  # its put ended well meanwhile
                seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
                yield Unfinished(place + name, seen.st_size, datetime.fromtimestamp(seen.st_mtime, UTC))

    def drop_unfinished(self, prefix: str, *, started_before: datetime) -> int:
        """See ErasableStore.drop_unfinished: temporary files last written before that time, if their put is dead."""
        before = started_before.timestamp()
        with self._explained(prefix):
            return sum(drop_left(name, folder, before) for _, name, folder in self._temporary(prefix))

    def _temporary(self, prefix: str) -> Iterator[tuple[str, str, int]]:
        """Where temporary files lie below the prefix: folder as a key, name, and the folder's descriptor."""
        check_prefix(prefix)
        with self._explained(prefix), suppress(FileNotFoundError):
            top = self._folder(prefix.split("/")[:-1])
            try:
                for below, _, names, folder in os.fwalk(".", dir_fd=top, onerror=_raise):
                    place = prefix + below.removeprefix(".").removeprefix("/")
                    place += "" if not place or place.endswith("/") else "/"
                    yield from ((place, name, folder) for name in names if name.startswith(UNFINISHED))
            finally:
                os.close(top)

    def _begin(self, key: str, name: str) -> tuple[int, str, int]:
        """Folder descriptor, name of the temporary file in it, and its descriptor. The key must be free."""
        while True:
            with suppress(FileNotFoundError):  # an erase took a folder, empty a moment ago: make it again
                folder = self._folder(key.split("/")[:-1], make=True)
                try:
                    if _stands(name, folder):
                        raise already_exists(self.name, key)
                    return folder, *temporary_file(folder)
                except BaseException:
                    os.close(folder)
                    raise

    def _publish(self, folder: int, unfinished: str, name: str, *, key: str) -> None:
        try:
            os.link(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            raise already_exists(self.name, key) from None
        try:
            os.unlink(unfinished, dir_fd=folder)
            os.fsync(folder)
        except BaseException:  # the name may not outlive a power cut, so it must not be seen now
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
            raise

    def _folder(self, parts: Sequence[str], *, make: bool = False) -> int:
        """A descriptor of a folder below the root, entered part by part so that no link is followed."""
        try:
            at = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise no_root(self.name, self.root) from error
        for part in parts:
            try:
                if make and not _stands(part, at):
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=at)
                        os.fsync(at)
                below = os.open(part, _FOLDER, dir_fd=at)
            finally:
                os.close(at)
            at = below
        return at

    def _open_object(self, key: str) -> int:
        check_key(key)
        *parts, name = key.split("/")
        try:
            folder = self._folder(parts)
            try:
                file = os.open(name, READ, dir_fd=folder)
            finally:
                os.close(folder)
        except OSError as error:
            if error.errno in _ABSENT:
                raise not_found(self.name, key, detail=str(error)) from error
            raise
        if mode_of.S_ISREG(os.fstat(file).st_mode):
            return file
        os.close(file)
        raise not_found(self.name, key, detail="what stands there is not a regular file")

    def _walk(self, folder: int, prefix: str) -> Iterator[ObjectStat]:
        try:
            with self._explained(prefix):
                entries = _sorted_entries(folder)
            for name, size in entries:
                if size is not None:
                    # A name that is not UTF-8 is not ours; it is shown with its odd bytes spelled out.
                    yield ObjectStat(prefix + name.decode("utf-8", "backslashreplace"), size)
                    continue
                with self._explained(prefix):
                    try:
                        below = os.open(name, _FOLDER, dir_fd=folder)
                    except FileNotFoundError:
                        continue
                yield from self._walk(below, f"{prefix}{name.decode('utf-8', 'backslashreplace')}/")
        finally:
            os.close(folder)

    def _prune(self, parts: Sequence[str]) -> None:
        while parts:
            with suppress(OSError):  # not empty, or gone already: both are as they should be
                above = self._folder(parts[:-1])
                try:
                    os.rmdir(parts[-1], dir_fd=above)
                finally:
                    os.close(above)
            parts = parts[:-1]

    def _explained(self, key: str) -> contextlib.AbstractContextManager[None]:
        return explain_os_errors(self.name, key, root=self.root)


def _stands(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _raise(error: OSError) -> None:
    raise error


def _write_all(file: int, left: memoryview) -> None:
    while left:
        left = left[os.write(file, left) :]


def _sorted_entries(folder: int) -> list[tuple[bytes, int | None]]:
    """Names of regular files with their size and of folders with None, in the order of their keys' bytes.

    A folder sorts as its name with `/`, since that is what its keys go on with: `a-b` < `a.txt` < `a/b`.
    """
    entries: list[tuple[bytes, bytes, int | None]] = []
    with os.scandir(folder) as found:
        for entry in found:
            name = os.fsencode(entry.name)
            try:
                if entry.is_file(follow_symlinks=False):
                    if not name.startswith(_UNFINISHED):
                        entries.append((name, name, entry.stat(follow_symlinks=False).st_size))
                elif entry.is_dir(follow_symlinks=False):
                    entries.append((name + b"/", name, None))
            except FileNotFoundError:  # erased while we look
                continue
    return [(name, size) for _, name, size in sorted(entries)]

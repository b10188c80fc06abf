"""A hostile package: how it is made, and what must become of it. Its verdict stands in its name."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

VERDICTS = {
    "accepted": "taken in as it is; nothing is said of it",
    "accepted-with-event": "taken in; what was noticed is recorded",
    "rejected": "refused with these reasons; the producer is asked",
}

# Makes the package in the empty room it is given and returns what is delivered.
Make = Callable[[Path], Path]


@dataclass(frozen=True)
class Case:
    """`codes`: the reasons of a rejection, or all that is noticed of an accepted package. `files`: its payload."""

    name: str
    codes: frozenset[str]
    make: Make
    files: Mapping[str, bytes] | None = None

    @property
    def verdict(self) -> str:
        return self.name.partition("--")[0]


def case(name: str, make: Make, *codes: str, files: Mapping[str, bytes] | None = None) -> Case:
    """The case; its name must say a verdict, and the verdict must fit the codes."""
    assert name.partition("--")[0] in VERDICTS, name
    assert bool(codes) == (not name.startswith("accepted--")), name
    return Case(name, frozenset(codes), make, files)


def folder(files: Mapping[str | bytes, bytes], *folders: str | bytes) -> Make:
    """A folder with these files (names may be bytes that are not UTF-8) and these empty folders."""

    def make(room: Path) -> Path:
        top = room / "gói tin"
        top.mkdir()
        for name in folders:
            (top / os.fsdecode(name)).mkdir(parents=True)
        for name, content in files.items():
            place = top / os.fsdecode(name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        return top

    return make


def a_file(name: str, content: Callable[[Path], bytes] | bytes) -> Make:
    """A single delivered file: an archive, or something that is none."""

    def make(room: Path) -> Path:
        path = room / name
        path.write_bytes(content if isinstance(content, bytes) else content(room))
        return path

    return make


def footprint(root: Path) -> dict[bytes, tuple[object, ...]]:
    """Every thing below the folder: kind and mode, size, times, target, content. Opens plain files only, follows
    nothing, and gets down ten thousand folders, where no path reaches.
    """
    found: dict[bytes, tuple[object, ...]] = {}
    waiting = [(b"", os.open(root, os.O_RDONLY | os.O_DIRECTORY))]
    while waiting:
        above, here = waiting.pop()
        for name in sorted(os.listdir(here)):  # noqa: PTH208 - a descriptor, not a path
            raw = os.fsencode(name)
            seen = os.lstat(raw, dir_fd=here)
            path = above + b"/" + raw if len(above) < 5000 else b"..." + str(len(found)).encode()
            content: object = None
            if stat.S_ISDIR(seen.st_mode):
                waiting.append((path, os.open(raw, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)))
            elif stat.S_ISLNK(seen.st_mode):
                content = os.readlink(raw, dir_fd=here)
            elif stat.S_ISREG(seen.st_mode):
                content = _digest(raw, here)
            found[path] = (seen.st_mode, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_nlink, content)
        os.close(here)
    return found


def _digest(name: bytes, above: int) -> str:
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=above), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class CannotMake(Exception):
    """This system does not let us make the package: no rights for a device, say."""


def may_not(error: OSError) -> bool:
    """Whether the system only lacks the right or the kind of thing."""
    return error.errno in (errno.EPERM, errno.EACCES, errno.ENOTSUP)


def lazy(make: Callable[[], Make]) -> Make:
    """The package of `make`, which is called only when the package is made: collecting tests costs nothing."""
    return lambda room: make()(room)

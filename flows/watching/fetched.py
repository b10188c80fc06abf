"""Deliveries that were fetched from a bucket lie in the workspace while they are taken in, each in a room of its own.

Their source is the address in the bucket, everywhere; only who reads the bytes needs to know where they lie. A room
is locked while whoever fetched lives; what the dead left is swept.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SCHEME = "s3://"
FOLDER = "fetched"


def where(workspace: Path, source: str) -> tuple[Path, str | None]:
    """Where the delivery is read, and its origin when that is another place."""
    if not source.startswith(SCHEME):
        return Path(source), None
    return room(workspace, source) / _name(source), source


def room(workspace: Path, source: str) -> Path:
    """The folder that holds what was fetched from there, and nothing else."""
    return workspace / FOLDER / hashlib.sha256(source.encode()).hexdigest()[:32]


def enter(workspace: Path, source: str) -> int:
    """An empty room, ours while the descriptor is open. Raises BlockingIOError when it is another's, OSError."""
    place = room(workspace, source)
    while True:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        ours = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(ours, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(ours), place.stat()):
                _empty(place)  # of what somebody left who died
                return ours
        except FileNotFoundError:
            pass  # it was swept before the lock was ours
        except BaseException:
            os.close(ours)
            raise
        os.close(ours)


def _empty(place: Path) -> None:
    for each in place.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()


def let_go(workspace: Path, source: str, ours: int | None) -> None:
    """Remove what was fetched, and give the room back."""
    if ours is not None:
        shutil.rmtree(room(workspace, source), ignore_errors=True)
        os.close(ours)


def dead(workspace: Path) -> list[Path]:
    """The rooms of those who have died."""
    found = []
    for place in _rooms(workspace):
        with _abandoned(place) as it_is:
            found += [place] if it_is else []
    return found


def sweep(workspace: Path) -> None:
    """Remove the rooms of those who have died. Safe beside the living."""
    for place in _rooms(workspace):
        with _abandoned(place) as it_is:
            if it_is:
                shutil.rmtree(place, ignore_errors=True)


def _rooms(workspace: Path) -> list[Path]:
    with suppress(OSError):
        return sorted((workspace / FOLDER).iterdir())
    return []


@contextmanager
def _abandoned(place: Path) -> Iterator[bool]:
    """Whether nobody has the room; inside the block, nobody gets it."""
    try:
        lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(lock)


def _name(source: str) -> str:
    """The last part of the address, which may make the title; a name that files cannot have is not kept."""
    name = source.rpartition("/")[2]
    fits = len(name.encode()) <= 255 and name not in ("", ".", "..") and "\0" not in name
    return name if fits else "package"

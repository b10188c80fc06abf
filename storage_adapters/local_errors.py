"""What an error of the operating system means for a store in a folder: one reaction for each.

Refuses to guess: an error that it does not know is a StorageError, which nobody retries.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage_adapters.errors import (
    KeyRefused,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageUnavailable,
    place,
)
from wording import Message, say

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_IN_THE_WAY = frozenset({errno.ENOTDIR, errno.EISDIR, errno.ELOOP})
_NO_LINKS = frozenset({errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.EXDEV})
_UNAVAILABLE = frozenset(
    {
        errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENODEV, errno.ENXIO, errno.EAGAIN, errno.EBUSY,
        errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENOTCONN, errno.ECONNABORTED, errno.ENFILE, errno.EMFILE,
        errno.ENOMEM, errno.EREMOTEIO,
    }
)  # fmt: skip


@contextmanager
def explain_os_errors(store: str, key: str, *, root: Path) -> Iterator[None]:
    """Inside, an OSError of the store becomes a StorageError; wrap only the store's own work, never the source's."""
    try:
        yield
    except OSError as error:
        raise _translated(error, store, key, root=root) from error


def no_root(store: str, root: Path) -> StorageDenied:
    """The folder of the store is not there; making it would hide a disk that is not mounted."""
    return StorageDenied(
        say("The folder of the store “{store}” is not there: {folder}", store=store, folder=root),
        where=store,
        next_step=say("Connect or mount its disk, or make the folder if the store is new."),
    )


def _translated(error: OSError, store: str, key: str, *, root: Path) -> StorageError:
    kind, what, next_step = _meaning(error.errno or 0, store, root=root)
    return kind(what, where=place(store, key), next_step=next_step, detail=f"{type(error).__name__}: {error}")


def _meaning(number: int, store: str, *, root: Path) -> tuple[type[StorageError], Message, Message]:
    if number in _FULL:
        return (
            StorageFull,
            say("There is no room left in the store “{store}” ({folder}).", store=store, folder=root),
            say("Make room on its disk, then run the same command again."),
        )
    if number in _DENIED:
        return (
            StorageDenied,
            say(
                "The store “{store}” does not let us read or write in its folder {folder}.", store=store, folder=root
            ),
            say("Give the user that runs Vankho the right to read and write there, and mount it writable."),
        )
    if number in _UNAVAILABLE:
        return (
            StorageUnavailable,
            say("The disk of the store “{store}” ({folder}) does not answer as it should.", store=store, folder=root),
            say("Look at the disk and its cable or network share, then run the same command again."),
        )
    return _rarer_meaning(number, store, root=root)


def _rarer_meaning(number: int, store: str, *, root: Path) -> tuple[type[StorageError], Message, Message]:
    if number in _IN_THE_WAY:
        return (
            StorageDenied,
            say("In the store “{store}” a file or a link stands where a folder is needed.", store=store),
            say("Nothing but Vankho should write in {folder}; look there for what does not belong.", folder=root),
        )
    if number in _NO_LINKS:
        return (
            StorageDenied,
            say(
                "The file system of the store “{store}” has no hard links, which keep a file from being replaced.",
                store=store,
            ),
            say("Put the store on a file system such as ext4, XFS, Btrfs or ZFS."),
        )
    if number == errno.ENAMETOOLONG:
        return (
            KeyRefused,
            say("The file system of the store “{store}” takes only shorter names.", store=store),
            say("Put the store on a file system that takes names of 255 bytes, such as ext4 or XFS."),
        )
    return (
        StorageError,
        say("The store “{store}” ({folder}) failed in a way that Vankho does not know.", store=store, folder=root),
        say("Show the technical detail to your system administrator."),
    )

"""Temporary files of puts in a local store: made under a lock, removed when nobody holds it any more.

Promises never to remove the file of a put that lives, where the file system has locks; else its age must do.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from contextlib import suppress

from storage_adapters.keys import UNFINISHED

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # non-blocking: a FIFO must not hang us
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def temporary_file(folder: int) -> tuple[str, int]:
    """Name and descriptor of a new file; its lock tells others that its writer lives."""
    while True:
        name = UNFINISHED + secrets.token_hex(16)
        file = os.open(name, _CREATE, 0o444, dir_fd=folder)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)  # waits for whoever is looking whether it may go
        if os.fstat(file).st_nlink:  # else somebody tidied between the two
            return name, file
        os.close(file)


def drop_left(name: str, folder: int, before: float) -> bool:
    """Remove a temporary file that was last written before that time and that nobody writes any more."""
    try:
        file = os.open(name, READ, dir_fd=folder)
    except FileNotFoundError:  # its put ended well meanwhile
        return False
    try:
        if os.fstat(file).st_mtime >= before or not _locked(file):
            return False
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
            return True
        return False
    finally:
        os.close(file)


def _locked(file: int) -> bool:
    """Lock the file as long as it is open; False when another process writes it, or where nobody can tell."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in {errno.EWOULDBLOCK, errno.EACCES}  # a file system without locks: its age must do
    return True

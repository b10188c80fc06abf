"""A submission is one delivery that was claimed: a staging folder of its own, locked while its owner lives.

The producer's bytes are looked at, never moved or changed. What a dead owner left behind is swept.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from preservation.errors import PackageUnreadable
from preservation.facts import Form
from preservation.findings import Finding, Severity
from wording import Message, say

_GUARD = ".claims"  # held for a moment while folders of the staging area come and go


@dataclass(frozen=True, slots=True)
class Submission:
    """One claimed delivery. `folder` is its staging folder; `lock` the descriptor whose lock shows we live; `origin`
    where it came from when `source` is but a place to which it was fetched.
    """

    id: str
    source: Path
    form: Form
    folder: Path
    lock: int = field(repr=False, compare=False)
    origin: str | None = None

    @property
    def told(self) -> str:
        """Where it came from, as it is recorded."""
        return self.origin or str(self.source)


def claim(source: Path, *, staging: Path, submission_id: str, origin: str | None = None) -> Submission:
    """Look at the delivery and make its staging folder. Raises PackageUnreadable, FileExistsError for a used id."""
    source = source.absolute()
    form = _form(source)
    staging.mkdir(parents=True, exist_ok=True)
    if form is Form.FOLDER and staging.resolve().is_relative_to(source.resolve()):
        message = say("This folder holds the workspace itself. Give the folder of one package.")
        raise _refused("source-holds-workspace", message, source)
    folder = staging / submission_id
    with _guarded(staging):
        folder.mkdir(mode=0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return Submission(submission_id, source, form, folder, lock, origin)


def release(submission: Submission) -> None:
    """Remove the staging folder and drop the lock."""
    try:
        with _guarded(submission.folder.parent):
            shutil.rmtree(submission.folder)
    finally:
        os.close(submission.lock)  # what could not be removed is swept once nobody holds it


def sweep(staging: Path, *, only_look: bool = False) -> list[str]:
    """Remove the staging folders whose owner is dead; returns their ids, sorted. A living owner's is untouched."""
    if not staging.is_dir():
        return []
    swept = []
    with _guarded(staging):
        for folder in sorted(staging.iterdir()):
            if folder.is_dir() and not folder.is_symlink() and _is_free(folder / "lock"):
                if not only_look:
                    shutil.rmtree(folder)
                swept.append(folder.name)
    return swept


@contextmanager
def _guarded(staging: Path) -> Iterator[None]:
    """Alone with the staging area: between making a folder and locking it, nobody may take it for abandoned."""
    guard = os.open(staging / _GUARD, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield
    finally:
        os.close(guard)


def _is_free(lock: Path) -> bool:
    try:
        held = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return True  # its owner died while making or removing it
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(held)
    return True


def _form(source: Path) -> Form:
    """What the delivery is, by its first bytes, never by its name."""
    try:
        if source.is_dir():
            with os.scandir(source):
                return Form.FOLDER
        if source.exists() and not source.is_file():
            raise _not_a_package(source)
        with source.open("rb") as file:
            head = file.read(tarfile.BLOCKSIZE)
    except FileNotFoundError:
        message = say("Nothing was found at this place. Check the path, and that the disk is connected.")
        raise _refused("source-not-found", message, source) from None
    except OSError as error:
        message = say(
            "This cannot be read ({problem}). Check the rights and the disk it is on.", problem=error.strerror or "?"
        )
        raise _refused("source-unreadable", message, source) from error
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return Form.ZIP
    if head.startswith(b"\x1f\x8b") or _is_tar_header(head):
        return Form.TAR
    raise _not_a_package(source)


def _is_tar_header(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        return (
            bool(block) and not block.strip(b"\0") and len(block) == tarfile.BLOCKSIZE and "end of file" in str(error)
        )
    return True


def _not_a_package(source: Path) -> PackageUnreadable:
    message = say("This is not a package. Give a folder, a ZIP, a tar or a tar.gz.")
    return _refused("not-a-package", message, source)


def _refused(code: str, message: Message, source: Path) -> PackageUnreadable:
    return PackageUnreadable(
        [Finding(code, Severity.ERROR, message, path=os.fsencode(source).decode("utf-8", "replace"))]
    )

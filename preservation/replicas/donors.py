"""Where a good copy may come from, and the proof that it is one: read now, held against the recorded digest.

Never votes: two equal wrong copies weigh nothing against the record. A place that could not be read is told apart
from one that has wrong bytes, so that nobody hears "no good copy is left" because a disk was away.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from preservation.facts import ObjectFact
from preservation.findings import Finding, Severity
from preservation.replicas.copy import OpenSource
from preservation.replicas.judge import chunks
from storage_adapters.errors import ObjectNotFound, StorageError, StorageUnavailable
from storage_adapters.store import Reader
from wording import say

DONOR_AWAY = "donor-away"
READS = 2  # of a donor that gave wrong bytes: the way to it may be at fault
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP})


@dataclass(frozen=True, slots=True)
class Donor:
    """A place a good copy may come from: another store, the bag still in the workspace, another name."""

    name: str
    open: OpenSource


def fill(copy: IO[bytes], fact: ObjectFact, donors: Iterable[Donor]) -> str | Finding:
    """Fill `copy` with the right bytes, proved now; gives the donor's name, or the finding that says why not.

    Raises OSError when `copy` cannot be written.
    """
    asked: list[str] = []
    silent: list[str] = []
    for donor in donors:
        asked.append(donor.name)
        try:
            if _gives(donor, fact, copy):
                return donor.name
        except ObjectNotFound:
            continue  # it has no such object; the next one may
        except StorageError:
            silent.append(donor.name)
    return _not_answered(fact, silent) if silent else _no_donor(fact, asked)


def _gives(donor: Donor, fact: ObjectFact, copy: IO[bytes]) -> bool:
    """Whether the donor gave the right bytes. Raises ObjectNotFound, StorageError when it cannot be told."""
    seen: set[str] = set()
    for _ in range(READS):
        with _opened(donor, fact.path) as reader:
            digest = write(reader, copy)
        if digest == fact.sha256:
            return True
        seen.add(digest)
    if len(seen) > 1:
        raise StorageUnavailable(say("{place} reads differently every time.", place=donor.name))
    return False


@contextmanager
def _opened(donor: Donor, path: str) -> Iterator[Reader]:
    """The donor's object; an error of a disk that is no store of ours means the same as a store's."""
    with _explained():
        opening = donor.open(path)
        reader = opening.__enter__()
    try:
        yield _Explained(reader)
    finally:
        opening.__exit__(None, None, None)


class _Explained:
    """A reader whose OSError is the donor's, so that it is not taken for one of the disk that is written to."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, size: int = -1, /) -> bytes:
        with _explained():
            return self._reader.read(size)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = ObjectNotFound if error.errno in _NOT_THERE else StorageUnavailable
        raise kind(say("Reading failed ({reason}).", reason=error.strerror or "?")) from error


def write(reader: Reader, out: IO[bytes]) -> str:
    """Replace what is in `out` by the bytes of the reader; gives their SHA-256."""
    out.seek(0)
    out.truncate()
    hasher = hashlib.sha256()
    for chunk in chunks(reader):
        hasher.update(chunk)
        out.write(chunk)
    out.flush()
    return hasher.hexdigest()


def _no_donor(fact: ObjectFact, asked: list[str]) -> Finding:
    return Finding(
        "no-good-copy",
        Severity.ERROR,
        say(
            "No good copy of {path} is left anywhere (looked in: {places}).",
            path=fact.path,
            places=", ".join(asked) or "-",
        ),
        path=fact.path,
        expected=fact.sha256,
    )


def _not_answered(fact: ObjectFact, silent: list[str]) -> Finding:
    return Finding(
        DONOR_AWAY,
        Severity.ERROR,
        say(
            "No good copy of {path} could be read, but {places} did not answer and may hold one. See that it can be "
            "reached, then run `vankho repair` again.",
            path=fact.path,
            places=", ".join(silent),
        ),
        path=fact.path,
        expected=fact.sha256,
    )

"""Damaged bytes, kept as they were found: on the disk before anything is erased, and never written over.

Below the folder of one try every object stands under its own path. Where two cannot stand beside each other (a
bucket may hold both `x` and `x/y`, and a disk may not tell `A` from `a`), the later one goes into `~2`, `~3`, ...
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from preservation.replicas.donors import write
from storage_adapters.errors import ObjectNotFound, StorageDenied
from storage_adapters.store import ErasableStore


def take_out(store: ErasableStore, key: str, *, folder: Path, path: str, good: str | None) -> Path | None:
    """Keep what stands under the key, then erase it; gives the file kept, None when nothing was taken out.

    Nothing is erased when nothing stands there any more, or when it turns out to be what belongs there (`good`, its
    SHA-256): an earlier try of the same repair may have come so far. Raises StorageError, OSError.
    """
    try:
        with store.open(key) as reader:  # refuses a key that would lead out of the folder
            place, out = _create(folder, path)
            try:
                with out:
                    seen = write(reader, out)
                    os.fsync(out.fileno())
                _settle(place.parent, folder.parent)
            except BaseException:  # half of it is no evidence, and the whole still stands in the store
                place.unlink()
                raise
    except ObjectNotFound:
        return None
    if seen == good:
        place.unlink()
        return None
    try:
        store.erase(key)
    except StorageDenied:  # it stands there still; every further try would keep one more copy of it
        place.unlink()
        raise
    return place


def _create(folder: Path, path: str) -> tuple[Path, IO[bytes]]:
    for place in _places(folder, path):
        with suppress(FileExistsError, NotADirectoryError, IsADirectoryError):  # something else of this try is there
            place.parent.mkdir(parents=True, exist_ok=True)
            return place, place.open("xb")
    raise AssertionError("places never end")


def _places(folder: Path, path: str) -> Iterator[Path]:
    yield folder / path
    number = 2
    while True:
        yield folder / f"~{number}" / path
        number += 1


def _settle(folder: Path, top: Path) -> None:
    """Put the names on the disk too, of the folder and of those above it up to `top`: after a power cut the bytes
    would be there and nobody could find them.
    """
    while True:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if folder in (top, folder.parent):
            return
        folder = folder.parent

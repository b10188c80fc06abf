"""Write the bag of an accepted package: move the payload in, write the tag files, put it all on the disk, rename.

Promises: payload bytes are never copied or changed; nothing stands at the destination until the bag is whole and
on the disk; after a kill it may simply be called again with the same submission. Refuses (FixityError) to bag
bytes that are not the received ones. It judges nothing: that is the checker's work, done from the path alone.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from preservation.bags.plan import BagPlan, WrittenBag, load_object
from preservation.bags.staged import complete_digests
from preservation.bags.tag_files import DECLARATION, sync_folder
from preservation.bags.tag_writing import (
    described,
    tag_facts,
    write_bag_info,
    write_manifests,
    write_metadata,
    write_names,
    write_tag_manifests,
)
from preservation.errors import FixityError
from preservation.facts import FileFact, FormatFact, ObjectFact, Role
from preservation.inventory import write_facts
from wording import say

if TYPE_CHECKING:
    from preservation.packages.received import Received
    from preservation.packages.submission import Submission


def write_bag(received: Received, plan: BagPlan, *, destination: Path) -> WrittenBag:
    """Write the bag and rename it to `destination` (same file system as the staging folder, must not exist).

    Raises FixityError when staged bytes are not the received ones or the destination is taken, ValueError for a
    plan that contradicts itself, OSError when the disk fails or is full.
    """
    _refuse_taken(destination)
    bag = received.submission.folder / "bag"
    _clear_tag_files(bag)
    _move_in(received, bag)
    digests = complete_digests(received, bag / "data", plan.algorithms)
    write_metadata(plan, digests, bag)
    write_names(received, digests, bag)
    write_manifests(digests, plan.algorithms, bag)
    write_bag_info(received, plan, bag)
    tags = tag_facts(received, bag, plan.algorithms)
    tags += write_tag_manifests(tags, plan.algorithms, bag)
    (bag / "bagit.txt").write_bytes(DECLARATION)
    objects = write_facts(
        received.submission.folder / "objects.jsonl", _objects(tags, digests, plan.formats), load_object
    )
    _sync(received.submission)
    _refuse_taken(destination)
    os.rename(bag, destination)  # noqa: PTH104 - the atomic step is to be seen
    sync_folder(destination.parent)
    return WrittenBag(
        destination,
        objects,
        object_count=received.files + len(tags),
        object_bytes=received.bytes + sum(tag.size for tag in tags),
    )


def _refuse_taken(destination: Path) -> None:
    # Looked at first, because a rename would silently replace an empty folder.
    if os.path.lexists(destination):
        raise FixityError(
            say("A bag stands at this place already; it is not replaced."),
            where=str(destination),
            next_step=say("Find out which run left it there before you remove it."),
        )


def _clear_tag_files(bag: Path) -> None:
    """Take away what a killed run may have written; what it moved in stays, for it exists nowhere else."""
    (bag / "metadata").mkdir(parents=True, exist_ok=True)
    for folder in (bag, bag / "metadata"):
        for entry in folder.iterdir():
            if not entry.is_dir():
                entry.unlink()


def _move_in(received: Received, bag: Path) -> None:
    _move(received.payload, bag / "data")
    if received.given_tags is not None:
        _move(received.given_tags, bag / "metadata" / "submission")
    if received.set_aside:
        _move(received.aside, bag / "metadata" / "set-aside")


def _move(source: Path, target: Path) -> None:
    """Rename, unless a killed run did so already."""
    if target.is_dir():
        if source.is_dir() and any(source.iterdir()):
            raise FixityError(
                say("The staged files stand in two places, so it is not clear which ones belong into the bag."),
                where=str(source),
                seen=str(target),
                next_step=say("Ingest the package again."),
            )
        return
    os.rename(source, target)  # noqa: PTH104 - never a copy: payload bytes are written once


def _objects(
    tags: Iterable[FileFact], payload: Iterable[FileFact], formats: Iterable[FormatFact]
) -> Iterator[ObjectFact]:
    """Every file of the bag, sorted by path bytes; "data/" stands between the tag files."""
    ordered = sorted(tags, key=lambda tag: tag.path.encode())
    yield from (_tag_object(tag) for tag in ordered if tag.path.encode() < b"data/")
    for file, known in described(payload, formats):
        yield ObjectFact(
            f"data/{file.path}", file.size, file.digests["sha256"], Role.PAYLOAD, file.original_name, known
        )
    yield from (_tag_object(tag) for tag in ordered if tag.path.encode() > b"data/")


def _tag_object(tag: FileFact) -> ObjectFact:
    return ObjectFact(tag.path, tag.size, tag.digests["sha256"], Role.TAG, tag.original_name)


def _sync(submission: Submission) -> None:
    """Everything written so far reaches the disk, names and bytes, before the rename says that the bag is whole.

    One syncfs of the file system that holds the bag instead of an fsync of each of perhaps a million files, which
    would take twice the time of writing them. Asked of a file that was open before the first byte was written, it
    tells of every write that failed since. Where the C library has no syncfs, sync() waits for every file system on
    Linux as well.
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
    elif syncfs(submission.lock) != 0:
        raise OSError(ctypes.get_errno(), "the disk could not store the bag", str(submission.folder))

"""What dead runs left in the workspace: staging folders, what they had fetched from a bucket, bags that were written
but never admitted or were let go only half, reasons of a rejection not told, and leases that nobody else asked for.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.ingesting.quarantine import settle
from flows.watching import fetched
from flows.workspace import Workspace
from preservation.packages.submission import sweep


def tidy(workspace: Workspace) -> None:
    """Remove what no living run owns and the catalog does not know. Safe beside living runs.

    A bag folder carries the id of its submission. It is removed when that submission's staging folder is gone
    (its run is over, or dead and swept) and the catalog does not count on the bag.
    """
    sweep(workspace.staging)
    fetched.sweep(workspace.folder)
    settle(workspace)
    if workspace.bags.is_dir():
        with _bags_held(workspace, fcntl.LOCK_EX | fcntl.LOCK_NB) as ours:
            for bag in dead_bags(workspace) if ours else []:
                shutil.rmtree(bag, ignore_errors=True)  # what cannot be removed now is looked at again
    workspace.catalog.sweep_leases()


@contextmanager
def bags_spared(workspace: Workspace) -> Iterator[None]:
    """No run tidies a bag away meanwhile: a catalog that is being made again does not count on them yet, and one of
    them may be the only copy. Waits for a run that is tidying just now.
    """
    workspace.bags.mkdir(exist_ok=True)
    with _bags_held(workspace, fcntl.LOCK_EX):
        yield


@contextmanager
def _bags_held(workspace: Workspace, how: int) -> Iterator[bool]:
    """Whether we got the lock on the folder of bags; it goes with the process."""
    folder = os.open(workspace.bags, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(folder, how)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(folder)


def dead_bags(workspace: Workspace, *, swept: Collection[str] = ()) -> list[Path]:
    """The bags of runs that are over or dead on which the catalog does not count; `swept` are submissions whose
    staging folders are to be taken for gone.

    None while a store could not be asked whether it knows more than this catalog: an older copy of it that was
    brought back does not count on bags that are perhaps the only copies.
    """
    if not workspace.bags.is_dir() or workspace.not_compared:
        return []
    # In this order: a run enters its bag into the catalog before its staging folder goes. Asked the other way
    # round, the catalog could not know yet of a bag whose run ends while we look.
    bags = list(workspace.bags.iterdir())
    over = [bag for bag in bags if bag.name in swept or not (workspace.staging / bag.name).exists()]
    counted_on = set(workspace.catalog.staged()) if over else set()
    return [bag for bag in over if f"bags/{bag.name}" not in counted_on]

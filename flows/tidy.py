"""What dead runs left in the workspace: staging folders, bags that were written but never admitted or were let go
only half, reasons of a rejection not told, and leases that nobody else asked for.
"""

from __future__ import annotations

import shutil

from flows.quarantine import settle
from flows.workspace import Workspace
from preservation.packages.submission import sweep


def tidy(workspace: Workspace) -> None:
    """Remove what no living run owns and the catalog does not know. Safe beside living runs.

    A bag folder carries the id of its submission. It is removed when that submission's staging folder is gone
    (its run is over, or dead and swept) and the catalog does not count on the bag.
    """
    sweep(workspace.staging)
    settle(workspace)
    _drop_bags(workspace)
    workspace.catalog.sweep_leases()


def _drop_bags(workspace: Workspace) -> None:
    if not workspace.bags.is_dir():
        return
    # In this order: a run enters its bag into the catalog before its staging folder goes. Asked the other way
    # round, the catalog could not know yet of a bag whose run ends while we look.
    over = [bag for bag in workspace.bags.iterdir() if not (workspace.staging / bag.name).exists()]
    counted_on = set(workspace.catalog.staged()) if over else set()
    for bag in over:
        if f"bags/{bag.name}" not in counted_on:
            shutil.rmtree(bag, ignore_errors=True)  # another run may be tidying too

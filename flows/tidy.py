"""What dead runs left in the workspace: staging folders, and bags that were written but never admitted."""

from __future__ import annotations

import shutil

from flows.workspace import Workspace
from preservation.packages.submission import sweep


def tidy(workspace: Workspace) -> None:
    """Remove what no living run owns and the catalog does not know. Safe beside living runs.

    A bag folder carries the id of its submission. It is removed when that submission's staging folder is gone
    (its run is over, or dead and swept) and the catalog does not count on the bag.
    """
    sweep(workspace.staging)
    if not workspace.bags.is_dir():
        return
    counted_on = set(workspace.catalog.staged())
    for bag in workspace.bags.iterdir():
        known = f"bags/{bag.name}" in counted_on
        if not known and not (workspace.staging / bag.name.removesuffix(".objects.jsonl")).exists():
            shutil.rmtree(bag) if bag.is_dir() else bag.unlink()

"""Whether work that can wait should let other work go first.

Ingest takes a lease in the catalog for every package that it works on, so an audit of this process or of another one,
on this machine or elsewhere, sees by the catalog that an ingest runs. It is asked every few seconds at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from flows.workspace import Workspace

EVERY = 5.0  # seconds between two looks
INGEST = "content "  # how the leases that ingest holds begin


def ingest_runs(workspace: Workspace, *, watch: Callable[[], float] = time.monotonic) -> Callable[[], bool]:
    """A question that many threads may ask before each piece of their work: does an ingest run just now?"""
    seen, looked_at = False, float("-inf")

    def asked() -> bool:
        nonlocal seen, looked_at
        if watch() - looked_at >= EVERY:
            looked_at = watch()  # first, so that other threads do not look too
            seen = workspace.catalog.lease_lives(INGEST, now=workspace.clock())
        return seen

    return asked

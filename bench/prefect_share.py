"""What Prefect adds to a batch of packages: bench/prefect_batch.py as a row of the runner.

Both sides are whole commands of ours in a new workspace; the server's processor time is not in the figures.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from bench import prefect_batch
from bench.measure import Result, Took
from bench.prefect_wait import NO_SERVER
from bench.room import Room
from examples.servers import prefect_server, wait_for_prefect

PACKAGES, QUICK = 200, 10


def rows(room: Room) -> Iterable[Result]:
    """One batch, with and without a server, in turn."""
    packages = QUICK if room.quick else PACKAGES
    sources = prefect_batch.make_packages(room.fresh("sources"), packages)
    with prefect_server(room.folder / "prefect") as server:
        wait_for_prefect(server, room.folder / "prefect", seconds=180)
        prefect_batch.ingest(room.folder / "w", sources[:2], server)  # a server's first run is no other's
        pair = [("without Prefect", NO_SERVER), ("with Prefect", server)]
        took = [
            {word: prefect_batch.ingest(room.folder / "w", sources, address) for word, address in each}
            for each in [pair[:: 1 if number % 2 else -1] for number in range(room.times(3))]
        ]
    added = [100 * (each["with Prefect"][0] / each["without Prefect"][0] - 1) for each in took]
    middle = statistics.median(added)
    yield Result(
        f"what Prefect adds to a batch of {packages} packages",
        "packages",
        room.state,
        dict.fromkeys((word for word, _ in pair), packages),
        {
            word: Took(tuple(each[word][0] for each in took), tuple(each[word][1] for each in took))
            for word, _ in pair
        },
        f"under {prefect_batch.ALLOWED:g} %",
        f"{middle:.1f} % ({min(added):.1f} to {max(added):.1f})",
        middle < prefect_batch.ALLOWED,
    )

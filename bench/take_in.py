"""Receives, identifies and bags packages, durably, and nothing else: what `vankho ingest` does before it checks.

    python -m bench.take_in PLACE THREADS PACKAGE...

Bags are left in PLACE/bags under the packages' names. Prints the seconds from the moment when signatures were loaded,
so that the steady state of a long-lived worker can be told from the start of a command.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from preservation.bags.plan import BagPlan
from preservation.bags.write import write_bag
from preservation.formats.identify import Identifier
from preservation.packages.litter import Litter
from preservation.packages.receive import receive
from preservation.packages.submission import claim, release
from preservation.progress import Silent

ALGORITHMS = ("sha256", "sha512")


def take_in(place: Path, packages: Sequence[Path], *, threads: int) -> dict[str, float]:
    """One after the other; each on so many threads. `files` told, `seconds` taken after the start."""
    (place / "bags").mkdir(parents=True, exist_ok=True)
    (place / "staging").mkdir(exist_ok=True)
    with Identifier(workers=threads) as identifier:
        _warm(identifier, place)
        began = time.perf_counter()
        files = sum(_one(place, package, identifier, threads) for package in packages)
        return {"files": files, "seconds": time.perf_counter() - began}


def _one(place: Path, package: Path, identifier: Identifier, threads: int) -> int:
    submission = claim(package, staging=place / "staging", submission_id=package.name)
    try:
        received = receive(
            submission,
            algorithms=frozenset(ALGORITHMS),
            litter=Litter.KEEP,
            progress=Silent(),
            identify=identifier.identify_seen,
            threads=threads,
        )
        assert received.formats is not None
        plan = BagPlan(package.name, 1, ALGORITHMS, date(2026, 11, 22), "vankho", (), received.formats)
        write_bag(received, plan, destination=place / "bags" / package.name)
        return sum(1 for _ in received.formats)
    finally:
        release(submission)


def _warm(identifier: Identifier, place: Path) -> None:
    """The first file waits until the signatures are loaded."""
    probe = place / "probe.txt"
    probe.write_text("một\n", encoding="utf-8")
    for known in identifier.identify_paths([probe]):
        assert known.path
    probe.unlink()


if __name__ == "__main__":
    told = take_in(Path(sys.argv[1]), [Path(word) for word in sys.argv[3:]], threads=int(sys.argv[2]))
    print(json.dumps(told))

"""`make faults`: every scripted scenario and many drawn ones, against a real S3 server behind the fault proxy.

`--runs` is how many are drawn, `--seed` the first of their seeds; one of them alone: `--seed N --runs 1 --only-drawn`.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from tests.faults.driver import played
from tests.faults.promises import Broken
from tests.faults.scenarios import by_name, drawn, scripted
from tests.faults.stage import Scenario, ministack_ground
from tests.tally import Tally

FIXED = 20_000  # where the seeds begin unless told otherwise; half of the drawn runs have a fresh beginning


def main() -> int:
    """The table; its exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int)
    options.add_argument("--runs", type=int, default=500)
    options.add_argument("--only-drawn", action="store_true")
    options.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    asked = options.parse_args()
    scenarios = [] if asked.only_drawn else list(by_name(scripted()).values())
    scenarios += [drawn(seed) for seed in seeds(asked.seed, asked.runs)]
    tally = Tally("Faults between us and an S3 server, by kind (scripted) and by flow (drawn)", least=len(scenarios))
    began = time.monotonic()
    for family, name, why in _all_played(scenarios, jobs=asked.jobs):
        tally.note(family, name, why)
        done = sum(tally.sums())
        if why is not None or done % 50 == 0:
            sys.stderr.write(f"{done}/{len(scenarios)} after {time.monotonic() - began:.0f} s {why or ''}\n")
    return tally.conclude()


def seeds(first: int | None, runs: int) -> list[int]:
    """From the first one given; else half of them fixed and half fresh, which is printed."""
    if first is not None:
        return list(range(first, first + runs))
    fresh = 1_000_000 + secrets.randbelow(1_000_000_000)
    sys.stdout.write(f"fresh seeds from {fresh}\n")
    half = runs // 2
    return [*range(FIXED, FIXED + half), *range(fresh, fresh + runs - half)]


def _all_played(scenarios: Sequence[Scenario], *, jobs: int) -> Iterator[tuple[str, str, str | None]]:
    parts = [scenarios[start::jobs] for start in range(jobs)]
    parts = [part[at : at + 25] for part in parts for at in range(0, len(part), 25)]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(play_all, part) for part in parts]):
            yield from done.result()


def play_all(scenarios: Sequence[Scenario]) -> list[tuple[str, str, str | None]]:
    """Family, name and what did not hold (None: all did) of each, on one server."""
    with tempfile.TemporaryDirectory(prefix="vankho-faults-") as folder, ministack_ground(Path(folder)) as made:
        return [(each.family, each.name, why_not(made, each)) for each in scenarios]


def why_not(made, scenario: Scenario) -> str | None:
    """What did not hold, None when all did."""
    try:
        played(made, scenario)
    except Broken as broken:
        return str(broken)
    except Exception as error:  # the harness itself, or a flow that raised while nothing was wrong
        return f"{type(error).__name__}: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main())

"""`make crash`: kills every command at points of its work, on SQLite and on PostgreSQL, and compares what comes of it.

`--runs` is the number of kills in all (400 unless told), `--seed` which points are drawn, evenly over each scene, as
`--seed` says. Resources that give out and twenty processes at once are tried as well.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import secrets
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.crash.at_once import CASES as AT_ONCE
from tests.crash.lab import laboratory
from tests.crash.resources import CASES as RESOURCES
from tests.crash.runner import SCENES, Arena, Trial, arena, even_draw
from tests.crash.scenes import Scene
from tests.servers.postgres import Server, postgres
from tests.tally import Tally, judged

RUNS = 400
LEAST = 200
DOUBLE = 8  # of so many kills one is followed by a second one, while it is being made good
FRESH = 25  # of so many one is tried in a program of its own, not in a fork


def draw(arena: Arena, scene: Scene, count: int, chance: random.Random) -> Iterator[Trial]:
    """So many trials of one scene, points spread evenly over its work."""
    points = arena.prepared(scene).points
    for number, kill_at in enumerate(even_draw(points, count, chance), start=1):
        kills = [kill_at, chance.randrange(1, points)] if number % DOUBLE == 0 else [kill_at]
        trial = arena.trial(scene, kills, fresh=number % FRESH == 0)
        while trial is None:  # fewer points this time, for the threads went another way
            kill_at = max(1, kill_at * 3 // 4)
            trial = arena.trial(scene, [kill_at])
        yield trial


def crashes(tally: Tally, server: Server | None, *, runs: int, seed: int) -> None:
    """The kills on one kind of catalog, noted in the tally."""
    with arena(server) as place:
        points = {scene.name: place.prepared(scene).points for scene in SCENES}
        for scene in SCENES:
            share = max(4, round(runs * points[scene.name] / sum(points.values())))
            for trial in draw(place, scene, share, random.Random(f"{seed} {scene.name}")):
                tally.note(f"{scene.family}, {place.catalog}", trial.case, "; ".join(trial.wrong) or None)
            sys.stderr.write(f"{scene.name} on {place.catalog}: {share} kills of {points[scene.name]} points\n")


@contextlib.contextmanager
def _server() -> Iterator[Server]:
    """The fixture outside of pytest."""
    made = postgres.__wrapped__()  # type: ignore[attr-defined]
    server = next(made)
    try:
        yield server
    finally:
        for _ in made:
            pass


def main(argv: list[str]) -> int:
    """Draw, print the table; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.table")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    parser.add_argument("--runs", type=int, default=RUNS)
    asked = parser.parse_args(argv)
    sys.stdout.write(f"seed {asked.seed}, {asked.runs} kills\n")
    sys.stdout.flush()
    began = time.monotonic()
    tally = Tally("Crashes: killed, run again, compared", least=min(LEAST, asked.runs))
    with _server() as server:
        with ThreadPoolExecutor(2) as both:
            halves = [
                both.submit(crashes, tally, kind, runs=asked.runs // 2, seed=asked.seed) for kind in (None, server)
            ]
        for half in halves:
            half.result()
        with laboratory(server) as lab:
            checks = [("resources", name, partial(case, lab)) for name, case in RESOURCES.items()]
            checks += [("twenty at once", name, partial(case, lab)) for name, case in AT_ONCE.items()]
            judged(checks, tally)
    sys.stdout.write(f"{time.monotonic() - began:.0f} seconds\n")
    return tally.conclude()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

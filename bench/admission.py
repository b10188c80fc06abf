"""A package of 1,000,000 files admitted to an empty catalog, on SQLite and on PostgreSQL, its event in the same step.

Afterwards the database itself is asked how many objects it holds.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import psycopg

from bench.catalog_fill import server_of
from bench.measure import Result, Took, agree
from bench.room import Room

TARGET = 20.0  # seconds
MOST_MEMORY = 300  # MB
FILES, QUICK = 1_000_000, 50_000
_COUNT = "SELECT count(*) FROM objects"


def rows(room: Room) -> Iterable[Result]:
    """Both databases."""
    for backend, title in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL")):
        yield _row(room, backend, f"one package of {_files(room):,} files admitted, {title}")


def _files(room: Room) -> int:
    return QUICK if room.quick else FILES


def _row(room: Room, backend: str, title: str) -> Result:
    files, told = _files(room), []
    for _ in range(room.times(2)):
        base = room.fresh(backend)
        with server_of(backend, base) as address:
            told.append(admission(address, base, files=files))
            agree(title, {"asked for": files, "in the database": _counted(address)})
    wall = sorted(each["seconds"] for each in told)
    memory = max(each["peak_megabytes"] for each in told)
    middle = wall[len(wall) // 2]
    return Result(
        title,
        "files",
        room.state,
        {"vankho": files},
        {"vankho": Took(tuple(wall), tuple(each["processor_seconds"] for each in told))},
        f"under {TARGET:g} s and {MOST_MEMORY} MB",
        f"{middle:.1f} s, {memory:.0f} MB at most",
        middle < TARGET and memory < MOST_MEMORY,
    )


def _counted(address: str) -> int:
    if address.startswith("sqlite"):
        with closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as connection:
            return int(connection.execute(_COUNT).fetchone()[0])
    with psycopg.connect(address) as server:
        found = server.execute(_COUNT).fetchone()
        return int(found[0]) if found else 0


_ADMISSION = """
import json, sys, time
from pathlib import Path
from preservation.catalog import open_catalog
from tests.catalog.samples import event, objects, version
address, base, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
facts = version(count)
with open_catalog(address, base=base) as catalog:
    made = time.perf_counter(), time.process_time()
    for _ in objects(count):
        pass
    began = time.perf_counter(), time.process_time()
    catalog.admit(facts, objects(count), [event()])
    ended = time.perf_counter(), time.process_time()
    # Not ru_maxrss, which starts at what the process that started this one has.
    peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(json.dumps({
        "files": count,
        "seconds": round(ended[0] - began[0], 2),
        "processor_seconds": round(ended[1] - began[1], 2),
        "of_which_making_the_facts": round(began[1] - made[1], 2),
        "peak_megabytes": peak // 1024,
    }))
"""


def admission(address: str, base: Path, *, files: int = 1_000_000) -> dict[str, float]:
    """Admit one package of so many files to the empty catalog there, in a process of its own. `seconds` and
    `processor_seconds` (of our process, not of the server) hold the making of the facts, which is told apart.
    """
    command = [sys.executable, "-c", _ADMISSION, address, str(base), str(files)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    answer: dict[str, float] = json.loads(done.stdout)
    return answer

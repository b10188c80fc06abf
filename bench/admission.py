"""A package of 1,000,000 files admitted to an empty catalog, on SQLite and on PostgreSQL, its event in the same step.

Afterwards the database itself is asked how many objects it holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing

import psycopg

from bench.catalog import admission, server_of
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

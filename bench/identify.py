"""Identification: our engine in one process beside FIDO's class, our pool of two beside Siegfried with two workers.

Everybody reads the same files; signatures are loaded before. Each answer of ours is compared with FIDO's, file by
file, with the same signatures; where a container, a priority or a root element told more, that is counted apart. The
pool's answers must be those of the one process.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pygfried

from bench import measure
from bench.measure import Disagreement, Result, Side
from bench.room import CORES, Room
from preservation.facts import FormatFact
from preservation.formats import Identifier
from preservation.formats.edges import edges_of
from preservation.formats.engine import Engine
from preservation.formats.limits import Limits
from preservation.formats.pronom.releases import fido_release
from preservation.formats.worker import TOOL
from tests.formats.stock import stock_fido
from tests.formats.table import comparer

SAMPLE, QUICK = 800, 60  # files of each set: FIDO does some 130 a second
SETS = {"L": ("masters", 25.0), "S": ("scans", 40.0), "M": ("tiny files", 60.0), "D": ("diverse files", 60.0)}
SIEGFRIED = f"Siegfried, {CORES} workers"


def rows(room: Room) -> Iterable[Result]:
    """Every set, or a sample of it."""
    engine, fido, compare = Engine(fido_release(), Limits(), tool=TOOL), stock_fido(), comparer()

    def ours(file: Path) -> FormatFact:
        with file.open("rb", buffering=0) as opened:
            head, tail = edges_of(opened.fileno(), os.fstat(opened.fileno()).st_size)
            return engine.identify(head, tail, file.name, lambda: file.open("rb"))

    for name, (title, target) in SETS.items():
        files = _sample(room, name)
        kinds = _same(files, compare)
        sides = [
            Side("vankho", partial(_each, files, ours)),
            Side("fido", partial(_each, files, fido)),
            Side(SIEGFRIED, partial(_siegfried, files)),
        ]
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        size = f"{len(files)} files, {_megabytes(files):.0f} MB"
        yield measure.duel(
            f"identification, one process: {title}",
            sides,
            rounds=room.times(3),
            amount=len(files),
            unit="files",
            target={"fido": target},
            notes=(f"{size}; beside FIDO's answers: {told}",),
        )
        yield _two(title, size, files, [ours(file) for file in files], rounds=room.times(3))


def _two(title: str, size: str, files: list[Path], answers: list[FormatFact], *, rounds: int) -> Result:
    """Our processes as an ingest has them, from the names of the files to the last answer, beside Siegfried's."""
    with Identifier(workers=CORES) as pool:
        given = [replace(fact, path="") for fact in pool.identify_paths(files)]
        if given != answers:
            raise Disagreement(f"{title}: the pool's answers are not those of one process")
        return measure.duel(
            f"identification, {CORES} processes: {title}",
            [
                Side("vankho", lambda: sum(1 for _ in pool.identify_paths(files)), beside=_living),
                Side(SIEGFRIED, partial(_siegfried, files)),
            ],
            rounds=rounds,
            amount=len(files),
            unit="files",
            target={SIEGFRIED: 2.0},
            notes=(size,),
        )


def _sample(room: Room, name: str) -> list[Path]:
    made = room.set(name)
    files = sorted(file for package in made.packages for file in package.rglob("*") if file.is_file())
    files = [file for file in files if file.stat().st_size]  # nobody is asked of an empty one
    drawn = random.Random(4).sample(files, min(len(files), QUICK if room.quick else SAMPLE))
    for file in drawn:
        file.read_bytes()
    return drawn


def _same(files: Iterable[Path], compare: Callable[[Path], tuple[str | None, str | None]]) -> Counter[str]:
    """How our answers stand to FIDO's. Raises Disagreement for one that is neither the same nor more."""
    kinds: Counter[str] = Counter()
    for file in files:
        kind, why = compare(file)
        if why is not None:
            raise Disagreement(f"{file.name}: {why}")
        kinds[kind or "the same"] += 1
    return kinds


def _each(files: Iterable[Path], identify: Callable[[Path], object]) -> int:
    return sum(identify(file) is not None for file in files)


def _siegfried(files: list[Path]) -> int:
    return len(pygfried.identify_many([str(file) for file in files], workers=CORES)["files"])


def _living() -> float:
    """Processor seconds so far of the processes that this one started and that live on (Linux)."""
    pids = [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)  # the kernel's number for the clock of a process


def _megabytes(files: Iterable[Path]) -> float:
    return sum(file.stat().st_size for file in files) / 1e6

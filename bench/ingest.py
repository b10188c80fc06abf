"""Receive, identify, bag: Vankho beside `cp -r`, `sync`, `fido` and `bagit.py` in a row, each at its best.

Ours is two processes for a batch of packages, two threads for a single one; theirs are two of each program side by
side where that is faster. Both sides' bags must list the same digests for the same names, every file must have been
identified, and bagit.py must call our bags valid. The steady state leaves out the start of our command and compares
with what two threads hash in memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bench import measure, peers
from bench.measure import Result, Side, Took
from bench.room import CORES, Room
from bench.sets import Set

DURABLE = 0.85  # of the in-memory hash limit
PER_PACKAGE = 0.05  # seconds of ours for a package of 30 files, beyond its bytes


def rows(room: Room) -> Iterable[Result]:
    """Masters, packages of scans, tiny files; then what the command's start and the hashes leave."""
    yield _row(room, "receive, identify, bag: masters", room.set("L"), 2.5, rounds=3)
    yield _limit(room, room.set("L"))
    yield _row(room, "receive, identify, bag: packages of 30 scans", room.set("S"), 7.0, rounds=3)
    yield _per_package(room, room.set("S"))
    yield _row(room, "receive, identify, bag: tiny files", room.set("M"), 12.0, rounds=3)


def _row(room: Room, title: str, made: Set, target: float, *, rounds: int) -> Result:
    ready = room.ready(*made.packages)
    sides = [
        Side("vankho", partial(_ours, room, made), ready, partial(_proof, room, "ours")),
        Side("cp, fido, bagit.py", partial(_theirs, room, made), ready, partial(_proof, room, "theirs")),
    ]
    megabytes = made.size / 1e6 / made.files > 1
    unit, amount = ("MB", made.size / 1e6) if megabytes else ("files", float(made.files))
    notes = (
        f"{len(made.packages)} packages, {made.files} files, {made.size / 1e6:.0f} MB; SHA-256 and SHA-512; on"
        " the disk when it ends; start of all commands included",
    )
    return measure.duel(
        title,
        sides,
        rounds=room.times(rounds),
        amount=amount,
        unit=unit,
        target=target,
        state=room.state,
        notes=notes,
    )


def _ours(room: Room, made: Set) -> list[dict[str, float]]:
    place = room.fresh("ours")
    many = len(made.packages) > 1
    commands = [
        [sys.executable, "-m", "bench.take_in", place / str(number), "1" if many else str(CORES), *share]
        for number, share in enumerate(measure.shares(made.packages, CORES))
    ]
    return [json.loads(line) for line in measure.run(*commands).splitlines()]


def _theirs(room: Room, made: Set) -> int:
    place = room.fresh("theirs")
    bags = place / "bags"
    bags.mkdir()
    measure.run(["cp", "-r", *made.packages, bags])
    measure.run(["sync", "-f", place])
    files = sorted(str(path) for path in bags.rglob("*") if path.is_file())
    for number, share in enumerate(measure.shares(files, CORES)):
        (place / f"list-{number}").write_text("\n".join(share) + "\n", encoding="utf-8")
    lists = sorted(place.glob("list-*"))
    told = measure.run(*([peers.tool("fido"), "-q", "-input", each] for each in lists))
    packages = sorted(bags.iterdir())
    bagit = [peers.tool("bagit.py"), "--quiet", "--sha256", "--sha512"]
    if len(packages) > 1:
        measure.run(*([*bagit, *share] for share in measure.shares(packages, CORES)))
    else:
        measure.run([*bagit, "--processes", str(CORES), *packages])
    measure.run(["sync", "-f", place])
    named = {line.split(",")[6] for line in told.splitlines() if line.startswith(("OK,", "KO,"))}
    return len(named)


def _proof(room: Room, side: str, told: object) -> object:
    """The digests of all bags, by name, and how many files were identified."""
    files = sum(each["files"] for each in told) if isinstance(told, list) else told
    bags = sorted((bag for bag in (room.folder / side).rglob("bags/*") if bag.is_dir()), key=lambda bag: bag.name)
    if side == "ours":
        measure.run([peers.tool("bagit.py"), "--validate", "--quiet", *bags])
    running = hashlib.sha256()
    for bag in bags:
        for algorithm in ("sha256", "sha512"):
            lines = sorted((bag / f"manifest-{algorithm}.txt").read_text(encoding="utf-8").splitlines())
            running.update("\n".join([bag.name, *(" ".join(line.split(None, 1)) for line in lines)]).encode())
    shutil.rmtree(room.folder / side)
    return len(bags), files, running.hexdigest()


def _limit(room: Room, made: Set) -> Result:
    """The steady state on masters, beside what two threads hash in memory, in turn."""
    took: dict[str, list[float]] = {"vankho, steady": [], "hash in memory, 2 threads": []}
    size = made.size / 1e6
    ready = room.ready(*made.packages)
    for _ in range(room.times(3)):
        ready()
        took["vankho, steady"].append(_ours(room, made)[0]["seconds"])
        took["hash in memory, 2 threads"].append(_hashed_in_memory(made.size))
        shutil.rmtree(room.folder / "ours")
    shares = [limit / ours for ours, limit in zip(*took.values(), strict=True)]
    middle = sorted(shares)[len(shares) // 2]
    return Result(
        "receive, identify, bag: masters, steady state",
        "MB",
        room.state,
        dict.fromkeys(took, size),
        {name: Took(tuple(seconds), (0.0,)) for name, seconds in took.items()},
        f"at least {DURABLE:.0%} of the hash limit",
        f"{middle:.0%} ({min(shares):.0%} to {max(shares):.0%}) of what two threads hash in memory",
        middle >= DURABLE,
    )


def _hashed_in_memory(size: int) -> float:
    block = memoryview(os.urandom(1 << 18))

    def work(count: int) -> None:
        running = [hashlib.sha256(), hashlib.sha512()]
        for _ in range(count):
            for each in running:
                each.update(block)

    began = time.perf_counter()
    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(work, [size // len(block) // CORES] * CORES))
    return time.perf_counter() - began


def _per_package(room: Room, made: Set) -> Result:
    """What one package of 30 files costs beyond copying and hashing its bytes: one process, steady."""
    packages = made.packages[: 40 if not room.quick else 12]
    size = sum(file.stat().st_size for package in packages for file in package.rglob("*") if file.is_file())
    ready = room.ready(*packages)
    ours: Callable[[], str] = lambda: measure.run(  # noqa: E731
        [sys.executable, "-m", "bench.take_in", room.fresh("ours"), "1", *packages]
    )
    took: dict[str, list[float]] = {"vankho, steady, one process": [], "copied, hashed, synced": []}
    for _ in range(room.times(3)):
        ready()
        took["vankho, steady, one process"].append(json.loads(ours())["seconds"])
        took["copied, hashed, synced"].append(_plainly(room, packages))
    each = [(own - plain) / len(packages) for own, plain in zip(*took.values(), strict=True)]
    middle = sorted(each)[len(each) // 2]
    return Result(
        "receive, identify, bag: one package of 30 scans",
        "MB",
        room.state,
        dict.fromkeys(took, size / 1e6),
        {name: Took(tuple(seconds), (0.0,)) for name, seconds in took.items()},
        f"under {PER_PACKAGE * 1000:.0f} ms a package beyond its bytes",
        f"{middle * 1000:.0f} ms ({min(each) * 1000:.0f} to {max(each) * 1000:.0f})",
        middle < PER_PACKAGE,
    )


def _plainly(room: Room, packages: Iterable[Path]) -> float:
    """Every file read, hashed twice and written, one sync at the end: the least that has to be done."""
    place = room.fresh("plain")
    began = time.perf_counter()
    for package in packages:
        for file in package.rglob("*"):
            if file.is_file():
                content = file.read_bytes()
                hashlib.sha256(content).digest()
                hashlib.sha512(content).digest()
                target = place / package.name / file.relative_to(package)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
    measure.run(["sync", "-f", place])
    return time.perf_counter() - began

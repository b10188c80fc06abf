"""Bag validation: `vankho bag check` against `bagit.py --validate`, as commands, on bags that bagit.py made.

Every bag lists SHA-256 and SHA-512. bagit.py is asked with one and with two processes. Before anything is timed, both
must refuse a bag in which one byte was changed.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from bench import measure, peers
from bench.measure import Disagreement, Result, Side
from bench.room import CORES, Room
from preservation.bags.check import check_bag

SMALL_BAG = 30  # files


def rows(room: Room) -> Iterable[Result]:
    """Masters, scans in many bags, tiny files in one bag and in many."""
    for title, place, target in (
        ("bag validation, masters", _bags(room, "L"), 2.0),
        ("bag validation, tiny files in one bag", _bags(room, "M"), 5.0),
        ("bag validation, many bags of 30 tiny files", _small_bags(room), 5.0),
        ("bag validation, many bags of 30 scans", _bags(room, "S"), None),
    ):
        yield _row(room, title, place, target)


def _row(room: Room, title: str, place: Path, target: float | None) -> Result:
    bags = sorted(place.iterdir())
    files = [file for bag in bags for file in (bag / "data").rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files) / 1e6
    ready = room.ready(place)
    _must_refuse(room.fresh("altered"), bags[-1])
    sides = [
        Side("vankho", partial(_ours, bags), ready, _all_valid),
        *(
            Side(f"bagit.py, processes={count}", partial(_theirs, bags, count), ready, _said_well)
            for count in range(1, CORES + 1)
        ),
    ]
    notes = (f"{len(bags)} bags, {len(files)} files, {size:.0f} MB; start of the command included",)
    unit, amount = ("MB", size) if size / len(files) > 1 else ("files", len(files))
    return measure.duel(
        title, sides, rounds=room.times(3), amount=amount, unit=unit, target=target, state=room.state, notes=notes
    )


def _ours(bags: list[Path]) -> str:
    return measure.run([_vankho(), "bag", "check", *bags])


def _theirs(bags: list[Path], processes: int) -> str:
    return measure.run([peers.tool("bagit.py"), "--validate", "--quiet", "--processes", str(processes), *bags])


def _all_valid(output: str) -> object:
    return "valid" if ": valid;" in output and "not valid" not in output else output[-500:]


def _said_well(_output: str) -> object:
    return "valid"  # it says so by its exit code


def _vankho() -> Path:
    return Path(sys.executable).with_name("vankho")


def _must_refuse(place: Path, bag: Path) -> None:
    """Both sides notice one changed byte."""
    altered = place / "bag"
    shutil.copytree(bag, altered)
    victim = max((altered / "data").rglob("*"), key=lambda file: file.is_file() and file.stat().st_size)
    with victim.open("r+b") as opened:
        byte = opened.read(1)[0]
        opened.seek(0)
        opened.write(bytes([byte ^ 1]))
    if check_bag(altered).valid:
        raise Disagreement("vankho did not notice a changed byte")
    measure.run([peers.tool("bagit.py"), "--validate", "--quiet", altered], codes=(1,))
    shutil.rmtree(altered)


def _bags(room: Room, name: str) -> Path:
    """The packages of a set as bags."""
    place = room.fresh(f"bags-{name}")
    for package in room.set(name).packages:
        shutil.copytree(package, place / package.name)
    _bag(place)
    return place


def _small_bags(room: Room) -> Path:
    place = room.fresh("bags-small")
    files = sorted(file for package in room.set("M").packages for file in package.rglob("*") if file.is_file())
    for number in range(0, min(len(files), 200 * SMALL_BAG), SMALL_BAG):
        bag = place / f"tap-{number // SMALL_BAG:04}"
        bag.mkdir()
        for file in files[number : number + SMALL_BAG]:
            shutil.copy(file, bag / file.name)
    _bag(place)
    return place


def _bag(place: Path) -> None:
    measure.run([peers.tool("bagit.py"), "--quiet", "--sha256", "--sha512", *sorted(place.iterdir())])

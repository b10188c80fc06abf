"""Runs two or more ways of doing the same work in turn, and says how long each took and whether they agree.

Ours is the first side. Every side proves what it did (`proof`), outside the time that counts; sides whose proofs
differ, or a side that fails, end the row: a measurement of work not done is worth nothing.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LEAST, PATIENCE = 2, 30.0  # rounds that are always made; seconds after which no further one is begun


class Disagreement(Exception):
    """Two sides did not come to the same result."""


def _nothing() -> None:
    """Nothing to prepare."""


def _nobody() -> float:
    """Nobody else works for it."""
    return 0.0


@dataclass(frozen=True, slots=True)
class Side:
    """One way: `before` each time, then `work` (timed), then `proof` of what work returned."""

    name: str
    work: Callable[[], Any]
    before: Callable[[], object] = _nothing
    proof: Callable[[Any], object] = lambda _: "done"
    beside: Callable[[], float] = _nobody  # processor seconds so far of its processes that live on
    amount: float | None = None  # when it does less than the others, because nobody would wait for all of it


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of every round: by the clock, and of all processors (children that ended included)."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table. `reached` is None where nothing was promised."""

    title: str
    unit: str
    state: str  # warm or cold
    amounts: Mapping[str, float]  # by side: how much of the unit one round does
    sides: Mapping[str, Took]
    target: str = ""
    seen: str = ""
    reached: bool | None = None
    notes: tuple[str, ...] = field(default=())


def duel(
    title: str,
    sides: Sequence[Side],
    *,
    rounds: int,
    amount: float,
    unit: str,
    target: float | Mapping[str, float] | None = None,
    state: str = "warm",
    notes: tuple[str, ...] = (),
) -> Result:
    """Every side once a round, in turn; one of the others that takes longer than PATIENCE is measured once. The first
    is ours; the target is how many times faster it is to be than the fastest of the others, or than each one named.
    """
    took: dict[str, tuple[list[float], list[float]]] = {side.name: ([], []) for side in sides}
    proofs: dict[str, object] = {}
    began = time.monotonic()
    for number in range(rounds):
        if number >= LEAST and time.monotonic() - began > PATIENCE:
            break  # minutes of a slow peer tell little more
        for side in sides:
            walls, cpus = took[side.name]
            if side is not sides[0] and walls and walls[0] > PATIENCE:
                wall, cpu = walls[0], cpus[0]
            else:
                try:
                    side.before()
                    wall, cpu, told = timed(side.work, side.beside)
                    proofs[side.name] = side.proof(told)
                except Exception as error:
                    error.add_note(f"{title}: {side.name}")
                    raise
            took[side.name][0].append(wall)
            took[side.name][1].append(cpu)
        agree(title, proofs)
    figures = {name: Took(tuple(wall), tuple(cpu)) for name, (wall, cpu) in took.items()}
    amounts = {side.name: side.amount or amount for side in sides}
    if len(sides) == 1:
        return Result(title, unit, state, amounts, figures, notes=notes)
    wanted = dict(target) if isinstance(target, Mapping) else {_fastest(figures, amounts, sides[1:]): target}
    found = {name: _ratios(figures, amounts, sides[0].name, name) for name in wanted}
    if isinstance(target, Mapping):
        found |= {s.name: _ratios(figures, amounts, sides[0].name, s.name) for s in sides[1:] if s.name not in found}
    known = {name: least for name, least in wanted.items() if least is not None}
    return Result(
        title,
        unit,
        state,
        amounts,
        figures,
        "; ".join(f"at least {least:g} times {name}" for name, least in known.items()),
        "; ".join(words for _, words in found.values()),
        all(found[name][0] >= least for name, least in known.items()) if known else None,
        notes,
    )


def _ratios(figures: Mapping[str, Took], amounts: Mapping[str, float], ours: str, theirs: str) -> tuple[float, str]:
    """How many times faster ours was, as a number and in words."""
    own, other = figures[ours], figures[theirs]
    scale = amounts[ours] / amounts[theirs]
    ratios = [scale * theirs_took / ours_took for ours_took, theirs_took in zip(own.wall, other.wall, strict=True)]
    processors = scale * statistics.median(other.cpu) / max(statistics.median(own.cpu), 1e-9)
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    middle = statistics.median(ratios)
    return middle, f"{middle:.2f} ({spread}) times {theirs}, by processor time {processors:.2f}"


def _fastest(figures: Mapping[str, Took], amounts: Mapping[str, float], sides: Sequence[Side]) -> str:
    return min((side.name for side in sides), key=lambda name: statistics.median(figures[name].wall) / amounts[name])


def agree(title: str, proofs: Mapping[str, object]) -> None:
    """All sides came to the same; raises Disagreement with what each came to."""
    if len({repr(proof) for proof in proofs.values()}) > 1:
        told = "; ".join(f"{name}: {str(proof)[:200]}" for name, proof in proofs.items())
        raise Disagreement(f"{title}: the sides disagree: {told}")


def timed(work: Callable[[], Any], beside: Callable[[], float] = _nobody) -> tuple[float, float, Any]:
    """Seconds by the clock, seconds of processors, and what the work gave."""
    spent, began = _processors() + beside(), time.perf_counter()
    told = work()
    return time.perf_counter() - began, _processors() + beside() - spent, told


def _processors() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def run(
    *commands: Sequence[object],
    env: Mapping[str, str] | None = None,
    codes: tuple[int, ...] = (0,),
) -> str:
    """Run commands side by side to their ends; their outputs. RuntimeError when one ends with none of `codes`."""
    begun = [
        subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **(env or {})},
        )
        for command in commands
    ]
    outputs = [child.communicate()[0] for child in begun]
    for command, child, output in zip(commands, begun, outputs, strict=True):
        if child.returncode not in codes:
            words = " ".join(str(word) for word in command)[:300]
            raise RuntimeError(f"exit code {child.returncode}: {words}\n{output[-2000:]}")
    return "".join(outputs)


def shares(things: Sequence[Any], count: int) -> list[list[Any]]:
    """The things dealt out to so many workers; nobody goes without."""
    return [share for share in (list(things[number::count]) for number in range(count)) if share]


def forget_cached(folder: Path) -> None:
    """Ask the system to drop what it keeps of these files in memory (cold, as far as one machine can tell)."""
    for file in folder.rglob("*"):
        if file.is_file():
            handle = os.open(file, os.O_RDONLY)
            try:
                os.fdatasync(handle)
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(handle)


def read_once(folder: Path) -> None:
    """Read every file, so that all sides find it in memory (warm)."""
    buffer = bytearray(1 << 20)
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb", buffering=0) as opened:
                while opened.readinto(buffer):
                    pass

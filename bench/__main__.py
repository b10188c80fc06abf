"""`make bench`: Vankho beside its peers, on the same files, in turn, and what was promised of it.

    python -m bench [--rows NAME,NAME] [--quick] [--rounds N] [--cold] [--write] [--list]

Exit code 1 when a row could not be run or two sides came to different results; a missed target is only told, because
machines are noisy. --write puts what was seen into bench/RESULTS.md.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from bench import machine, results, sets
from bench.measure import Result
from bench.room import Room

# row → module with `rows(room) -> Iterable[Result]`
ROWS = {
    "ingest": "bench.ingest",
    "identify": "bench.identify",
    "validate": "bench.validate",
    "audit": "bench.audit",
    "upload": "bench.uploads",
    "catalog": "bench.admission",
    "prefect": "bench.prefect_share",
}
BY_NAME = {"gateway": "bench.gateway"}  # only when asked for


def main(words: list[str]) -> int:
    """Measure, print, and perhaps write."""
    asked = _asked(words)
    if asked.list:
        print("\n".join(ROWS | BY_NAME))
        return 0
    measured: dict[str, list[Result]] = {}
    failed: list[str] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vankho-bench-", dir=asked.scratch) as scratch:
        where = machine.kind(Path(scratch))
        print("; ".join(f"{word}: {what}" for word, what in where.items()))
        for name in asked.rows:
            (folder := Path(scratch) / name).mkdir()
            room = Room(folder, quick=asked.quick, rounds=asked.rounds, cold=asked.cold)
            try:
                found = _rows(importlib.import_module((ROWS | BY_NAME)[name]), room)
                measured[name] = [_told(_unjudged(result) if asked.quick else result) for result in found]
            except Exception as error:  # noqa: BLE001 - the other rows are measured all the same
                failed.append(name)
                traceback.print_exc()
                print(f"FAILED {name}: {error}", flush=True)
            print(f"\n{name}: over after {(time.monotonic() - began) / 60:.1f} minutes of all", flush=True)
            if asked.write:  # a run that is ended leaves what it has seen
                results.write(measured, where, machine.versions(), command=" ".join(["python -m bench", *words]))
    every = [result for rows in measured.values() for result in rows]
    missed = [result.title for result in every if result.reached is False]
    print(f"\n{len(every)} measured, {sum(r.reached is True for r in every)} targets reached, {len(missed)} missed")
    print("".join(f"missed: {title}\n" for title in missed) + "".join(f"failed: {name}\n" for name in failed), end="")
    return 1 if failed or not every else 0


def _rows(module: ModuleType, room: Room) -> Iterable[Result]:
    found: Iterable[Result] = module.rows(room)
    return found


def _unjudged(result: Result) -> Result:
    """On small sets the start of a command is most of it: ratios are told and no target is judged."""
    return replace(result, reached=None, target=result.target and f"{result.target}, on the full sets")


def _told(result: Result) -> Result:
    print("\n".join(results.lines(result)), flush=True)
    return result


def _asked(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Vankho beside its peers.")
    parser.add_argument("--rows", type=lambda text: text.split(","), default=list(ROWS), help="which, with commas")
    parser.add_argument("--list", action="store_true", help="name the rows")
    parser.add_argument("--quick", action="store_true", help=f"small sets: {sets.QUICK}")
    parser.add_argument("--rounds", type=int, default=None, help="how often each side runs")
    parser.add_argument("--cold", action="store_true", help="files are dropped from memory before each side")
    parser.add_argument("--write", action="store_true", help="write bench/RESULTS.md")
    parser.add_argument("--scratch", type=Path, default=None, help="folder to work in (default: a temporary one)")
    asked = parser.parse_args(words)
    for name in asked.rows:
        if name not in ROWS | BY_NAME:
            parser.error(f"no row {name}: {', '.join(ROWS | BY_NAME)}")
    return asked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Whole commands and requests against a large catalog: `vankho …` as a person types it, `vankho serve` as Prometheus
asks it. Each command is also run in a workspace with an empty catalog: the difference is what the size costs, and
that is held to the target; how long the person waited in all is told beside it.
"""

from __future__ import annotations

import json
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from apps.dashboard.app import LISTED, MEASURED, PLANNED
from bench.catalog_rows import STORES, Expected, identifier
from bench.catalog_table import PLAN_TARGET, SCRAPE_TARGET, TARGET, Table
from tests.flows.houses import House

ROUNDS = 3
ROOT = Path(__file__).parents[1]
VANKHO = (sys.executable, "-c", "from apps.cli.main import run; run()")


def workspace(folder: Path, address: str) -> Path:
    """A workspace with that catalog and the stores of the generated copies; they are empty: nothing reads them."""
    stores = {
        name: {"kind": "local", "path": f"stores/{name}", "provider": name, "region": name, "medium": name}
        for name in STORES
    }
    House(folder, stores, catalog=address).settle()
    return folder


def commands(full: Path, empty: Path, e: Expected, table: Table) -> None:
    """What officers and sysadmins type."""
    words = {word: number for word, number in e.words.items() if number}
    stores = [
        (e.versions - absent, absent, *(e.wanting[store, state] for state in ("unproved", "damaged")))
        for store in STORES
        for absent in [e.wanting[store, "absent"]]
    ]
    overdue = min(100, e.words["overdue"])

    def ask(
        line: str, answer: Callable[[Any], object], right: object, *, code: int = 0, target: float = TARGET
    ) -> None:
        (found, data), *times = _both(line.split(), full, empty)
        (whole, busy), (start, idle) = (min(each) for each in times)  # the least disturbed
        told = f"  (whole {whole:.2f} s, processor {busy:.2f} s; with an empty catalog {start:.2f}, {idle:.2f} s)"
        seen, cost = (found, answer(data)), max(0.0, whole - start)
        table.note(f"vankho {line}", cost, seen, (code, right), target=target, told=told)

    ask("show", lambda data: (data["aips"], _words(data)), (e.versions, words), code=1)
    ask("show --standing overdue", lambda data: len(data["versions"]), overdue, code=1 if overdue else 0)
    ask(f"show {identifier(min(500, e.versions))}", len, 1)
    ask("store list", lambda data: [_stored(each) for each in data], stores)
    ask("policy simulate --days 365", _simulated, _audited(e), target=PLAN_TARGET)
    ask("audit --due --dry-run", lambda data: _planned(data, e), _audited(e), target=PLAN_TARGET)


def requests(full: Path, e: Expected, table: Table) -> None:
    """What Prometheus, a probe and a program ask of `vankho serve`; each time with what the server keeps run out."""
    words = {word: number for word, number in e.words.items() if number}
    with _served(full) as web:

        def ask(
            path: str,
            answer: Callable[[httpx.Response], object],
            right: object,
            *,
            keep: float = 0.0,
            target: float = TARGET,
        ) -> None:
            times = []
            for turn in range(ROUNDS if keep <= MEASURED else 1):
                if turn:
                    time.sleep(keep and keep + 0.1)
                began = time.perf_counter()
                seen = web.get(path)
                times.append(time.perf_counter() - began)
            began = time.perf_counter()
            web.get(path)
            told = f"  (asked again {1000 * (time.perf_counter() - began):.0f} ms)" if keep else ""
            found = (seen.status_code, answer(seen))
            table.note(f"GET {path}", statistics.median(times), found, (200, right), target=target, told=told)

        ask("/healthz", lambda seen: seen.json()["alive"], True)
        ask("/metrics", _measured, (e.versions, words), keep=MEASURED, target=SCRAPE_TARGET)
        time.sleep(MEASURED)
        ask("/readyz", lambda seen: seen.json()["ready"], True, keep=MEASURED, target=SCRAPE_TARGET)
        time.sleep(MEASURED)
        ask("/api/standing", lambda seen: _words(seen.json()), words, keep=MEASURED)
        overdue = min(100, e.words["overdue"])
        ask("/api/standing/overdue", lambda seen: len(seen.json()["versions"]), overdue)
        ask(f"/api/aips/{identifier(1)}", lambda seen: len(seen.json()), 1)
        ask("/api/stores", lambda seen: len(seen.json()), len(STORES), keep=LISTED)
        ask("/api/plan", lambda seen: _planned(seen.json(), e), _audited(e), keep=PLANNED, target=PLAN_TARGET)


@contextmanager
def _served(folder: Path) -> Iterator[httpx.Client]:
    """`vankho serve` at a free port, ended at the end."""
    command = [*VANKHO, "serve", "--port", "0", "-w", str(folder), "--json"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stderr is not None
            address = json.loads(process.stderr.readline())["address"]
            with httpx.Client(base_url=address, timeout=120) as web:
                while not _alive(web):
                    time.sleep(0.05)
                yield web
        finally:
            process.send_signal(signal.SIGTERM)


def _alive(web: httpx.Client) -> bool:
    try:
        return web.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


Times = list[tuple[float, float]]


def _both(words: Sequence[str], full: Path, empty: Path) -> tuple[tuple[int, Any], Times, Times]:
    """(Exit code and data in the full workspace; seconds by the clock and of the processor there; in the other.)"""
    seen: tuple[int, Any] = (-1, None)
    times: dict[Path, Times] = {full: [], empty: []}
    for _ in range(ROUNDS):
        for folder in (full, empty):
            began, used = time.perf_counter(), _used()
            done = subprocess.run(
                [*VANKHO, *words, "-w", str(folder), "--json"], cwd=ROOT, capture_output=True, text=True, check=False
            )
            times[folder].append((time.perf_counter() - began, _used() - used))
            if folder is full:
                assert done.stdout, done.stderr
                seen = (done.returncode, json.loads(done.stdout))
    return seen, times[full], times[empty]


def _used() -> float:
    """Seconds of the processor that our children have had."""
    told = resource.getrusage(resource.RUSAGE_CHILDREN)
    return told.ru_utime + told.ru_stime


def _words(data: Mapping[str, Any]) -> dict[str, int]:
    return {word: count["versions"] for word, count in data["standing"].items() if count["versions"]}


def _measured(seen: httpx.Response) -> object:
    """AIPs, and versions by standing, as Prometheus reads them."""
    samples = dict(line.rsplit(" ", 1) for line in seen.text.splitlines() if line.startswith("vankho_"))
    start = "vankho_standing_versions{standing="
    words = {
        name.removeprefix(start).strip('"}'): int(float(value))
        for name, value in samples.items()
        if name.startswith(start)
    }
    return int(float(samples["vankho_aips"])), {word: number for word, number in words.items() if number}


def _stored(each: Mapping[str, Any]) -> tuple[int, ...]:
    return each["copies"], *(each["lag"][state] for state in ("absent", "unproved", "damaged"))


def _audited(e: Expected) -> dict[str, int]:
    """How many copies there are to audit, by store and grade."""
    return {
        f"{store} {grade}": wanted - e.wanting[store, "absent"] for (store, grade), wanted in sorted(e.wanted.items())
    }


def _simulated(data: Mapping[str, Any]) -> dict[str, int]:
    return {
        f"{each['store']} {each['evidence']}": each["copies"]
        for each in sorted(data["in_force"], key=lambda each: (each["store"], each["evidence"]))
    }


def _planned(data: list[Mapping[str, Any]], e: Expected) -> dict[str, int]:
    """The same of a plan for today, as far as it can be told: what was due until midnight before must be in it."""
    found = {}
    for each in sorted(data, key=lambda each: (each["store"], each["evidence"])):
        place = (each["store"], each["evidence"])
        there = e.wanted[place] - e.wanting[each["store"], "absent"]
        taken = each["copies"] + each["waiting"]
        found[" ".join(place)] = there if e.due_today[place] <= taken <= there else taken
    return found

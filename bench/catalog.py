"""How fast a catalog of a million AIPs with three replicas each answers, on SQLite and on PostgreSQL: `make
bench-catalog`. The catalog is generated (bench/catalog_rows.py). Each question is asked several times; it has passed
when the answer is what was counted while the rows were made and the median time is within the target.

`python -m bench.catalog [--aips N] [--admit N] [--only sqlite|postgresql]`; `--admit N` measures instead how long
admitting one package of N files takes. The catalogs have no objects and no events: no question here asks for them.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path

import psycopg

from bench.catalog_rows import COLUMNS, DAY, NOW, STORES, Expected, chunks
from policies.judging import judge_of
from policies.load import load_policy
from policies.replication import StoreFacts
from preservation.catalog import Catalog, open_catalog
from preservation.catalog.judging import Judge
from preservation.catalog.listing import PAGE, Cursor
from preservation.facts import Grade
from tests.servers.postgres import programs, running

AIPS = 1_000_000
TARGET, PLAN_TARGET = 0.3, 5.0  # seconds: an answer; the copies of a day's plan
PLAN = 40_000
MIDNIGHT = NOW + timedelta(hours=12)
ROUNDS = 5
SERVER = ("shared_buffers=256MB", "max_wal_size=4GB", "maintenance_work_mem=256MB")
FACTS = tuple(StoreFacts(name, provider=name, region=name, medium=name) for name in STORES)


@dataclass
class Table:
    """What was asked, how long the answer took and whether it was right."""

    timed: bool = True  # whether a right answer that comes late has failed
    passed: int = 0
    failed: int = 0

    def ask(self, name: str, question: Callable[[], object], right: object, *, target: float = TARGET) -> None:
        """Ask several times, compare, note."""
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            answer = question()
            times.append(time.perf_counter() - began)
        median = statistics.median(times)
        well = answer == right and (median <= target or not self.timed)
        self.passed, self.failed = self.passed + well, self.failed + (not well)
        word = "ok" if well else "WRONG ANSWER" if answer != right else "too slow"
        print(f"  {name:58} {1000 * median:9.1f} ms  target {1000 * target:6.0f} ms  {word}", flush=True)
        if answer != right:
            print(f"    expected {str(right)[:300]}\n    seen     {str(answer)[:300]}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aips", type=int, default=AIPS)
    parser.add_argument("--admit", type=int, metavar="FILES")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--folder", type=Path, help="where the catalogs are made; else a temporary folder")
    asked = parser.parse_args()
    table = Table()
    for backend in ("sqlite", "postgresql") if asked.only is None else (asked.only,):
        with tempfile.TemporaryDirectory(dir=asked.folder) as base, server_of(backend, Path(base)) as address:
            if asked.admit is not None:
                print(f"{backend}: {json.dumps(admission(address, Path(base), files=asked.admit))}")
                continue
            print(f"{backend}: {asked.aips:,} AIPs with {len(STORES)} replicas each")
            measure(address, Path(base), aips=asked.aips, table=table)
    if asked.admit is None:
        print(f"{table.passed} passed, {table.failed} failed")
    return 1 if table.failed else 0


@contextmanager
def server_of(backend: str, base: Path) -> Iterator[str]:
    """The address of an empty catalog."""
    if backend == "sqlite":
        yield f"sqlite:///{base}/catalog.db"
        return
    found = programs()
    if found is None:
        sys.exit("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with running(found, SERVER) as server, server.database() as name:
        yield server.address(name)


def measure(address: str, base: Path, *, aips: int, table: Table) -> None:
    """Generate a catalog there, and ask it everything."""
    judge = judge_of(load_policy, FACTS)
    began = time.perf_counter()
    expected = generate(address, base, aips=aips, judge=judge)
    print(f"  made in {time.perf_counter() - began:.0f} s")
    with open_catalog(address, base=base, judge=judge) as catalog:
        _counts(catalog, expected, table)
        _lists(catalog, expected, table)
        _copies(catalog, expected, table)
        table.ask(
            "the generated judgements are those of the policy", lambda: _sampled(catalog, judge, aips), 0, target=60
        )


def _counts(catalog: Catalog, e: Expected, table: Table) -> None:
    def summary() -> object:
        told = catalog.standing(NOW)
        return (
            (told.aips, told.versions.number, told.versions.items, told.versions.bytes, told.unjudged),
            {word: count.number for word, count in told.words.items()},
        )

    table.ask("show: how many are safe", summary, ((e.versions, e.versions, e.files, e.bytes, 0), dict(e.words)))

    def coverage() -> object:
        return {
            (each.store, each.grade.value): (
                *(each.in_time.number, each.wanted.number, each.overdue.number, each.due_today.number),
                each.oldest_proof,
            )
            for each in catalog.standing(NOW).coverage
        }

    right = {
        key: (
            *(e.in_time[key], e.wanted[key], e.overdue[key], e.due_today[key]),
            NOW - timedelta(minutes=e.oldest[key]),
        )
        for key in e.wanted
    }
    table.ask("coverage per store and grade", coverage, right)
    for store in STORES:
        states = [e.wanting[store, state] for state in ("absent", "unproved", "damaged")]
        table.ask(f"lag of {store}", partial(_lag, catalog, store), states)


def _lag(catalog: Catalog, store: str) -> list[int]:
    told = catalog.waiting(store)
    return [told.absent.number, told.unproved.number, told.damaged.number]


def _lists(catalog: Catalog, e: Expected, table: Table) -> None:
    for word in ("safe", "overdue", "unknown", "under-replicated", "damaged"):
        table.ask(
            f"show --standing {word}, first page",
            partial(_first, catalog, word),
            min(100, e.words[word]),
        )
    table.ask("show --standing safe, a page in the middle", lambda: _deep(catalog), 100)
    table.ask("show --standing all, the last page", lambda: _last(catalog, e.versions), 100)


def _first(catalog: Catalog, word: str) -> int:
    return len(catalog.versions_standing(word, now=NOW, limit=100))


def _deep(catalog: Catalog) -> int:
    """Proofs are spread over the days; in three days half of the presence checks will be overdue."""
    place = Cursor(NOW + timedelta(days=11), 0)
    return len(catalog.versions_standing("safe", now=NOW, after=place, limit=100))


def _last(catalog: Catalog, versions: int) -> int:
    return len(catalog.versions_standing(None, now=NOW, after=Cursor(NOW, versions - 100), limit=200))


def _due(catalog: Catalog, store: str, grade: Grade) -> int:
    return len(list(islice(catalog.due(store, grade, before=MIDNIGHT), PAGE)))


def _copies(catalog: Catalog, e: Expected, table: Table) -> None:
    for store in STORES:
        for grade in (Grade.BYTES, Grade.PRESENCE):
            due_today = e.due_today[store, grade.value]
            table.ask(
                f"due in {store}, {grade.value}: first page",
                partial(_due, catalog, store, grade),
                min(PAGE, due_today),
            )
    late = Cursor(NOW + timedelta(days=30), 0)
    plan = min(PLAN, e.wanted["primary", "bytes"])
    table.ask("due: a page in the middle", lambda: _ahead(catalog, late, PAGE), PAGE)
    table.ask("load ahead, a year", lambda: _load(catalog), e.wanted["primary", "bytes"])
    table.ask(f"a day's plan: {PLAN:,} due copies", lambda: _ahead(catalog, None, PLAN), plan, target=PLAN_TARGET)
    absent = e.wanting["third", "absent"]
    table.ask(
        "absent in third: first page", lambda: len(list(islice(catalog.missing("third"), 1000))), min(1000, absent)
    )
    later = min(PAGE, sum(ago < 550 * DAY for ago in e.absent_since))
    middle = Cursor(NOW - timedelta(days=550), 0, rank=2)
    table.ask("absent in third: a page in the middle", lambda: _absent(catalog, middle), (later, True))


def _ahead(catalog: Catalog, after: Cursor | None, number: int) -> int:
    return len(
        list(islice(catalog.due("primary", Grade.BYTES, before=NOW + timedelta(days=90), after=after), number))
    )


def _load(catalog: Catalog) -> int:
    return sum(day[1] for day in catalog.load_ahead("primary", Grade.BYTES, until=NOW + timedelta(days=365)))


def _absent(catalog: Catalog, after: Cursor) -> object:
    found = list(islice(catalog.missing("third", after=after), PAGE))
    return len(found), found == sorted(found, key=lambda each: (each.proved, each.since))


def _sampled(catalog: Catalog, judge: Judge, aips: int) -> int:
    """How many of a sample of versions the judge sees otherwise than they were generated."""
    from preservation.catalog import standings

    numbers = sorted(
        {1 + 7919 * each % aips for each in range(500)} | {each for each in range(1, 60) if each <= aips}
    )
    with catalog._database.writing() as connection:
        return standings.judge_again(connection, numbers, judge=judge, now=NOW)


def generate(address: str, base: Path, *, aips: int, judge: Judge) -> Expected:
    """Fill an empty catalog: rows first, their indexes after; returns the right answers."""
    open_catalog(address, base=base).close()
    expected = Expected()
    rows = chunks(aips, digest=str(judge.digest("default")), expected=expected)
    if address.startswith("sqlite"):
        _fill_sqlite(address.removeprefix("sqlite:///"), rows)
    else:
        _fill_postgresql(address, rows)
    return expected


def _fill_sqlite(file: str, rows: Iterator[dict[str, list[tuple[object, ...]]]]) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=OFF")  # who is interrupted here begins anew
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-200000")
        connection.execute("BEGIN")
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        for chunk in rows:
            for name, found in chunk.items():
                columns = COLUMNS[name].split()
                marks = ", ".join("?" * len(columns))
                connection.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", found)
        for _, statement in indexes:
            connection.execute(statement)
        connection.execute("COMMIT")


def _fill_postgresql(address: str, rows: Iterator[dict[str, list[tuple[object, ...]]]]) -> None:
    with psycopg.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # the keys are right as they were made
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND indexname LIKE 'ix_%'"
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        for chunk in rows:
            for name, found in chunk.items():
                text = "\n".join("\t".join("\\N" if cell is None else str(cell) for cell in row) for row in found)
                with cursor.copy(f"COPY {name} ({', '.join(COLUMNS[name].split())}) FROM STDIN") as copy:
                    copy.write(text + "\n" if text else "")
        for _, statement in indexes:
            cursor.execute(statement)
        connection.commit()
        connection.autocommit = True
        cursor.execute("VACUUM ANALYZE")


_ADMISSION = """
import json, resource, sys, time
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
    print(json.dumps({
        "files": count,
        "seconds": round(ended[0] - began[0], 2),
        "processor_seconds": round(ended[1] - began[1], 2),
        "of_which_making_the_facts": round(began[1] - made[1], 2),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
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


if __name__ == "__main__":
    sys.exit(main())

"""How fast a catalog of a million AIPs with three replicas each answers, on SQLite and on PostgreSQL: `make
bench-catalog`. The catalog is generated (bench/catalog_rows.py). Each question is asked several times; it has passed
when the answer is what was counted while the rows were made and the median time is within the target. After the
catalog's own methods come whole commands and requests in a workspace around it (bench/catalog_commands.py).

`python -m bench.catalog [--aips N] [--only sqlite|postgresql] [--keep FOLDER]`. The catalogs have no objects and no
events: no question here asks for them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from bench.catalog_commands import commands, requests, workspace
from bench.catalog_fill import generate, server_of
from bench.catalog_rows import DAY, NOW, STORES, Expected
from bench.catalog_table import PLAN_TARGET, Table
from policies.judging import judge_of
from policies.load import load_policy
from policies.replication import StoreFacts
from preservation.catalog import Catalog, open_catalog, standings
from preservation.catalog.judging import Judge
from preservation.catalog.listing import PAGE, Cursor
from preservation.facts import Grade

AIPS = 1_000_000
PLAN = 40_000
AGAIN = 10  # batches
FACTS = tuple(StoreFacts(name, provider=name, region=name, medium=name, kind="local") for name in STORES)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aips", type=int, default=AIPS)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--folder", type=Path, help="where the catalogs are made; else a temporary folder")
    asked = parser.parse_args()
    table, began = Table(), time.monotonic()
    for backend in ("sqlite", "postgresql") if asked.only is None else (asked.only,):
        with tempfile.TemporaryDirectory(dir=asked.folder) as base, server_of(backend, Path(base)) as address:
            print(f"{backend}: {asked.aips:,} AIPs with {len(STORES)} replicas each")
            expected = measure(address, Path(base), aips=asked.aips, table=table, now=lately())
            used(address, Path(base), expected, table)
    print(f"{time.monotonic() - began:.0f} s")
    print(f"{table.passed} passed, {table.failed} failed")
    return 1 if table.failed else 0


def lately() -> datetime:
    """Noon of yesterday, so that commands, which go by the clock of the machine, see no proof from the future."""
    return datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


def measure(address: str, base: Path, *, aips: int, table: Table, now: datetime = NOW) -> Expected:
    """Generate a catalog there as it is at a moment, and ask it everything."""
    judge = judge_of(load_policy, FACTS)
    began = time.perf_counter()
    expected = generate(address, base, aips=aips, judge=judge, now=now)
    print(f"  made in {time.perf_counter() - began:.0f} s", flush=True)
    with open_catalog(address, base=base, judge=judge) as catalog:
        _counts(catalog, expected, table)
        _lists(catalog, expected, table)
        _copies(catalog, expected, table)
        table.ask(
            "the generated judgements are those of the policy",
            lambda: _sampled(catalog, judge, aips, now=now),
            0,
            target=60,
        )
    _again(address, base, judge, table, aips=aips, now=now)
    return expected


def _again(address: str, base: Path, judge: Judge, table: Table, *, aips: int, now: datetime) -> None:
    """Some versions judged again because the settings say otherwise of the stores; afterwards all is as it was."""
    moved = judge_of(load_policy, tuple(replace(each, provider=f"{each.name}, moved") for each in FACTS))
    with open_catalog(address, base=base, judge=moved) as catalog:
        began = time.perf_counter()
        done = sum(catalog.judge_some(now=now) for _ in range(AGAIN))
        took = time.perf_counter() - began
        right = min(500 * AGAIN, aips)
        table.note(
            f"{right} versions judged again", took, done, right, target=5, told=f"  {done / took:.0f} a second"
        )
    with open_catalog(address, base=base, judge=judge) as catalog:
        while catalog.judge_some(now=now):
            pass


def used(address: str, base: Path, expected: Expected, table: Table) -> None:
    """The whole commands and requests, in a workspace around that catalog and one around an empty one."""
    full, empty = workspace(base / "full", address), workspace(base / "empty", "sqlite:///catalog.db")
    commands(full, empty, expected, table)
    requests(full, expected, table)


def _counts(catalog: Catalog, e: Expected, table: Table) -> None:
    def summary() -> object:
        told = catalog.standing(e.now)
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
            for each in catalog.standing(e.now).coverage
        }

    right = {
        key: (
            *(e.in_time[key], e.wanted[key], e.overdue[key], e.due_today[key]),
            e.now - timedelta(minutes=e.oldest[key]),
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
            partial(_first, catalog, word, now=e.now),
            min(100, e.words[word]),
        )
    table.ask("show --standing safe, a page in the middle", lambda: _deep(catalog, now=e.now), 100)
    table.ask("show --standing all, the last page", lambda: _last(catalog, e), 100)


def _first(catalog: Catalog, word: str, *, now: datetime) -> int:
    return len(catalog.versions_standing(word, now=now, limit=100))


def _deep(catalog: Catalog, *, now: datetime) -> int:
    """Proofs are spread over the days; in three days half of the presence checks will be overdue."""
    place = Cursor(now + timedelta(days=11), 0)
    return len(catalog.versions_standing("safe", now=now, after=place, limit=100))


def _last(catalog: Catalog, e: Expected) -> int:
    return len(catalog.versions_standing(None, now=e.now, after=Cursor(e.now, e.versions - 100), limit=200))


def _due(catalog: Catalog, store: str, grade: Grade, *, before: datetime) -> int:
    return len(list(islice(catalog.due(store, grade, before=before), PAGE)))


def _copies(catalog: Catalog, e: Expected, table: Table) -> None:
    midnight = e.now + timedelta(hours=12)
    for store in STORES:
        for grade in (Grade.BYTES, Grade.PRESENCE):
            due_today = e.due_today[store, grade.value]
            table.ask(
                f"due in {store}, {grade.value}: first page",
                partial(_due, catalog, store, grade, before=midnight),
                min(PAGE, due_today),
            )
    late = Cursor(e.now + timedelta(days=30), 0)
    plan = min(PLAN, e.wanted["primary", "bytes"])
    table.ask("due: a page in the middle", lambda: _ahead(catalog, e, late, PAGE), PAGE)
    table.ask("load ahead, a year", lambda: _load(catalog, e), e.wanted["primary", "bytes"])
    table.ask(f"a day's plan: {PLAN:,} due copies", lambda: _ahead(catalog, e, None, PLAN), plan, target=PLAN_TARGET)
    absent = e.wanting["third", "absent"]
    table.ask(
        "absent in third: first page", lambda: len(list(islice(catalog.missing("third"), 1000))), min(1000, absent)
    )
    later = min(PAGE, sum(ago < 550 * DAY for ago in e.absent_since))
    middle = Cursor(e.now - timedelta(days=550), 0, rank=2)
    table.ask("absent in third: a page in the middle", lambda: _absent(catalog, middle), (later, True))


def _ahead(catalog: Catalog, e: Expected, after: Cursor | None, number: int) -> int:
    return len(
        list(islice(catalog.due("primary", Grade.BYTES, before=e.now + timedelta(days=90), after=after), number))
    )


def _load(catalog: Catalog, e: Expected) -> int:
    return sum(day[1] for day in catalog.load_ahead("primary", Grade.BYTES, until=e.now + timedelta(days=365)))


def _absent(catalog: Catalog, after: Cursor) -> object:
    found = list(islice(catalog.missing("third", after=after), PAGE))
    return len(found), found == sorted(found, key=lambda each: (each.proved, each.since))


def _sampled(catalog: Catalog, judge: Judge, aips: int, *, now: datetime) -> int:
    """How many of a sample of versions the judge sees otherwise than they were generated."""
    numbers = sorted(
        {1 + 7919 * each % aips for each in range(500)} | {each for each in range(1, 60) if each <= aips}
    )
    with catalog.database.writing() as connection:
        return standings.judge_again(connection, numbers, judge=judge, now=now)


if __name__ == "__main__":
    sys.exit(main())

"""A catalog with a history, three stores that have it, and hands that reach into any of them behind our back."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from preservation.catalog import Catalog, open_catalog
from preservation.catalog.chain import FIELDS, canonical
from preservation.facts import ObjectFact, Role
from preservation.ledger.checking import LedgerChecked, check_ledger
from preservation.ledger.records import admission_detail
from preservation.ledger.writing import write_ledger
from storage_adapters.local import LocalStore
from tests.catalog.samples import NOW, TIFF, event, objects, version

POLICIES = {"default": b'{"copies": 3}\n'}
COLUMNS = ("seq", *FIELDS, "detail", "previous", "digest")
PUSHES = (4, 8, 12, 16)  # the last event of each push
SCRIPT = Path(__file__).parents[2] / "preservation" / "ledger" / "verify_ledger.py"


@dataclass
class History:
    """16 events in four pushes; events 3 and 11 admit an AIP each. Opened and closed by whoever uses it."""

    folder: Path
    address: str

    def open(self) -> Catalog:
        return open_catalog(self.address, base=self.folder)

    @property
    def stores(self) -> list[LocalStore]:
        return [LocalStore(name, self.folder / name) for name in "abc"]

    @property
    def catalog_file(self) -> Path:
        return self.folder / "catalog.db"

    def push(self, catalog: Catalog, stores: Iterable[Any] | None = None) -> None:
        for store in self.stores if stores is None else stores:
            write_ledger(
                catalog, store, now=NOW, agent="vankho 0.1.0", spool=self.folder / "spool", policies=POLICIES
            )

    def check(self, *, objects: bool = False) -> LedgerChecked:
        with self.open() as catalog:
            return check_ledger(catalog, self.stores, objects=objects)

    def script(self, *places: str | Path) -> tuple[int, str]:
        """Exit code and words of the script, run as a stranger would: no site packages, no environment."""
        wanted = [self.folder / place for place in places or ("a", "b", "c", "catalog.db")]
        ran = subprocess.run(
            [sys.executable, "-S", "-I", self.folder / "a" / "verify_ledger.py", *wanted],
            env={},
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=60,
        )
        assert ran.stderr == ""
        return ran.returncode, ran.stdout


def make(folder: Path, address: str) -> History:
    folder.mkdir(exist_ok=True)
    history = History(folder, address)
    for store in history.stores:
        store.root.mkdir()
    with history.open() as catalog:
        for number in range(1, PUSHES[-1] + 1):
            if number in (3, 11):
                admit(catalog, seed=str(number))
            else:
                catalog.record([event(detail={"n": number, "tên": "Huế", "lạ": "\udcff"}, store="kho-a")])
            if number in PUSHES:
                history.push(catalog)
    return history


def admit(catalog: Catalog, count: int = 3, *, seed: str = "") -> None:
    """An AIP as ingest admits it; one object has the producer's bytes of its name, one no format."""
    facts = [
        *objects(count - 1, seed=seed),
        ObjectFact("tag.txt", 1000, hashlib.sha256(seed.encode()).hexdigest(), Role.TAG, original_name=b"t\xe0g"),
    ]
    facts[0] = replace(
        facts[0], format=replace(TIFF, path=facts[0].path, candidates=("fmt/1", "fmt/2"), note="x\x00")
    )
    about = version(count)
    told = event(about, detail=admission_detail(about, facts))
    catalog.admit(about, facts, [told])


# In the catalog


def sql(history: History, work: Callable[[Any], None]) -> None:
    """Work on the raw database, as someone who owns it: the triggers are gone first."""
    if history.address.startswith("sqlite"):
        with closing(sqlite3.connect(history.catalog_file)) as raw, raw:
            for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                raw.execute(f"DROP TRIGGER {name}")
            work(raw)
        return
    with psycopg.connect(history.address) as raw:
        raw.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        work(raw)


def rewrite(history: History, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], *, skill: str) -> None:
    """Change the rows of the events. How well it is covered up: `none`; `own`, the digest of each changed event;
    `all`, numbers, digests and the remembered end.
    """

    def work(raw: Any) -> None:
        names = ", ".join(COLUMNS)
        before = [
            dict(zip(COLUMNS, row, strict=True)) for row in raw.execute(f"SELECT {names} FROM events ORDER BY seq")
        ]
        rows = change([dict(row) for row in before])
        if skill == "own":
            for row in rows:
                if row not in before:
                    row["digest"] = digest_of(row, row["previous"])
        if skill == "all":
            previous = "0" * 64
            for seq, row in enumerate(rows, start=1):
                row["seq"], row["previous"] = seq, previous
                row["digest"] = previous = digest_of(row, previous)
        raw.execute("DELETE FROM events")
        mark = "?" if history.address.startswith("sqlite") else "%s"
        for row in rows:
            raw.execute(
                f"INSERT INTO events ({names}) VALUES ({', '.join([mark] * len(COLUMNS))})", tuple(row.values())
            )
        if skill == "all":
            raw.execute(f"UPDATE chain_head SET seq = {len(rows)}, digest = '{rows[-1]['digest']}'")

    sql(history, work)


def digest_of(row: dict[str, Any], previous: str) -> str:
    record = {"seq": row["seq"], **{name: row[name] for name in FIELDS}, "detail": json.loads(row["detail"])}
    return hashlib.sha256(bytes.fromhex(previous) + canonical(record)).hexdigest()


# In a store


def overwrite(file: Path, content: bytes) -> None:
    file.chmod(0o600)
    file.write_bytes(content)


def segment(store: Path, last: int) -> Path:
    [found] = store.glob(f"ledger/*/events/*-{last:012}.jsonl")
    return found


def checkpoint(store: Path, last: int) -> Path:
    [found] = store.glob(f"ledger/*/checkpoints/*/*-{last}.json")
    return found


def object_list(store: Path, last: int) -> Path:
    [found] = store.glob(f"ledger/*/objects/*-{last:012}.jsonl.gz")
    return found


def rewrite_store(
    store: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], *, skill: str, last: int = 8
) -> None:
    """Change the events of the segment that ends with `last`. `none`: the lines only; `own`: with the digests of the
    changed ones; `segment`: with all digests in it; `all`: that and every later segment, and every checkpoint.
    """
    files = [segment(store, last)]
    if skill == "all":
        files = [segment(store, each) for each in PUSHES if each >= last]
    before = read_lines(files[0])
    previous = hashlib_before(store, before)
    rows = change([dict(row) for row in before])
    for row in rows:
        if skill == "own" and row not in before:
            at = rows.index(row)
            row["digest"] = digest_line(row, before[at - 1]["digest"] if at else previous)
    if skill in ("segment", "all"):
        for row in rows:
            row["digest"] = previous = digest_line(row, previous)
    write_lines(files[0], rows)
    for file in files[1:]:
        later = read_lines(file)
        for row in later:
            row["digest"] = previous = digest_line(row, previous)
        write_lines(file, later)
    if skill == "all":
        forge_checkpoints(store)


def hashlib_before(store: Path, rows: list[dict[str, Any]]) -> str:
    """The digest before a segment's first event."""
    first = rows[0]["seq"]
    return "0" * 64 if first == 1 else read_lines(segment(store, first - 1))[-1]["digest"]


def read_lines(file: Path) -> list[dict[str, Any]]:
    rows = []
    for line in file.read_bytes().splitlines():
        rows.append({"digest": line[:64].decode(), **json.loads(line[65:])})
    return rows


def digest_line(row: dict[str, Any], previous: str) -> str:
    record = {key: value for key, value in row.items() if key != "digest"}
    return hashlib.sha256(bytes.fromhex(previous) + canonical(record)).hexdigest()


def write_lines(file: Path, rows: list[dict[str, Any]]) -> None:
    lines = []
    for row in rows:
        record = {key: value for key, value in row.items() if key != "digest"}
        lines.append(row["digest"].encode() + b" " + canonical(record) + b"\n")
    overwrite(file, b"".join(lines))


def forge(file: Path, **changes: Any) -> None:
    """Change a checkpoint and give it the right SHA-256 of itself again."""
    members = json.loads(file.read_bytes()) | changes
    members.pop("sha256")
    own = hashlib.sha256(canonical(members)).hexdigest()
    overwrite(file, canonical({**members, "sha256": own}) + b"\n")


def forge_checkpoints(store: Path) -> None:
    """Make every checkpoint say what the segments of the store now say."""
    before: str | None = None
    for last in PUSHES:
        rows = read_lines(segment(store, last))
        changes = {"digest": rows[-1]["digest"], "previous": hashlib_before(store, rows), "before": before}
        first = read_lines(segment(store, PUSHES[0]))[0]["digest"]
        forge(checkpoint(store, last), **changes, catalog=first)
        before = hashlib.sha256(checkpoint(store, last).read_bytes()).hexdigest()


def repack(file: Path, change: Callable[[bytes], bytes]) -> None:
    overwrite(file, gzip.compress(change(gzip.decompress(file.read_bytes()))))


def first_named(words: str) -> int | None:
    """The event that the script's last line names."""
    match = re.search(r"^The first event that is wrong or missing: (\d+)$", words, re.MULTILINE)
    return int(match[1]) if match else None


def wrong_lines(words: str) -> list[str]:
    return [line for line in words.splitlines() if line.startswith("WRONG: ")]


def copy_of_catalog(history: History) -> bytes:
    with closing(sqlite3.connect(history.catalog_file)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return history.catalog_file.read_bytes()


def bring_back(history: History, content: bytes) -> None:
    for name in ("catalog.db-wal", "catalog.db-shm"):
        (history.folder / name).unlink(missing_ok=True)
    history.catalog_file.write_bytes(content)

"""A generated catalog written to SQLite or PostgreSQL the fastest way each has: rows first, their indexes after."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import psycopg

from bench.catalog_rows import COLUMNS, NOW, Expected, chunks
from preservation.catalog import open_catalog
from preservation.catalog.judging import Judge
from tests.servers.postgres import programs, running

SERVER = ("shared_buffers=256MB", "max_wal_size=4GB", "maintenance_work_mem=256MB")


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


def generate(address: str, base: Path, *, aips: int, judge: Judge, now: datetime = NOW) -> Expected:
    """Fill an empty catalog as it is at the moment `now`; returns the right answers."""
    open_catalog(address, base=base).close()
    expected = Expected(now)
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

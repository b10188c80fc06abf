"""`make cluster`: two machines share ingest, replication and audits; one is lost in the middle, the other finishes.

A real PostgreSQL for the catalog and for Prefect, a real Prefect server, two workers in process spaces of their own.
What holds at the end is asked of the catalog, the stores and the server, not of what the workers say of themselves.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from flows.ledger import verify
from flows.workspace import open_workspace
from preservation.facts import EventType, Grade, Outcome
from tests.cluster.machines import Machine, Prefect, apart, machine, prefect_on
from tests.flows.houses import House, local_stores, package
from tests.servers.postgres import QUICK, Server, programs, running
from tests.tally import Tally

OPEN = {"SCHEDULED", "PENDING", "RUNNING", "CANCELLING", "PAUSED"}
QUICKLY = {"PREFECT_WORKER_HEARTBEAT_SECONDS": "10", "PREFECT_WORKER_QUERY_SECONDS": "2"}
STILL = 120.0  # seconds in which nothing goes on: the machine may be busy, and then all takes longer
POLICY = """
extends: default
replication: {copies: 2, stores: [a, b], separation: {by: [region], min: 1}}
schedule: {audit: 0 1 1 1 *, replicate: 0 1 1 1 *}
audit: {defaults: {bytes: {interval: PT1M, grace: PT1M}}}
"""


@dataclass
class Cluster:
    """Servers, house and machines; `most` is how many audits held each store at most, seen from the catalog."""

    house: House
    postgres: Server
    prefect: Prefect
    folder: Path
    machines: dict[str, Machine] = field(default_factory=dict)
    most: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)

    def start(self, name: str) -> None:
        self.machines[name] = machine(name, self.house.folder, self.folder, QUICKLY)

    def vankho(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                sys.executable,
                "-c",
                "from apps.cli.main import run; run()",
                words[0],
                *words[1:],
                "-w",
                str(self.house.folder),
            ],
            capture_output=True,
            text=True,
            check=False,
        )

    def look(self) -> None:
        """How many audits hold each store just now."""
        with psycopg.connect(self.house.catalog, autocommit=True) as connection:
            keys = [row[0] for row in connection.execute("SELECT key FROM leases WHERE key LIKE 'audit %'")]
        stores = Counter(key.split()[1] for key in keys if len(key.split()) == 3)
        self.most |= stores
        self.held += stores


@contextmanager
def cluster(folder: Path, packages: int) -> Iterator[Cluster]:
    """Everything but the machines is up; at the end all is ended."""
    found = programs()
    if found is None:
        raise SystemExit("PostgreSQL is not installed here (Debian: apt-get install postgresql)")
    with running(found, QUICK) as postgres, postgres.database() as catalog, postgres.database() as runs:
        postgres.run("CREATE EXTENSION IF NOT EXISTS pg_trgm", database=runs)
        prefect = prefect_on(postgres.address(runs).replace("postgresql://", "postgresql+asyncpg://"), folder)
        house = House(folder / "kho", local_stores(2), catalog=postgres.address(catalog))
        house.settle()
        house.policy("own", POLICY)
        settings = house.folder / "vankho.toml"
        settings.write_text(
            f'policy = "own"\n[prefect]\napi_url = "{prefect.url}"\n[work]\nprocesses = 1\n' + settings.read_text()
        )
        for number in range(packages):
            texts = {
                f"Trang {page:03}.txt": f"Gói {number}, trang {page}: {'Trăm năm ' * 900}".encode()
                for page in range(12)
            }
            package(folder / "giao" / f"Gói {number:03}", texts)
        it = Cluster(house, postgres, prefect, folder)
        try:
            yield it
        finally:
            for each in it.machines.values():
                each.shut_down()
            prefect.stop()


def worked(it: Cluster, packages: int, *, lost_after: int) -> None:
    """All submitted, one machine lost when so many packages are in; gives when all runs are over."""
    applied = it.vankho("schedule", "apply")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    sources = sorted(str(path) for path in (it.folder / "giao").iterdir())
    for name in ("may-a", "may-b"):
        it.start(name)
    handed = it.vankho("ingest", "--submit", *sources)
    assert handed.returncode == 0, handed.stdout + handed.stderr
    said("handed over")
    again = it.vankho("ingest", "--submit", sources[-1])
    assert "already" in again.stdout, again.stdout + again.stderr
    until(it, lambda: admitted(it) >= lost_after)
    it.machines["may-a"].power_cut()
    said("may-a lost")
    until(it, lambda: admitted(it) >= packages)
    said("all packages in")
    for name in ("replicate", "audit a", "audit b", "audit a"):
        begun = it.vankho("schedule", "run", name)
        assert begun.returncode == 0, begun.stdout + begun.stderr
    it.start("may-c")
    until(it, lambda: not unfinished(it))
    said("all runs over")


def said(what: str) -> None:
    sys.stdout.write(f"{time.monotonic() - BEGAN:5.0f} s  {what}\n")
    sys.stdout.flush()


def until(it: Cluster, over: Callable[[], bool]) -> None:
    """Wait until it is so, as long as anything goes on: events in the catalog, runs that begin or end."""
    seen, since, last = None, time.monotonic(), 0.0
    while not over():
        it.look()
        for each in it.machines.values():
            ended = each.process.poll()
            assert ended in (None, -signal.SIGKILL), f"{each.name} ended ({ended}): {each.said()[-800:]}"
        if time.monotonic() - last > 5:
            last = time.monotonic()
            now = goes_on(it)
            seen, since = (seen, since) if now == seen else (now, last)
            if last - since > STILL:
                raise TimeoutError(f"nothing went on for {STILL:.0f} s; open: {unfinished(it)}")
        time.sleep(0.25)


def goes_on(it: Cluster) -> tuple[object, ...]:
    """What changes while anybody works."""
    with psycopg.connect(it.house.catalog, autocommit=True) as connection:
        events = connection.execute("SELECT seq FROM chain_head").fetchone()
    states = Counter(str(run["state_type"]) for run in it.prefect.runs())
    return events, tuple(sorted(states.items()))


def admitted(it: Cluster) -> int:
    with psycopg.connect(it.house.catalog, autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM versions").fetchone()
    assert row is not None
    return int(row[0])


def unfinished(it: Cluster) -> list[str]:
    """Runs asked for that are not over; what a schedule will ask for next year is not meant."""
    return [str(run["name"]) for run in it.prefect.runs() if run["state_type"] in OPEN and not run["auto_scheduled"]]


def judge(it: Cluster, packages: int, tally: Tally) -> None:
    """What must hold, whoever did it."""
    runs = it.prefect.runs()
    states = Counter(str(run["state_type"]) for run in runs if not run["auto_scheduled"])
    with open_workspace(it.house.folder) as workspace:
        catalog = workspace.catalog
        versions = list(catalog.versions())
        digests = Counter(version.content_digest for version in versions)
        for version in versions:
            case = version.identifier
            tally.note("one AIP a package", case, None if digests[version.content_digest] == 1 else "twice")
            held = catalog.replicas(version.identifier, version.version)
            proved = [each for each in held if Grade.BYTES in each.evidence]
            intact = [each for each in proved if each.evidence[Grade.BYTES].outcome is Outcome.INTACT]
            tally.note(
                "two proved copies", case, None if len(intact) == len(held) == 2 else f"{len(intact)} of {len(held)}"
            )
        tally.note("packages", "all", None if len(versions) == packages else f"{len(versions)} of {packages}")
        tally.note("nothing staged", "bags", None if not list(catalog.staged()) else str(list(catalog.staged())))
        made = Counter(
            (event.identifier, event.version, event.store)
            for event in (recorded.event for recorded in catalog.events())
            if event.type is EventType.REPLICATION and event.outcome.value == "success"
        )
        twice = [key for key, count in made.items() if count > 1]
        tally.note("no copy made twice", "events", None if not twice else str(twice[:3]))
        tally.note("counts add up", "copies", None if len(made) == 2 * packages else f"{len(made)} replications")
        verdict = verify(workspace).verdict
        tally.note("ledger", "verify", None if int(verdict) == 0 else f"{verdict!r}")
    for store in ("a", "b"):
        tally.note("one audit a store", store, None if it.most[store] == 1 else f"at most {it.most[store]}")
    tally.note("no run left open", "runs", None if not unfinished(it) else ", ".join(unfinished(it)))
    tally.note("the lost runs are crashed", "runs", None if states["CRASHED"] >= 1 else str(dict(states)))
    failed = [f"{run['name']}: {run['state_type']}" for run in runs if run["state_type"] == "FAILED"]
    tally.note("none failed", "runs", None if not failed else "; ".join(failed[:3]))
    left = [name for name in it.house.leftovers() if not name.startswith("spool/")]
    tally.note("nothing left behind", "workspace", None if not left else str(left))
    shares = Counter(taken_by(run) for run in runs if run["state_type"] in ("COMPLETED", "CRASHED"))
    for name in ("may-a", "may-b"):
        tally.note("each machine worked", name, None if shares[f"vankho on {name}"] else str(dict(shares)))
    sys.stdout.write(f"runs by state: {dict(states)}; by machine: {dict(shares)}\n")


def taken_by(run: Mapping[str, Any]) -> str:
    return str((run["labels"] or {}).get("prefect.worker.name"))


BEGAN = time.monotonic()


def main() -> int:
    """The whole draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40, help="packages")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if apart() is None:
        raise SystemExit("this system does not let us make process spaces (unshare --pid --uts)")
    os.environ.pop("PREFECT_API_URL", None)  # the workspace says which server; the tests' own setting would win
    lost_after = random.Random(asked.seed).randint(asked.runs // 5, asked.runs // 2)
    tally = Tally(f"{asked.runs} packages, two machines, one lost after {lost_after}", least=2 * asked.runs + 10)
    with tempfile.TemporaryDirectory(prefix="vankho-cluster-") as place:
        folder = Path(place)
        folder.chmod(0o755)
        with cluster(folder, asked.runs) as it:
            try:
                worked(it, asked.runs, lost_after=lost_after)
            except (AssertionError, TimeoutError) as error:
                tally.failed("worked", "in time", str(error)[-1500:])
                sys.stdout.write(
                    "".join(f"--- {name}\n{each.said()[-1500:]}\n" for name, each in it.machines.items())
                )
                sys.stdout.write(f"open: {unfinished(it)}\n")
            judge(it, asked.runs, tally)
            for name, each in it.machines.items():
                each.shut_down()
                sys.stdout.write("".join(f"{name}: {line}\n" for line in each.said().splitlines()[:12]))
    sys.stdout.write(f"{time.monotonic() - BEGAN:.0f} s\n")
    return tally.conclude()


if __name__ == "__main__":
    sys.exit(main())

"""Prefect shows a run whose process was killed as running for ever: the next run, or `vankho tidy`, closes it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from examples.servers import prefect_server, wait_for_prefect
from preservation.catalog.leases import is_gone, this_process
from tests.cli.commands import PROGRAM, environment, vankho, workspace_in
from tests.servers.asking import asked
from tests.servers.processes import wait_until

pytestmark = pytest.mark.xdist_group("prefect")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What commands must know of a server of our own."""
    with prefect_server(tmp_path / "prefect") as address:
        wait_for_prefect(address, tmp_path / "prefect")
        yield {"PREFECT_API_URL": address, "PREFECT_HOME": str(tmp_path / "prefect")}


def large(folder: Path) -> Path:
    """Enough files that there is time to kill in."""
    folder.mkdir()
    for number in range(4000):
        (folder / f"Trang {number:04}.txt").write_text(f"{number} {'Trăm năm ' * 500}", "utf-8")
    return folder


def ask(server: dict[str, str], path: str, **body: Any) -> Any:
    return asked("POST", f"{server['PREFECT_API_URL']}{path}", **body)


def runs_of(server: dict[str, str], kho: Path) -> list[dict[str, Any]]:
    runs = ask(server, "/flow_runs/filter", sort="START_TIME_ASC")
    return [run for run in runs if run["parameters"].get("workspace") == str(kho)]


def begun(server: dict[str, str], kho: Path, package: Path) -> subprocess.Popen[bytes]:
    """An ingest that is at work, and that Prefect shows: it is told of it a second or two after the work began."""
    running = len(runs_of(server, kho))
    process = subprocess.Popen(
        [PROGRAM, "ingest", "-w", kho, package], env=environment(**server), stdout=subprocess.DEVNULL
    )
    wait_until(
        lambda: len(runs_of(server, kho)) > running or process.poll() is not None,
        seconds=60,
        what="ingest",
    )
    assert process.poll() is None
    process.send_signal(signal.SIGSTOP)
    while not writable(kho):  # stopped in the middle of a transaction it would keep everybody from writing
        process.send_signal(signal.SIGCONT)
        time.sleep(0.05)
        process.send_signal(signal.SIGSTOP)
    return process


def writable(kho: Path) -> bool:
    """Whether nobody is writing to the catalog."""
    with closing(sqlite3.connect(kho / "catalog.db", timeout=0.5, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
        return True


def killed(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(30)


@pytest.mark.live
def test_the_next_run_closes_what_died_and_nothing_else(server: dict[str, str], tmp_path: Path):
    kho, other = workspace_in(tmp_path / "kho"), workspace_in(tmp_path / "other")
    source = large(tmp_path / "lớn")
    killed(begun(server, kho, source))
    killed(begun(server, other, source))
    living = begun(server, kho, source)
    try:
        dead, alive = runs_of(server, kho)
        elsewhere = ask(
            server,
            "/flow_runs/",
            flow_id=dead["flow_id"],
            name="on another machine",
            parameters={"workspace": str(kho)},
            tags=["host elsewhere", f"process {json.dumps(['elsewhere', 'boot', 'space', 1, '1'])}"],
            state={"type": "RUNNING"},
        )
        assert vankho("audit", "-w", kho, env=server).code == 0
        states = {run["id"]: run for run in runs_of(server, kho)}
        assert states[dead["id"]]["state_type"] == "CRASHED"
        assert "run the same command again" in states[dead["id"]]["state"]["message"]
        assert {states[each["id"]]["state_type"] for each in (alive, elsewhere)} <= {"PENDING", "RUNNING"}
        tasks = ask(server, "/task_runs/filter", flow_runs={"id": {"any_": [dead["id"]]}})
        assert "RUNNING" not in {task["state_type"] for task in tasks}
        (of_other,) = runs_of(server, other)
        assert of_other["state_type"] in ("PENDING", "RUNNING")
        assert any(
            each["place"] == "Prefect" for each in vankho("tidy", "-w", other, "--json", env=server).data["removed"]
        )
        (of_other,) = runs_of(server, other)
        assert of_other["state_type"] == "CRASHED"
        living.send_signal(signal.SIGCONT)
        assert living.wait(120) == 0
    finally:
        killed(living)
    states = {run["id"]: run["state_type"] for run in runs_of(server, kho)}
    assert states[alive["id"]] == "COMPLETED"


def test_who_is_gone():
    ours = this_process()
    assert not is_gone(ours)
    host, boot, space, pid, started = json.loads(ours)
    code = "from preservation.catalog.leases import this_process; print(this_process())"
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert is_gone(dead)
    assert is_gone(json.dumps([host, "an earlier boot", space, pid, started]))
    assert is_gone(json.dumps([host, boot, space, pid, "another start"]))  # the number was given out again
    for foreign in (
        json.dumps(["elsewhere", boot, space, *json.loads(dead)[3:]]),
        json.dumps([host, boot, "another container", *json.loads(dead)[3:]]),
        "", "{}", "[]", "null", json.dumps([host, boot, space, "x", "y"]),
    ):  # fmt: skip
        assert not is_gone(foreign)
    assert os.getpid() == pid

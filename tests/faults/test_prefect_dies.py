"""A Prefect server that dies in the middle of a run changes nothing but that nobody sees it; and it is not waited for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.flows.houses import House, local_stores, proofs
from tests.flows.test_prefect import ROOT, settings
from tests.servers.processes import dying_with_us, free_port, wait_until

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("prefect"), pytest.mark.timeout(400)]
BOUND = 15.0  # seconds from the server's death to the end of the process; Prefect alone waits for some 270


def test_the_run_ends_soon_and_well(tmp_path: Path):
    house = House(tmp_path / "house", local_stores()).settle()
    port = free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    env |= settings(tmp_path / "prefect", f"http://127.0.0.1:{port}/api") | {"PYTHONPATH": str(ROOT)}
    words = ["-m", "prefect", "server", "start", "--no-ui", "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(
            dying_with_us([sys.executable, *words]), env=env, stdout=log, stderr=log, cwd=tmp_path
        )
    try:
        from flows.running.run import is_there

        wait_until(lambda: is_there(env["PREFECT_API_URL"]), seconds=120, what="Prefect", log=tmp_path / "server.log")
        run = subprocess.run(
            [sys.executable, "-m", "tests.faults.watched", str(tmp_path), str(server.pid)],
            env=env, capture_output=True, text=True, timeout=200, cwd=ROOT,
        )  # fmt: skip
        ended = time.monotonic()
    finally:
        server.kill()
        server.wait()
    assert run.returncode == 0, run.stderr
    killed, answer = run.stdout.splitlines()
    assert answer == "accepted WELL"
    assert ended - float(killed) < BOUND
    assert run.stderr == ""
    with house.open() as workspace:
        (version,) = workspace.catalog.versions()
        assert set(proofs(workspace.catalog.replicas(version.identifier, 1)).values()) == {"intact"}
        assert workspace.catalog.verify_chain().sound
    assert house.leftovers() == []

"""One Prefect server for all tests of a process that look at it: Prefect reads its address once, when it is imported."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers.asking import asked
from tests.servers.processes import free_port, wait_until


@dataclass(frozen=True)
class Server:
    home: Path
    url: str

    def ask(self, path: str, *, by: str = "POST", **body: Any) -> Any:
        return asked(by, f"{self.url}{path}", **body)

    def newest_run(self) -> dict[str, Any]:
        (run,) = self.ask("/flow_runs/filter", sort="EXPECTED_START_TIME_DESC", limit=1)
        return dict(run)

    def tasks_of(self, run: dict[str, Any], at_least: int) -> list[dict[str, Any]]:
        """Task runs reach the database a little after the run."""
        deadline = time.monotonic() + 30
        while True:
            tasks = self.ask(
                "/task_runs/filter",
                flow_runs={"id": {"any_": [run["id"]]}},
                sort="EXPECTED_START_TIME_ASC",
            )
            if len(tasks) >= at_least or time.monotonic() > deadline:
                return list(tasks)
            time.sleep(0.3)


def settings(home: Path, url: str) -> dict[str, str]:
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5",
    }


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of our own with SQLite."""
    home, port = tmp_path_factory.mktemp("prefect"), free_port()
    url = f"http://127.0.0.1:{port}/api"
    env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | settings(home, url)
    command = (
        sys.executable,
        "-m",
        "prefect",
        "server",
        "start",
        "--no-ui",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    )
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=home)
    try:
        wait_until(lambda: _healthy(process, url), seconds=120, what="Prefect", log=home / "server.log")
        yield Server(home, url)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _healthy(process: subprocess.Popen[bytes], url: str) -> bool:
    assert process.poll() is None, "the server ended"
    try:
        return httpx.get(f"{url}/health", timeout=2).text == "true"
    except httpx.HTTPError:
        return False

"""Two "machines" on one kernel: each a process space and a host name of its own, so that neither sees the other's
processes, sharing the workspace folder and the servers. To kill the first process of a space is a power cut: the
kernel kills all others in it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.servers.asking import asked
from tests.servers.processes import free_port, wait_until

VANKHO = "from apps.cli.main import run; run()"


def apart() -> list[str] | None:
    """The command that starts another in spaces of its own; None where the system does not let us."""
    if shutil.which("unshare") is None:
        return None
    spaces = ["--pid", "--uts", "--mount-proc", "--fork", "--kill-child"]
    for command in (["unshare", *spaces], ["unshare", "--user", "--map-root-user", *spaces]):
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    return None


@dataclass
class Machine:
    """One machine with one worker."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def power_cut(self) -> None:
        """Everything on it ends at once."""
        os.kill(self.process.pid, signal.SIGKILL)  # --kill-child: the first process of the space goes with it
        self.process.wait()

    def shut_down(self) -> None:
        """As a sysadmin would end it."""
        if self.process.poll() is None:
            for pid in first_of_space(self.process.pid):
                os.kill(pid, signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.power_cut()

    def said(self) -> str:
        return self.log.read_text("utf-8", errors="replace")


def first_of_space(unshare: int) -> list[int]:
    """The child of `unshare`."""
    return [int(pid) for pid in Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split()]


def machine(name: str, workspace: Path, folder: Path, env: Mapping[str, str], *words: str) -> Machine:
    """Start a machine whose worker takes runs."""
    spaces = apart()
    assert spaces is not None
    home = folder / name
    home.mkdir()
    python = [sys.executable, "-c", VANKHO, "worker", "-w", str(workspace), "--runs", "3", *words]
    script = 'hostname "$0" && exec "$@"'
    log = home / "worker.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*spaces, "sh", "-c", script, name, *python],
            env={**os.environ, **env, "HOME": str(home), "TMPDIR": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    return Machine(name, process, log)


@dataclass
class Prefect:
    """A Prefect server on a database of its own."""

    url: str
    process: subprocess.Popen[bytes]

    def ask(self, path: str, **body: object) -> list[dict[str, object]]:
        found: list[dict[str, object]] = asked("POST", f"{self.url}{path}", **body)
        return found

    def runs(self) -> list[dict[str, object]]:
        """All of them."""
        found: list[dict[str, object]] = []
        while True:
            page = self.ask("/flow_runs/filter", limit=200, offset=len(found), sort="ID_DESC")
            found += page
            if len(page) < 200:
                return found

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def prefect_on(database: str, folder: Path) -> Prefect:
    """Start it and wait until it answers."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    home = folder / "prefect"
    home.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    }
    command = [
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
    ]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    server = Prefect(url, process)

    def there() -> bool:
        assert process.poll() is None, (home / "server.log").read_text(errors="replace")[-2000:]
        try:
            return httpx.get(f"{url}/health", timeout=2).text == "true"
        except httpx.HTTPError:
            return False

    wait_until(there, seconds=120, what="Prefect", log=home / "server.log")
    return server

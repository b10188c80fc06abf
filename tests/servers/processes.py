"""What all the servers share: a free port, waiting until something answers, and a sure end."""

from __future__ import annotations

import contextlib
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path


def free_port() -> int:
    """A port of the loopback that nobody uses now, below those the system gives to whoever connects somewhere."""
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def answers(port: int) -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(ready: Callable[[], bool], *, seconds: float, what: str, log: Path | None = None) -> None:
    """Wait, or raise with the end of the log."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-3000:] if log and log.exists() else ""
            raise TimeoutError(f"{what} was not ready after {seconds} s\n{tail}")
        time.sleep(0.05)


def dying_with_us(command: Sequence[str]) -> list[str]:
    """The command, killed by the system with the test run, where it can: a disk without its monitor ends on nothing less."""
    return [*(["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []), *command]


@contextlib.contextmanager
def running(command: Sequence[str], *, port: int, log: Path, env: Mapping[str, str] | None = None) -> Iterator[None]:
    """One process that listens on a port; ended when the block ends."""
    start = dying_with_us(command)
    with log.open("ab") as out, subprocess.Popen(start, stdout=out, stderr=out, env=env, cwd=log.parent) as process:
        try:
            wait_until(lambda: process.poll() is not None or answers(port), seconds=30, what=command[0], log=log)
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended at once:\n{log.read_text(errors='replace')[-3000:]}")
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

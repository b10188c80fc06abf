"""A process that has imported everything and forks victims for every line of requests on its standard input.

For each line it prints one: what each victim told, how it ended (`status`, negative for a signal), and what was
left running (`orphans`, with the last one): the zygote is the reaper of its descendants, so none can hide.
"""

from __future__ import annotations

import ctypes
import encodings
import gc
import importlib
import json
import mmap
import os
import pkgutil
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

PATIENCE = 120.0  # seconds for a victim
ENDING = 5.0  # seconds for what it started to end by itself

_SUBREAPER = 36  # prctl(2): PR_SET_CHILD_SUBREAPER


def main() -> None:
    """Serve until the input ends."""
    os.environ["PREFECT_API_URL"] = "http://127.0.0.1:9/api"
    os.environ["VANKHO_MUST_RUN"] = ""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    answers = os.dup(1)
    os.dup2(2, 1)
    _import_all()
    gc.freeze()
    for line in sys.stdin.buffer:
        os.write(answers, json.dumps(_all(json.loads(line), answers)).encode() + b"\n")


# Whatever a run imports late, so that no victim spends a second on it; and a victim without rights may not read it.
LATE = (
    *("flows.ingest", "flows.replicate", "flows.audit", "flows.repair", "flows.restore", "flows.reconcile"),
    *("tests.crash.victim", "tests.crash.broken", "alembic.command", "alembic.runtime.migration", "psycopg"),
    *("preservation.catalog.migrations.env", "sqlalchemy.dialects.sqlite.pysqlite", "pprint", "ctypes", "bagit"),
    *("sqlalchemy.dialects.postgresql.psycopg", "concurrent.futures.thread", "jsonschema", "traceback", "lxml.etree"),
    *("_strptime", "flows.reporting.reports"),
)


def _import_all() -> None:
    from preservation.formats import process
    from preservation.formats.engine import Engine
    from preservation.formats.limits import Limits
    from preservation.formats.pronom.releases import fido_release
    from preservation.formats.worker import TOOL

    for each in pkgutil.iter_modules(encodings.__path__):  # a victim without rights may not read them any more
        if each.name not in ("mbcs", "oem"):
            importlib.import_module(f"encodings.{each.name}")
    for name in LATE:
        with suppress(ImportError, AttributeError):  # the migrations' own script cannot be imported by itself
            importlib.import_module(name)
    engine = Engine(fido_release(), Limits(), tool=TOOL)
    process.subprocess = _Forking(engine)  # type: ignore[assignment]


class _Forking:
    """`subprocess` as the format identifier sees it: its worker is a fork with the signatures loaded, not a program
    that loads them for half a second. Everything else about it is as it is.
    """

    PIPE, TimeoutExpired = subprocess.PIPE, subprocess.TimeoutExpired

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def Popen(self, command: list[str], **_: Any) -> _Worker:  # noqa: N802 - its name there
        return _Worker(self._engine)


class _Worker:
    def __init__(self, engine: Any) -> None:
        child_in, ours_out = os.pipe()
        ours_in, child_out = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _serve(engine, child_in, child_out)
        os.close(child_in)
        os.close(child_out)
        self.stdin = open(ours_out, "wb", buffering=0)  # noqa: SIM115, PTH123
        self.stdout = open(ours_in, "rb", buffering=0)  # noqa: SIM115, PTH123
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            with suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("worker", timeout)
            time.sleep(0.001)
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _serve(engine: Any, requests: int, answers: int) -> None:
    try:
        os.setpgid(0, 0)
        os.dup2(requests, 0)
        os.dup2(answers, 20)
        os.closerange(3, 20)
        os.closerange(21, 1024)
        from preservation.formats import engine as engines
        from preservation.formats import worker
        from preservation.formats.limits import Limits
        from preservation.formats.pronom import cache

        engines.Engine = lambda *_, **__: engine  # type: ignore[assignment, misc]
        cache.cached = lambda *_: None  # type: ignore[assignment, return-value]
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        worker.serve(Limits(), open(20, "wb"), mmap.mmap(-1, worker.COUNT.size))  # noqa: SIM115
    finally:
        os._exit(0)


def _all(requests: list[dict[str, Any]], answers: int) -> list[dict[str, Any]]:
    """Victims that start at the same moment, each from its start to its end."""
    begun = []
    go_in, go_out = os.pipe()
    for request in requests:
        told_in, told_out = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go_out)
            os.read(go_in, 1)  # until all are there
            _victim(request, told_out, [told_in, answers, go_in])
        os.close(told_out)
        begun.append((pid, told_in))
    os.close(go_in)
    os.close(go_out)
    ended = []
    for pid, told_in in begun:
        told, hung = _told(told_in, pid)
        _, status = os.waitpid(pid, 0)
        os.close(told_in)
        answer: dict[str, Any] = json.loads(told) if told else {}
        ended.append({**answer, "status": os.waitstatus_to_exitcode(status), "hung": hung, "orphans": []})
    ended[-1]["orphans"] = _orphans()
    return ended


def _victim(request: dict[str, Any], told: int, foreign: list[int]) -> None:
    code = 1
    try:
        for file in foreign:
            os.close(file)
        from tests.crash import victim

        write = os.write
        victim.run(request, lambda answer: (write(told, json.dumps(answer).encode()), None)[1])
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _told(pipe: int, pid: int) -> tuple[bytes, bool]:
    """What the victim wrote until it ended; its descendants may hold the pipe open, so its own end is watched."""
    ended = os.pidfd_open(pid)
    try:
        hung = not select.select([ended], [], [], PATIENCE)[0]
        if hung:
            os.kill(pid, signal.SIGKILL)
            select.select([ended], [], [])
    finally:
        os.close(ended)
    os.set_blocking(pipe, False)
    with suppress(BlockingIOError):
        return os.read(pipe, 1 << 20), hung
    return b"", hung


def _orphans() -> list[str]:
    """Descendants that did not end by themselves once their parent was dead; they are ended now."""
    deadline = time.monotonic() + ENDING
    left: list[str] = []
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return left
        if pid == 0 and time.monotonic() > deadline:
            for child in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
                left.append(Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:200])
                os.kill(int(child), signal.SIGKILL)
            deadline = time.monotonic() + ENDING
        elif pid == 0:
            time.sleep(0.002)


if __name__ == "__main__":
    main()

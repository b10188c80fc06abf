"""`vankho up`: everything on one machine. A Prefect server, a worker that runs flows, and what else is to go on.

Only one at a time in a workspace. What an earlier one left behind, killed, is found, told and ended; its runs are
closed as crashed. Schedules follow the policies while it runs. Reachable on the loopback alone.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from flows.children import MARK, Child, Children, ask_to_end, end_marked, end_with_parent
from flows.report_files import message_of
from flows.run import RUNNING, is_there
from flows.settings import Settings
from preservation.catalog.leases import this_process
from preservation.errors import PreservationError, UsageError
from wording import Message, say

USUAL_PORT = 4200
STARTING = 180.0  # seconds for the server; its first start builds its database
SETTLING = 300.0  # seconds for schedules
LOOK = 20.0  # seconds between two looks whether policies or settings have changed
ANYWAY = 900.0  # seconds between two times that the schedule is compared without one
GRACE = 30.0  # seconds for runs that were asked to end
TURN = 0.2
AGAIN = 60.0  # the same, when it could not be
SERVER, WORKER = "prefect", "worker"
A_RUN = "prefect.engine"  # what the process of a run runs
HERE = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Extra:
    """One more child: its name, its command, and the address at which a person finds it, if there is one."""

    name: str
    command: tuple[str, ...]
    address: str | None = None


@dataclass(slots=True)
class _Up:
    """One `vankho up` while it runs."""

    folder: Path
    settings: Settings
    pool: str
    runs: int
    tell: Callable[[Message], None]
    children: Children
    api: str = ""
    working: bool = False  # whether runs could be begun
    stop: threading.Event = field(default_factory=threading.Event)
    hurry: threading.Event = field(default_factory=threading.Event)
    problem: Message | None = None
    seen: object = None
    settled_at: float = 0.0


def up(
    folder: Path,
    settings: Settings,
    *,
    port: int,
    pool: str | None,
    extras: Sequence[Extra],
    tell: Callable[[Message], None],
) -> int:
    """Run everything until SIGTERM, SIGINT or SIGHUP; gives how often a child had to be started again.

    Port 0 takes a free one. Raises UsageError when one runs already or the port is taken, PreservationError when the
    server does not answer in time.
    """
    mark = str(folder)
    with _alone(folder):
        _tell_of(end_marked(mark), tell)
        it = _Up(
            *(folder, settings, pool or settings.prefect.pool, settings.prefect.runs, tell),
            Children(folder / "logs", mark, tell),
        )
        with _signals(it):
            try:
                _start_server(it, port)
                _state(it)
                if not it.stop.is_set():
                    _settle(it)
                    _start_others(it, extras)
                    _state(it)
                    _where(it, extras)
                _watch_over(it)
            finally:
                _end(it)
                (folder / RUNNING).unlink(missing_ok=True)
    return it.children.restarts


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The lock goes with the process, whatever becomes of it. Raises UsageError when another holds it."""
    with (folder / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _running_already(folder) from None
        yield


def _running_already(folder: Path) -> UsageError:
    try:
        state = json.loads((folder / RUNNING).read_text("utf-8"))
    except (OSError, ValueError):
        state = {}
    return UsageError(
        say("`vankho up` runs already in this workspace."),
        where=state.get("page") or str(folder),
        seen=f"pid {state['pid']}" if "pid" in state else None,
        next_step=say("Look at its pages, or end it with Ctrl-C (or SIGTERM) before you start another."),
    )


def _tell_of(leftovers: dict[int, str], tell: Callable[[Message], None]) -> None:
    for pid, command in leftovers.items():
        tell(
            say(
                "An earlier `vankho up` was killed and left process {pid} behind; it was ended: {command}",
                pid=pid,
                command=command[:120],
            )
        )


@contextmanager
def _signals(it: _Up) -> Iterator[None]:
    """The first one asks for a clean end, a second one for a quick one."""

    def asked(_number: int, _frame: FrameType | None) -> None:
        (it.hurry if it.stop.is_set() else it.stop).set()

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, asked) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start_server(it: _Up, port: int) -> None:
    """Have a server that answers: the one that the settings name, else one of our own."""
    named = os.environ.get("PREFECT_API_URL") or it.settings.prefect.api_url
    if named is not None:
        if not is_there(named):
            raise PreservationError(
                say("The Prefect server that the settings name does not answer."),
                where=named,
                next_step=say("Start it, or take prefect.api_url out of vankho.toml to have one started here."),
            )
        it.tell(say("Prefect: the server of the settings, {address}", address=named))
        it.api = named
        return
    port = _free_port(port)
    it.api = f"http://{HERE}:{port}/api"
    command = ("-m", "prefect", "server", "start", "--host", HERE, "--port", str(port))
    it.tell(say("Prefect's server is starting …"))
    it.children.start(Child(SERVER, (sys.executable, "-P", *command), _environment(it, secrets=False)))
    deadline = time.monotonic() + STARTING
    while not is_there(it.api):
        it.children.look()
        if it.stop.wait(TURN):
            return
        if time.monotonic() > deadline:
            raise PreservationError(
                say("Prefect's server did not answer within {seconds} s.", seconds=round(STARTING)),
                where=str(it.children.log_of(SERVER)),
                next_step=say("Read the end of its log for the reason."),
            )


def _free_port(port: int) -> int:
    """The port, or a free one for 0. Raises UsageError when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HERE, port))
        except OSError as error:
            raise UsageError(
                say("Port {port} of this machine is taken: {reason}", port=port, reason=error.strerror or "?"),
                where=f"{HERE}:{port}",
                next_step=say("Name another with --port, or set prefect.api_url if a Prefect server runs there."),
            ) from None
        free: int = probe.getsockname()[1]
        return free


def _environment(it: _Up, *, secrets: bool) -> dict[str, str]:
    """What Prefect reads when it starts: our server, our folder, no calls home. The server gets no keys of stores."""
    mine = {
        name: value
        for name, value in os.environ.items()
        if (not name.startswith("PREFECT_") or name == "PREFECT_API_AUTH_STRING")
        and (secrets or not name.startswith(("VANKHO_", "AWS_")))
    }
    home = it.folder / "prefect"
    home.mkdir(mode=0o700, exist_ok=True)
    database = it.settings.prefect.database
    if database is not None and not secrets:
        mine["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database.get_secret_value()
    return mine | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": it.api,
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # A limit's slots must be given back although the server died: in memory nobody would know of them.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_WORKER_QUERY_SECONDS": "5",
        "PREFECT_LOGGING_COLORS": "false",
        "PYTHONUNBUFFERED": "1",
        "VANKHO_WORKSPACE": str(it.folder),
    }


def _start_others(it: _Up, extras: Sequence[Extra]) -> None:
    it.working = True
    environment = _environment(it, secrets=True)
    name = f"vankho up on {socket.gethostname()}"
    words = ("--pool", it.pool, "--type", "process", "--name", name, "--limit", str(it.runs))
    command = (sys.executable, "-P", "-m", "prefect", "worker", "start", *words, "--install-policy", "never")
    it.children.start(Child(WORKER, command, environment, patience=60.0))
    for each in extras:
        it.children.start(Child(each.name, each.command, environment))


def _where(it: _Up, extras: Sequence[Extra]) -> None:
    it.tell(say("Everything runs. Runs and schedules: {address}", address=_page(it.api)))
    for each in extras:
        if each.address is not None:
            it.tell(say("{name}: {address}", name=each.name, address=each.address))
    it.tell(say("Reports: {reports}. Logs: {logs}.", reports=it.folder / "reports", logs=it.folder / "logs"))
    it.tell(say("Ctrl-C ends it."))


def _page(api: str) -> str:
    return api.removesuffix("/api")


def _state(it: _Up) -> None:
    """For other commands, and for a second start: where the server is, and who runs it."""
    state = {
        "api_url": it.api,
        "page": _page(it.api),
        "pid": os.getpid(),
        "process": this_process(),
        "children": it.children.pids(),
    }
    half = it.folder / f".{RUNNING}.{os.getpid()}"
    half.write_text(json.dumps(state), "utf-8")
    half.replace(it.folder / RUNNING)


def _watch_over(it: _Up) -> None:
    looked = time.monotonic()
    while not it.stop.wait(TURN):
        restarts = it.children.restarts
        it.children.look()
        if it.children.restarts != restarts:
            _state(it)
        now = time.monotonic()
        if now - looked > LOOK:
            looked = now
            if _stamp(it.folder) != it.seen or now - it.settled_at > (ANYWAY if it.problem is None else AGAIN):
                _settle(it, what="running")


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes when the settings or a policy do."""
    files = [folder / "vankho.toml", *(folder / "policies").glob("*")]
    seen = []
    for file in files:
        with suppress(OSError):
            known = file.stat()
            seen.append((str(file), known.st_mtime_ns, known.st_size))
    return tuple(sorted(seen))


def _settle(it: _Up, *, what: str = "all") -> None:
    """Close dead runs and make schedules fit, in a process of its own; what keeps it from that is told once."""
    it.seen, it.settled_at = _stamp(it.folder), time.monotonic()
    words = ("-m", "flows.settling", str(it.folder), it.pool, what)
    with subprocess.Popen(  # noqa: S603 - our own command, no shell
        (sys.executable, "-P", *words),
        env=_environment(it, secrets=True) | {MARK: str(it.folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=end_with_parent(),  # noqa: PLW1509 - libc is loaded before the fork
    ) as settling:
        enough = it.hurry if what == "close" else it.stop
        answer = _answer_of(settling, time.monotonic() + SETTLING, enough)
    if answer is not None:
        _tell_settled(it, answer)


def _answer_of(settling: subprocess.Popen[bytes], deadline: float, enough: threading.Event) -> dict[str, Any] | None:
    """What it printed; None when it is not waited for any longer."""
    while True:
        try:
            out, _ = settling.communicate(timeout=TURN)
        except subprocess.TimeoutExpired:
            if enough.is_set() or time.monotonic() > deadline:
                settling.kill()
                return None
        else:
            break
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError:
        return {"problem": {"text": "exit code {code}", "values": {"code": settling.returncode}}}
    return answer


_CHANGES = {"add": say("new"), "change": say("changed"), "remove": say("no longer wanted")}


def _tell_settled(it: _Up, answer: dict[str, Any]) -> None:
    for name in answer.get("closed", ()):
        it.tell(say("A run had died and is closed as crashed: {name}", name=name))
    for lost in answer.get("lost", ()):
        text = message_of(lost)
        if text is not None:
            it.tell(text)
    for change in answer.get("changes", ()):
        it.tell(say("Schedule: {name}: {change}", name=change["name"], change=_CHANGES[change["kind"]]))
    problem = message_of(answer.get("problem"))
    if problem is not None and str(problem) != str(it.problem):
        it.tell(
            say(
                "The schedule stays as it is: {reason} ({where})",
                reason=problem,
                where=answer.get("where") or "-",
            )
        )
    it.problem = problem


def _end(it: _Up) -> None:
    """Those that work first, then runs that were cut off are closed, the server last; then whoever is left."""
    it.tell(say("Ending …"))
    mark = str(it.folder)
    # Before the worker, which kills its runs when it ends.
    ask_to_end(mark, A_RUN, seconds=GRACE, hurry=it.hurry.is_set)
    it.children.end([name for name in reversed(it.children.names()) if name != SERVER], hurry=it.hurry.is_set)
    end_marked(mark, but=it.children.pids().values())
    if it.working and not it.hurry.is_set() and is_there(it.api):
        _settle(it, what="close")
    it.children.end([SERVER], hurry=it.hurry.is_set)
    end_marked(mark)
    it.tell(say("Everything has ended."))

"""`vankho worker`: one more machine that works. Runs of the work pool go on here, beside those of other machines.

Refuses to start where it could do harm: a catalog in SQLite, a workspace folder that is not the one the other
machines have or whose locks do not reach them, a clock that is wrong. Closes the runs of workers that were lost.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import FrameType

from flows.reporting.report_files import message_of
from flows.running.children import MARK, Child, Children, end_marked, end_with_parent
from flows.running.run import NEEDED, answering_server, server_tried
from flows.settings import Settings
from flows.workspace import Workspace, open_workspace
from preservation.catalog.errors import LeaseHeld
from preservation.catalog.leases import holders, server_clock
from preservation.errors import PreservationError, UsageError
from wording import Message, say

MACHINES = "machines"  # in the workspace: a file of each machine that works there, locked while it does
BEACON = "machine "
CLOCKS = timedelta(minutes=5)  # between this machine and the catalog's server
LOOK, TURN = 30.0, 0.2
Tell = Callable[[Message], None]
LOOKING = 120.0
_NOT_IN_NAMES = str.maketrans("/%", "__")  # Prefect refuses workers with these in their names


def default_name() -> str:
    """The name by which this machine's worker is known."""
    return f"vankho on {socket.gethostname()}"


def work(workspace: Workspace, *, name: str, pool: str, runs: int, tell: Callable[[Message], None]) -> int:
    """Take runs of the pool until SIGTERM, SIGINT or SIGHUP; gives how often the worker had to be started again.

    Raises UsageError and PreservationError for what is refused.
    """
    server = answering_server(workspace, patience=NEEDED)
    if server is None:
        raise PreservationError(
            say("No Prefect server answers, so there is no work to take."),
            where=server_tried(workspace),
            next_step=say("Set prefect.api_url in vankho.toml to the server that all machines use, and start it."),
        )
    _refuse_sqlite(workspace)
    _refuse_wrong_clock(workspace)
    if name != name.translate(_NOT_IN_NAMES):
        raise UsageError(say("A worker's name can hold neither / nor %."), where="--name", seen=name)
    mark = f"{workspace.folder} worker {name}"
    with one_of_the_machines(workspace, name), _ended_by_signals() as stop:
        for pid, left in end_marked(mark).items():
            tell(say("An earlier worker left process {pid} behind; it was ended: {command}", pid=pid, command=left))
        environment = _environment(workspace, server, name)
        _close_lost(workspace, pool, environment, tell)
        logs = workspace.folder / "logs" / _file_name(name)
        logs.mkdir(parents=True, exist_ok=True)
        children = Children(logs, mark, tell)
        words = ("--pool", pool, "--type", "process", "--name", name, "--limit", str(runs))
        command = (sys.executable, "-P", "-m", "prefect", "worker", "start", *words, "--install-policy", "never")
        children.start(Child("worker", command, environment, patience=60.0))
        tell(say("{name} takes runs of the pool {pool} from {server}. Ctrl-C ends it.", **_words(name, pool, server)))
        looked = time.monotonic()
        while not stop.wait(TURN):
            children.look()
            if time.monotonic() - looked > LOOK:
                looked = time.monotonic()
                _close_lost(workspace, pool, environment, tell)
        tell(say("Ending …"))
        children.end(["worker"], hurry=lambda: False)
        end_marked(mark)
        _close_lost(workspace, pool, environment, tell)
    return children.restarts


def _words(name: str, pool: str, server: str) -> dict[str, str]:
    return {"name": name, "pool": pool, "server": server}


@contextmanager
def among_the_machines(folder: Path, settings: Settings) -> Iterator[None]:
    """What `vankho up` does besides: with a catalog that other machines may use, it is known to them as a worker is,
    and refused what a worker is refused. With one in SQLite there are no others.
    """
    if settings.catalog.url.startswith("sqlite"):
        yield
        return
    with open_workspace(folder) as workspace:
        _refuse_wrong_clock(workspace)
        with one_of_the_machines(workspace, f"vankho up on {socket.gethostname()}"):
            yield


def worker_of_up(workspace_tag: str) -> str:
    """The name of the worker that `vankho up` runs on this machine for a workspace; several may share a pool."""
    folder = workspace_tag.removeprefix("workspace ")
    which = hashlib.sha256(folder.encode("utf-8", "surrogateescape")).hexdigest()[:6]
    return f"vankho up on {socket.gethostname()}: {Path(folder).name.translate(_NOT_IN_NAMES)} {which}"


def _refuse_sqlite(workspace: Workspace) -> None:
    if server_clock(workspace.catalog.database) is None:
        raise UsageError(
            say("The catalog is kept in SQLite, which processes of one machine alone can share."),
            where="vankho.toml: catalog.url",
            expected="postgresql://user@host/database",
            next_step=say(
                "For one machine use `vankho up`. For several put the catalog into PostgreSQL: `vankho catalog "
                "backup` into a folder, change the address, `vankho catalog restore` from the folder."
            ),
        )


def _refuse_wrong_clock(workspace: Workspace) -> None:
    """Events and due dates carry this machine's time."""
    theirs = server_clock(workspace.catalog.database)
    ours = workspace.clock()
    if theirs is not None and abs(ours - theirs) > CLOCKS:
        raise PreservationError(
            say(
                "The clock of this machine and that of the catalog's server differ by {seconds} s.",
                seconds=round((ours - theirs).total_seconds()),
            ),
            where=socket.gethostname(),
            expected=theirs.isoformat(timespec="seconds"),
            seen=ours.isoformat(timespec="seconds"),
            next_step=say("Set the clocks (NTP) on both machines, then start the worker again."),
        )


@contextmanager
def one_of_the_machines(workspace: Workspace, name: str) -> Iterator[None]:
    """Known to the others by a lease in the catalog and a locked file in the workspace, while the block lasts.

    Both are looked for of every other machine: a lease without its file says that this folder is not theirs; a file
    that we can lock says that locks do not reach from there to here. Raises UsageError for either.
    """
    folder = workspace.folder / MACHINES
    folder.mkdir(exist_ok=True)
    with ExitStack() as held:
        try:
            # A machine that was lost is waited for as long as a lease takes to be found dead.
            lease = held.enter_context(
                workspace.catalog.lease(BEACON + name, owner=name, now=workspace.clock, wait=0.0)
            )
        except LeaseHeld as error:
            raise UsageError(
                say("A worker named {name} is at work already.", name=name),
                where=str(folder),
                seen=str(error),
                next_step=say("Give this one another name with --name, or end that one first."),
            ) from None
        file = held.enter_context((folder / f"{_file_name(name)}.json").open("w"))
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump({"name": name, "token": lease.token}, file)
        file.flush()
        os.fsync(file.fileno())
        for key, token in holders(workspace.catalog.database, BEACON, now=workspace.clock()).items():
            other = key.removeprefix(BEACON)
            if other != name:
                _refuse_unshared(folder, other, token)
        yield


def _refuse_unshared(folder: Path, other: str, token: int) -> None:
    place = folder / f"{_file_name(other)}.json"
    deadline = time.monotonic() + 5  # it takes its lease before it writes its file; a network drive may be late
    while (seen := _token(place)) != token:
        if time.monotonic() > deadline:
            raise UsageError(
                say(
                    "{other} works with this catalog in another workspace folder: its bags are not here.",
                    other=other,
                ),
                where=str(place),
                expected=str(token),
                seen=str(seen or "-"),
                next_step=say("Mount the one workspace folder on every machine, at the same path."),
            )
        time.sleep(TURN)
    with place.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
    raise UsageError(
        say("Locks on files of the workspace do not reach from {other} to this machine.", other=other),
        where=str(place),
        next_step=say("Mount the folder so that they do (NFS 4, without `nolock` and `local_lock`)."),
    )


def _token(place: Path) -> int | None:
    try:
        return int(json.loads(place.read_text("utf-8"))["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:100]


def _environment(workspace: Workspace, server: str, name: str) -> dict[str, str]:
    """What Prefect reads in the worker and in the runs that it begins."""
    home = workspace.folder / MACHINES / _file_name(name)
    home.mkdir(mode=0o700, exist_ok=True)
    kept = ("PREFECT_API_AUTH_STRING", "PREFECT_WORKER_HEARTBEAT_SECONDS", "PREFECT_WORKER_QUERY_SECONDS")
    mine = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_") or key in kept}
    return (
        {"PREFECT_WORKER_QUERY_SECONDS": "5"}
        | mine
        | {
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": server,
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_LOGGING_COLORS": "false",
            "PYTHONUNBUFFERED": "1",
            "VANKHO_WORKSPACE": str(workspace.folder),
            MARK: f"{workspace.folder} worker {name}",
        }
    )


def _close_lost(
    workspace: Workspace, pool: str, environment: dict[str, str], tell: Callable[[Message], None]
) -> None:
    """In a process of its own: this one imports no Prefect. What keeps it from that is told; the next look comes."""
    words = (sys.executable, "-P", "-m", "flows.running.settling", str(workspace.folder), pool, "lost")
    try:
        asked = subprocess.run(  # noqa: S603 - our own command, no shell
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LOOKING,
            check=False,
            preexec_fn=end_with_parent(),
        )
        answer = json.loads(asked.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        tell(say("Runs of lost workers could not be looked for; it is tried again."))
        return
    for closed in answer["closed"]:
        tell(say("A run had died and is closed as crashed: {name}", name=closed))
    for lost in [*answer["lost"], answer["problem"]]:
        text = message_of(lost)
        if text is not None:
            tell(text)


@contextmanager
def _ended_by_signals() -> Iterator[threading.Event]:
    stop = threading.Event()

    def asked(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, asked) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            with suppress(TypeError):
                signal.signal(number, handler)

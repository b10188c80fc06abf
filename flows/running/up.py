"""`vankho up`: everything on one machine. A Prefect server, a worker that runs flows, and what else is to go on.

Only one at a time in a workspace. What an earlier one left behind, killed, is found, told and ended; its runs are
closed as crashed. Schedules follow the policies while it runs. Reachable on the loopback alone.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from flows.running.children import Child, Children, ask_to_end, end_marked
from flows.running.run import RUNNING, is_there
from flows.running.up_server import environment_of, start_server
from flows.running.up_settling import settle, stamp
from flows.running.up_state import SERVER, TURN, Running, alone, page, write_state
from flows.running.worker import among_the_machines, worker_of_up
from flows.settings import Settings
from wording import Message, say

USUAL_PORT = 4200
LOOK = 20.0  # seconds between two looks whether policies or settings have changed
LOST = 60.0  # seconds between two looks for runs of other machines that were lost
ANYWAY = 900.0  # seconds between two times that the schedule is compared without a change
AGAIN = 60.0  # the same, when it could not be, or has just changed
GRACE = 30.0  # seconds for runs that were asked to end
WORKER = "worker"
A_RUN = "prefect.engine"  # what the process of a run runs


@dataclass(frozen=True, slots=True)
class Extra:
    """One more child: its name, its command, and the address at which a person finds it, if there is one."""

    name: str
    command: tuple[str, ...]
    address: str | None = None


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

    Port 0 takes a free one. Raises UsageError when one runs already, the port is taken, or the folder or its locks
    are not those of other machines that work there; PreservationError when the server does not answer in time.
    """
    mark = str(folder)
    with alone(folder), among_the_machines(folder, settings):
        _tell_of(end_marked(mark), tell)
        it = Running(
            *(folder, settings, pool or settings.prefect.pool, settings.prefect.runs, tell),
            Children(folder / "logs", mark, tell),
        )
        with _signals(it):
            try:
                start_server(it, port)
                write_state(it)
                if not it.stop.is_set():
                    settle(it)
                    _start_others(it, extras)
                    write_state(it)
                    _where(it, extras)
                _watch_over(it)
            finally:
                _end(it)
                (folder / RUNNING).unlink(missing_ok=True)
    return it.children.restarts


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
def _signals(it: Running) -> Iterator[None]:
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


def _start_others(it: Running, extras: Sequence[Extra]) -> None:
    it.working = True
    environment = environment_of(it, secrets=True)
    name = worker_of_up(f"workspace {it.folder}")
    words = ("--pool", it.pool, "--type", "process", "--name", name, "--limit", str(it.runs))
    command = (sys.executable, "-P", "-m", "prefect", "worker", "start", *words, "--install-policy", "never")
    it.children.start(Child(WORKER, command, environment, patience=60.0))
    for each in extras:
        it.children.start(Child(each.name, each.command, environment))


def _where(it: Running, extras: Sequence[Extra]) -> None:
    it.tell(say("Everything runs. Runs and schedules: {address}", address=page(it.api)))
    for each in extras:
        if each.address is not None:
            it.tell(say("{name}: {address}", name=each.name, address=each.address))
    it.tell(say("Reports: {reports}. Logs: {logs}.", reports=it.folder / "reports", logs=it.folder / "logs"))
    it.tell(say("Ctrl-C ends it."))


def _watch_over(it: Running) -> None:
    looked = lost = time.monotonic()
    while not it.stop.wait(TURN):
        restarts = it.children.restarts
        it.children.look()
        if it.children.restarts != restarts:
            write_state(it)
        now = time.monotonic()
        if now - looked > LOOK:
            looked = now
            if stamp(it.folder) != it.seen or now - it.settled_at > (AGAIN if it.problem or it.changed else ANYWAY):
                settle(it, what="running")
                lost = time.monotonic()
        if it.shared and now - lost > LOST:
            settle(it, what="lost")
            lost = time.monotonic()


def _end(it: Running) -> None:
    """Those that work first, then runs that were cut off are closed, the server last; then whoever is left."""
    it.tell(say("Ending …"))
    mark = str(it.folder)
    # Before the worker, which kills its runs when it ends.
    ask_to_end(mark, A_RUN, seconds=GRACE, hurry=it.hurry.is_set)
    it.children.end([name for name in reversed(it.children.names()) if name != SERVER], hurry=it.hurry.is_set)
    end_marked(mark, but=it.children.pids().values())
    if it.working and not it.hurry.is_set() and is_there(it.api):
        settle(it, what="close")
    it.children.end([SERVER], hurry=it.hurry.is_set)
    end_marked(mark)
    it.tell(say("Everything has ended."))

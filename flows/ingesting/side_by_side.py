"""Packages of a batch side by side: worker processes that each take in one package after the other.

Answers come in the order of the batch, and earlier packages come first to what they share with later ones (their
content, their place among the versions of an AIP), as if they were taken in one by one. A worker that dies fails its
package alone. No worker outlives its owner.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from socket import socketpair
from typing import Any

import flows
from flows import logs
from flows.reporting.rows import Run
from flows.workspace import Workspace, open_workspace
from preservation.children import ASKING

STEP = "take in packages"
NICE = 5  # pages, people and whatever else is short come first; where nothing else runs, it changes nothing
ENDING = 20.0  # seconds for workers to put away what they have begun, once they are told to end
# The worker finds our modules behind everything else (-P: never in the current folder).
_BOOT = "import sys; sys.path.append(sys.argv.pop(1)); from flows.ingesting.side_by_side import main; main()"
_HOME = str(Path(flows.__file__).resolve().parents[1])


class WorkerEnded(Exception):
    """The process ended while it had a package; the text says how."""


@dataclass
class _Worker:
    """One process, and the package that it has."""

    process: subprocess.Popen[bytes]
    line: Connection
    number: int | None = None


@dataclass
class _Package:
    """How far a package is: the turns it asked for, by kind, and the one it waits for."""

    turns: dict[str, str] = field(default_factory=dict)
    waits: str | None = None
    over: bool = False


class Batch:
    """The packages of one batch in work. `answer` waits for one of them."""

    def __init__(self, workspace: Workspace, body: str, sources: Sequence[str], parameters: dict[str, Any]) -> None:
        self._workspace = workspace
        self._task = (body, parameters)
        self._sources = sources
        self._answers: list[Future[Any]] = [Future() for _ in sources]
        self._packages = [_Package() for _ in sources]
        self._left = deque(range(len(sources)))
        self._workers: list[_Worker] = []
        self._ending = False
        self._processes = 0

    def answer(self, number: int) -> Any:  # noqa: ANN401 - what the body gives
        """What became of that package, counted from 0. Raises what its worker raised, and WorkerEnded."""
        return self._answers[number].result()

    def start(self, processes: int) -> None:
        """Start the workers; from here on they are looked after by a thread."""
        self._processes = processes
        self._workspace.progress.begin(STEP, len(self._sources))
        for _ in range(processes):
            self._next(self._started())
        threading.Thread(target=self._look_after, name="side by side", daemon=True).start()

    def end(self) -> None:
        """Tell the workers to put away what they have begun, and wait until they did."""
        self._ending = True
        workers = list(self._workers)
        for worker in workers:
            worker.process.send_signal(signal.SIGINT if worker.number is not None else signal.SIGTERM)
        for worker in workers:
            try:
                worker.process.wait(ENDING)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()

    def _started(self) -> _Worker:
        ours, theirs = socketpair()
        with theirs, _deaf():
            process = subprocess.Popen(  # noqa: S603 - our own worker
                [sys.executable, "-P", "-c", _BOOT, _HOME, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C at the terminal is for us, and we end the workers
            )
            worker = _Worker(process, Connection(ours.detach()))
            self._workers.append(worker)
        where = self._workspace
        worker.line.send((where.folder, self._processes, where.not_compared, where.run.id, *self._task))
        return worker

    def _next(self, worker: _Worker) -> None:
        """Give the worker its next package, or let it go."""
        worker.number = self._left.popleft() if self._left and not self._ending else None
        with suppress(OSError):  # it died; its line tells that too
            worker.line.send(None if worker.number is None else self._sources[worker.number])

    def _look_after(self) -> None:
        while self._workers:
            lines = {worker.line: worker for worker in self._workers}
            for line in wait(list(lines)):
                worker = lines[line]  # type: ignore[index]  # only connections were asked
                try:
                    kind, what = worker.line.recv()
                except (EOFError, OSError, pickle.UnpicklingError):
                    self._gone(worker)
                    continue
                self._heard(worker, kind, what)

    def _heard(self, worker: _Worker, kind: str, what: Any) -> None:  # noqa: ANN401 - each kind has its own
        assert worker.number is not None
        match kind:
            case "row":
                self._workspace.run.tell(what)
            case "turn":
                key_kind = what.partition(" ")[0]
                package = self._packages[worker.number]
                package.turns[key_kind], package.waits = what, key_kind
            case _:
                answer, notices = what
                known = self._workspace.notices
                known += [notice for notice in notices if notice not in known]
                self._settle(worker.number, lambda future: getattr(future, kind)(answer))
                self._next(worker)
        self._grant()

    def _settle(self, number: int, settle: Callable[[Future[Any]], None]) -> None:
        self._packages[number].over = True
        with suppress(Exception):  # a listener that fails fails nothing
            self._workspace.progress.advance(1)
        settle(self._answers[number])

    def _grant(self) -> None:
        """Let go on who waits for nobody any more: all before it are over, or work on something else."""
        for worker in self._workers:
            if worker.number is None or (kind := self._packages[worker.number].waits) is None:
                continue
            key = self._packages[worker.number].turns[kind]
            earlier = self._packages[: worker.number]
            if all(other.over or other.turns.get(kind, key) != key for other in earlier):
                self._packages[worker.number].waits = None
                with suppress(OSError):
                    worker.line.send(True)

    def _gone(self, worker: _Worker) -> None:
        """A worker ended; when it had a package, that one is failed, and another worker takes the rest."""
        self._workers.remove(worker)
        worker.line.close()
        code = worker.process.wait()
        if worker.number is not None:
            error = WorkerEnded(f"the process that took the package in ended with code {code}")
            self._settle(worker.number, lambda future: future.set_exception(error))
            if self._left and not self._ending:
                self._next(self._started())
            self._grant()


@contextmanager
def side_by_side(
    workspace: Workspace,
    body: str,
    sources: Sequence[str],
    *,
    processes: int,
    **parameters: Any,  # noqa: ANN401
) -> Iterator[Batch]:
    """`flows.ingest.<body>(workspace, source, **parameters)` of every source, in as many processes."""
    batch = Batch(workspace, body, sources, parameters)
    try:
        batch.start(processes)
        yield batch
    finally:
        batch.end()


@contextmanager
def _deaf() -> Iterator[None]:
    """Interrupts wait until the end of the block; one that comes to a process begun inside, until it listens."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ASKING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def main() -> None:
    """A worker: take packages in until there is none left. The one argument is the descriptor of its line."""
    from flows import ingest  # late: it imports this module

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have left it ignored
    os.nice(NICE)
    line = Connection(int(sys.argv[1]))
    threading.Thread(target=_end_with_owner, args=(line.fileno(),), daemon=True).start()
    with suppress(KeyboardInterrupt, EOFError, BrokenPipeError):  # our owner has had enough
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKING)
        folder, beside, not_compared, run_id, body, parameters = line.recv()
        with open_workspace(folder) as workspace, logs.bound(run=run_id):
            workspace.beside, workspace.not_compared = beside, not_compared
            workspace.turn = partial(_turn, line)
            workspace.run = Run(id=run_id, hear=partial(_tell, line, "row"))
            workspace.warm_up()
            while (source := line.recv()) is not None:
                workspace.notices.clear()
                try:
                    kind, answer = "set_result", getattr(ingest, body)(workspace, source, **parameters)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is this package's
                    kind, answer = "set_exception", _sendable(error)
                _tell(line, kind, (answer, tuple(workspace.notices)))


def _turn(line: Connection, key: str) -> None:
    """Return when it is our turn; there are turns for what packages of a batch may share."""
    if not key.startswith(("content ", "identifier ")):
        return
    _tell(line, "turn", key)
    line.recv()


_ONE = threading.Lock()


def _tell(line: Connection, kind: str, what: object) -> None:
    with _ONE:
        line.send((kind, what))


def _sendable(error: Exception) -> Exception:
    """The error as it is where it can travel, else its name and words."""
    with suppress(Exception):
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        return error
    return RuntimeError(f"{type(error).__name__}: {error}")


def _end_with_owner(descriptor: int) -> None:
    waiter = select.poll()
    waiter.register(descriptor, 0)  # tells when the other end is closed
    waiter.poll()
    os.kill(os.getpid(), signal.SIGKILL)

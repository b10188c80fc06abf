"""One worker process from its parent's side: start it, ask it, tell why it ended, end it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

import preservation
from preservation.children import environment
from preservation.errors import PreservationError
from preservation.facts import FormatFact
from preservation.formats.limits import Limits
from preservation.formats.pronom.facts import SignatureFiles
from preservation.formats.walk import Entry
from preservation.formats.worker import COUNT, END, OUT_OF_MEMORY
from preservation.inventory import load_format
from wording import say

# The worker finds our modules behind everything else (-P: never in the current folder, which may be hostile).
_BOOT = "import importlib, sys; sys.path.append(sys.argv.pop(1)); importlib.import_module(sys.argv.pop(1)).main()"
_HOME = str(Path(preservation.__file__).resolve().parents[1])
_START_SECONDS = 120.0  # a cold disk under load; the signatures take half a second when all is well
_PORTION = 32 * 1024  # bytes asked at once: a pipe takes them whole, so that neither side waits for the other
_ANSWERS = (
    16  # files asked at once with their bytes: for these the worker is waited for, so a pipe must take its answers
)
_GRACE_SECONDS = 5.0  # the worker's own alarm rings first


@lru_cache(maxsize=1024)
def _fact(line: bytes) -> FormatFact:
    """Few answers differ: nearly every page of a book is the same."""
    return load_format(json.loads(line))


def _portions(files: Iterable[Entry]) -> Iterator[list[bytes]]:
    """Requests, as many at a time as a pipe surely takes, or its answers."""
    portion: list[bytes] = []
    size = 0
    for file in files:
        request = _request(file)
        if portion and (size + len(request) > _PORTION if file.edges is None else len(portion) == _ANSWERS):
            yield portion
            portion, size = [], 0
        portion.append(request)
        size += len(request)
    if portion:
        yield portion


def _request(file: Entry) -> bytes:
    if file.edges is None:
        return json.dumps([file.real, file.shown]).encode("ascii") + b"\n"
    head, tail = file.edges
    given = tail if tail is not head else b""  # of a small file they are the same
    return b"".join((json.dumps([file.real, file.shown, len(head), len(given)]).encode("ascii"), b"\n", head, given))


class Tool(StrEnum):
    """Who identifies: the module that the worker process runs."""

    OURS = "preservation.formats.worker"
    SIEGFRIED = "preservation.formats.siegfried_worker"


class IdentifierUnavailable(PreservationError):
    """The format identifier cannot be started; the system is at fault, not the package."""


class WorkerDied(Exception):
    """The worker ended while it had a file; the text says why. `lost` files before that one were finished, but their
    answers died with it.
    """

    def __init__(self, text: str, lost: int) -> None:
        super().__init__(text)
        self.lost = lost


class WorkerProcess:
    """One worker. Starting returns at once; the first `ask` waits until the signatures are loaded."""

    def __init__(self, limits: Limits, *, tool: Tool = Tool.OURS, signatures: SignatureFiles | None = None) -> None:
        self._limits = limits
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        chosen = None if signatures is None else [str(signatures.signatures), str(signatures.containers)]
        self._finished = tempfile.TemporaryFile()  # noqa: SIM115 - how many files the worker finished; it writes
        self._finished.truncate(COUNT.size)
        told = (json.dumps(asdict(limits)), json.dumps(chosen), str(self._finished.fileno()))
        command = [sys.executable, "-P", "-c", _BOOT, _HOME, tool, *told]
        self._process = subprocess.Popen(  # noqa: S603 - our own worker
            command,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            pass_fds=[self._finished.fileno()],
            process_group=0,  # Ctrl-C at the terminal is for the parent, which then ends its workers
        )
        self._lost = 0
        self._unknown: FormatFact | None = None
        self._taken = 0  # answers
        self._heard = b""  # what the worker said beyond the last whole line
        self._lines: deque[bytes] = deque()  # whole lines that were not taken yet
        self._waiter = select.poll()
        assert self._process.stdout is not None
        self._waiter.register(self._process.stdout.fileno(), select.POLLIN)

    def ask(self, files: Iterable[Entry]) -> Iterator[FormatFact]:
        """What each file is, one after the other.

        Raises WorkerDied at the file that was too much, IdentifierUnavailable when the worker never started.
        """
        self._ready()
        for asked in _portions(files):
            with contextlib.suppress(BrokenPipeError):  # it ended; the missing answer says so too
                self._say(b"".join((*asked, END)))
            for _ in asked:
                answer = self._line(self._limits.seconds + _GRACE_SECONDS)
                if answer is None:
                    raise WorkerDied(self._why_it_ended(), self._lost)
                self._taken += 1
                yield _fact(answer)

    def _say(self, text: bytes) -> None:
        assert self._process.stdin is not None
        rest = memoryview(text)
        while rest:
            rest = rest[self._process.stdin.write(rest) :]

    def failed(self, note: str) -> FormatFact:
        """The answer for a file that was not identified."""
        return replace(self._ready(), note=note)

    def kill(self) -> None:
        """Stop the process, also while another thread waits for its answer; that thread sees it die."""
        self._process.kill()

    def end(self) -> None:
        """Stop the process and let go of its pipes. Only for whoever holds this worker alone."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel, on a dead network disk
            self._process.wait(timeout=5)
        for pipe in (self._process.stdin, self._process.stdout, self._errors, self._finished):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _ready(self) -> FormatFact:
        """The first line of the worker: an answer without an answer, which names tool and signatures."""
        if self._unknown is None:
            line = self._line(_START_SECONDS)
            if line is None:
                raise self._unavailable()
            self._unknown = _fact(line)
        return self._unknown

    def _line(self, seconds: float) -> bytes | None:
        """The next whole line; None when the worker ended or said nothing for so long."""
        if not self._lines and not self._hear(seconds):
            return None
        return self._lines.popleft()

    def _hear(self, seconds: float) -> bool:
        """Wait for whole lines; False when the worker ended or said nothing for so long."""
        assert self._process.stdout is not None
        while not self._lines:
            if not self._waiter.poll(seconds * 1000):
                return False
            piece = os.read(self._process.stdout.fileno(), 65536)
            if not piece:
                return False
            *lines, self._heard = (self._heard + piece).split(b"\n")
            self._lines.extend(lines)
        return True

    def _why_it_ended(self) -> str:
        finished = os.pread(self._finished.fileno(), COUNT.size, 0).ljust(COUNT.size, b"\0")
        self._lost = max(0, COUNT.unpack(finished)[0] - self._taken)
        code = self._ended()
        if code is None:
            return f"no answer within {self._limits.seconds:g} seconds"
        if code == -signal.SIGALRM:
            return f"not finished within {self._limits.seconds:g} seconds"
        if code == OUT_OF_MEMORY:
            return f"needed more than {self._limits.memory >> 20} MiB of memory"
        if code < 0:
            return f"the identifier was ended by {signal.Signals(-code).name}"
        return f"the identifier ended with code {code}"

    def _ended(self) -> int | None:
        """How the process ended by itself; None when it had to be killed. It is gone afterwards."""
        try:
            return self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.end()

    def _unavailable(self) -> IdentifierUnavailable:
        code = self._process.poll()
        self._errors.seek(0)
        words = self._errors.read(65536).decode("utf-8", "replace").strip()
        self.end()
        return IdentifierUnavailable(
            say("The format identifier (FIDO) could not be started."),
            next_step=say("Check the installation with `pip check`, and that memory is free; then run it again."),
            detail=f"worker ended with code {code}; memory limit {self._limits.memory >> 20} MiB; {words[-2000:]}",
        )

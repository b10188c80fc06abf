"""Child processes that belong together: started in turn, started again when they die, ended in turn, none left over.

What they say goes to log files of bounded size, veiled. Each carries a mark in its environment, and so does whatever
it starts: that is how the last of them is found, at the end and by the next start after a kill.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

from flows.logs import LONGEST
from wording import Message, say
from wording.secrets import veiled

MARK = "VANKHO_UP"
LOG_SIZE, LOGS_KEPT = 5 << 20, 2  # bytes of one log, and how many older ones stand beside it
STEADY = 60.0  # seconds after which a child that dies had been well
SLOWEST = 60.0  # seconds between two starts at most
POLL = 0.1
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


@dataclass(frozen=True, slots=True)
class Child:
    """One process: its name for people, how it is started, and how many seconds it may take to end by itself."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    patience: float = 20.0


@dataclass(slots=True)
class _Living:
    child: Child
    process: subprocess.Popen[bytes]
    began: float
    deaths: int = 0
    again_at: float | None = None  # when it is started again; None while it lives


@dataclass
class Children:
    """The children of one workspace. Used by one thread: on Linux they end when the thread that started them does."""

    logs: Path
    mark: str
    tell: Callable[[Message], None]
    restarts: int = 0
    _living: dict[str, _Living] = field(default_factory=dict, repr=False)
    _group: int = field(default=0, repr=False)

    def start(self, child: Child) -> None:
        """Start it. Raises OSError when there is no such program."""
        self._living[child.name] = _Living(child, self._begun(child), time.monotonic())

    def lives(self, name: str) -> bool:
        """Whether it runs just now."""
        return name in self._living and self._living[name].process.poll() is None

    def names(self) -> list[str]:
        """In the order in which they were started."""
        return list(self._living)

    def pids(self) -> dict[str, int]:
        """The process of each that runs."""
        return {name: each.process.pid for name, each in self._living.items() if each.process.poll() is None}

    def look(self) -> None:
        """Start again what died, later each time; a person is told of each death."""
        for each in self._living.values():
            if each.process.poll() is None:
                continue
            now = time.monotonic()
            if each.again_at is None:
                each.deaths = 1 if now - each.began > STEADY else each.deaths + 1
                pause = min(SLOWEST, 2.0 ** (each.deaths - 1))
                each.again_at = now + pause
                self.tell(
                    say(
                        "{name} ended by itself ({how}); it is started again in {seconds} s. Its log: {log}",
                        name=each.child.name,
                        how=_how(each.process.returncode),
                        seconds=round(pause),
                        log=self.log_of(each.child.name),
                    )
                )
            elif now >= each.again_at:
                each.process, each.began, each.again_at = self._begun(each.child), now, None
                self.restarts += 1

    def end(self, names: Iterable[str], *, hurry: Callable[[], bool]) -> None:
        """End these one after the other, and wait for each; who does not end in time, or in a hurry, is killed."""
        for name in names:
            each = self._living.pop(name, None)
            if each is None:
                continue
            each.process.terminate()
            deadline = time.monotonic() + each.child.patience
            while each.process.poll() is None and time.monotonic() < deadline and not hurry():
                time.sleep(POLL)
            if each.process.poll() is None:
                self.tell(say("{name} did not end by itself and is killed.", name=name))
                each.process.kill()
            each.process.wait()

    def log_of(self, name: str) -> Path:
        """Where what it says is kept."""
        return self.logs / f"{name}.log"

    def _begun(self, child: Child) -> subprocess.Popen[bytes]:
        self.logs.mkdir(mode=0o700, exist_ok=True)
        try:
            process = _spawned(child, self.mark, self._group)
        except (PermissionError, ProcessLookupError):  # the group has gone with its last process
            self._group = 0
            process = _spawned(child, self.mark, self._group)
        self._group = self._group or process.pid
        assert process.stdout is not None
        threading.Thread(target=_keep, args=(process.stdout, self.log_of(child.name)), daemon=True).start()
        return process


def _spawned(child: Child, mark: str, group: int) -> subprocess.Popen[bytes]:
    """In the group of its brothers, which is not ours: Ctrl-C is for us alone, and we end them in turn."""
    return subprocess.Popen(  # noqa: S603 - our own commands, no shell
        child.command,
        env={**child.environment, MARK: mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=group,
        preexec_fn=end_with_parent(),  # noqa: PLW1509 - libc is loaded before the fork
    )


def _how(code: int | None) -> Message:
    if code is not None and code < 0:
        return say("signal {number}", number=-code)
    return say("exit code {code}", code=code)


def _keep(said: IO[bytes], file: Path) -> None:
    """Write down what a child says until it ends: veiled, cut, and never more than a few files of it."""
    log = RotatingFileHandler(
        file, maxBytes=LOG_SIZE, backupCount=LOGS_KEPT, encoding="utf-8", errors="backslashreplace"
    )
    with said:
        while line := said.readline(LONGEST):
            text = veiled(line.decode("utf-8", errors="backslashreplace").rstrip("\n"))
            log.handle(logging.makeLogRecord({"msg": text}))
    log.close()


def end_with_parent() -> Callable[[], None] | None:
    """What a child does before it becomes the program: on Linux it asks to be ended together with its parent."""
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def ask() -> None:
        libc.prctl(DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    return ask


def marked(mark: str, *, but: Collection[int] = ()) -> dict[int, str]:
    """The processes that carry the mark, with what they run; not ourselves and not those in `but`. Empty where there
    is no /proc.
    """
    wanted, found = f"{MARK}={mark}".encode(), {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int(entry.name) not in (os.getpid(), *but) and wanted in (entry / "environ").read_bytes().split(b"\0"):
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(entry.name)] = words.decode("utf-8", errors="backslashreplace").strip()
    return found


def ask_to_end(mark: str, running: str, *, seconds: float, hurry: Callable[[], bool]) -> None:
    """Ask those of the marked that run this to end, and give them time to put down what they hold."""

    def those() -> list[int]:
        return [pid for pid, command in marked(mark).items() if running in command]

    for pid in those():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not hurry() and those():
        time.sleep(POLL)


def end_marked(mark: str, *, but: Collection[int] = (), patience: float = 10.0) -> dict[int, str]:
    """End all that carry the mark: asked first, killed after `patience` seconds. Gives those that there were."""
    there = left = marked(mark, but=but)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        deadline = time.monotonic() + patience
        while (left := marked(mark, but=but)) and time.monotonic() < deadline:
            time.sleep(POLL)
        if not left:
            break
    return there

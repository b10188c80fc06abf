"""Points at which a process may die, counted where its work meets the world, with no test code in the product.

A point stands before and after every step, at every advance of every progress, before every change of a file system
(Python tells its audit hooks), before every flush to the disk, in the middle of every write to a descriptor, before
every statement that changes the catalog, and before and after every commit. The n-th point ends the process with
SIGKILL, as a power cut would. Threads race, so the n-th point may be another one in the next run; it is a moment that
can happen all the same, and its label says which one it was.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from collections.abc import Callable
from typing import Any

import flows.steps
from preservation.progress import Progress

_CHANGES = {"os.rename", "os.link", "os.symlink", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_UNSEEN = ("/dev/", "/proc/")


class Points:
    """Counts, and ends the process at `kill_at`: the n-th point (1 is the first), or the n-th whose label begins so
    ("INSERT INTO events#2"); never, when that is None. `last_words` is told the label just before.
    """

    def __init__(self, kill_at: int | str | None, last_words: Callable[[str], None]) -> None:
        self.kill_at, self.last_words = kill_at, last_words
        self.count = 0
        self.labels: dict[str, int] = {}
        self.counting = False
        self.meanwhile: Progress | None = None
        self._lock = threading.Lock()

    def here(self, label: str) -> None:
        """One more point."""
        if self.counting and self._next(label):
            die()

    def _next(self, label: str) -> bool:
        with self._lock:
            self.count += 1
            self.labels[label] = self.labels.get(label, 0) + 1
            if self._is_it(label):
                self.last_words(label)
                return True
            return False

    def _is_it(self, label: str) -> bool:
        if not isinstance(self.kill_at, str):
            return self.count == self.kill_at
        words, _, nth = self.kill_at.partition("#")
        seen = sum(count for each, count in self.labels.items() if each.startswith(words))
        return label.startswith(words) and seen == int(nth or 1)

    # -- where the points come from

    def step(self, name: str, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Runs a step of a flow as the plain one does, with a point before and after it."""
        self.here(f"before {name}")
        answer = flows.steps.plain_step(name, work, *args, **kwargs)
        self.here(f"after {name}")
        return answer

    def begin(self, step: str, total: int | None) -> None:
        """Progress begins."""
        if self.meanwhile is not None:
            self.meanwhile.begin(step, total)
        self.here(f"begin {step}")

    def advance(self, amount: int) -> None:
        """Progress moves."""
        if self.meanwhile is not None:
            self.meanwhile.advance(amount)
        self.here("advance")

    def hook(self, name: str, args: tuple[Any, ...]) -> None:
        """An audit hook: what Python is about to do."""
        if self.counting and _changes(name, args):
            self.here(f"{name} {_tail(args[0])}")

    def watch(self) -> None:
        """Count from now on. For good: hooks cannot be taken away."""
        sys.addaudithook(self.hook)
        self._wrap("fsync")
        self._wrap("sync")
        self._wrap_write()
        self._watch_catalog()
        self.counting = True

    def _wrap(self, name: str) -> None:
        real = getattr(os, name)

        def wrapped(*args: Any) -> Any:
            self.here(f"os.{name}")
            # A killed process takes nothing with it that the kernel has, so the whole machine's disks need not wait.
            return None if name == "sync" else real(*args)

        setattr(os, name, wrapped)

    def _wrap_write(self) -> None:
        real = os.write

        def write(file: int, data: Any) -> int:
            if self.counting and stat.S_ISREG(os.fstat(file).st_mode) and self._next("in the middle of a write"):
                real(file, memoryview(data)[: len(data) // 2])
                die()
            return real(file, data)

        os.write = write

    def _watch_catalog(self) -> None:
        from sqlalchemy import Engine, event
        from sqlalchemy.engine.default import DefaultDialect

        real = DefaultDialect.do_commit

        def commit(dialect: Any, connection: Any) -> None:
            self.here("before commit")
            real(dialect, connection)
            self.here("after commit")

        DefaultDialect.do_commit = commit  # type: ignore[method-assign]

        @event.listens_for(Engine, "before_cursor_execute")
        def statement(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
            verb = text.lstrip().split(None, 3)
            if verb and verb[0].upper() in ("INSERT", "UPDATE", "DELETE", "CREATE"):
                self.here(" ".join(verb[:3]))


def die() -> None:
    """As a power cut would: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()  # another thread may be let go a moment longer; this one does nothing more


def _changes(name: str, args: tuple[Any, ...]) -> bool:
    if name in _CHANGES:
        return True
    if name != "open":
        return False
    path, _mode, flags = args
    return bool(flags & _WRITING) and not str(path).startswith(_UNSEEN)


def _tail(path: object) -> str:
    return os.fsdecode(path).rpartition("/")[2][:40] if isinstance(path, str | bytes | os.PathLike) else str(path)

"""One `vankho up` while it runs: what its parts share, the lock that keeps it alone, the file that tells of it."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flows.running.children import Children
from flows.running.run import RUNNING
from flows.settings import Settings
from preservation.catalog.leases import this_process
from preservation.errors import UsageError
from wording import Message, say

SERVER = "prefect"
TURN = 0.2


@dataclass(slots=True)
class Running:
    """One `vankho up` while it runs."""

    folder: Path
    settings: Settings
    pool: str
    runs: int
    tell: Callable[[Message], None]
    children: Children
    api: str = ""
    shared: bool = False  # whether the server is one that other machines may use
    changed: bool = False  # whether the schedule has just been changed
    working: bool = False  # whether runs could be begun
    stop: threading.Event = field(default_factory=threading.Event)
    hurry: threading.Event = field(default_factory=threading.Event)
    problem: Message | None = None
    seen: object = None
    settled_at: float = 0.0


@contextmanager
def alone(folder: Path) -> Iterator[None]:
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


def page(api: str) -> str:
    """Where a person looks."""
    return api.removesuffix("/api")


def write_state(it: Running) -> None:
    """For other commands, and for a second start: where the server is, and who runs it."""
    state = {
        "api_url": it.api,
        "page": page(it.api),
        "pid": os.getpid(),
        "process": this_process(),
        "children": it.children.pids(),
    }
    half = it.folder / f".{RUNNING}.{os.getpid()}"
    half.write_text(json.dumps(state), "utf-8")
    half.replace(it.folder / RUNNING)

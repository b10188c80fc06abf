"""What `vankho up` has done beside itself now and then, in a process of its own: dead runs closed, schedules made to
fit; told to whoever watches.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from flows.reporting.report_files import message_of
from flows.running.children import MARK, end_with_parent
from flows.running.up_server import environment_of
from flows.running.up_state import TURN, Running
from wording import say

SETTLING = 300.0  # seconds for schedules


def stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes when the settings or a policy do."""
    files = [folder / "vankho.toml", *(folder / "policies").glob("*")]
    seen = []
    for file in files:
        with suppress(OSError):
            known = file.stat()
            seen.append((str(file), known.st_mtime_ns, known.st_size))
    return tuple(sorted(seen))


def settle(it: Running, *, what: str = "all") -> None:
    """Close dead runs and make schedules fit, in a process of its own; what keeps it from that is told once."""
    if what != "lost":
        it.seen, it.settled_at = stamp(it.folder), time.monotonic()
    words = ("-m", "flows.running.settling", str(it.folder), it.pool, what)
    with subprocess.Popen(  # noqa: S603 - our own command, no shell
        (sys.executable, "-P", *words),
        env=environment_of(it, secrets=True) | {MARK: str(it.folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=end_with_parent(),  # noqa: PLW1509 - libc is loaded before the fork
    ) as settling:
        enough = it.hurry if what == "close" else it.stop
        answer = _answer_of(settling, time.monotonic() + SETTLING, enough)
    if answer is not None:
        _tell_closed(it, answer)
        if what != "lost":
            _tell_schedule(it, answer)


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


def _tell_closed(it: Running, answer: dict[str, Any]) -> None:
    for name in answer.get("closed", ()):
        it.tell(say("A run had died and is closed as crashed: {name}", name=name))
    for lost in answer.get("lost", ()):
        text = message_of(lost)
        if text is not None:
            it.tell(text)


def _tell_schedule(it: Running, answer: dict[str, Any]) -> None:
    it.changed = bool(answer.get("changes"))
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

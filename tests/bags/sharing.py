"""Run in a process of its own, without any thread beside: what sharing work among forked copies does.

python -m tests.bags.sharing TRIAL [ARGUMENT...]     prints one JSON document
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from preservation import forked
from preservation.bags import comparing
from preservation.bags.check import check_bag, check_bags

OWNER = os.getpid()
MADE: list[int] = []  # the copies


def _counted(fork: Callable[[], int] = os.fork) -> int:
    made = fork()
    MADE.append(made)
    return made


def _shared(work: Callable[[int, Callable[[int], None]], Any], count: int = 40, processes: int = 3) -> dict[str, Any]:
    moved: list[int] = []
    told: dict[str, Any] = {}
    try:
        with forked.shared(work, count, processes=processes, moved=moved.append) as answers:
            told["answers"] = list(answers)
    except Exception as error:
        told |= {"error": type(error).__name__, "detail": getattr(error, "detail", None) or str(error)}
    return told | {"moved": sum(moved), "copies": len(MADE), "left": _left()}


def _left() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _slow(number: int, tell: Callable[[int], None]) -> tuple[int, bool]:
    time.sleep(0.005)
    tell(10)
    return number, os.getpid() == OWNER


def _in_a_copy(act: Callable[[], object]) -> Callable[[int, Callable[[int], None]], Any]:
    def work(number: int, tell: Callable[[int], None]) -> tuple[int, bool]:
        if os.getpid() != OWNER and number > 3:
            act()
        return _slow(number, tell)

    return work


def well() -> dict[str, Any]:
    return _shared(_slow)


def killed() -> dict[str, Any]:
    return _shared(_in_a_copy(lambda: os.kill(os.getpid(), signal.SIGKILL)))


def left_early() -> dict[str, Any]:
    return _shared(_in_a_copy(lambda: os._exit(0)))


def stands_still() -> dict[str, Any]:
    forked.PATIENCE = 0.3
    return _shared(_in_a_copy(lambda: time.sleep(60)))


def fails_in_a_copy() -> dict[str, Any]:
    """What fails there is done again here, and succeeds."""
    return _shared(_in_a_copy(lambda: 1 / 0))


def fails_everywhere() -> dict[str, Any]:
    def work(number: int, tell: Callable[[int], None]) -> Any:
        return 1 // (number - 30)

    return _shared(work)


def beside_a_thread() -> dict[str, Any]:
    stop = threading.Event()
    beside = threading.Thread(target=stop.wait)
    before = forked.alone()
    beside.start()
    with_it = forked.alone()
    stop.set()
    beside.join()
    return {"alone": [before, with_it]}


def bags(processes: str, *paths: str) -> list[Any]:
    """The whole reports, and how many copies were made for them."""
    comparing._MANY, comparing._BATCH = 40, 7
    reports = check_bags([Path(path) for path in paths], processes=int(processes))
    return [[repr(report) for report in reports], len(MADE)]


def lost(path: str) -> dict[str, Any]:
    """A copy is killed while it reads the files of a bag."""
    comparing._MANY, comparing._BATCH = 40, 7
    real = comparing._promises

    def promises(*asked: Any) -> Any:
        if os.getpid() != OWNER:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)
        return real(*asked)

    comparing._promises = promises  # type: ignore[assignment]
    with suppress(forked.HelperEnded):
        return {"valid": check_bag(Path(path), processes=2).valid}
    return {"valid": None, "left": _left()}


if __name__ == "__main__":
    os.fork = _counted
    _, trial, *arguments = sys.argv
    print(json.dumps(globals()[trial](*arguments)))

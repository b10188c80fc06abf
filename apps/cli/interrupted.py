"""Ctrl-C, SIGTERM and SIGHUP end a command alike: what was begun is put away, and one sentence says so.

The first one raises KeyboardInterrupt in the middle of whatever is done. One that follows at once is the same press
of a finger, or a terminal and a shell that both told us. A later one ends the process as it stands: everything is
made so that the next run puts it in order.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SAME = 2.0  # seconds within which another signal says nothing new


class Interrupted(KeyboardInterrupt):
    """A signal asked us to end; `code` is the exit code, as shells have it for a program ended by that signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = 128 + number
        self.told = False


def code_of(asked: KeyboardInterrupt) -> int:
    """The exit code: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
    return asked.code if isinstance(asked, Interrupted) else 128 + signal.SIGINT


class Heed:
    """What this process does about signals from now on; `told` has its last words. Nothing is put back."""

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told
        self.heard: Interrupted | None = None
        self._since: float | None = None
        self._over = False
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a shell's background: it stays so
                signal.signal(number, self._asked)
        atexit.register(_deaf)  # Python puts the system's own back when it ends, which would change the exit code

    def over(self) -> None:
        """All is said: there is nothing left to interrupt."""
        self._over, self._since = True, self._since or time.monotonic()

    def _asked(self, number: int, _frame: FrameType | None) -> None:
        if self._since is None:
            self._since = time.monotonic()
            self.heard = Interrupted(number)
            raise self.heard
        if time.monotonic() - self._since > SAME:
            try:
                if not self._over:
                    self._told()
            finally:
                os._exit(128 + number)


def _deaf() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def tell(asked: KeyboardInterrupt | None, language: str, *, as_json: bool) -> None:
    """Say that it was interrupted, and what to do next."""
    from apps.cli import screen  # late: what stands above must stand before anything else is imported
    from preservation.errors import PreservationError
    from wording import say

    stopped = PreservationError(say("Interrupted. Nothing is half visible; run the same command again to go on."))
    screen.show_error(stopped, as_json=as_json, language=language)
    if isinstance(asked, Interrupted):
        asked.told = True
    sys.stdout.flush()

"""The bar that moves while a person waits. Imported only when one watches: rich takes a while to import.

It is drawn by whoever tells of progress, at most ten times a second, and by no thread of its own: a process that has
one cannot share its work with copies of itself.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from wording import printable
from wording.steps import told

_EVERY = 0.1  # seconds

# Steps whose progress is in files; the others' is in bytes.
_COUNTED = frozenset({"identify formats", "ask for a second opinion", "look for drift", "judge", "rename"})


class _Done(DownloadColumn):
    """How much is done: bytes in their unit, files by number."""

    def render(self, task: Task) -> Text:
        """The text beside the bar."""
        if task.fields.get("counted"):
            return Text(f"{task.completed:.0f}/{task.total or 0:.0f}")
        return super().render(task)


class Bars:
    """One bar on standard error; each step replaces the last."""

    def __init__(self, bars: Progress, language: str) -> None:
        self._bars = bars
        self._language = language
        self._drawn = 0.0

    def begin(self, step: str, total: int | None) -> None:
        """Show the step from its beginning."""
        for task in self._bars.task_ids:
            self._bars.remove_task(task)
        counted = step.partition(" > ")[0] in _COUNTED
        self._bars.add_task(printable(told(step, self._language)), total=total, counted=counted)
        self._bars.refresh()

    def advance(self, amount: int) -> None:
        """Move the bar."""
        for task in self._bars.task_ids:
            self._bars.advance(task, amount)
        now = time.monotonic()
        if now - self._drawn >= _EVERY:
            self._drawn = now
            self._bars.refresh()


@contextmanager
def bars(language: str) -> Iterator[Bars]:
    """A bar on standard error, gone at the end."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), _Done(), TimeRemainingColumn())
    console, watched = Console(stderr=True), sys.stdout.isatty()  # what is written to a file stays out of the way
    with Progress(*columns, console=console, transient=True, redirect_stdout=watched, auto_refresh=False) as drawn:
        yield Bars(drawn, language)

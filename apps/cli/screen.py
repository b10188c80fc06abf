"""Printing: one JSON document for programs; translated lines, tables and moving bars for people.

Nothing printed here can act on a terminal: every value passes through `printable`, and rich reads no markup.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as RichTable

from apps.cli.answer import Answer, Cell, Table
from preservation.findings import message_as_json
from preservation.progress import Progress as Listener
from preservation.progress import Silent
from wording import Explained, Message, printable, say
from wording.steps import STEPS
from wording.translate import translate

WIDE = 200  # columns when nobody watches: lines are not broken for a file


def show(answer: Answer, *, as_json: bool, language: str) -> None:
    """Print the answer on standard output."""
    if as_json or answer.always_json:
        if answer.data is not None:
            print_json(answer.data)
        return
    console = Console(
        highlight=False, markup=False, emoji=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE
    )
    for line in answer.lines:
        if isinstance(line, Table):
            if line.rows:
                console.print(_rich(line, language), soft_wrap=False)
        else:
            console.print(in_words(line, language))


def print_json(data: object) -> None:
    """One JSON document, UTF-8, on standard output."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2, default=str) + "\n")


def in_words(cell: Cell, language: str) -> str:
    """A cell or line in the reader's language."""
    return translate(cell, language) if isinstance(cell, Message) else printable(cell)


def _rich(table: Table, language: str) -> RichTable:
    drawn = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in table.headings:
        drawn.add_column(in_words(heading, language), overflow="fold")
    for row in table.rows:
        drawn.add_row(*(in_words(cell, language) for cell in row))
    return drawn


def show_error(error: Explained, *, as_json: bool, language: str) -> None:
    """Say what happened, where, what was expected and seen, and what to do next."""
    if as_json:
        print_json(
            {
                "error": {
                    "message": translate(error.what, language),
                    "where": error.where,
                    "expected": error.expected,
                    "seen": error.seen,
                    "next_step": translate(error.next_step, language) if error.next_step else None,
                    "detail": error.detail,
                    "template": message_as_json(error.what),
                }
            }
        )
        return
    lines = [f"vankho: {translate(error.what, language)}"]
    parts: tuple[tuple[Message, str | Message | None], ...] = (
        (say("where"), error.where),
        (say("expected"), error.expected),
        (say("seen"), error.seen),
        (say("next step"), error.next_step),
        (say("detail"), error.detail),
    )
    lines += [f"  {in_words(label, language)}: {in_words(value, language)}" for label, value in parts if value]
    sys.stderr.write("\n".join(lines) + "\n")


class _Bars:
    """One bar on standard error; each step replaces the last."""

    def __init__(self, bars: Progress, language: str) -> None:
        self._bars = bars
        self._language = language
        self._task = bars.add_task("", total=None)

    def begin(self, step: str, total: int | None) -> None:
        word, _, place = step.partition(" > ")
        name = translate(STEPS[word], self._language) if word in STEPS else word
        self._bars.reset(self._task, total=total, description=printable(f"{name} {place}".strip()))

    def advance(self, amount: int) -> None:
        self._bars.advance(self._task, amount)


@contextmanager
def progress(*, wanted: bool, language: str) -> Iterator[Listener]:
    """A moving bar while a person watches standard error; silence otherwise."""
    if not wanted or not sys.stderr.isatty():
        yield Silent()
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _Bars(bars, language)

"""Printing: one JSON document for programs; translated lines, tables and moving bars for people.

Nothing printed here can act on a terminal: every value passes through `printable`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from apps.cli.answer import Answer, Cell, Table
from preservation.findings import Finding, message_as_json
from preservation.observed import in_sentence
from preservation.progress import Progress, Silent
from wording import Explained, Message, printable, printable_json, say
from wording.translate import translate


def show(answer: Answer, *, as_json: bool, language: str) -> None:
    """Print the answer on standard output."""
    if as_json or answer.always_json:
        if answer.data is not None:
            print_json(answer.data)
        return
    for line in answer.lines:
        for text in _drawn(line, language) if isinstance(line, Table) else [in_words(line, language)]:
            sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_json(data: object) -> None:
    """One JSON document, UTF-8, on standard output."""
    sys.stdout.write(printable_json(data) + "\n")


def in_words(cell: Cell, language: str) -> str:
    """A cell or line in the reader's language."""
    return translate(cell, language) if isinstance(cell, Message) else printable(cell)


def _drawn(table: Table, language: str) -> Iterator[str]:
    """The table's lines: columns as wide as their cells are on a terminal, numbers to the right."""
    if not table.rows:
        return
    from rich.cells import cell_len

    cells = [[in_words(cell, language) for cell in row] for row in (table.headings, *table.rows)]
    widths = [max(cell_len(cell) for cell in column) for column in zip(*cells, strict=True)]
    right = [isinstance(cell, int) for cell in table.rows[0]]
    for row in cells:
        padded = []
        for cell, width, number in zip(row, widths, right, strict=True):
            gap = " " * (width - cell_len(cell))
            padded.append(gap + cell if number else cell + gap)
        yield "  ".join(padded).rstrip()


def error_document(error: Explained, *, language: str) -> dict[str, dict[str, Any]]:
    """The documented JSON of an error."""
    return {
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


def show_error(error: Explained, *, as_json: bool, language: str) -> None:
    """Say what happened, where, what was expected and seen, and what to do next; each of it once."""
    if as_json:
        print_json(error_document(error, language=language))
        return
    sentence = translate(error.what, language)
    parts: tuple[tuple[Message, str | Message | None], ...] = (
        (say("where"), None if printable(error.where) in sentence else error.where),
        (say("expected"), in_sentence(error.expected)),
        (say("seen"), None if printable(error.seen) in sentence else in_sentence(error.seen)),
        (say("next step"), error.next_step),
        (say("detail"), None if sentence in (error.detail or "") else error.detail),
    )
    lines = [f"vankho: {sentence}"]
    lines += [f"  {in_words(label, language)}: {in_words(value, language)}" for label, value in parts if value]
    sys.stderr.write("\n".join(lines) + "\n")


def show_notices(notices: Sequence[Finding], *, as_json: bool, language: str) -> None:
    """What a run had to say besides its answer, on standard error, so that the answer keeps its shape; with --json
    one document, `{"notices": [finding, …]}`. Nothing when there is nothing.
    """
    if not notices:
        return
    from apps.cli import shapes

    if as_json:
        document = {"notices": shapes.findings_json(notices, language)}
        sys.stderr.write(printable_json(document, indent=None) + "\n")
        return
    for line in shapes.finding_lines(notices, language):
        sys.stderr.write(in_words(line, language) + "\n" if not isinstance(line, Table) else "")


@contextmanager
def progress(*, wanted: bool, language: str) -> Iterator[Progress]:
    """A moving bar while a person watches standard error; silence otherwise."""
    if not wanted or not sys.stderr.isatty():
        yield Silent()
        return
    from apps.cli.bars import bars

    with bars(language) as moving:
        yield moving

"""What a command has to say: data for a program, sentences and tables for a person, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flows.outcomes import Verdict
from wording import Message

Cell = Message | str | int


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under translated headings; empty tables are not shown."""

    headings: tuple[Message, ...]
    rows: Sequence[tuple[Cell, ...]]


Line = Message | str | Table


@dataclass(frozen=True, slots=True)
class Answer:
    """`data` is printed by --json (or always), `lines` otherwise; `verdict` becomes the exit code."""

    data: object
    lines: Sequence[Line]
    verdict: int = Verdict.WELL
    always_json: bool = False

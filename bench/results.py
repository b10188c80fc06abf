"""What the measurements came to: lines for the screen, and bench/RESULTS.md."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.measure import Result

PLACE = Path(__file__).with_name("RESULTS.md")


def lines(result: Result) -> list[str]:
    """For the screen, as soon as it is measured."""
    told = [f"\n{result.title} ({result.state})"]
    for name, took in result.sides.items():
        rate = result.amounts[name] / statistics.median(took.wall)
        told.append(
            f"  {name:24} min {min(took.wall):8.2f}  median {statistics.median(took.wall):8.2f}"
            f"  max {max(took.wall):8.2f} s"
            f"   processors {statistics.median(took.cpu):8.2f} s   {rate:10,.0f} {result.unit}/s"
        )
    told += [f"  {note}" for note in result.notes]
    if result.seen:
        told.append(f"  {verdict(result)}: {result.seen}" + (f" (target: {result.target})" if result.target else ""))
    return told


def verdict(result: Result) -> str:
    """Whether what was promised was reached."""
    return "no target" if result.reached is None else "reached" if result.reached else "MISSED"


def write(
    results: Mapping[str, Sequence[Result]],
    machine: Mapping[str, str],
    versions: Mapping[str, str],
    *,
    command: str,
    place: Path = PLACE,
) -> None:
    """The page for the repository."""
    page = [
        "# Results",
        "",
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}. Seconds are minimum / median / maximum; a ratio is the median",
        "of the ratios of single rounds (smallest to largest), against the fastest of the others. Compare the",
        "columns of one table; another machine, or another day, gives other figures.",
        "[What they mean](../docs/explanation/speed.md).",
        "",
        "| | |",
        "|---|---|",
        *(f"| {word} | {what} |" for word, what in machine.items()),
        f"| versions | {', '.join(f'{name} {number}' for name, number in versions.items())} |",
        "",
        "## Summary",
        "",
        "| work | target | seen | |",
        "|---|---|---|---|",
    ]
    every = [result for rows in results.values() for result in rows]
    page += [
        f"| {result.title} | {result.target or '–'} | {result.seen} | {verdict(result)} |"
        for result in every
        if result.seen
    ]
    for result in every:
        page += ["", f"## {result.title}", "", f"{result.state}; {_rounds(result)} rounds"]
        page += ["", "| | seconds | of processors | per second |", "|---|---|---|---|"]
        for name, took in result.sides.items():
            seconds = " / ".join(f"{value:.2f}" for value in _three(took.wall))
            rate = f"{result.amounts[name] / statistics.median(took.wall):,.0f} {result.unit}"
            page.append(f"| {name} | {seconds} | {statistics.median(took.cpu):.2f} | {rate} |")
        page += [line for note in result.notes for line in ("", note)]
    place.write_text("\n".join(page) + "\n", encoding="utf-8")


def _rounds(result: Result) -> int:
    return max(len(took.wall) for took in result.sides.values())


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    return min(values), statistics.median(values), max(values)

"""The reports that runs left, to be shown: the last ones, or one with its page of text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flows.reporting import report_ends, report_files, report_text
from flows.workspace import Workspace
from preservation.catalog import runs
from preservation.catalog.runs import RunFact
from preservation.errors import UsageError
from wording import Message, say


@dataclass(frozen=True, slots=True)
class Shown:
    """What report.json says before its rows, and the lines of report.txt in one language."""

    head: dict[str, Any]
    lines: tuple[Message | str, ...]


def last_runs(workspace: Workspace, limit: int = 20) -> list[RunFact]:
    """The last runs, the newest first; those that died are told as such first. Raises CatalogError."""
    report_ends.close_cut_off(workspace)
    return runs.latest(workspace.catalog.database, limit=limit)


def of_run(workspace: Workspace, reference: str | None, *, language: str) -> Shown | None:
    """The report of the run named, or of the last; None when nothing ran. Raises UsageError."""
    database = workspace.catalog.database
    found = last_runs(workspace, 1) if reference is None else runs.find(database, reference)
    if reference is None and not found:
        return None
    if len(found) != 1:
        raise UsageError(
            say("There is no run {run}.", run=reference),
            where=reference,
            next_step=say("`vankho report --list` shows the last ones; the first letters of a run are enough."),
        )
    run = found[0]
    if run.report is None:
        word = say("It goes on.") if run.ended_at is None else say("It left none, or it was taken away.")
        return Shown(
            {"run": run.id, "flow": run.flow}, (say("Run {run} has no report. {word}", run=run.id, word=word),)
        )
    folder = workspace.folder / run.report
    try:
        pages = (folder / report_files.TEXT).read_text("utf-8-sig").split(report_text.BETWEEN)
        page = pages[0 if language == "vi" else -1].strip()
        return Shown({**report_files.read_head(folder), "report": run.report}, tuple(page.splitlines()))
    except (OSError, ValueError):
        raise UsageError(
            say("The report of run {run} is not where it was written.", run=run.id),
            where=str(folder),
            next_step=say("Bring the folder back from your copies of the workspace."),
        ) from None


def size_of_reports(workspace: Workspace) -> tuple[int, int]:
    """(reports, bytes) that are kept."""
    count, size = 0, 0
    for name, length in _files(str(workspace.folder / report_ends.FOLDER)):
        count += name == report_files.JSON
        size += length
    return count, size


def _files(folder: str) -> Iterator[tuple[str, int]]:
    if not os.path.isdir(folder):  # noqa: PTH112 - a tree of many thousand files, walked by names
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            else:
                yield entry.name, entry.stat(follow_symlinks=False).st_size

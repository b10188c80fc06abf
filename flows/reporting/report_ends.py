"""The end of a run's report: made of the spool of its rows, by the run itself or, when that died, by the next one."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from flows.failures import as_finding
from flows.reporting import aftermath, report_files, report_text
from flows.reporting.tally import Tally
from flows.workspace import Workspace
from preservation.catalog import runs
from preservation.errors import PreservationError
from preservation.findings import Finding, Severity
from wording import say
from wording.times import here

FOLDER = "reports"
UNFINISHED = "unfinished"


def concluded(
    workspace: Workspace, head: Mapping[str, Any], tally: Tally, spool: Path, *, now: datetime
) -> dict[str, Any]:
    """Write the report and note the end of the run; what the report says before its rows, and where it stands."""
    folder: Path | None = place_of(workspace, head)
    whole = {**head, "policies": sorted(tally.policies), "counts": tally.as_json()}
    try:
        assert folder is not None
        written = rows_of(spool), rows_of(spool)
        report_files.write(folder, whole, report_text.page(whole, rows_of(spool)), written)
    except OSError as error:
        folder = None
        workspace.notices.append(not_written(error))
    try:
        runs.end(
            workspace.catalog.database,
            head["run"],
            now=now,
            word=head["word"],
            verdict=head["verdict"],
            counts=whole["counts"],
            report=folder.relative_to(workspace.folder).as_posix() if folder is not None else None,
            reason=head["reason"],
        )
    except (PreservationError, OSError) as error:
        workspace.notices.append(not_written(error))
    if folder is not None:  # otherwise the next run makes it, when there is room
        with suppress(OSError):
            spool.unlink()
    return {**whole, "report": folder.relative_to(workspace.folder).as_posix() if folder is not None else None}


def close_cut_off(workspace: Workspace) -> list[str]:
    """Make the reports of runs that died here, as broken off; gives their ids. Raises CatalogError."""
    closed = []
    for spool in sorted(unfinished(workspace).glob("*.jsonl")):
        with suppress(OSError, ValueError), spool.open(encoding="utf-8") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # it lives
            if spool.exists():  # nobody else was faster
                closed.append(_broken_off(workspace, spool))
    for run in runs.cut_off(workspace.catalog.database):  # those without a spool: of a full disk, or of before
        counts, now = run.counts or Tally().as_json(), workspace.clock()
        runs.end(
            workspace.catalog.database,
            run.id,
            now=now,
            word="broken-off",
            verdict=None,
            counts=counts,
            report=None,
            reason=None,
        )
        aftermath.broken_off(workspace, run.id, run.flow)
        closed.append(run.id)
    return closed


def _broken_off(workspace: Workspace, spool: Path) -> str:
    """The report of a run whose process died, or could not write it; what it knew of its end is not lost."""
    with spool.open(encoding="utf-8") as file:
        head = json.loads(file.readline())
    tally, now = Tally(), workspace.clock()
    for row in rows_of(spool):
        tally.add(row)
    known = next((run for run in runs.find(workspace.catalog.database, head["run"])), None)
    died = known is None or known.ended_at is None
    last = known.heard_at if known is not None else datetime.fromisoformat(head["began"])
    ended = last if known is None or known.ended_at is None else known.ended_at
    head |= {
        "ended": ended.isoformat(),
        "lasted_seconds": seconds_since(head["began"], ended),
        "word": "broken-off" if died or known is None else known.word,
        "verdict": None if died or known is None else known.verdict,
        "reason": None if known is None else known.reason,
        "notices": [],
        "incomplete": False,
    }
    concluded(workspace, head, tally, spool, now=now if died else ended)
    if died:
        aftermath.broken_off(workspace, head["run"], head["flow"])
    return str(head["run"])


def rows_of(spool: Path) -> Iterator[dict[str, Any]]:
    """The rows that were written down, one after the other; half a line at the end was never told whole."""
    try:
        file = spool.open(encoding="utf-8")
    except FileNotFoundError:
        return
    with file:
        file.readline()  # the head
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def place_of(workspace: Workspace, head: Mapping[str, Any]) -> Path:
    """The folder of a report: by year and month, its name the beginning, the flow and the run."""
    began = datetime.fromisoformat(head["began"]).astimezone(here())
    return workspace.folder / FOLDER / f"{began:%Y/%m}" / f"{began:%Y%m%d-%H%M%S}-{head['flow']}-{head['run']}"


def unfinished(workspace: Workspace) -> Path:
    """Where the spools of runs are that go on."""
    return workspace.folder / FOLDER / UNFINISHED


def seconds_since(began: str, ended: datetime) -> float:
    """How long it lasted by the clock, which may have jumped."""
    return round((ended - datetime.fromisoformat(began)).total_seconds(), 3)


def not_written(error: BaseException) -> Finding:
    """The notice that no report, or not all of it, could be written."""
    return Finding(
        "report-not-written",
        Severity.WARNING,
        say(
            "The report of this run could not be written; what the run did stands. {reason}",
            reason=as_finding(error).message,
        ),
        path=FOLDER,
    )

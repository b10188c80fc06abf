"""Every run leaves a report: what was checked, what came of it, what was not done and why.

The rows are written down as they are told, in a spool that survives a kill; from it the report is made at the end, or
by the next run when this one died. A report that cannot be written is a notice; the run and its verdict stand.
"""

from __future__ import annotations

import fcntl
import json
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from flows import aftermath, logs, report_files, report_text
from flows.aftermath import AtOnce
from flows.failures import as_finding
from flows.outcomes import Verdict, worst_of
from flows.people import who
from flows.rows import Row, Run
from flows.tally import Tally, row_json
from flows.workspace import CatalogLost, Workspace
from preservation import events
from preservation.catalog import runs
from preservation.catalog.leases import this_process
from preservation.errors import NoGoodCopy, PackageError, PolicyError, PreservationError, UsageError
from preservation.findings import Finding, Severity, as_json, message_as_json
from wording import Message, say

FOLDER = "reports"
UNFINISHED = "unfinished"
SIGN_OF_LIFE = timedelta(seconds=60)

_WORDS = {Verdict.WELL: "well", Verdict.FOUND: "found", Verdict.USAGE: "usage", Verdict.FAILED: "failed"}


@dataclass
class Report:
    """The report of a run that goes on. Safe to share between threads."""

    workspace: Workspace
    run: Run
    head: dict[str, Any]
    spool: Path
    out: IO[str] | None
    earlier: int  # notices of the workspace that were there before
    tally: Tally = field(default_factory=Tally)
    word: str | None = None
    verdict: int | None = None
    reason: Message | None = None
    heard_at: datetime | None = None
    incomplete: bool = False
    not_compared: tuple[str, ...] = ()  # stores that did not answer when the run began
    lock: threading.Lock = field(default_factory=threading.Lock)
    at_once: AtOnce | None = None

    def hear(self, row: Row) -> None:
        """Count the row and write it down; never raises."""
        kept = row_json(row)
        now = self.workspace.clock()
        with self.lock:
            self.tally.add(kept)
            self._spool(kept)
            lively = self.heard_at is None or abs(now - self.heard_at) >= SIGN_OF_LIFE
            self.heard_at = now if lively else self.heard_at
        if lively:
            with suppress(PreservationError):
                runs.heard(self.workspace.catalog.database, self.run.id, now)
        facts: dict[str, Any] = {"outcome": row.outcome, "package": row.identifier or row.source, "store": row.store}
        logs.note(f"{row.kind.value} {row.outcome}", **facts, version=row.version, grade=row.grade, bytes=row.bytes)
        if self.at_once is not None:
            self.at_once.hear(row, sorted(self.tally.policies))

    def _spool(self, kept: Mapping[str, Any]) -> None:
        if self.out is None or self.incomplete:
            return
        try:
            self.out.write(json.dumps(kept) + "\n")
            self.out.flush()
        except OSError as error:
            self.incomplete = True  # the file stays open: its lock says that the run lives
            self.workspace.notices.append(not_written(error))

    def compared(self, reached: Iterable[str], *, away: Iterable[str]) -> None:
        """These stores answered when the run began, and these did not."""
        with self.lock:
            self.tally.reached.update(reached)
            self.not_compared = tuple(away)

    def ends(self, answer: object) -> None:
        """The body gave this: an Ending or a list of them."""
        endings: Sequence[Any] = answer if isinstance(answer, Sequence) else [answer]
        self.verdict = worst_of(endings)
        self.word = _WORDS[Verdict(self.verdict)]

    def fails(self, error: BaseException) -> None:
        """The body raised this."""
        if isinstance(error, Exception):
            self.verdict = _verdict_of(error)
            self.word, self.reason = _WORDS[Verdict(self.verdict)], as_finding(error).message
        else:
            self.word = "interrupted"


def _verdict_of(error: Exception) -> Verdict:
    """As the command exits with it."""
    if isinstance(error, PolicyError | UsageError):
        return Verdict.USAGE
    return Verdict.FOUND if isinstance(error, PackageError | NoGoodCopy) else Verdict.FAILED


@contextmanager
def kept(workspace: Workspace, body: str, asked: Mapping[str, Any]) -> Iterator[Report]:
    """Keep a report of the run inside the block; `workspace.run` hears its rows. Runs that died are told of first.

    Raises what the block raises, and CatalogLost.
    """
    report = _begun(workspace, body.partition("_")[0], asked)
    before, workspace.run = workspace.run, report.run
    with logs.bound(run=report.run.id, flow=report.run.flow):
        logs.note("run began")
        try:
            yield report
        except BaseException as error:
            report.fails(error)
            raise
        finally:
            workspace.run = before
            _end(report)
            logs.note("run ended", word=report.word, verdict=report.verdict, rows=report.tally.rows)


def _begun(workspace: Workspace, flow: str, asked: Mapping[str, Any]) -> Report:
    now, run = workspace.clock(), uuid.uuid4().hex[:12]
    head: dict[str, Any] = {
        "run": run,
        "flow": flow,
        "began": now.isoformat(),
        "agent": events.AGENT,
        "by": who(),
        "process": this_process(),
        "asked": {key: value for key, value in asked.items() if key != "step"},
    }
    report = Report(workspace, Run(), head, _unfinished(workspace) / f"{run}.jsonl", None, len(workspace.notices))
    report.run, report.at_once = Run(run, flow, now, report.hear), AtOnce(workspace)
    try:
        close_cut_off(workspace)
        database = workspace.catalog.database
        runs.begin(database, run, flow=flow, asked=head["asked"], process=head["process"], now=now)
    except CatalogLost:
        raise
    except (PreservationError, OSError) as error:
        workspace.notices.append(not_written(error))
    try:
        report.out = _opened(report.spool, head)
    except OSError as error:
        workspace.notices.append(not_written(error))
        report.incomplete = True
    return report


def _opened(spool: Path, head: Mapping[str, Any]) -> IO[str]:
    """The spool, ours as long as it is open: its lock goes with the process, whatever becomes of it."""
    spool.parent.mkdir(parents=True, exist_ok=True)
    out = spool.open("w", encoding="utf-8")
    try:
        fcntl.flock(out, fcntl.LOCK_EX)
        out.write(json.dumps(head, default=str) + "\n")
        out.flush()
    except BaseException:
        out.close()
        raise
    return out


def _end(report: Report) -> None:
    """Write the report and note the end; whatever goes wrong here is a notice."""
    workspace, now = report.workspace, report.workspace.clock()
    ended = {
        "ended": now.isoformat(),
        "lasted_seconds": _seconds(report.head["began"], now),
        "word": report.word,
        "verdict": None if report.verdict is None else int(report.verdict),
        "reason": message_as_json(report.reason) if report.reason is not None else None,
        "notices": [as_json(notice) for notice in workspace.notices[report.earlier :]],
        "incomplete": report.incomplete,
    }
    whole = _concluded(workspace, report.head | ended, report.tally, report.spool, now=now)
    aftermath.after_run(workspace, whole, report.tally, report.not_compared)
    with suppress(OSError):
        if report.out is not None:
            report.out.close()


def _concluded(
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
    for spool in sorted(_unfinished(workspace).glob("*.jsonl")):
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
        "lasted_seconds": _seconds(head["began"], ended),
        "word": "broken-off" if died or known is None else known.word,
        "verdict": None if died or known is None else known.verdict,
        "reason": None if known is None else known.reason,
        "notices": [],
        "incomplete": False,
    }
    _concluded(workspace, head, tally, spool, now=now if died else ended)
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
    began = datetime.fromisoformat(head["began"]).astimezone(report_text.HERE)
    return workspace.folder / FOLDER / f"{began:%Y/%m}" / f"{began:%Y%m%d-%H%M%S}-{head['flow']}-{head['run']}"


def _unfinished(workspace: Workspace) -> Path:
    return workspace.folder / FOLDER / UNFINISHED


def _seconds(began: str, ended: datetime) -> float:
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

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

from flows import logs
from flows.failures import as_finding
from flows.outcomes import Verdict, worst_of
from flows.reporting import aftermath
from flows.reporting.aftermath import AtOnce
from flows.reporting.people import who
from flows.reporting.report_ends import close_cut_off, concluded, not_written, seconds_since, unfinished
from flows.reporting.rows import Row, Run
from flows.reporting.tally import Tally, row_json
from flows.workspace import CatalogLost, Workspace
from preservation import events
from preservation.catalog import runs
from preservation.catalog.leases import this_process
from preservation.errors import NoGoodCopy, PackageError, PolicyError, PreservationError, UsageError
from preservation.findings import as_json, message_as_json
from wording import Message

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
    report = Report(workspace, Run(), head, unfinished(workspace) / f"{run}.jsonl", None, len(workspace.notices))
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
        "lasted_seconds": seconds_since(report.head["began"], now),
        "word": report.word,
        "verdict": None if report.verdict is None else int(report.verdict),
        "reason": message_as_json(report.reason) if report.reason is not None else None,
        "notices": [as_json(notice) for notice in workspace.notices[report.earlier :]],
        "incomplete": report.incomplete,
    }
    whole = concluded(workspace, report.head | ended, report.tally, report.spool, now=now)
    workspace.reported.append(whole)
    aftermath.after_run(workspace, whole, report.tally, report.not_compared)
    with suppress(OSError):
        if report.out is not None:
            report.out.close()

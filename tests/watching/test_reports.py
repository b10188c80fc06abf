"""The report of a run: counts that add up, files that open safely, runs that died, disks that are full."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.ledger import in_ledger
from flows.reporting import report_ends, report_files, reports
from flows.reporting.report_files import cell
from flows.reporting.rows import Kind, Row
from flows.reporting.show_reports import of_run
from flows.reporting.tally import PARTS, Tally, row_json
from flows.workspace import Workspace
from preservation.catalog import incidents, runs
from preservation.errors import PackageRejected, PreservationError, UsageError
from preservation.findings import Finding, Severity
from tests.watching.rooms import Ended, Room
from wording import say

ROOT = Path(__file__).resolve().parents[2]
NAMES = st.text(st.characters(exclude_categories=()), max_size=20)
ROWS = st.builds(
    Row,
    kind=st.sampled_from(Kind),
    outcome=st.sampled_from(["intact", "damaged", "unreadable", "skipped", "accepted", "rejected", "failed"]),
    identifier=st.none() | NAMES,
    version=st.none() | st.integers(1, 9),
    store=st.sampled_from(["a", "b", "kho-2"]),
    grade=st.sampled_from([None, "bytes", "presence"]),
    counts=st.just({}) | st.fixed_dictionaries({part: st.integers(0, 10**6) for part in PARTS}),
    bytes=st.integers(0, 10**12),
    seconds=st.floats(0, 1e5),
    source=st.none() | NAMES,
    away=st.booleans(),
    reason=st.none()
    | st.builds(lambda path: Finding("x", Severity.ERROR, say("{path}", path=path), path=path), NAMES),
)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "w").settle()


def report_of(workspace: Workspace, number: int = 0) -> tuple[Path, dict[str, Any]]:
    run = runs.latest(workspace.catalog.database)[number]
    assert run.report is not None
    folder = workspace.folder / run.report
    return folder, json.loads((folder / "report.json").read_text("utf-8"))


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "rows.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@settings(max_examples=40, deadline=None)
@given(st.lists(ROWS, max_size=30))
def test_what_was_checked_is_the_sum_of_what_came_of_it(told: list[Row]) -> None:
    """Counted here from the rows themselves, and in every way that the report tells it."""
    tally = Tally()
    for row in told:
        tally.add(json.loads(json.dumps(row_json(row))))
    counts = tally.as_json()
    copies = [row for row in told if row.kind is Kind.COPY]
    assert counts["copies"]["checked"] == sum(row.outcome != "skipped" for row in copies)
    for part, rows in (("copies", copies), ("packages", [r for r in told if r.kind is Kind.PACKAGE])):
        words = {word: count for word, count in counts[part].items() if word != "checked"}
        assert words == Counter(row.outcome for row in rows)
        assert counts[part]["checked"] == sum(
            count for word, count in words.items() if word != "skipped" or part != "copies"
        )
    assert counts["objects"]["checked"] == sum(sum(row.counts.values()) for row in told)
    assert counts["objects"]["checked"] == sum(counts["objects"][part] for part in PARTS)
    assert sum(each["copies"] for each in counts["by_store"]) == len(copies)
    assert counts["rows"] == len(told)
    assert sum(each["rows"] for each in counts["reasons"]) == sum(row.reason is not None for row in told)


@settings(max_examples=15, deadline=None)
@given(st.lists(ROWS, max_size=8))
def test_the_three_files_tell_the_same(tmp_path_factory: pytest.TempPathFactory, told: list[Row]) -> None:
    """Whatever is in the names: control characters, half of a surrogate pair, formulas."""
    head = {"run": "r", "flow": "audit", "x": "é\u202e"}
    rows = [json.loads(json.dumps(row_json(row))) for row in told]
    folder = tmp_path_factory.mktemp("r") / "report"
    report_files.write(folder, head, ["dòng"], (iter(rows), iter(rows)))
    kept = json.loads((folder / "report.json").read_text("utf-8"))
    assert kept["rows"] == rows
    assert report_files.read_head(folder) == head
    cells = rows_of(folder)
    assert [each["outcome"] for each in cells] == [row.outcome for row in told]
    for each in cells:
        assert all((value.lstrip() or "x")[0] not in "=+-@\t\r＝＋－＠" for value in each.values())
    raw = (folder / "rows.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\r\n") == raw.count(b"\n") == len(rows) + 1


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "＝1", "=cmd|' /C calc'!A0", "%x"]
)
def test_no_cell_begins_a_formula(name: str) -> None:
    shown = str(cell(name))
    assert shown.startswith(("'", "\\t", "\\r"))


def test_a_number_and_a_name_stay_what_they_are() -> None:
    assert [cell(-5), cell("Tờ trình số 5"), cell(None), cell("")] == [-5, "Tờ trình số 5", "", ""]
    assert cell("e\u0301") == "é"


def test_a_run_leaves_its_report(room: Room) -> None:
    def audit(workspace: Workspace) -> list[Ended]:
        workspace.run.tell(Row(kind=Kind.COPY, outcome="intact", store="a", grade="bytes", counts={"intact": 2}))
        workspace.run.tell(Row(kind=Kind.PACKAGE, outcome="rejected", source=os.fsdecode(b"g\xf3i=1")))
        return [Ended()]

    with room.open() as workspace:
        in_ledger(workspace, audit)
        folder, report = report_of(workspace)
        assert workspace.run.id == ""
        shown = of_run(workspace, report["run"][:6], language="vi")
    assert folder.relative_to(room.folder).as_posix().startswith("reports/2026/11/20261122-123718-audit-")
    assert (report["word"], report["verdict"], report["counts"]["objects"]["checked"]) == ("well", 0, 2)
    assert rows_of(folder)[1]["source"] == "g\\udcf3i=1"
    assert shown is not None
    assert shown.lines[0].endswith(report["run"])
    assert "=" * 60 in (folder / "report.txt").read_text("utf-8-sig")
    assert not list((room.folder / "reports/unfinished").iterdir())


@pytest.mark.parametrize(
    ("error", "word", "verdict"),
    [
        (PreservationError(say("x")), "failed", 3),
        (UsageError(say("x")), "usage", 2),
        (PackageRejected((Finding("x", Severity.ERROR, say("x")),)), "found", 1),
        (KeyboardInterrupt(), "interrupted", None),
        (ValueError(), "failed", 3),
    ],
)
def test_a_run_that_raises_leaves_its_report_too(room: Room, error: BaseException, word: str, verdict: Any) -> None:
    def audit(workspace: Workspace) -> list[Ended]:
        workspace.run.tell(Row(kind=Kind.COPY, outcome="intact", store="a"))
        raise error

    with room.open() as workspace:
        with pytest.raises(type(error)):
            in_ledger(workspace, audit)
        _, report = report_of(workspace)
        failed = incidents.listed(workspace.catalog.database)
    assert (report["word"], report["verdict"], report["counts"]["rows"]) == (word, verdict, 1)
    assert [each.kind for each in failed] == (["run-failed"] if word == "failed" else [])


KILLED = """
import os, signal, sys
from pathlib import Path
from flows.ledger import in_ledger
from flows.reporting.rows import Kind, Row
from flows.workspace import open_workspace

def audit(workspace):
    for number in range(5):
        workspace.run.tell(Row(kind=Kind.COPY, outcome="intact", store="a", counts={"intact": 1}))
    print("told", flush=True)
    signal.pause()

with open_workspace(Path(sys.argv[1])) as workspace:
    in_ledger(workspace, audit)
"""


def test_a_killed_run_is_told_of_by_the_next_one(room: Room) -> None:
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(room.folder)], cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"told\n"
    with room.open() as workspace:
        assert report_ends.close_cut_off(workspace) == []  # it lives
    child.send_signal(signal.SIGKILL)
    child.wait()
    (spool,) = (room.folder / "reports/unfinished").glob("*.jsonl")
    with spool.open("a") as out:
        out.write('{"kind": "copy", "outc')  # the last line was cut off
    with room.open() as workspace:
        in_ledger(workspace, lambda workspace: [Ended()])
        folder, report = report_of(workspace, 1)
        (incident,) = incidents.listed(workspace.catalog.database)
        assert report_ends.close_cut_off(workspace) == []
    assert (report["word"], report["verdict"]) == ("broken-off", None)
    assert report["counts"]["objects"] == {"checked": 5, **dict.fromkeys(PARTS, 0), "intact": 5}
    assert len(rows_of(folder)) == 5
    assert (incident.kind, incident.flow) == ("run-failed", "audit")
    assert not list((room.folder / "reports/unfinished").iterdir())


class FullDisk:
    """A spool that takes no more."""

    def __init__(self, out: Any) -> None:
        self.out = out

    def __getattr__(self, name: str) -> Any:
        return getattr(self.out, name)

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_a_notice_and_no_other_verdict(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def audit(workspace: Workspace) -> list[Ended]:
        for _ in range(3):
            workspace.run.tell(Row(kind=Kind.COPY, outcome="intact", store="a"))
        return [Ended()]

    opened = reports._opened
    monkeypatch.setattr(reports, "_opened", lambda spool, head: FullDisk(opened(spool, head)))
    monkeypatch.setattr(report_files, "write", full)
    with room.open() as workspace:
        assert in_ledger(workspace, audit) == [Ended()]
        (run,) = runs.latest(workspace.catalog.database)
        codes = [notice.code for notice in workspace.notices]
    assert (run.word, run.report, run.counts["rows"]) == ("well", None, 3)
    assert set(codes) == {"report-not-written"}
    monkeypatch.undo()
    with room.open() as workspace:  # when there is room again, the report is made of what was written down
        report_ends.close_cut_off(workspace)
        _, report = report_of(workspace)
    assert (report["word"], report["verdict"]) == ("well", 0)


def test_rows_are_not_kept_in_memory(room: Room) -> None:
    def audit(workspace: Workspace) -> list[Ended]:
        row = Row(kind=Kind.COPY, outcome="intact", store="a", counts={"intact": 2}, identifier="x" * 5000)
        tracemalloc.start()
        for _ in range(500):
            workspace.run.tell(row)
        return [Ended()]

    with room.open() as workspace:
        in_ledger(workspace, audit)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        folder, report = report_of(workspace)
    assert report["counts"]["rows"] == 500
    assert peak < (folder / "report.json").stat().st_size / 2


def test_threads_tell_at_the_same_time(room: Room) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def audit(workspace: Workspace) -> list[Ended]:
        with ThreadPoolExecutor(8) as pool:
            for number in range(200):
                pool.submit(
                    workspace.run.tell, Row(kind=Kind.COPY, outcome="intact", store="a", identifier=str(number))
                )
        return [Ended()]

    with room.open() as workspace:
        in_ledger(workspace, audit)
        folder, _ = report_of(workspace)
    assert {row["identifier"] for row in rows_of(folder)} == {str(number) for number in range(200)}

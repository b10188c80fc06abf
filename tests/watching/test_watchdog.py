"""The watchdog: silent while all is well, loud when an audit did not run, whatever the clock says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.ledger import in_ledger
from flows.outcomes import Verdict
from flows.reporting.rows import Kind, Row
from flows.reporting.watchdog import last_expected, watch
from flows.workspace import Workspace
from preservation.catalog import incidents, runs
from preservation.catalog.leases import this_process
from preservation.facts import Outcome
from tests.watching.rooms import Ended, Room, kept, prove

# Nothing falls due, so that only the schedule speaks: every night at one o'clock.
POLICY = """audit: {defaults: {bytes: {interval: P4000D, grace: P14D}, presence: never, provider: never}}
replication: {copies: 3, floor: 2}
schedule: {audit: "0 1 * * *"}
"""
HERE = ZoneInfo("Asia/Ho_Chi_Minh")


@pytest.fixture
def room(tmp_path: Path) -> Room:
    room = Room(tmp_path / "w").settle(policies={"mine": f"extends: default\n{POLICY}"})
    (room.folder / "stores").mkdir()
    for store in "abc":
        (room.folder / "stores" / store).mkdir()
        (room.folder / "stores" / store / "README.txt").write_text("x")
    room.clock.now = datetime(2030, 3, 1, 12, 0, tzinfo=HERE).astimezone(UTC)
    return room


@pytest.fixture
def workspace(room: Room) -> Iterator[Workspace]:
    with room.open() as opened:
        of = kept(opened, policy="mine")
        for store in "abc":
            prove(opened, of, store, Outcome.INTACT)
        yield opened


def audit(workspace: Workspace, references: list[str] | None = None, store: str | None = None) -> list[Ended]:
    workspace.run.tell(Row(kind=Kind.COPY, outcome="intact", store="a"))
    return [Ended()]


def alarms(workspace: Workspace) -> list[str]:
    seen = watch(workspace)
    assert (seen.verdict is Verdict.WELL) == (not seen.alarms)
    return [each.kind for each in seen.alarms]


def test_a_week_of_nights_without_one_false_alarm(room: Room, workspace: Workspace) -> None:
    """Each audit begins a little late, and lasts; the watchdog looks in between, at any hour."""
    for day in range(1, 8):
        room.clock.now = datetime(2030, 3, 1, 1, day, tzinfo=HERE).astimezone(UTC) + timedelta(days=day)
        assert alarms(workspace) == []
        in_ledger(workspace, audit)
        room.clock.go_on(hours=3 * day)
        assert alarms(workspace) == []
    assert incidents.listed(workspace.catalog.database, closed=True) == []


def test_an_audit_that_did_not_run_is_one_incident_and_told_once(room: Room, workspace: Workspace) -> None:
    in_ledger(workspace, audit)
    room.clock.now = datetime(2030, 3, 2, 2, 59, tzinfo=HERE)
    assert alarms(workspace) == []
    room.clock.go_on(minutes=2)
    for _ in range(5):
        assert alarms(workspace) == ["auditor-silent"]
        room.clock.go_on(hours=1)
    (found,) = incidents.listed(workspace.catalog.database)
    assert found.times == 5
    told = sorted(file.name.split("-", 2)[2][:14] for file in room.folder.glob("notices/*/*auditor-silent*"))
    assert told == ["officer-audito", "sysadmin-audit"]
    in_ledger(workspace, audit)
    assert alarms(workspace) == []
    (closed,) = incidents.listed(workspace.catalog.database, closed=True)
    assert closed.closed_why == "ran"


def test_an_audit_of_something_else_is_not_the_one_that_was_due(room: Room, workspace: Workspace) -> None:
    room.clock.go_on(days=1)
    in_ledger(workspace, audit, references=["abcd"])
    in_ledger(workspace, audit, store="a")
    assert alarms(workspace) == ["auditor-silent"]
    for store in "bc":
        in_ledger(workspace, audit, store=store)
    assert alarms(workspace) == []  # store by store it is all, too


def test_a_run_that_died_and_one_that_is_stuck(room: Room, workspace: Workspace) -> None:
    in_ledger(workspace, audit)
    database, now = workspace.catalog.database, workspace.clock()
    dead = this_process().replace(f", {_pid(this_process())},", ", 999999999,")
    runs.begin(database, "d" * 12, flow="replicate", asked={}, process=dead, now=now)
    assert alarms(workspace) == ["run-failed"]
    runs.begin(database, "e" * 12, flow="audit", asked={}, process=this_process(), now=now)
    room.clock.go_on(hours=11)
    assert alarms(workspace) == ["run-failed"]
    room.clock.go_on(hours=2)
    assert alarms(workspace) == ["auditor-silent", "run-failed"]


def _pid(process: str) -> str:
    return process.split(", ")[3]


@pytest.mark.parametrize("years", [-8, 8])
def test_a_clock_that_jumps_hides_nothing(room: Room, workspace: Workspace, years: int) -> None:
    """Audits stop on the day on which the clock jumps; the watchdog alarms on that day and on every later one."""
    in_ledger(workspace, audit)
    room.clock.now = room.clock.now.replace(year=room.clock.now.year + years)
    for _ in range(3):
        room.clock.go_on(days=1)
        assert alarms(workspace) != []


def test_a_run_of_the_future_is_no_excuse(room: Room, workspace: Workspace) -> None:
    """The clock was ahead for an hour, an audit ran, the clock came back: later silence is heard."""
    before = room.clock.now
    room.clock.go_on(days=3000)
    in_ledger(workspace, audit)
    room.clock.now = before
    assert alarms(workspace) == ["clock-wrong"]
    room.clock.go_on(days=1)
    assert alarms(workspace) == ["clock-wrong", "auditor-silent"]


def test_copies_that_are_late_and_copies_that_are_wanting(room: Room, workspace: Workspace) -> None:
    late = "extends: default\nschedule: {audit: never}\n"
    (room.folder / "policies" / "late.yaml").write_text(late)
    of = kept(workspace, policy="late")
    for store in "abc":
        prove(workspace, of, store, Outcome.INTACT)
    assert alarms(workspace) == []
    in_ledger(workspace, audit)
    room.clock.go_on(days=200)
    in_ledger(workspace, audit)
    assert set(alarms(workspace)) == {"copies-overdue"}


def test_an_empty_workspace_is_silent(tmp_path: Path) -> None:
    room = Room(tmp_path / "w").settle()
    with room.open() as workspace:
        for _ in range(3):
            room.clock.go_on(days=30)
            assert alarms(workspace) == []


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)), st.integers(0, 23), st.integers(0, 59))
def test_the_last_expected_is_the_last_one_that_was(at: datetime, hour: int, minute: int) -> None:
    moment = at.replace(tzinfo=UTC)
    expected = last_expected(f"{minute} {hour} * * *", "Asia/Ho_Chi_Minh", before=moment)
    assert expected is not None
    assert timedelta(0) <= moment - expected < timedelta(days=1)
    assert (expected.astimezone(HERE).hour, expected.astimezone(HERE).minute) == (hour, minute)


def test_a_day_that_never_comes_is_expected_never() -> None:
    assert last_expected("0 0 30 2 *", "UTC", before=datetime(2030, 1, 1, tzinfo=UTC)) is None

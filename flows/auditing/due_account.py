"""The account of one policy's audits in one store at one grade: what a run has really used, day by day.

Written down every few seconds and at the end, so that the next run of the day, and budgets and prices, know of it;
what people audit on demand is counted too.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import datetime

from flows.auditing.by_store import Heed
from flows.auditing.due_takings import Taking
from flows.auditing.yielding import ingest_runs
from flows.in_force import policy_in_force
from flows.workspace import Workspace
from policies.hours import local_day, zone_of
from policies.plan import Use, Why, budget_limits, effort, expected, larger, priced
from preservation.catalog import audit_days
from preservation.catalog.audit_days import AuditDay
from preservation.catalog.listing import DueCopy
from preservation.errors import PolicyError
from preservation.facts import AIPVersion, Grade
from preservation.replicas.verify import ReplicaReport
from storage_adapters.errors import StorageError
from storage_adapters.pacing import Pace, paced
from storage_adapters.store import Store

NOTED_EVERY = 2.0  # seconds; so much reading may be missing in the account after a power cut


class Account:
    """What one policy's share has really used in this run, written down every few seconds."""

    def __init__(self, workspace: Workspace, store: str, grade: Grade, taking: Taking, *, heed: Heed) -> None:
        throttle, ingests = taking.plan.throttle, ingest_runs(workspace)

        def yields() -> bool:
            heed()
            self._note_now_and_then()  # one copy may be read for hours
            return ingests()

        self.pace = Pace(throttle.bytes_per_second, throttle.requests_per_second, yields=yields)
        self.objects = 0
        self.money = 0.0
        self._workspace, self._store, self._grade, self._taking = workspace, store, grade, taking
        self._day = taking.day
        self._counted = self._written = (0, 0)  # bytes and requests used: up to the last copy, up to the last note
        self._lock = threading.Lock()  # those who read note too
        self._noted = time.monotonic()
        self._open = self._nothing()

    def through(self) -> Store | None:
        """The store under this policy's pace; None when it cannot be opened, which whoever reads finds out again."""
        return _through(self._workspace, self._store, self.pace)

    def turn(self, now: datetime) -> None:
        """At midnight of the schedule, the next day's budget begins."""
        day = local_day(now, self._taking.zone)
        if day > self._day:
            self.note()
            self._day = day
            self._open = self._nothing()
            self._taking.today.renew(budget_limits(self._taking.plan.budget, used=Use(), owed=Use()))

    def add(self, copy: DueCopy, need: Use, *, seconds: float, failed: bool) -> None:
        """One copy was read, or tried."""
        now = (self.pace.bytes_used, self.pace.requests_used)
        used = priced(Use(now[0] - self._counted[0], now[1] - self._counted[1]), self._taking.prices)
        self._counted = now
        alone = any(larger(need, limit) for limit in self._taking.today.share.limits)
        self._taking.today.took(used, effort(need))
        self.objects += copy.objects
        self.money += used.money
        with self._lock:
            held = self._open
            self._open = replace(
                held,
                copies=held.copies + 1,
                objects=held.objects + copy.objects,
                milliseconds=held.milliseconds + int(seconds * 1000),
                failed=held.failed + failed,
                alone=held.alone or alone,
            )
        self._note_now_and_then()

    def note(self) -> None:
        """Write down what was used since the last note."""
        audit_days.add(self._workspace.catalog.database, self._unwritten())

    def conclude(self, stopped: Why | None) -> None:
        """Write down the rest, how many copies were left, and why. What was begun and not recorded was read too."""
        today = self._taking.today
        why, waiting = stopped or self._taking.held, today.waiting + self._taking.paused
        ended = replace(self._unwritten(), waiting=waiting, held=why.value if why is not None else "")
        audit_days.conclude(self._workspace.catalog.database, ended)

    def _note_now_and_then(self) -> None:
        with self._lock:
            due = time.monotonic() - self._noted >= NOTED_EVERY
            if due:
                self._noted = time.monotonic()  # first, so that other threads do not note too
        if due:
            self.note()

    def _unwritten(self) -> AuditDay:
        """What no note says yet; from now on it counts as written."""
        with self._lock:
            now, before = (self.pace.bytes_used, self.pace.requests_used), self._written
            held, self._open, self._written = self._open, self._nothing(), now
        return replace(held, bytes=now[0] - before[0], requests=now[1] - before[1])

    def _nothing(self) -> AuditDay:
        return AuditDay(self._store, self._grade, self._taking.policy, self._day)


class OnDemand:
    """What a person has audited on demand in one store counts for the day's budgets too, and is never refused because
    of them. Written down every few seconds, and at the end of the block.
    """

    def __init__(self, workspace: Workspace, *, heed: Heed) -> None:
        def yields() -> bool:
            heed()
            return False

        self._workspace, self._pace = workspace, Pace(yields=yields)
        self._open: dict[str, AuditDay] = {}
        self._noted = time.monotonic()

    def __enter__(self) -> OnDemand:
        return self

    def __exit__(self, *_: object) -> None:
        self._note()

    def through(self, store: str) -> Store | None:
        """The store, left in the middle of an object when all is to end; None when it cannot be opened."""
        return _through(self._workspace, store, self._pace)

    def add(self, version: AIPVersion, report: ReplicaReport, *, seconds: float) -> None:
        """One copy was read."""
        held = self._open.get(version.policy) or self._begun(version.policy, report)
        if held is None:
            return
        asked = expected(report.grade, objects=version.objects, bytes=report.bytes_read).requests
        self._open[version.policy] = replace(
            held,
            copies=held.copies + 1,
            objects=held.objects + version.objects,
            bytes=held.bytes + report.bytes_read,
            requests=held.requests + int(asked),
            milliseconds=held.milliseconds + int(seconds * 1000),
        )
        if time.monotonic() - self._noted >= NOTED_EVERY:
            self._note()

    def _begun(self, policy: str, report: ReplicaReport) -> AuditDay | None:
        try:
            zone = zone_of(policy_in_force(self._workspace, policy).schedule)
        except PolicyError:
            return None  # no policy, no budget
        return AuditDay(report.store, report.grade, policy, local_day(self._workspace.clock(), zone))

    def _note(self) -> None:
        for each in self._open.values():
            audit_days.add(self._workspace.catalog.database, each)
        self._open, self._noted = {}, time.monotonic()


def _through(workspace: Workspace, store: str, pace: Pace) -> Store | None:
    try:
        return paced(workspace.store(store), pace)
    except StorageError:
        return None

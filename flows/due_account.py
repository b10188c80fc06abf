"""The account of one policy's audits in one store at one grade: what a run has really used, day by day.

Written down every few seconds and at the end, so that the next run of the day, and budgets and prices, know of it;
what people audit on demand is counted too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from flows.due_plan import Taking
from flows.workspace import Workspace
from policies.hours import local_day
from policies.plan import Use, Why, budget_limits, effort, larger, priced
from preservation.catalog import audit_days
from preservation.catalog.audit_days import AuditDay
from preservation.catalog.listing import DueCopy
from preservation.facts import Grade
from storage_adapters.errors import StorageError
from storage_adapters.pacing import Pace, paced
from storage_adapters.store import Store

NOTED_EVERY = 2.0  # seconds; so much reading may be missing in the account after a power cut


class Account:
    """What one policy's share has really used in this run, written down every few seconds."""

    def __init__(self, workspace: Workspace, store: str, grade: Grade, taking: Taking) -> None:
        throttle = taking.plan.throttle
        self.pace = Pace(throttle.bytes_per_second, throttle.requests_per_second, yields=_ingest_runs(workspace))
        self.objects = 0
        self.money = 0.0
        self._workspace, self._store, self._grade, self._taking = workspace, store, grade, taking
        self._day = taking.day
        self._counted = (0, 0)  # bytes and requests that were used at the last look
        self._noted = time.monotonic()
        self._open = self._nothing()

    def through(self) -> Store | None:
        """The store under this policy's pace; None when it cannot be opened, which whoever reads finds out again."""
        try:
            return paced(self._workspace.store(self._store), self.pace)
        except StorageError:
            return None

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
        used = priced(self._since(), self._taking.prices)
        alone = any(larger(need, limit) for limit in self._taking.today.share.limits)
        self._taking.today.took(used, effort(need))
        self.objects += copy.objects
        self.money += used.money
        held = self._with(used)
        self._open = replace(
            held,
            copies=held.copies + 1,
            objects=held.objects + copy.objects,
            milliseconds=held.milliseconds + int(seconds * 1000),
            failed=held.failed + failed,
            alone=held.alone or alone,
        )
        if time.monotonic() - self._noted >= NOTED_EVERY:
            self.note()

    def note(self) -> None:
        """Write down what was used since the last note."""
        audit_days.add(self._workspace.catalog.database, self._open)
        self._open, self._noted = self._nothing(), time.monotonic()

    def conclude(self, stopped: Why | None) -> None:
        """Write down the rest, how many copies were left, and why. What was begun and not recorded was read too."""
        today = self._taking.today
        why = stopped or today.held
        word = why.value if why is not None else ""
        ended = replace(self._with(self._since()), waiting=today.waiting, held=word)
        audit_days.conclude(self._workspace.catalog.database, ended)

    def _since(self) -> Use:
        now = (self.pace.bytes_used, self.pace.requests_used)
        used = Use(now[0] - self._counted[0], now[1] - self._counted[1])
        self._counted = now
        return used

    def _with(self, used: Use) -> AuditDay:
        held = self._open
        return replace(held, bytes=held.bytes + int(used.bytes), requests=held.requests + int(used.requests))

    def _nothing(self) -> AuditDay:
        return AuditDay(self._store, self._grade, self._taking.policy, self._day)


def _ingest_runs(_workspace: Workspace) -> Callable[[], bool]:
    """Whether packages are being taken in just now: audits then leave the stores and disks to them."""
    return lambda: False

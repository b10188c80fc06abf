"""Today's share of audits in one store at one grade: the facts gathered for the pure decisions of policies/plan.

Copies of several policies lie in one store; each policy has its own interval, window, throttle and budget, and so a
share of its own. The catalog's counts by day say how much lies ahead; single copies are read as they are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flows.auditing.late import failed_since
from flows.in_force import policy_in_force
from flows.settings import StoreSettings
from flows.workspace import Workspace
from policies.hours import DAY, closes_at, local_day, next_run, opens_at, zone_of
from policies.model import AuditPlan
from policies.plan import (
    REMEMBERED,
    Prices,
    Runs,
    Share,
    Spent,
    Today,
    Use,
    Why,
    budget_limits,
    cannot_wait,
    effort,
    expected,
    horizon,
    level,
    next_try,
    owed,
    priced,
)
from policies.simulation import Cohort
from preservation.catalog import audit_days
from preservation.catalog.audit_days import AuditDay
from preservation.catalog.listing import Cursor, DueCopy
from preservation.catalog.loads import DueDay, due_days
from preservation.facts import Grade

WEAKEST_FIRST = (Grade.PRESENCE, Grade.PROVIDER, Grade.BYTES)  # moments do not wait for hours
SPEED_OF = timedelta(days=7)


@dataclass(slots=True)
class Taking:
    """What one policy takes today in one store at one grade. `closes` is None while its window is shut; `speed` is
    that of the last days in bytes a second, None when nothing was read in them.
    """

    policy: str
    plan: AuditPlan
    zone: ZoneInfo
    prices: Prices | None
    now: datetime
    following: datetime
    closes: datetime | None
    used: Use
    owed: Use
    today: Today
    speed: float | None
    days: list[AuditDay] = field(repr=False)
    paused: int = 0  # copies that are due, could not be read, and are not tried yet
    again: datetime | None = None  # when the first of them is

    @property
    def day(self) -> date:
        """The day of the schedule."""
        return local_day(self.now, self.zone)

    @property
    def opens(self) -> datetime | None:
        """When the window opens next, None while it is open."""
        if self.closes is not None or self.plan.window is None:
            return None
        return opens_at(self.plan.window, self.now, self.zone)

    @property
    def held(self) -> Why | None:
        """What kept copies back that are due."""
        return self.today.held or (Why.FAILED if self.paused else None)

    def pauses(self, workspace: Workspace, copy: DueCopy) -> bool:
        """Whether a copy that could not be read is left alone for now, and is counted as such."""
        if not copy.unreadable:
            return False
        failing = failed_since(workspace, copy.identifier, copy.version, copy.store, copy.grade, itself=True)
        if failing is None or failing.last > self.now:  # a time from the future says nothing
            return False
        again = next_try(self.plan, failures=failing.times, last=failing.last)
        if again <= self.now:
            return False
        self.paused += copy.due_at < self.today.before
        self.again = min(again, self.again or again)
        return True

    @property
    def horizon(self) -> datetime:
        """Copies due from this moment on are not read today."""
        return max(self.now + horizon(self.plan), self.today.before)

    def takes(self, due_at: datetime) -> bool:
        """Whether copies due then are looked at."""
        return due_at < self.horizon and not self.today.enough

    def need(self, grade: Grade, copy: DueCopy) -> Use:
        """What proving the copy is expected to take."""
        return expected(grade, objects=copy.objects, bytes=copy.object_bytes, prices=self.prices)


def takings(workspace: Workspace, store: str, grade: Grade, *, now: datetime) -> dict[str, Taking]:
    """Today's takings by policy; a policy that does not audit there has none. Raises PolicyError, CatalogError."""
    ahead: dict[str, list[DueDay]] = {}
    for day in due_days(workspace.catalog.database, store, grade):
        ahead.setdefault(day.policy, []).append(day)
    since = (now - (REMEMBERED + 2) * DAY).date()
    spent = audit_days.days(workspace.catalog.database, since=since, store=store, grade=grade) if ahead else []
    found = {}
    for name, days in ahead.items():
        policy = policy_in_force(workspace, name)
        plan = policy.audit.plans(store).get(grade)
        if plan is not None:
            mine = [day for day in spent if day.policy == name]
            zone, prices = zone_of(policy.schedule), prices_of(workspace.settings.stores[store])
            following = next_run(policy.schedule.audit, now, zone)
            period = next_run(policy.schedule.audit, following, zone) - following
            found[name] = _taking(
                *(name, plan, zone, prices),
                days=mine,
                ahead=days,
                grade=grade,
                now=now,
                following=following,
                period=period,
            )
    return found


def _taking(
    name: str,
    plan: AuditPlan,
    zone: ZoneInfo,
    prices: Prices | None,
    *,
    days: list[AuditDay],
    ahead: Iterable[DueDay],
    grade: Grade,
    now: datetime,
    following: datetime,
    period: timedelta,
) -> Taking:
    today = local_day(now, zone)
    used = _used(days, today, prices)
    before = cannot_wait(plan, now=now, following=following)
    owing = owed(_history(days, today, prices), plan.budget)
    done = sum(_effort(day, grade) for day in days if day.day == today)
    until = max(before, now + horizon(plan))
    soon = [each for each in cohorts(ahead, plan) if each.due_at < until]
    loads = ((each.due_at, _cohort_effort(each, grade)) for each in soon)
    quota = level(loads, plan, Runs(now, following, period), done=done)
    limits = tuple(budget_limits(plan.budget, used=used, owed=owing))
    return Taking(
        policy=name,
        plan=plan,
        zone=zone,
        prices=prices,
        now=now,
        following=following,
        closes=closes_at(plan.window, now, zone),
        used=used,
        owed=owing,
        today=Today(Share(quota, limits), before=before),
        speed=_speed(days, since=today - SPEED_OF),
        days=days,
    )


def prices_of(store: StoreSettings) -> Prices | None:
    """The price table of a store's settings."""
    given = store.prices
    return None if given is None else Prices(given.currency, given.per_1000_requests, given.per_gib_read)


def cohorts(days: Iterable[DueDay], plan: AuditPlan) -> Iterator[Cohort]:
    """The copies that fall due, day by day, those of one day as one cohort; never proved ones apart. Within a day the
    catalog's counts know no hour: noon in UTC stands for it.
    """
    listed = list(days)
    never: dict[date, tuple[int, int, int]] = {}
    for each in listed:
        if each.never:  # counted by the day on which they will be overdue; due they are since they were claimed
            day = each.day - plan.grace
            never[day] = (each.copies, each.objects, each.bytes)
            yield _cohort(day, *never[day], never=True)
    for each in listed:
        if not each.never:
            less = never.get(each.day, (0, 0, 0))
            left = (each.copies - less[0], each.objects - less[1], each.bytes - less[2])
            if left[0] > 0:
                yield _cohort(each.day, *left, never=False)


def _cohort(day: date, copies: int, objects: int, size: int, *, never: bool) -> Cohort:
    noon = datetime.combine(day, time(12), UTC)
    return Cohort(noon, copies, max(1, objects / copies), max(0, size / copies), never)


def _cohort_effort(each: Cohort, grade: Grade) -> float:
    return effort(expected(grade, objects=each.objects, bytes=each.bytes)) * each.copies


def _effort(day: AuditDay, grade: Grade) -> float:
    if not day.copies:
        return 0.0
    each = expected(grade, objects=day.objects / day.copies, bytes=day.bytes / day.copies)
    return effort(each) * day.copies


def _used(days: Iterable[AuditDay], today: date, prices: Prices | None) -> Use:
    """What was used on a day by all runs; a run of another time zone may have written the same day."""
    used = Use()
    for day in days:
        if day.day == today:
            used += priced(Use(day.bytes, day.requests), prices)
    return used


def _history(days: Iterable[AuditDay], today: date, prices: Prices | None) -> Iterator[Spent]:
    """The days before today, none left out; days that a wrong clock has put into the future count for nothing."""
    known = {day.day: Spent(priced(Use(day.bytes, day.requests), prices), day.alone) for day in days}
    for number in range(REMEMBERED - 1, 0, -1):
        yield known.get(today - number * DAY, Spent(Use()))


def _speed(days: Iterable[AuditDay], *, since: date) -> float | None:
    seconds = sum(day.milliseconds for day in days if day.day >= since) / 1000
    read = sum(day.bytes for day in days if day.day >= since)
    return read / seconds if seconds > 0 and read else None


def candidates(
    workspace: Workspace,
    store: str,
    grade: Grade,
    shares: dict[str, Taking],
    *,
    since: datetime | None = None,
    before: datetime | None = None,
) -> Iterator[tuple[DueCopy, Taking]]:
    """The copies that may be taken today, the longest due first, until nobody takes any more; of a stretch of time
    only those that fall due in it.
    """
    if not shares:
        return
    last = before or max(each.horizon for each in shares.values())
    first = None if since is None else Cursor(since, 0)
    for copy in workspace.catalog.due(store, grade, before=last, after=first):
        taking = shares.get(copy.policy)
        if taking is None or not taking.takes(copy.due_at):
            if not any(each.takes(copy.due_at) for each in shares.values()):
                return
            continue
        if not taking.pauses(workspace, copy):
            yield copy, taking

"""What is audited today: a share of the copies that are due, or will be soon, that keeps every promise of the policy.

Copies come oldest due date first. What is due and cannot wait for the next run is taken whole; of what falls due
later, as much as keeps the coming days level. Budgets, throttle and window say how much of it fits. Nothing here
reads a clock, a store or the catalog; the simulation asks the same functions. Why: docs/explanation/audit-plan.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from policies.model import AuditPlan, Budget, Throttle
from policies.standing import AIM
from preservation.facts import Grade

EARLY = 0.25  # of the interval: so much before its due date a copy may be read, to keep the days level
KEYS_PER_LIST = 1000  # objects in one page of a store's list
# What reading costs besides bytes, in bytes that could be read meanwhile; only to compare one day with another.
PER_REQUEST = 256 << 10
PER_COPY = 1 << 20
LOOK_PAST = 1000  # copies that do not fit are passed over until so many of them were met
PAUSES = (timedelta(hours=1), timedelta(hours=4), timedelta(hours=20))  # 20: less than from one daily run to the next
REMEMBERED = 30  # days after which a copy larger than the budget counts as paid, so that it starves no others
_ROUNDING = 1e-9


class Why(StrEnum):
    """Why a copy is not proved today although it could be: its day has not come, or something forbids it."""

    LEVEL = "level"
    BUDGET = "budget"
    THROTTLE = "throttled"
    WINDOW = "window"
    AWAY = "store-away"
    FAILED = "failed"
    STOPPED = "stopped"
    NOT_RUN = "not-run"


@dataclass(frozen=True, slots=True)
class Prices:
    """What a store's provider charges for reading, in `currency` (`USD`, `VND`)."""

    currency: str = ""
    per_1000_requests: float = 0.0
    per_gib_read: float = 0.0


@dataclass(frozen=True, slots=True)
class Use:
    """What reading takes: bytes, requests and money."""

    bytes: float = 0
    requests: float = 0
    money: float = 0.0

    def __add__(self, other: Use) -> Use:
        return Use(self.bytes + other.bytes, self.requests + other.requests, self.money + other.money)

    def times(self, count: float) -> Use:
        """The same so many times."""
        return Use(self.bytes * count, self.requests * count, self.money * count)


def priced(use: Use, prices: Prices | None) -> Use:
    """The same with what it costs; nothing without a price table."""
    if prices is None:
        return replace(use, money=0.0)
    money = use.requests / 1000 * prices.per_1000_requests + use.bytes / (1 << 30) * prices.per_gib_read
    return replace(use, money=money)


def expected(grade: Grade, *, objects: float, bytes: float, prices: Prices | None = None) -> Use:
    """What proving one copy takes: its list, and for each object a look or its bytes, as the grade asks."""
    lists = max(1.0, math.ceil(objects / KEYS_PER_LIST))
    return together(grade, lists=lists, objects=objects, bytes=bytes, prices=prices)


def together(grade: Grade, *, lists: float, objects: float, bytes: float, prices: Prices | None = None) -> Use:
    """The same of several copies, whose lists together have so many pages."""
    asked = 0.0 if grade is Grade.PRESENCE else objects
    return priced(Use(bytes if grade is Grade.BYTES else 0, lists + asked), prices)


def effort(use: Use, copies: int = 1) -> float:
    """One number for how much work proving a copy is, to compare days with."""
    return PER_COPY * copies + use.bytes + use.requests * PER_REQUEST


def horizon(plan: AuditPlan) -> timedelta:
    """How long before its due date a copy may be read to keep the days level: in whole days, for runs come daily."""
    days = timedelta(days=math.ceil(plan.interval * EARLY / timedelta(days=1)))
    return min(days, plan.interval * AIM / 2)


def cannot_wait(plan: AuditPlan, *, now: datetime, following: datetime) -> datetime:
    """Copies due before this moment cannot wait for the run that follows: they are due already, or would then have
    used up half of what is left of the interval after the due date. So a run may take long, or be late.
    """
    return max(now, following - plan.interval * (1 - AIM) / 2)


@dataclass(frozen=True, slots=True)
class Runs:
    """When copies can be read: now, at the run that follows, and at one every `period` from then on."""

    now: datetime
    following: datetime
    period: timedelta

    def left(self, plan: AuditPlan, due_at: datetime) -> int:
        """How many runs, this one among them, there are for a copy before it cannot wait any more."""
        if due_at < cannot_wait(plan, now=self.now, following=self.following):
            return 1
        then = cannot_wait(plan, now=self.following, following=self.following + self.period)
        return 2 if due_at < then else 3 + (due_at - then) // self.period


def level(ahead: Iterable[tuple[datetime, float]], plan: AuditPlan, runs: Runs, *, done: float = 0.0) -> float:
    """How much effort today's runs are to take so that the days ahead are level.

    `ahead` says what is left: (due date, effort). It is the least effort in each run with which everything is read in
    time, less what was `done` today already.
    """
    by_run: dict[int, float] = {}
    for due_at, work in ahead:
        number = runs.left(plan, due_at)
        by_run[number] = by_run.get(number, 0.0) + work
    total, most = done, 0.0
    for number in sorted(by_run):
        total += by_run[number]
        most = max(most, total / number)
    return max(0.0, most - done)


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that must not be exceeded in a day: `whole` of it in all, `left` of it now."""

    what: str  # bytes, requests or money
    whole: float
    left: float
    why: Why

    @property
    def untouched(self) -> bool:
        """Whether nothing of it has been used."""
        return self.left >= self.whole


@dataclass(frozen=True, slots=True)
class Share:
    """What may still be taken today: `level` effort of copies that could wait, and the limits for all."""

    level: float
    limits: tuple[Limit, ...] = ()

    def after(self, use: Use, work: float) -> Share:
        """What is left when so much was taken."""
        limits = tuple(replace(each, left=each.left - getattr(use, each.what)) for each in self.limits)
        return Share(self.level - work, limits)

    def part(self, use: Use, work: float, *, must: bool) -> float:
        """How much of so much work may still be taken, as a part of it: with 1 or more, all of it."""
        left = [each.left / need for each in self.limits if (need := getattr(use, each.what)) > 0]
        return min([*left, *([] if must or not work else [self.level / work])], default=math.inf)


def how_many(share: Share, each: Use, *, copies: int = 1, must: bool) -> tuple[int, Why]:
    """How many of so many equal copies are taken now, and what forbids the next one (LEVEL when nothing does).

    `must`: they cannot wait for the next run. A copy that is larger than a whole limit is taken alone when nothing
    of the limit was used yet: otherwise it would never be read.
    """
    count, why = copies, Why.LEVEL
    if not must:
        count = min(copies, int(share.level / effort(each) + _ROUNDING))
    for limit in share.limits:
        need = getattr(each, limit.what)
        if need <= 0:
            continue
        fit = max(0, math.floor(limit.left / need + _ROUNDING))
        if fit == 0 and larger(each, limit) and limit.untouched:
            fit = 1
        if fit < count:
            count, why = fit, limit.why
    return count, why


def larger(each: Use, limit: Limit) -> bool:
    """Whether one copy alone is more than the limit allows in a whole day."""
    return bool(getattr(each, limit.what) > limit.whole * (1 + _ROUNDING))


def budget_limits(budget: Budget, *, used: Use, owed: Use) -> list[Limit]:
    """What the day's budget leaves: less what was used today, less what a copy larger than a budget still owes."""
    return [
        Limit(what, whole, whole - getattr(used, what) - getattr(owed, what), Why.BUDGET)
        for what, whole in _of_budget(budget)
    ]


def _of_budget(budget: Budget) -> list[tuple[str, float]]:
    given = (
        ("bytes", budget.bytes_per_day),
        ("requests", budget.requests_per_day),
        ("money", budget.money_per_day),
    )
    return [(what, float(whole)) for what, whole in given if whole is not None]


def time_limits(throttle: Throttle, seconds: float, *, windowed: bool, used: Use | None = None) -> list[Limit]:
    """What can pass at the throttle in so many seconds of a day's runs; when even a whole day would not do, it is the
    throttle that forbids more, else the window.
    """
    spent = used or Use()
    rates = (("bytes", throttle.bytes_per_second), ("requests", throttle.requests_per_second))
    return [
        Limit(what, rate * seconds, rate * seconds - getattr(spent, what), Why.WINDOW if windowed else Why.THROTTLE)
        for what, rate in rates
        if rate is not None
    ]


@dataclass(frozen=True, slots=True)
class Spent:
    """What audits used on one day; `alone` when one copy larger than the budget was among it."""

    use: Use
    alone: bool = False


def owed(days: Iterable[Spent], budget: Budget) -> Use:
    """What the last REMEMBERED days, each in turn and none left out, have taken in advance: a copy larger than the
    budget is paid for by the days after it. What people audit on demand owes nothing.
    """
    debt = Use()
    for day in days:
        for what, whole in _of_budget(budget):
            used = getattr(day.use, what)
            before = getattr(debt, what)
            debt = replace(debt, **{what: max(0.0, before + (used if day.alone else min(used, whole)) - whole)})
    return debt


def next_due(plan: AuditPlan, proved_at: datetime) -> datetime:
    """When a copy proved at that moment is due again."""
    return proved_at + plan.interval * AIM


def next_try(plan: AuditPlan, *, failures: int, last: datetime) -> datetime:
    """When a copy that could not be read so many times in a row, at `last` the last time, is tried again by itself:
    after longer and longer, but never longer than the grace, so that no copy is forgotten.
    """
    known, doubled = min(failures, len(PAUSES)), min(max(0, failures - len(PAUSES)), 10)
    return last + min(PAUSES[known - 1] * (1 << doubled), plan.grace)


class Today:
    """The taking of one day's share, one offer after the other in the order of due dates.

    What was taken is reported back with what it really used, so that a plan made in advance, a real run and a
    simulated one go through the same door.
    """

    def __init__(self, share: Share, *, before: datetime) -> None:
        self.share = share
        self.before = before  # copies due before this moment cannot wait
        self._passed = 0
        self.waiting = 0  # copies that cannot wait and were not taken
        self.held: Why | None = None  # what kept the first of them back

    @property
    def enough(self) -> bool:
        """Whether so many copies did not fit that no more are looked at."""
        return self._passed >= LOOK_PAST

    def offer(self, due_at: datetime, each: Use, copies: int = 1) -> int:
        """How many of so many equal copies to take now."""
        count, why = how_many(self.share, each, copies=copies, must=due_at < self.before)
        self._left(due_at, copies - count, why)
        return count

    def pass_over(self, due_at: datetime, why: Why) -> None:
        """One copy is left for another day, for a reason that lies outside the plan."""
        self._left(due_at, 1, why)

    def _left(self, due_at: datetime, copies: int, why: Why) -> None:
        self._passed += copies
        if copies and due_at < self.before:
            self.waiting += copies
            self.held = self.held or why

    def took(self, use: Use, work: float) -> None:
        """So much was really used; `work` is the expected effort."""
        self.share = self.share.after(use, work)

    def renew(self, limits: Iterable[Limit]) -> None:
        """A new day begins while this one's share is still being read: its limits hold from now on."""
        self.share = Share(self.share.level, tuple(limits))

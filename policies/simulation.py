"""The days ahead under a policy, without reading a byte: the same decisions as those of a real run, day after day.

Copies that fall due on one day and are alike are one cohort, so that a year of a million AIPs takes seconds. Each
store and grade is looked at by itself; that a proof of every byte answers for presence too is left out, so the
figures are a little high and never low.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from policies.hours import DAY, day_begins, local_day, running, runs
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
    larger,
    level,
    next_due,
    owed,
    time_limits,
)
from policies.standing import AIM
from preservation.facts import Grade


@dataclass(frozen=True, slots=True, order=True)
class Cohort:
    """Copies that are due at one moment; `objects` and `bytes` are those of one of them. `never`: never proved."""

    due_at: datetime
    copies: int
    objects: float
    bytes: float
    never: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for one grade in one store: the policy's plan, when its runs start, and what reading costs."""

    grade: Grade
    plan: AuditPlan
    line: str | None
    zone: ZoneInfo
    prices: Prices | None = None


@dataclass(frozen=True, slots=True)
class DayAhead:
    """One day: what is read, how many copies that had to be were not and why, how many are overdue at its end, and
    the longest time that a copy read today had waited since its last proof (or, never proved, since it was made).
    """

    day: date
    copies: int
    use: Use
    waiting: int
    held: Why | None
    overdue: int
    longest: timedelta


def simulate(
    cohorts: Iterable[Cohort],
    rules: Rules,
    *,
    start: datetime,
    days: int,
    arrivals: Callable[[date], Sequence[Cohort]] = lambda _day: (),
    away: Callable[[date], bool] = lambda _day: False,
) -> Iterator[DayAhead]:
    """Every local day from `start` on, as many as asked for. `arrivals` are copies that are there from that day on;
    on a day on which the store is `away`, nothing is read.
    """
    first = local_day(start, rules.zone)
    end = day_begins(first + days * DAY, rules.zone)
    seconds = running(rules.line, rules.plan.window, since=start, until=end + DAY, zone=rules.zone)
    times = _first_runs(rules, since=start, until=end + 40 * DAY, wanted=set(seconds))
    queue = sorted(cohorts)
    spent: list[Spent] = []
    for number in range(days):
        day = first + number * DAY
        for each in arrivals(day):
            insort(queue, each)
        done = _Day()
        if day in times and not away(day):
            now, following = times[day]
            queue = _read(queue, rules, done, now=now, following=following, seconds=seconds[day], spent=spent)
        elif day in times:
            done.held = Why.AWAY
        spent = [*spent[1 - REMEMBERED :], Spent(done.use, done.alone)]
        closing = day_begins(day + DAY, rules.zone)
        overdue = sum(each.copies for each in _until(queue, closing) if overdue_at(each, rules.plan) < closing)
        yield DayAhead(day, done.copies, done.use, done.waiting, done.held, overdue, done.longest)


def overdue_at(each: Cohort, plan: AuditPlan) -> datetime:
    """When the standing of its AIPs becomes overdue."""
    return each.due_at + plan.grace if each.never else each.due_at + plan.interval * (1 - AIM) + plan.grace


@dataclass
class _Day:
    copies: int = 0
    use: Use = field(default_factory=Use)
    alone: bool = False
    waiting: int = 0
    held: Why | None = None
    longest: timedelta = timedelta(0)


def _first_runs(
    rules: Rules, *, since: datetime, until: datetime, wanted: set[date]
) -> dict[date, tuple[datetime, datetime]]:
    """For each day on which runs can read: when the first one starts, and when the one of the next such day does."""
    firsts: dict[date, datetime] = {}
    for each in runs(rules.line, after=since - timedelta(microseconds=1), until=until, zone=rules.zone):
        firsts.setdefault(local_day(each, rules.zone), each)
    days = sorted(firsts)
    following = dict(pairwise(days))
    return {
        day: (firsts[day], max(firsts[following[day]] if day in following else until, firsts[day] + DAY))
        for day in days
        if day in wanted
    }


def _read(
    queue: list[Cohort],
    rules: Rules,
    done: _Day,
    *,
    now: datetime,
    following: datetime,
    seconds: float,
    spent: Sequence[Spent],
) -> list[Cohort]:
    """Take today's share off the queue and put what was read back with its next due date; the new queue."""
    plan = rules.plan
    before = cannot_wait(plan, now=now, following=following)
    soon = list(_until(queue, max(now + horizon(plan), before)))
    needs = [expected(rules.grade, objects=e.objects, bytes=e.bytes, prices=rules.prices) for e in soon]
    ahead = ((e.due_at, effort(need) * e.copies) for e, need in zip(soon, needs, strict=True))
    limits = [
        *budget_limits(plan.budget, used=Use(), owed=owed(spent, plan.budget)),
        *time_limits(plan.throttle, seconds, windowed=plan.window is not None),
    ]
    today = Today(
        Share(level(ahead, plan, Runs(now, following, max(following - now, DAY))), tuple(limits)), before=before
    )
    left, read = list[Cohort](), list[Cohort]()
    for position, (each, need) in enumerate(zip(soon, needs, strict=True)):
        if today.enough:
            left += soon[position:]
            today.waiting += sum(one.copies for one in soon[position:] if one.due_at < before)
            break
        count = today.offer(each.due_at, need, each.copies)
        if count < each.copies:
            left.append(replace(each, copies=each.copies - count))
        if not count:
            continue
        done.alone = done.alone or any(larger(need, limit) for limit in today.share.limits)
        today.took(need.times(count), effort(need) * count)
        done.copies += count
        done.use += need.times(count)
        proved_at = each.due_at if each.never else each.due_at - plan.interval * AIM
        done.longest = max(done.longest, now - proved_at)
        read.append(Cohort(next_due(plan, now), count, each.objects, each.bytes))
    done.waiting, done.held = today.waiting, today.held
    rest = queue[len(soon) :]
    return list(_alike(sorted([*left, *rest, *read]))) if read else [*left, *rest]


def _until(queue: Iterable[Cohort], moment: datetime) -> Iterator[Cohort]:
    for each in queue:
        if each.due_at >= moment:
            return
        yield each


def _alike(queue: Iterable[Cohort]) -> Iterator[Cohort]:
    """Cohorts that became equal but for their number are one again."""
    last: Cohort | None = None
    for each in queue:
        if last is not None and each.due_at == last.due_at and _kind(each) == _kind(last):
            last = replace(last, copies=last.copies + each.copies)
            continue
        if last is not None:
            yield last
        last = each
    if last is not None:
        yield last


def _kind(each: Cohort) -> tuple[float, float, bool]:
    return each.objects, each.bytes, each.never

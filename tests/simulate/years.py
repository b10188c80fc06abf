"""Simulated years of audits for `make simulate`: three collections, and what may come upon them.

The small collection is simulated copy by copy through the standing of its AIPs, clocks that jump included; the
growing and the large one by cohorts. Both ask the decisions of policies/plan, as real runs do.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from policies.load import load_policy
from policies.model import Audit, AuditPlan, Budget, Policy
from policies.plan import Runs, Share, Today, Why, cannot_wait, effort, expected, horizon, level
from policies.replication import StoreFacts
from policies.simulation import Cohort, DayAhead, Rules, simulate
from policies.standing import AIM, Word, due, standing
from preservation.facts import AIPVersion, Evidence, Grade, Outcome, Replica

START = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)  # one o'clock at night in Hà Nội
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
DAY = timedelta(days=1)
PLAN = AuditPlan(90 * DAY, 14 * DAY)
FORBIDS = frozenset({Why.BUDGET, Why.THROTTLE, Why.WINDOW, Why.AWAY})
OBJECTS, SIZE = 120, 3 * 10**9  # of one scanned book


@dataclass
class Year:
    """What one simulated year was: per day copies read and copies overdue, the longest wait, alarms without a cause."""

    name: str
    copies: list[int] = field(default_factory=list)
    overdue: list[int] = field(default_factory=list)
    longest: timedelta = timedelta(0)
    false_alarms: int = 0
    foretold: bool = True
    forbidden: bool = False  # budget or outage did not allow it

    def row(self) -> str:
        low, middle, high = min(self.copies), statistics.median(self.copies), max(self.copies)
        late = max(self.overdue, default=0)
        return (
            f"{self.name:58} {low:7} {middle:9.0f} {high:9} {self.longest / DAY:9.1f} {late:9} {self.false_alarms:6}"
        )


HEADING = (
    f"{'copies read in a day:':58} {'min':>7} {'median':>9} {'max':>9} {'wait/days':>9} {'overdue':>9} {'false':>6}"
)


def by_cohorts(
    name: str,
    cohorts: Iterable[Cohort],
    plan: AuditPlan = PLAN,
    *,
    days: int = 365,
    arrivals: Callable[[date], Sequence[Cohort]] = lambda _day: (),
    away: Callable[[date], bool] = lambda _day: False,
) -> Year:
    """A year by cohorts. An alarm is false when nothing ever forbade reading before it."""
    rules = Rules(Grade.BYTES, plan, "0 1 * * *", ZONE)
    held = list(cohorts)
    year = Year(name)
    forbidden_until: date | None = None
    for day in simulate(held, rules, start=START, days=days, arrivals=arrivals, away=away):
        if day.held in FORBIDS:
            forbidden_until = day.day
            year.forbidden = True
        year.copies.append(day.copies)
        year.overdue.append(day.overdue)
        year.longest = max(year.longest, day.longest)
        if day.overdue and forbidden_until is None:
            year.false_alarms += day.overdue
    if any(year.overdue):
        ahead = list(simulate(held, rules, start=START, days=days, arrivals=arrivals, away=away))
        year.foretold = _first(ahead) == next(n for n, late in enumerate(year.overdue) if late)
    return year


def _first(ahead: Sequence[DayAhead]) -> int | None:
    """The day from which a forecast says that something is overdue, after a day that says what forbids it."""
    said = False
    for number, day in enumerate(ahead):
        said = said or day.held in FORBIDS
        if day.overdue:
            return number if said else None
    return None


def level_cohorts(copies: int, plan: AuditPlan = PLAN, *, size: float = SIZE) -> list[Cohort]:
    """A collection whose proofs are spread over the interval."""
    days = int(plan.interval * AIM / DAY)
    each = [copies // days + (number < copies % days) for number in range(days)]
    return [Cohort(START + number * DAY + DAY / 2, n, OBJECTS, size) for number, n in enumerate(each) if n]


def growing(day: date) -> list[Cohort]:
    """What is taken in on a day: ten AIPs at first, a thousand a day after a year; proved when it was taken in."""
    number = (day - START.date()).days
    proved = datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
    return [Cohort(proved + PLAN.interval * AIM, round(10 * 100 ** (number / 365)), OBJECTS, SIZE)]


STORES = (StoreFacts("one", region="a"), StoreFacts("two", region="b"))


def _policy(plan: AuditPlan) -> Policy:
    default = load_policy("default")
    replication = replace(default.replication, copies=2, floor=1, stores=None)
    return replace(default, replication=replication, audit=Audit({Grade.BYTES: plan}, {}))


@dataclass
class SmallWorld:
    """Five hundred AIPs in two stores, each copy with its own evidence. `clock` gives what our machine believes."""

    plan: AuditPlan = PLAN
    aips: int = 500
    away: Callable[[int, str], bool] = lambda _day, _store: False
    clock: Callable[[int, datetime], datetime] = lambda _day, now: now
    repaired: Callable[[int], range] = lambda _day: range(0)

    def year(self, name: str, *, days: int = 365) -> Year:
        policy = _policy(self.plan)
        year, really = Year(name), dict[tuple[int, str], datetime]()
        copies: dict[tuple[int, str], Replica] = {}
        for number in range(self.aips):
            for store in STORES:
                at = START - self.plan.interval * AIM * ((number * 7919 % 1000) / 1000)
                proof = Evidence(str(number), 1, store.name, Grade.BYTES, Outcome.INTACT, at)
                copies[number, store.name] = Replica(str(number), 1, store.name, at, {Grade.BYTES: proof})
                really[number, store.name] = at
        for day in range(days):
            true = START + day * DAY
            now = self.clock(day, true)
            for number in self.repaired(day):  # written anew: claimed again, and nothing proved
                copies[number, "one"] = replace(copies[number, "one"], claimed_at=now, evidence={})
            read = 0
            for store in STORES:
                if self.away(day, store.name):
                    year.forbidden = True
                    continue
                for number in self._taken([copies[n, store.name] for n in range(self.aips)], policy, now):
                    key = (number, store.name)
                    proof = Evidence(str(number), 1, store.name, Grade.BYTES, Outcome.INTACT, now)
                    copies[key] = replace(copies[key], evidence={Grade.BYTES: proof})
                    year.longest = max(year.longest, true - really[key])
                    really[key] = true
                    read += 1
            year.copies.append(read)
            late = self._overdue(copies, policy, now + DAY / 2)
            year.overdue.append(len(late))
            truly = self.plan.interval + self.plan.grace
            year.false_alarms += sum(
                all(true + DAY / 2 - really[number, store.name] <= truly for store in STORES) for number in late
            )
        return year

    def _taken(self, mine: Sequence[Replica], policy: Policy, now: datetime) -> list[int]:
        """The AIPs whose copies in one store are read today."""
        plan, following = self.plan, now + DAY
        before = cannot_wait(plan, now=now, following=following)
        dated = []
        for replica in mine:
            (next_one,) = due(replicas=[replica], policy=policy, stores=STORES, now=now)
            if next_one.due_at < max(before, now + horizon(plan)):
                dated.append((next_one.due_at, int(replica.identifier)))
        dated.sort()
        need = expected(Grade.BYTES, objects=OBJECTS, bytes=SIZE)
        quota = level([(at, effort(need)) for at, _ in dated], plan, Runs(now, following, DAY))
        today, taken = Today(Share(quota), before=before), []
        for due_at, number in dated:
            if today.offer(due_at, need):
                today.took(need, effort(need))
                taken.append(number)
        return taken

    def _overdue(self, copies: dict[tuple[int, str], Replica], policy: Policy, now: datetime) -> list[int]:
        found = []
        for number in range(self.aips):
            replicas = [copies[number, store.name] for store in STORES]
            version = _version(number)
            if standing(version, replicas, policy=policy, stores=STORES, now=now).word is Word.OVERDUE:
                found.append(number)
        return found


def _version(number: int) -> AIPVersion:
    return AIPVersion(str(number), 1, "", 1, 1, OBJECTS, SIZE, "default", START, "s", "p")


def budget(copies_a_day: float, plan: AuditPlan = PLAN) -> AuditPlan:
    """The plan with a budget of so many copies a day."""
    return replace(plan, budget=Budget(bytes_per_day=int(copies_a_day * SIZE)))

"""Simulated years: what must hold for every plan, whatever the collection, its growth, the budgets and the outages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policies.model import AuditPlan, Budget, Throttle
from policies.plan import EARLY, REMEMBERED, Runs, Share, Today, Why, cannot_wait, effort, expected, horizon, level
from policies.simulation import Cohort, DayAhead, Rules, simulate
from policies.standing import AIM
from preservation.facts import Grade

ZONES = ["Asia/Ho_Chi_Minh", "Europe/Berlin", "America/New_York", "Pacific/Chatham", "UTC"]
START = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)
DAY = timedelta(days=1)
GIB = 1 << 30
FORBIDS = {Why.BUDGET, Why.THROTTLE, Why.WINDOW}

intervals = st.integers(3, 120).map(lambda days: days * DAY)
graces = st.integers(0, 14).map(lambda days: days * DAY)
sizes = st.sampled_from([(1, 1e3), (20, 5e7), (500, 2e9)])
many = settings(max_examples=15, deadline=None)


def rules(plan: AuditPlan, *, zone: str = ZONES[0], line: str = "0 1 * * *") -> Rules:
    return Rules(Grade.BYTES, plan, line, ZoneInfo(zone))


@st.composite
def collections(draw: st.DrawFn, plan: AuditPlan) -> list[Cohort]:
    """Cohorts proved at the most 70 % of an interval ago, as a plan that is kept leaves them."""
    return [
        Cohort(
            START + plan.interval * (AIM - draw(st.floats(0, 0.7))),
            draw(st.integers(1, 400)),
            *draw(sizes),
        )
        for _ in range(draw(st.integers(1, 5)))
    ]


def year(cohorts: Sequence[Cohort], of: Rules, *, days: int = 150, **more: object) -> list[DayAhead]:
    return list(simulate(cohorts, of, start=START, days=days, **more))  # type: ignore[arg-type]


@many
@given(st.data(), intervals, graces, st.sampled_from(ZONES))
def test_nobody_waits_longer_than_the_interval_when_nothing_forbids_it(
    data: st.DataObject, interval: timedelta, grace: timedelta, zone: str
) -> None:
    plan = AuditPlan(interval, grace)
    days = year(data.draw(collections(plan)), rules(plan, zone=zone))
    assert max(day.longest for day in days) <= interval
    assert not any(day.overdue or day.waiting or day.held for day in days)


@many
@given(st.data(), intervals, graces)
def test_nobody_is_overdue_when_the_collection_grows_tenfold_overnight(
    data: st.DataObject, interval: timedelta, grace: timedelta
) -> None:
    plan = AuditPlan(interval, grace)
    before = data.draw(collections(plan))
    night = date(2026, 12, data.draw(st.integers(1, 20)))
    proved = datetime(night.year, night.month, night.day, 5, tzinfo=UTC)
    new = [replace(each, due_at=proved + interval * AIM, copies=each.copies * 9) for each in before]
    days = year(before, rules(plan), arrivals=lambda day: new if day == night else ())
    assert max(day.longest for day in days) <= interval
    assert not any(day.overdue for day in days)


@many
@given(intervals, st.integers(1, 100_000))
def test_what_came_on_one_day_is_not_read_on_one_day(interval: timedelta, copies: int) -> None:
    plan = AuditPlan(interval)
    days = year([Cohort(START + interval * AIM, copies, 20, 5e7)], rules(plan), days=int(interval / DAY * AIM) + 4)
    spread = max(1, min(int(interval * EARLY / DAY), int(interval * AIM / DAY / 2)))
    assert max(day.copies for day in days) <= -(-copies // spread) + 1
    assert sum(day.copies for day in days) >= copies


@many
@given(st.integers(1, 5), intervals)
def test_a_small_collection_is_read_at_its_due_dates_and_not_before(copies: int, interval: timedelta) -> None:
    plan = AuditPlan(interval)
    gap = interval * AIM / copies
    assume(gap > 2 * DAY)  # one a day at the most
    cohorts = [Cohort(START + gap * number, 1, 20, 5e7) for number in range(copies)]
    days = year(cohorts, rules(plan), days=int(interval / DAY))
    assert max(day.copies for day in days) == 1
    read = sum(day.copies for day in days)
    assert read <= copies + 1 + int(interval * (1 - AIM) / gap)


@many
@given(st.data(), intervals, graces, st.sampled_from(["bytes", "requests", "throttle"]), st.floats(0.05, 3))
def test_an_overdue_copy_was_foretold_and_something_forbade_it(
    data: st.DataObject, interval: timedelta, grace: timedelta, kind: str, part: float
) -> None:
    """A forecast made at the start tells every overdue day; on such days nothing that was left would have fitted."""
    free = AuditPlan(interval, grace)
    cohorts = data.draw(collections(free))
    daily = sum(each.copies * each.bytes for each in cohorts) / (interval / DAY)
    asked = sum(each.copies * (each.objects + 1) for each in cohorts) / (interval / DAY)
    plan = replace(
        free,
        budget=Budget(
            bytes_per_day=max(1, int(daily * part)) if kind == "bytes" else None,
            requests_per_day=max(1, int(asked * part)) if kind == "requests" else None,
        ),
        throttle=Throttle(bytes_per_second=max(1, int(daily * part / 86400))) if kind == "throttle" else Throttle(),
    )
    days = year(cohorts, rules(plan))
    late = [number for number, day in enumerate(days) if day.overdue]
    for number in late:
        assert any(day.held in FORBIDS for day in days[: number + 1])
    for day in days:
        assert (day.waiting > 0) == (day.held is not None)
    # Enough for all that is asked, with room for what does not divide, means that nobody is ever overdue.
    largest = max(each.bytes if kind != "requests" else each.objects + 1 for each in cohorts)
    whole = {"bytes": daily, "requests": asked, "throttle": daily}[kind]
    if part * AIM * EARLY > 1.5 and whole * part > 4 * largest:
        assert not late


@many
@given(st.data(), intervals)
def test_a_budget_is_kept_on_every_day_or_paid_back(data: st.DataObject, interval: timedelta) -> None:
    budget = data.draw(st.integers(10**6, 10**10))
    plan = AuditPlan(interval, budget=Budget(bytes_per_day=budget))
    cohorts = data.draw(collections(plan))
    largest = max(each.bytes for each in cohorts)
    days = year(cohorts, rules(plan), days=120)
    for day in days:
        assert day.use.bytes <= max(budget, largest)
        if day.use.bytes > budget:
            assert day.copies == 1
    if largest > budget:  # never starved, and the days after pay for it
        assert any(day.copies for day in days)
    if largest <= REMEMBERED * budget:
        assert sum(day.use.bytes for day in days) <= budget * len(days) + largest


@many
@given(st.data(), st.integers(8, 100), st.floats(0.2, 1), st.integers(0, 5))
def test_a_stricter_policy_takes_no_less_of_the_same_copies_today(
    data: st.DataObject, days: int, part: float, hours: int
) -> None:
    loose = AuditPlan(days * DAY)
    strict = replace(loose, interval=loose.interval * part)
    ages = data.draw(st.lists(st.floats(0, 1.2), min_size=1, max_size=60))
    proved = sorted(START - loose.interval * age for age in ages)
    each = expected(Grade.BYTES, objects=20, bytes=5e7)

    def taken(plan: AuditPlan) -> set[datetime]:
        following = START + DAY
        before = cannot_wait(plan, now=START, following=following)
        due = [(at + plan.interval * AIM, at) for at in proved]
        soon = [pair for pair in due if pair[0] < max(before, START + horizon(plan))]
        load = level([(at, effort(each)) for at, _ in soon], plan, Runs(START, following, DAY))
        today = Today(Share(load), before=before)
        found = set()
        for due_at, at in soon:
            if today.offer(due_at, each):
                today.took(each, effort(each))
                found.add(at)
        return found

    # What must be read is never less; what is read early to level the days depends on what else there is.
    must = {at for at in proved if at + loose.interval * AIM < START}
    assert must <= taken(loose)
    assert {at for at in proved if at + strict.interval * AIM < START} <= taken(strict)
    assert must <= taken(strict)


@many
@given(st.data(), st.integers(8, 100), st.floats(0.2, 0.6))
def test_a_stricter_policy_never_means_fewer_checks_in_a_year(data: st.DataObject, days: int, part: float) -> None:
    loose = AuditPlan(days * DAY)
    strict = replace(loose, interval=loose.interval * part)
    assume(strict.interval >= 3 * DAY)
    ages = data.draw(st.lists(st.tuples(st.floats(0, 0.9), st.integers(1, 300)), min_size=1, max_size=5))

    def checks(plan: AuditPlan) -> int:
        cohorts = [Cohort(START - loose.interval * age + plan.interval * AIM, n, 20, 5e7) for age, n in ages]
        return sum(day.copies for day in year(cohorts, rules(plan), days=365))

    assert checks(strict) >= checks(loose)


@many
@given(st.data(), st.integers(20, 100), st.integers(1, 10))
def test_after_an_outage_everything_is_caught_up_at_once(data: st.DataObject, interval: int, out: int) -> None:
    plan = AuditPlan(interval * DAY, 14 * DAY)
    cohorts = data.draw(collections(plan))
    first = date(2026, 12, 1)
    away = {first + number * DAY for number in range(out)}
    days = year(cohorts, rules(plan), away=lambda day: day in away)
    assert all(day.held is Why.AWAY and not day.copies for day in days if day.day in away)
    assert max(day.longest for day in days) <= interval * DAY * 0.95 + (out + 1) * DAY
    assert not any(day.waiting for day in days if day.day not in away)

"""`make simulate`: a year of audits of three collections, with outages, budgets, growth, repairs and wrong clocks.

Prints the load of each day (least, median, most), the longest wait between two proofs of a copy, the most copies
overdue on one day, and alarms that had no cause; then the table of checks. `python -m tests.simulate.table`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

from policies.simulation import Cohort
from policies.standing import AIM
from tests.simulate.years import (
    HEADING,
    PLAN,
    SIZE,
    START,
    SmallWorld,
    Year,
    budget,
    by_cohorts,
    growing,
    level_cohorts,
)
from tests.tally import Tally

MILLION = 1_000_000
FIRST = START.date()
NEEDED = 500 * AIM  # copies of which the small collection must read ...
Check = tuple[str, Callable[[Year], bool]]

IN_TIME: Check = ("nobody waits longer than the interval", lambda year: year.longest <= PLAN.interval)
IN_GRACE: Check = (
    "nobody waits longer than interval and grace",
    lambda year: year.longest <= PLAN.interval + PLAN.grace,
)
NEVER_LATE: Check = ("nobody is overdue", lambda year: not any(year.overdue))
NO_FALSE: Check = ("no false alarm", lambda year: year.false_alarms == 0)
FORETOLD: Check = (
    "what became overdue was foretold, with its reason",
    lambda year: any(year.overdue) and year.foretold,
)


def level(times: float) -> Check:
    """The busiest day against the usual one."""

    def check(year: Year) -> bool:
        usual = sorted(year.copies)[len(year.copies) // 2]
        return max(year.copies) <= max(times * usual, usual + 4)

    return (f"no day has more than {times} times the usual load", check)


def at_most(copies: int) -> Check:
    """A bound on the busiest day."""
    return (f"no day has more than {copies} copies", lambda year: max(year.copies) <= copies)


def out(first: int, days: int) -> Callable[[date], bool]:
    """A store that is away for so many days."""
    return lambda day: first <= (day - FIRST).days < first + days


def overnight(day: date) -> list[Cohort]:
    """Nine times as much again in one night."""
    if (day - FIRST).days != 60:
        return []
    proved = datetime(day.year, day.month, day.day, 5, tzinfo=START.tzinfo)
    return [Cohort(proved + PLAN.interval * AIM, 45_000, 120, SIZE)]


def bulk(day: date) -> list[Cohort]:
    """A hundred thousand AIPs taken in on one day."""
    if (day - FIRST).days != 30:
        return []
    proved = datetime(day.year, day.month, day.day, 5, tzinfo=START.tzinfo)
    return [Cohort(proved + PLAN.interval * AIM, 100_000, 120, SIZE)]


def adopted(day: date) -> list[Cohort]:
    """Twenty thousand copies restored in one day, none of them proved."""
    due = datetime(day.year, day.month, day.day, 5, tzinfo=START.tzinfo)
    return [Cohort(due, 20_000, 120, SIZE, never=True)] if (day - FIRST).days == 100 else []


def years() -> list[tuple[Callable[[], Year], list[Check]]]:
    """Every year that is simulated, with what must hold in it."""
    small, daily = SmallWorld(), MILLION / (90 * AIM)
    ahead = replace(small, clock=lambda day, now: now + timedelta(days=1100) if 100 <= day < 103 else now)
    back = replace(small, clock=lambda day, now: now - timedelta(days=1500) if 150 <= day < 152 else now)
    return [
        (lambda: small.year("small: 500 AIPs, 2 stores"), [IN_TIME, NEVER_LATE, NO_FALSE, level(3)]),
        (
            lambda: replace(small, away=lambda day, store: store == "two" and 50 <= day < 60).year(
                "small: one store away for ten days"
            ),
            [IN_GRACE, NEVER_LATE, NO_FALSE],
        ),
        (
            lambda: replace(small, repaired=lambda day: range(200) if day == 80 else range(0)).year(
                "small: 200 copies repaired on one day"
            ),
            [IN_TIME, NEVER_LATE, NO_FALSE],
        ),
        (lambda: ahead.year("small: the clock is three years ahead for three days"), [IN_TIME, NO_FALSE]),
        (lambda: back.year("small: the clock is four years behind for two days"), [IN_TIME, NO_FALSE]),
        (
            lambda: by_cohorts("growing: 10 to 1,000 AIPs a day", [], arrivals=growing),
            [IN_TIME, NEVER_LATE, NO_FALSE],
        ),
        (
            lambda: by_cohorts("growing: store away for ten days", [], arrivals=growing, away=out(200, 10)),
            [IN_GRACE, NEVER_LATE, NO_FALSE],
        ),
        (
            lambda: by_cohorts("5,000, and tenfold overnight", level_cohorts(5_000), arrivals=overnight),
            [IN_TIME, NEVER_LATE, NO_FALSE, at_most(45_000 // 20)],
        ),
        (
            lambda: by_cohorts("100,000 taken in on one day", [], arrivals=bulk),
            [IN_TIME, NEVER_LATE, NO_FALSE, at_most(100_000 // 22)],
        ),
        (
            lambda: by_cohorts("large: 1,000,000 AIPs", level_cohorts(MILLION)),
            [IN_TIME, NEVER_LATE, NO_FALSE, level(1.2)],
        ),
        (
            lambda: by_cohorts(
                "large: budget for a tenth more than is due", level_cohorts(MILLION), budget(daily * 1.1)
            ),
            [IN_TIME, NEVER_LATE, NO_FALSE, at_most(int(daily * 1.1) + 1)],
        ),
        (
            lambda: by_cohorts(
                "large: store away for five days, that budget",
                level_cohorts(MILLION),
                budget(daily * 1.1),
                away=out(120, 5),
            ),
            [IN_GRACE, NEVER_LATE, NO_FALSE, at_most(int(daily * 1.1) + 1)],
        ),
        (
            lambda: by_cohorts("large: 20,000 copies restored on one day", level_cohorts(MILLION), arrivals=adopted),
            [IN_TIME, NEVER_LATE, NO_FALSE],
        ),
        (
            lambda: by_cohorts(
                "large: budget for two thirds of what is due", level_cohorts(MILLION), budget(daily * 2 / 3)
            ),
            [FORETOLD, NO_FALSE, at_most(int(daily * 2 / 3) + 1)],
        ),
        (
            lambda: by_cohorts("large: store away for forty days", level_cohorts(MILLION), away=out(100, 40)),
            [FORETOLD, NO_FALSE],
        ),
    ]


def main() -> int:
    """Simulate, print, conclude."""
    tally = Tally("Simulated years of audits", least=45)
    sys.stdout.write(HEADING + "\n")
    for simulated, checks in years():
        year = simulated()
        sys.stdout.write(year.row() + "\n")
        sys.stdout.flush()
        for says, holds in checks:
            tally.note(says, year.name, None if holds(year) else f"it does not hold: {year.row()}")
    return tally.conclude()


if __name__ == "__main__":
    sys.exit(main())

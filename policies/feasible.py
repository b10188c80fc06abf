"""Whether a schedule can keep its intervals at all: by its own fields, and with what there is to read. Warnings with
numbers, for a policy that cannot be kept is still a policy, and people may want to know what it would take.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from policies.check import place_of
from policies.hours import DAY, running, runs, zone_of
from policies.model import AuditPlan, Policy
from policies.plan import Prices, Use, Why, budget_limits, expected, larger, time_limits
from policies.problems import FieldPath, Source, doubtful, field_name
from preservation.facts import Grade
from preservation.findings import Finding
from wording import Message, say

# Any two years do: what a cron line says of them does not depend on today.
_SINCE, _UNTIL = datetime(2027, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Holdings:
    """The copies in one store that one policy audits there; `largest` is the most bytes that one of them has."""

    copies: int
    objects: int
    bytes: int
    largest: int = 0
    largest_objects: int = 0


def longest_gap(line: str, zone: ZoneInfo) -> timedelta | None:
    """The longest time between two runs of a cron line; None when it never runs."""
    for until in (_SINCE + 70 * DAY, _UNTIL):  # most lines run often, and two years of them take a while
        found = list(runs(line, after=_SINCE, until=until, zone=zone))
        if len(found) > 2:
            break
    return max((later - earlier for earlier, later in pairwise([_SINCE, *found])), default=None) if found else None


def of_schedule(policy: Policy, sources: Mapping[FieldPath, Source]) -> list[Finding]:
    """Plans that no run can keep, whatever there is to read: runs come too seldom, or while the window is shut."""
    line, zone = policy.schedule.audit, zone_of(policy.schedule)
    if line is None:
        return []
    gap = longest_gap(line, zone)
    if gap is None:
        message = say("`schedule.audit` never runs: there is no such day.")
        return [doubtful("policy-never-runs", message, place_of(sources, "schedule", "audit"), expected="0 1 * * *")]
    found = []
    audit = policy.audit
    for base, plans in (("defaults",), audit.defaults), *((("stores", s), audit.stores[s]) for s in audit.stores):
        for grade, plan in plans.items():
            path = ("audit", *base, grade.value)
            if gap > plan.interval:
                message = say(
                    "`{field}` asks for a proof every {interval} days, and `schedule.audit` lets up to {gap} days "
                    "pass between two runs.",
                    field=field_name(path),
                    interval=f"{plan.interval / DAY:.1f}",
                    gap=f"{gap / DAY:.1f}",
                )
                found.append(doubtful("policy-cannot-be-kept", message, place_of(sources, *path, "interval")))
            if misses_window(line, plan, zone):
                message = say(
                    "No run of `schedule.audit` ({line}) starts within `{field}.window`, so nothing is ever read.",
                    line=line,
                    field=field_name(path),
                )
                found.append(doubtful("policy-cannot-be-kept", message, place_of(sources, *path, "window")))
    return found


def misses_window(line: str, plan: AuditPlan, zone: ZoneInfo) -> bool:
    """Whether no run of the cron line starts while the window is open."""
    return plan.window is not None and not running(
        line, plan.window, since=_SINCE, until=_SINCE + 40 * DAY, zone=zone
    )


@dataclass(frozen=True, slots=True)
class Short:
    """A limit that is too small: what a day would need of it, what it gives, and how long one round takes then."""

    what: str  # bytes, requests, money
    why: Why
    needed: float
    given: float
    round: timedelta


def shortages(
    plan: AuditPlan, held: Holdings, *, grade: Grade, seconds: float, prices: Prices | None = None
) -> Iterator[Short]:
    """The limits with which reading everything takes longer than the interval; `seconds` are those in which runs can
    read on a day, on average.
    """
    if not held.copies or not plan.interval:
        return
    each = expected(grade, objects=held.objects / held.copies, bytes=held.bytes / held.copies, prices=prices)
    whole = each.times(held.copies)
    limits = [
        *budget_limits(plan.budget, used=Use(), owed=Use()),
        *time_limits(plan.throttle, seconds, windowed=plan.window is not None),
    ]
    for limit in limits:
        total = getattr(whole, limit.what)
        if total <= 0:
            continue
        round_takes = timedelta(days=min(total / limit.whole, 10**6)) if limit.whole > 0 else timedelta(days=10**6)
        if round_takes > plan.interval:
            yield Short(limit.what, limit.why, total / (plan.interval / DAY), limit.whole, round_takes)


def too_large(plan: AuditPlan, held: Holdings, *, grade: Grade, prices: Prices | None = None) -> Iterator[str]:
    """The budgets that the largest copy alone exceeds; it is read alone then, and the days after pay for it."""
    need = expected(grade, objects=held.largest_objects, bytes=held.largest, prices=prices)
    for limit in budget_limits(plan.budget, used=Use(), owed=Use()):
        if larger(need, limit):
            yield limit.what


def warnings(
    policy: Policy, store: str, grade: Grade, held: Holdings, *, zone: ZoneInfo, prices: Prices | None = None
) -> list[Finding]:
    """Everything that keeps the policy's plan for this store from being kept, with numbers."""
    plan = policy.audit.plans(store).get(grade)
    if plan is None:
        return []
    days = (_UNTIL - _SINCE) / DAY
    seconds = sum(running(policy.schedule.audit, plan.window, since=_SINCE, until=_UNTIL, zone=zone).values()) / days
    source = Source(policy.name)
    found = [
        doubtful("policy-cannot-be-kept", _short(store, grade, plan, each), source)
        for each in shortages(plan, held, grade=grade, seconds=seconds, prices=prices)
    ]
    found += [
        doubtful("policy-copy-above-budget", _above(store, what), source)
        for what in too_large(plan, held, grade=grade, prices=prices)
    ]
    if plan.budget.money_per_day is not None and prices is None:
        message = say(
            "`money_per_day` is set for store {store}, and its settings have no prices, so no money is counted. "
            "Give them in vankho.toml: [stores.{store}.prices].",
            store=store,
        )
        found.append(doubtful("policy-no-prices", message, source))
    return found


def _short(store: str, grade: Grade, plan: AuditPlan, short: Short) -> Message:
    gaps = {
        "store": store,
        "grade": grade.value,
        "interval": _days(plan.interval),
        "round": _days(short.round),
        "needed": _amount(short.what, short.needed),
        "given": _amount(short.what, short.given),
    }
    if short.why is Why.BUDGET:
        return say(
            "In store {store}, `{grade}`: a round within {interval} days needs {needed} a day, and the budget gives "
            "{given}; a round takes {round} days.",
            **gaps,
        )
    return say(
        "In store {store}, `{grade}`: a round within {interval} days needs {needed} a day, and throttle and window "
        "let {given} pass; a round takes {round} days.",
        **gaps,
    )


def _above(store: str, what: str) -> Message:
    return say(
        "The largest copy in store {store} is more than the daily budget of {what}. It is read alone on a day of its "
        "own, and the days after it make up for that.",
        store=store,
        what=what,
    )


def _days(length: timedelta) -> str:
    return f"{length / DAY:.0f}"


_UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "KB"))


def _amount(what: str, amount: float) -> str:
    match what:
        case "bytes":
            unit, name = next(((u, n) for u, n in _UNITS if amount >= u), (1, "B"))
            return f"{amount / unit:.{0 if unit == 1 else 1}f} {name}"
        case "money":
            return f"{amount:.2f}"
        case _:
            return f"{amount:.0f} {what}"

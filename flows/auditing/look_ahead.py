"""The audits of the coming year, as they would go: under the policies in force, and under a draft beside them.

Reads no store and changes nothing. Counts come from the catalog by day, so a million AIPs take no longer than a few.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from flows.auditing.due_takings import WEAKEST_FIRST, prices_of
from flows.in_force import policy_in_force
from flows.standing import settle
from flows.workspace import Workspace
from policies.feasible import Holdings, warnings
from policies.hours import zone_of
from policies.load import load_file
from policies.model import AuditPlan, Policy
from policies.plan import Use, Why, next_due
from policies.replication import wanted_stores
from policies.simulation import Cohort, DayAhead, Rules, simulate
from preservation.catalog.loads import ProofDay, largest_copies, proof_days
from preservation.facts import Grade
from preservation.findings import Finding
from wording import say

_TOO_SMALL = frozenset({Why.BUDGET, Why.THROTTLE, Why.WINDOW})


@dataclass(frozen=True, slots=True)
class Ahead:
    """The days ahead in one store at one grade under one policy; `line` and `window` are when it runs."""

    store: str
    grade: Grade
    policy: str
    line: str | None
    window: str
    held: int
    currency: str
    days: tuple[DayAhead, ...]

    @property
    def copies(self) -> int:
        """How many times a copy is proved."""
        return sum(day.copies for day in self.days)

    @property
    def use(self) -> Use:
        """All that is read."""
        return sum((day.use for day in self.days), Use())

    @property
    def usual(self) -> int:
        """Copies on a usual day."""
        return round(statistics.median(day.copies for day in self.days)) if self.days else 0

    @property
    def busiest(self) -> DayAhead | None:
        """The day with the most bytes, or the most copies when none are read."""
        return max(self.days, key=lambda day: (day.use.bytes, day.copies), default=None)

    @property
    def longest(self) -> timedelta:
        """The longest that a copy waited between two proofs."""
        return max((day.longest for day in self.days), default=timedelta(0))

    @property
    def too_small(self) -> list[DayAhead]:
        """The days on which budget, throttle or window left copies that could not wait."""
        return [day for day in self.days if day.waiting and day.held in _TOO_SMALL]

    @property
    def overdue(self) -> int:
        """The most copies that are overdue on one day."""
        return max((day.overdue for day in self.days), default=0)


@dataclass(frozen=True, slots=True)
class LookedAhead:
    """The policies in force, and with a draft the same with the draft in the place of the policy it `replaces`."""

    in_force: tuple[Ahead, ...]
    draft: tuple[Ahead, ...] | None
    replaces: str | None
    findings: tuple[Finding, ...]


def look_ahead(workspace: Workspace, *, draft: Path | None = None, days: int = 365) -> LookedAhead:
    """Simulate so many days. Raises PolicyError for a draft that is wrong, CatalogError."""
    drafted = load_file(draft) if draft is not None else None
    settle(workspace)
    now = workspace.clock()
    names = workspace.catalog.standing(now).policies
    policies = {name: policy_in_force(workspace, name) for name in names}
    ahead = tuple(_ahead(workspace, policies, now=now, days=days))
    if drafted is None or draft is None:
        return LookedAhead(ahead, None, None, tuple(_findings(workspace, policies)))
    replaces = draft.stem if draft.stem in policies else workspace.settings.policy
    changed = {**policies, replaces: drafted}
    others = tuple(_ahead(workspace, changed, now=now, days=days))
    return LookedAhead(ahead, others, replaces, tuple(_findings(workspace, changed)))


def findings_of(workspace: Workspace, policy: Policy, *, replaces: str) -> list[Finding]:
    """What keeps this policy from being kept with what there is now, if it stood in the place of another."""
    return list(_findings(workspace, {replaces: policy}))


def _ahead(workspace: Workspace, policies: dict[str, Policy], *, now: datetime, days: int) -> Iterator[Ahead]:
    for store, settings in workspace.settings.stores.items():
        rows = {grade: proof_days(workspace.catalog.database, store, grade) for grade in Grade}
        for name, policy in sorted(policies.items()):
            if store not in wanted_stores(policy, workspace.store_facts()):
                continue
            for grade in WEAKEST_FIRST:
                plan = policy.audit.plans(store).get(grade)
                cohorts = [] if plan is None else list(_cohorts(rows, grade, plan, policy=name, now=now))
                if plan is None or not cohorts:
                    continue
                prices = prices_of(settings)
                rules = Rules(grade, plan, policy.schedule.audit, zone_of(policy.schedule), prices)
                yield Ahead(
                    store=store,
                    grade=grade,
                    policy=name,
                    line=policy.schedule.audit,
                    window=f"{plan.window.start:%H:%M}–{plan.window.end:%H:%M}" if plan.window else "",
                    held=sum(each.copies for each in cohorts),
                    currency=prices.currency if prices else "",
                    days=tuple(simulate(cohorts, rules, start=now, days=days)),
                )


def _cohorts(
    rows: dict[Grade, list[ProofDay]], grade: Grade, plan: AuditPlan, *, policy: str, now: datetime
) -> Iterator[Cohort]:
    """The copies by the day of their last proof, with the due date that this plan gives them. A grade that was not
    asked for until now is proved as the stronger one was, if there is one; else all its copies are due at once.
    """
    mine = [each for each in rows[grade] if each.policy == policy]
    stronger = WEAKEST_FIRST[WEAKEST_FIRST.index(grade) + 1 :]
    for other in stronger if not mine else ():
        mine = mine or [each for each in rows[other] if each.policy == policy]
    if not mine:
        weaker = WEAKEST_FIRST[: WEAKEST_FIRST.index(grade)]
        known = next((rows[other] for other in reversed(weaker) if rows[other]), [])
        mine = [ProofDay(each.policy, None, each.copies, each.objects, each.bytes) for each in known]
        mine = [each for each in mine if each.policy == policy]
    for each in mine:
        proved = None if each.day is None else _noon(each.day)
        due_at = now if proved is None else next_due(plan, min(proved, now))
        copies = max(1, each.copies)
        yield Cohort(due_at, each.copies, each.objects / copies, each.bytes / copies, never=proved is None)


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def _findings(workspace: Workspace, policies: dict[str, Policy]) -> Iterator[Finding]:
    largest = largest_copies(workspace.catalog.database)
    for store, settings in workspace.settings.stores.items():
        rows = {grade: proof_days(workspace.catalog.database, store, grade) for grade in Grade}
        for name, policy in sorted(policies.items()):
            if policy.schedule.audit is None and _any(rows.values(), name):
                yield _never(name)
            for grade in policy.audit.plans(store):
                held = _holdings(rows[grade] or rows[Grade.BYTES], name, largest.get(name, (0, 0)))
                zone = zone_of(policy.schedule)
                if held.copies and policy.schedule.audit is not None:
                    yield from warnings(policy, store, grade, held, zone=zone, prices=prices_of(settings))


def _any(rows: Iterable[list[ProofDay]], policy: str) -> bool:
    return any(each.policy == policy for listed in rows for each in listed)


def _holdings(rows: Iterable[ProofDay], policy: str, largest: tuple[int, int]) -> Holdings:
    mine = [each for each in rows if each.policy == policy]
    return Holdings(
        copies=sum(each.copies for each in mine),
        objects=sum(each.objects for each in mine),
        bytes=sum(each.bytes for each in mine),
        largest=largest[1],
        largest_objects=largest[0],
    )


def _never(policy: str) -> Finding:
    from policies.problems import Source, doubtful

    message = say("`schedule.audit` is `never`: nothing is audited unless people run `vankho audit --due`.")
    return doubtful("policy-never-runs", message, Source(policy))

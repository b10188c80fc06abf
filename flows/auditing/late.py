"""Why copies are late: a budget or throttle, a store that is away, reading that failed, or nobody who ran the audits.

Told from what each day's audits wrote down and from the events of a copy; a reason is never guessed. What a policy's
last run left behind counts for all copies that are overdue there, but for those that could not be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from flows.workspace import Workspace
from policies.plan import Why
from preservation.catalog import audit_days, incidents
from preservation.catalog.audit_days import AuditDay
from preservation.facts import EventType, Grade, Outcome

RECENT = timedelta(days=3)  # of a run; one that was longer ago is no reason any more, but that none ran
Place = tuple[str, Grade]

# What `vankho show` and the API call it: three reasons of the plan are one to the officer.
WORDS = {
    Why.BUDGET: "throttled",
    Why.THROTTLE: "throttled",
    Why.WINDOW: "throttled",
    Why.AWAY: "away",
    Why.FAILED: "failed",
    Why.STOPPED: "stopped",
    Why.NOT_RUN: "not-run",
}


def late_because(workspace: Workspace, *, overdue: Mapping[Place, int]) -> dict[Place, dict[str, int]]:
    """How many of the overdue copies are late for which reason, by store and grade. Raises CatalogError."""
    now = workspace.clock()
    found: dict[Place, dict[str, int]] = {}
    last = _last(workspace, now=now)
    unreadable = incidents.unreadable(workspace.catalog.database)
    for place, count in overdue.items():
        if not count:
            continue
        days = last.get(place, [])
        tried = sum(day.failed for day in days if day.held != Why.AWAY.value)
        failed = min(count, max(tried, unreadable.get(place, 0)))
        counts = {WORDS[Why.FAILED]: failed} if failed else {}
        if rest := count - failed:
            word = WORDS[_reason(days)]
            counts[word] = counts.get(word, 0) + rest
        found[place] = counts
    return found


def reasons(workspace: Workspace) -> dict[tuple[str, Grade, str], Why]:
    """Why the last run of each policy in each store and grade left copies that were due; absent when it left none."""
    last = _last(workspace, now=workspace.clock())
    return {
        (store, grade, day.policy): Why(day.held) for (store, grade), days in last.items() for day in days if day.held
    }


@dataclass(frozen=True, slots=True)
class Failing:
    """A copy that could not be read: since when, when the last time, how many times in a row."""

    since: datetime
    last: datetime
    times: int


def failed_since(
    workspace: Workspace, identifier: str, version: int, store: str, grade: Grade, *, itself: bool = False
) -> Failing | None:
    """How a copy has failed to be read; None when the last look at it gave an answer. With `itself` the times at
    which its store as a whole was away do not count.
    """
    found: Failing | None = None
    for event in workspace.catalog.events(identifier=identifier):
        told = event.event
        here = (told.version, told.store, told.detail.get("grade")) == (version, store, grade.value)
        if told.type is not EventType.FIXITY_CHECK or not here:
            continue
        if told.detail.get("result") != Outcome.UNREADABLE.value:
            found = None
        elif not (itself and told.detail.get("away")):
            found = Failing(found.since if found else told.at, told.at, 1 + (found.times if found else 0))
    return found


def _last(workspace: Workspace, *, now: datetime) -> dict[Place, list[AuditDay]]:
    """The last recent day of every policy, by store and grade; days that a wrong clock has put ahead count not."""
    newest: dict[tuple[str, Grade, str], AuditDay] = {}
    for day in audit_days.days(workspace.catalog.database, since=(now - RECENT).date()):
        if day.day <= (now + timedelta(days=1)).date():
            newest[day.store, day.grade, day.policy] = day
    found: dict[Place, list[AuditDay]] = {}
    for (store, grade, _), day in newest.items():
        found.setdefault((store, grade), []).append(day)
    return found


def _reason(days: list[AuditDay]) -> Why:
    """The reason of the policy that left most; that none ran when no day of the last ones was written."""
    held = [day for day in days if day.held]
    if not held:
        return Why.NOT_RUN
    return Why(max(held, key=lambda day: day.waiting).held)

"""The watchdog: alarms when what should have happened did not. Cron or systemd run it, apart from what it watches.

It believes no time that lies in the future: a run that a wrong clock dated ahead is as if it were not there, so that
a clock that jumped hides nothing. Each alarm is an incident, told at once; when all is well it says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from flows.outcomes import Verdict
from flows.reporting import notices, report_ends
from flows.reporting.incidents import sentence
from flows.reporting.report_text import moment
from flows.standing import settle
from flows.workspace import Workspace
from policies.load import policy_names
from policies.model import Policy
from policies.schedules import audited_stores
from preservation.catalog import incidents, runs
from preservation.catalog.runs import RunFact
from preservation.errors import PolicyError
from preservation.findings import Finding, message_as_json
from wording import Message, say

SKEW = timedelta(minutes=5)  # how far clocks may lie apart
JUDGING = 60.0  # seconds in which versions whose policy changed are judged again; the next look goes on


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is not as it should be. `about` is the same each time it is seen."""

    kind: str
    about: str
    text: Message
    store: str | None = None
    flow: str | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """What the watchdog saw."""

    at: datetime
    alarms: tuple[Alarm, ...]
    last: tuple[RunFact, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """An alarm is something found; a watchdog that could not look has failed elsewhere."""
        return Verdict.FOUND if self.alarms else Verdict.WELL


def watch(workspace: Workspace) -> Watched:
    """Look, open and close incidents, tell at once, send what waits. Raises CatalogError."""
    report_ends.close_cut_off(workspace)
    now, database = workspace.clock(), workspace.catalog.database
    settle(workspace, seconds=JUDGING)
    policies = _in_force(workspace)
    alarms = [
        *_clock(workspace, now),
        *_silent(workspace, policies, now),
        *_stuck(workspace, now),
        *_overdue(workspace, now),
        *_too_few(workspace, policies, now),
    ]
    _keep(workspace, alarms, now)
    died = incidents.listed(database, kinds=[incidents.RUN_FAILED])
    alarms += [_failed(each) for each in died if each.acknowledged_at is None]
    names = [policy.name for policy in policies]
    notices.tell_at_once(workspace, names)
    findings = notices.send_waiting(workspace)
    return Watched(now, tuple(alarms), tuple(runs.last_of_each(database)), tuple(findings))


_ENDS = {
    incidents.AUDITOR_SILENT: "ran",
    incidents.OVERDUE: "enough",
    incidents.TOO_FEW: "enough",
    incidents.CLOCK: "right",
}


def _keep(workspace: Workspace, alarms: Sequence[Alarm], now: datetime) -> None:
    """An incident for each alarm; those of before that were not seen now are over."""
    database, seen = workspace.catalog.database, set()
    for alarm in alarms:
        detail = message_as_json(alarm.text)
        name, _ = incidents.see(
            database, alarm.kind, about=alarm.about, store=alarm.store, flow=alarm.flow, detail=detail, now=now
        )
        seen.add(name)
    for kind, why in _ENDS.items():
        for each in incidents.listed(database, kinds=[kind]):
            if each.id not in seen:
                incidents.over_by_id(database, each.id, why=why, now=now)


def _failed(incident: incidents.Incident) -> Alarm:
    return Alarm(incident.kind, incident.flow or "", sentence(incident), flow=incident.flow)


def _in_force(workspace: Workspace) -> list[Policy]:
    """The policies by which something is kept, and the workspace's own."""
    kept = set(workspace.catalog.standing(workspace.clock()).policies) or {workspace.settings.policy}
    found = []
    for name in sorted(kept):
        try:
            found.append(workspace.policy(name))
        except PolicyError:
            continue  # told by whatever uses it
    return found


def _clock(workspace: Workspace, now: datetime) -> Iterator[Alarm]:
    """Runs that began in the future: the clock was ahead then, or is behind now."""
    ahead = [run for run in runs.latest(workspace.catalog.database, limit=50) if run.began_at > now + SKEW]
    if ahead:
        text = say(
            "The clock shows {now}, but run {run} of {flow} began at {began}. One of the two is wrong.",
            now=moment(now),
            run=ahead[0].id,
            flow=ahead[0].flow,
            began=moment(ahead[0].began_at),
        )
        yield Alarm(incidents.CLOCK, "clock", text)


def _silent(workspace: Workspace, policies: Sequence[Policy], now: datetime) -> Iterator[Alarm]:
    """Audits that a schedule asked for and that did not begin in time."""
    last = last_audit(workspace, policies, now)
    for policy in policies:
        expected = missed(workspace, policy, last, now=now)
        if expected is not None:
            began = moment(last.began_at) if last is not None else "–"
            text = say(
                "The audit that policy {policy} schedules for {expected} did not run. The last one began: {began}.",
                policy=policy.name,
                expected=moment(expected),
                began=began,
            )
            yield Alarm(incidents.AUDITOR_SILENT, f"audit {policy.name}", text, flow="audit")


def missed(workspace: Workspace, policy: Policy, last: RunFact | None, *, now: datetime) -> datetime | None:
    """When the audit should have begun that the policy schedules and that did not begin, `last` being the last one;
    None when all did.
    """
    if policy.schedule.audit is None:
        return None
    tolerance = timedelta(hours=workspace.settings.watchdog.tolerance_hours)
    expected = last_expected(policy.schedule.audit, policy.schedule.time_zone, before=now - tolerance)
    since = _in_force_since(workspace, policy, now)
    if expected is None or since is None or expected < since:
        return None
    return expected if last is None or last.began_at < expected - SKEW else None


def last_expected(cron: str, time_zone: str, *, before: datetime) -> datetime | None:
    """The last moment at or before `before` at which the schedule asks for a run; None when there never was one."""
    local = before.astimezone(ZoneInfo(time_zone)).replace(second=0, microsecond=0) + timedelta(minutes=1)
    try:
        return next(CronSim(cron, local, reverse=True)).astimezone(before.tzinfo)
    except (StopIteration, CronSimError):  # 30 February never comes
        return None


def last_audit(workspace: Workspace, policies: Sequence[Policy], now: datetime) -> RunFact | None:
    """The last audit of all that is due, or the earliest of those that went store by store: none of single AIPs, none
    from the future, none that failed to begin. Stores that no policy has audited are not waited for.
    """
    facts = workspace.store_facts()
    audited = {name for policy in policies for name in audited_stores(policy, facts)}
    last: dict[str, RunFact] = {}
    for run in runs.latest(workspace.catalog.database, flow="audit", limit=1000):
        did_run = run.word in (None, "well", "found") or (run.word == "failed" and run.reason is None)
        if run.asked.get("references") or not did_run or run.began_at > now + SKEW:
            continue
        for store in audited:
            if run.asked.get("store") in (None, store):
                last.setdefault(store, run)
        if len(last) == len(audited):
            return min(last.values(), key=lambda run: run.began_at, default=run)
    return None


def _in_force_since(workspace: Workspace, policy: Policy, now: datetime) -> datetime | None:
    """Since when there is something to audit by this policy as it is now; None when there is nothing."""
    first = next(workspace.catalog.versions(), None)
    if first is None:
        return None
    since = min(first.admitted_at, now)
    if policy.name in policy_names(folder=workspace.folder / "policies"):
        file = workspace.folder / "policies" / f"{policy.name}.yaml"
        if file.exists():
            changed = datetime.fromtimestamp(file.stat().st_mtime, now.tzinfo)
            since = max(since, changed) if changed <= now else since  # a time in the future excuses nothing
    return since


def _stuck(workspace: Workspace, now: datetime) -> Iterator[Alarm]:
    """Runs that have not ended and have told nothing for long."""
    silence = timedelta(hours=workspace.settings.watchdog.silence_hours)
    for run in runs.running(workspace.catalog.database):
        if abs(now - run.heard_at) > silence:
            text = say(
                "Run {run} of {flow}, begun {began}, has not ended and has told nothing since {heard}.",
                run=run.id,
                flow=run.flow,
                began=moment(run.began_at),
                heard=moment(run.heard_at),
            )
            yield Alarm(incidents.AUDITOR_SILENT, f"run {run.id}", text, flow=run.flow)


def _overdue(workspace: Workspace, now: datetime) -> Iterator[Alarm]:
    """Copies that were not proved in time, store by store and grade by grade."""
    for each in workspace.catalog.standing(now).coverage:
        if each.overdue.number:
            text = say(
                "{count} copies in {store} were not proved in time (evidence: {grade}). "
                "The oldest proof is of {oldest}.",
                count=each.overdue.number,
                store=each.store,
                grade=each.grade.value,
                oldest=moment(each.oldest_proof),
            )
            yield Alarm(incidents.OVERDUE, f"{each.store} {each.grade.value}", text, store=each.store)


def _too_few(workspace: Workspace, policies: Sequence[Policy], now: datetime) -> Iterator[Alarm]:
    """Copies that are wanting for longer than a policy allows."""
    for policy in policies:
        for store in workspace.settings.stores:
            waiting = workspace.catalog.waiting(store, policy=policy.name)
            late = waiting.oldest is not None and now - waiting.oldest > policy.replication.lag_target
            if late and waiting.absent.number:
                text = say(
                    "{count} copies are wanting in {store}, the oldest since {since}; "
                    "policy {policy} allows {allowed}.",
                    count=waiting.absent.number,
                    store=store,
                    since=moment(waiting.oldest),
                    policy=policy.name,
                    allowed=str(policy.replication.lag_target),
                )
                yield Alarm(incidents.TOO_FEW, f"{policy.name} {store}", text, store=store)

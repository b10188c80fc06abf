"""Incidents as people see them: what each is about in a sentence, what a run shows of stores and flows, who knows.

One trouble is one incident, however often it is seen. It is closed by proof and never by hand; acknowledging says
that a person knows and why it stays, as an event in the chain, so that an inspector reads it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flows import logs
from flows.reporting.people import who
from flows.reporting.report_files import message_of
from flows.workspace import Workspace
from preservation import events
from preservation.catalog import incidents
from preservation.catalog.incidents import Incident
from preservation.errors import UsageError
from preservation.facts import Event, EventOutcome, EventType
from preservation.findings import message_as_json
from wording import Message, say

INCIDENT_EVENTS = "incidents"  # where events name the delivery they belong to, those about incidents bear this

KINDS = {
    incidents.DAMAGE: say("damaged copy"),
    incidents.UNREADABLE: say("unreadable copy"),
    incidents.STORE_AWAY: say("store cannot be used"),
    incidents.TOO_FEW: say("too few copies"),
    incidents.OVERDUE: say("copies overdue"),
    incidents.RUN_FAILED: say("run failed"),
    incidents.AUDITOR_SILENT: say("auditor silent"),
    incidents.CLOCK: say("clock wrong"),
}
CLOSED = {
    "proved": say("the copy was proved intact"),
    "readable": say("the copy could be read again"),
    "given-up": say("the copy is no longer kept there"),
    "back": say("the store answered again"),
    "ended-well": say("the flow did its work again"),
    "enough": say("nothing is wanting any more"),
    "ran": say("the audit ran again"),
    "right": say("the clock is right again"),
}


def sentence(incident: Incident) -> Message:
    """What the incident is about."""
    place = {"identifier": incident.identifier, "version": incident.version, "store": incident.store}
    match incident.kind:
        case incidents.DAMAGE:
            return say("The copy of {identifier} version {version} in {store} is damaged.", **place)
        case incidents.UNREADABLE:
            return say("The copy of {identifier} version {version} in {store} could not be read.", **place)
    more = message_of(incident.detail)
    return more if more is not None else say("{kind}", kind=KINDS.get(incident.kind, incident.kind))


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run shows of stores and of its flow: `away` are stores that could not be used, with the reason."""

    run: str
    flow: str
    away: Mapping[str, Message]
    reached: frozenset[str]
    failed: Message | None  # why the flow could not do its work, None when it could
    interrupted: bool = False


def after_run(workspace: Workspace, seen: Seen, now: datetime) -> list[str]:
    """Open, count up and close what the run shows; the ids of new incidents. Raises CatalogError."""
    database, new = workspace.catalog.database, []
    for store, reason in sorted(seen.away.items()):
        text = say("Store {store} could not be used. {reason}", store=store, reason=reason)
        detail = message_as_json(text)
        name, is_new = incidents.see(database, incidents.STORE_AWAY, about=store, store=store, detail=detail, now=now)
        new += [name] if is_new else []
    for store in sorted(seen.reached - set(seen.away)):
        incidents.over(database, incidents.STORE_AWAY, about=store, why="back", now=now)
    if seen.failed is not None:
        text = say("Run {run} of {flow} failed. {reason}", run=seen.run, flow=seen.flow, reason=seen.failed)
        detail, flow = message_as_json(text), seen.flow
        name, is_new = incidents.see(database, incidents.RUN_FAILED, about=flow, flow=flow, detail=detail, now=now)
        new += [name] if is_new else []
    elif not seen.interrupted:
        incidents.over(database, incidents.RUN_FAILED, about=seen.flow, why="ended-well", now=now)
    for name in new:
        logs.note("incident opened", incident=name)
    return new


def acknowledge(workspace: Workspace, reference: str, *, reason: str, by: str | None = None) -> Incident:
    """Record that a person knows of the incident, and why it stays for now. Raises UsageError, CatalogError."""
    found = one(workspace, reference)
    if not reason.strip():
        raise UsageError(
            say("Acknowledging an incident needs a reason."), next_step=say("Give one with --reason TEXT.")
        )
    if found.closed_at is not None:
        raise UsageError(
            say("Incident {incident} is closed already; nothing was recorded.", incident=found.id), where=found.id
        )
    workspace.catalog.record([_acknowledged(found, reason.strip(), by or who(), workspace.clock())])
    return one(workspace, found.id)


def _acknowledged(found: Incident, reason: str, by: str, now: datetime) -> Event:
    told = {"id": found.id, "kind": found.kind, "store": found.store, "reason": reason, "by": by}
    return events.event(
        EventType.VALIDATION,
        now,
        outcome=EventOutcome.WARNING,
        submission=INCIDENT_EVENTS,
        of=_Place(found.identifier, found.version) if found.identifier and found.version else None,
        store=found.store,
        detail={incidents.KEY: told},
    )


@dataclass(frozen=True, slots=True)
class _Place:
    identifier: str
    version: int


def one(workspace: Workspace, reference: str) -> Incident:
    """The incident that goes by this id or its beginning. Raises UsageError."""
    found = incidents.find(workspace.catalog.database, reference)
    if len(found) != 1:
        text = say("There is no incident {incident}.", incident=reference)
        if found:
            text = say("Several incidents begin with {incident}.", incident=reference)
        raise UsageError(text, where=reference, next_step=say("`vankho incident list --all` shows them."))
    return found[0]

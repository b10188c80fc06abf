"""Events, as PREMIS means them, made from the facts of each step. Pure: time and identity come in.

Every event says who (agent), when, about what, how it ended, and in `detail` the facts that a reader of the
history needs years later: counts, tools, findings. What the catalog's projections hold can be rebuilt from here.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

from preservation.facts import (
    AIPVersion,
    Event,
    EventOutcome,
    EventType,
    Evidence,
    FileFact,
    Form,
    Grade,
    Outcome,
    Replica,
)
from preservation.findings import Finding, Severity, as_json, worst
from preservation.formats.report import FormatReport
from preservation.inventory import FactFile
from preservation.packages.received import Received
from preservation.packages.submission import Submission
from preservation.packages.supplied import Supplied
from preservation.replicas.copy import Copied
from preservation.replicas.repair import Repaired
from preservation.replicas.verify import ReplicaReport

VERSION = "0.1.0"
AGENT = f"vankho {VERSION}"

FINDINGS_IN_EVENT = 1000  # an event stays readable; the count beside them stays exact


class OfVersion(Protocol):
    """Whatever names one AIP version: the version itself, or a report about it."""

    @property
    def identifier(self) -> str:
        """The AIP's identifier."""

    @property
    def version(self) -> int:
        """The version's number."""


def event(
    kind: EventType,
    now: datetime,
    *,
    outcome: EventOutcome | None = None,
    agent: str = AGENT,
    submission: str | None = None,
    of: OfVersion | None = None,
    store: str | None = None,
    findings: Iterable[Finding] = (),
    detail: Mapping[str, Any] | None = None,
) -> Event:
    """One event. Without an outcome, the heaviest finding decides: error fails, warning warns."""
    found = tuple(findings)
    facts: dict[str, Any] = dict(detail or {})
    if found:
        facts["findings"] = [as_json(finding) for finding in _kept(found)]
        facts["findings_count"] = len(found)
    return Event(
        id=str(uuid.uuid4()),
        type=kind,
        at=now,
        agent=agent,
        outcome=outcome or outcome_of(found),
        submission=submission,
        identifier=of.identifier if of is not None else None,
        version=of.version if of is not None else None,
        store=store,
        detail=facts,
    )


def _kept(found: tuple[Finding, ...]) -> list[Finding]:
    """As many findings as an event holds: when they are more, the first of every kind before the others."""
    if len(found) <= FINDINGS_IN_EVENT:
        return list(found)
    firsts = set({finding.code: number for number, finding in reversed(list(enumerate(found)))}.values())
    order = sorted(range(len(found)), key=lambda number: (number not in firsts, number))
    return [found[number] for number in order[:FINDINGS_IN_EVENT]]


def outcome_of(findings: tuple[Finding, ...]) -> EventOutcome:
    """The PREMIS outcome that the heaviest finding stands for."""
    match worst(findings):
        case Severity.ERROR:
            return EventOutcome.FAIL
        case Severity.WARNING:
            return EventOutcome.WARNING
        case _:
            return EventOutcome.SUCCESS


def replicated(version: AIPVersion, store: str, copied: Copied, now: datetime) -> tuple[Event, Replica]:
    """A replica was copied: claimed, not yet proved."""
    done = event(
        EventType.REPLICATION,
        now,
        of=version,
        store=store,
        detail={"claimed": True, "put": copied.put, "already": copied.already, "bytes": copied.bytes},
    )
    return done, Replica(version.identifier, version.version, store, now)


def not_replicated(
    version: AIPVersion, store: str, reason: Finding, now: datetime, *, claimed: bool = False
) -> Event:
    """A replica could not be copied; the reason is the store's, never the package's. `claimed` when part of it is
    there all the same, so that audit and repair see to it.
    """
    return event(
        EventType.REPLICATION,
        now,
        outcome=EventOutcome.FAIL,
        of=version,
        store=store,
        findings=(reason,),
        detail={"claimed": claimed},
    )


def checked(report: ReplicaReport, now: datetime) -> tuple[Event, tuple[Evidence, ...]]:
    """A replica was audited. Unreadable proves nothing, so it leaves the last evidence as it was."""
    proof = {
        Outcome.INTACT: EventOutcome.SUCCESS,
        Outcome.DAMAGED: EventOutcome.FAIL,
        Outcome.UNREADABLE: EventOutcome.WARNING,
    }
    done = event(
        EventType.FIXITY_CHECK,
        now,
        outcome=proof[report.outcome],
        of=report,
        store=report.store,
        findings=report.findings,
        detail={
            "grade": report.grade.value,
            "result": report.outcome.value,
            "objects": report.counts,
            "bytes": report.bytes_read,
        },
    )
    if report.outcome is Outcome.UNREADABLE:
        return done, ()
    return done, (Evidence(report.identifier, report.version, report.store, report.grade, report.outcome, now),)


def not_checked(
    version: AIPVersion, store: str, grade: Grade, reason: Finding, now: datetime, *, away: bool | None = None
) -> Event:
    """A replica could not be audited because its store was away or refused us; `away` says whether the store as a
    whole was looked for and not there, so that the copy is not to blame. None: nobody looked.
    """
    return event(
        EventType.FIXITY_CHECK,
        now,
        outcome=EventOutcome.WARNING,
        of=version,
        store=store,
        findings=(reason,),
        detail={"grade": grade.value, "result": Outcome.UNREADABLE.value} | ({} if away is None else {"away": away}),
    )


def recovered(version: AIPVersion, store: str, repaired: Repaired, now: datetime) -> Event:
    """A damaged replica was repaired from a proved copy, as far as that went."""
    return event(
        EventType.RECOVERY,
        now,
        outcome=EventOutcome.FAIL if repaired.gave_up is not None else None,
        of=version,
        store=store,
        findings=repaired.findings,
        detail={
            "repaired": [{"path": path, "from": donor} for path, donor in repaired.repaired],
            "removed": list(repaired.removed),
            "evidence": [str(path) for path in repaired.kept],
        },
    )


def not_recovered(version: AIPVersion, store: str, reason: Finding, now: datetime) -> Event:
    """A repair could not be finished; what was put so far stays, and the next repair goes on."""
    return event(
        EventType.RECOVERY,
        now,
        outcome=EventOutcome.FAIL,
        of=version,
        store=store,
        findings=(reason,),
    )


def of_reception(
    received: Received,
    supplied: Supplied,
    formats: FormatReport,
    findings: tuple[Finding, ...],
    *,
    began: datetime,
    now: datetime,
    policy: str,
    accepted: bool,
) -> tuple[Event, ...]:
    """The history of a package up to the decision: what arrived, what was checked, what was found, who decided.

    All of it goes into the bag's PREMIS and into the catalog, whether the package is accepted or rejected.
    """
    submission = received.submission

    def add(kind: EventType, at: datetime, **more: Any) -> Event:  # noqa: ANN401
        return event(kind, at, submission=submission.id, **more)

    history = [
        add(
            EventType.INGESTION_START,
            began,
            outcome=EventOutcome.SUCCESS,
            detail={"source": submission.told, "form": submission.form.value, "bag": received.is_bag},
        )
    ]
    if submission.form is not Form.FOLDER:
        history.append(add(EventType.UNPACKING, now, outcome=EventOutcome.SUCCESS, detail={"files": received.files}))
    renamed = _names(received.inventory)
    if renamed["files"]:
        history.append(add(EventType.FILENAME_CHANGE, now, outcome=EventOutcome.SUCCESS, detail=renamed))
    history.append(
        add(
            EventType.MESSAGE_DIGEST_CALCULATION,
            now,
            detail={"files": received.files, "bytes": received.bytes, "content_digest": received.content_digest},
            findings=received.findings,
        )
    )
    history.append(
        add(
            EventType.FIXITY_CHECK,
            now,
            findings=supplied.findings,
            detail={
                "supplied": supplied.kind,
                "algorithms": list(supplied.algorithms),
                "lists": list(supplied.lists),
                "checked": supplied.checked,
                "matched": supplied.matched,
                "absent": list(supplied.absent[:FINDINGS_IN_EVENT]),
            },
        )
    )
    history.append(
        add(
            EventType.FORMAT_IDENTIFICATION,
            now,
            agent=formats.tools[0][0] if formats.tools else AGENT,
            outcome=EventOutcome.SUCCESS,
            detail=formats.as_json(),
        )
    )
    history.append(
        add(
            EventType.VALIDATION,
            now,
            outcome=None if accepted else EventOutcome.FAIL,
            findings=findings,
            detail={"policy": policy, "accepted": accepted},
        )
    )
    return tuple(history)


def delivered_again(version: AIPVersion, submission: Submission, now: datetime) -> Event:
    """The same content came once more; it is the AIP that is here already, and no second one."""
    return event(
        EventType.INGESTION_START,
        now,
        outcome=EventOutcome.SUCCESS,
        submission=submission.id,
        of=version,
        detail={"source": submission.told, "form": submission.form.value, "already_here": True},
    )


def _names(files: FactFile[FileFact]) -> dict[str, Any]:
    """The producer's bytes of the names that ours differ from. All of them stand with the objects in the catalog."""
    shown = islice((fact for fact in files if fact.original_name is not None), FINDINGS_IN_EVENT)
    return {
        "files": sum(fact.original_name is not None for fact in files),
        "names": [
            {"path": fact.path, "original_base64": base64.b64encode(fact.original_name or b"").decode("ascii")}
            for fact in shown
        ],
    }

"""Ingest: from a delivered package to proved copies. Read this first; it is the main path, top to bottom.

Each step takes values and gives values. Nothing is visible before `admit`; after it, the AIP exists and only
its copies are left to make. It is safe to run again at any point: what is whole is found, what is not is redone.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from flows import logs, work
from flows.copies import make_copies
from flows.failures import as_finding
from flows.ingesting import second_opinions
from flows.ingesting.packaging import (
    admit,
    bag_place,
    check_supplied_evidence,
    check_written_bag,
    identify_formats,
    plan_bag,
)
from flows.ingesting.quarantine import reasons_kept
from flows.ingesting.side_by_side import Batch, side_by_side
from flows.outcomes import Verdict
from flows.reporting import told
from flows.reporting.rows import Row
from flows.steps import Step, each, plain_step
from flows.tidy import tidy
from flows.watching import fetched
from flows.workspace import Workspace, utc_now
from policies.acceptance import decide
from policies.model import Policy
from preservation import events
from preservation.bags.write import write_bag
from preservation.errors import PackageError, PreservationError
from preservation.facts import AIPVersion, Event, EventOutcome, EventType, Replica
from preservation.findings import Finding, Severity, worst
from preservation.formats.report import format_report
from preservation.packages.receive import receive
from preservation.packages.received import Received
from preservation.packages.submission import Submission, claim, release

STEPS_OF_BATCH = 8  # a task costs the Prefect server some 25 ms of a core, of which the workers have use


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one package. `outcome`: accepted, already-here, rejected (the package), failed (the system)."""

    source: str
    outcome: str
    identifier: str | None = None
    version: int | None = None
    files: int = 0
    bytes: int = 0
    findings: tuple[Finding, ...] = ()
    replicas: tuple[Replica, ...] = ()
    copies: Verdict = Verdict.WELL

    @property
    def verdict(self) -> Verdict:
        """Rejected is the officer's matter; failed, or a store that failed, the sysadmin's."""
        if any(finding.code == "source-not-found" for finding in self.findings):
            return Verdict.USAGE
        return {"failed": Verdict.FAILED, "rejected": Verdict.FOUND}.get(self.outcome, self.copies)

    @property
    def word(self) -> str:
        """The outcome."""
        return self.outcome


def ingest(
    workspace: Workspace,
    source: str,
    *,
    policy: str | None = None,
    collection: str | None = None,
    step: Step = plain_step,
) -> Ingested:
    """Ingest one package. Its own faults reject it; the system's faults fail it; neither is raised.

    Raises PolicyError when the policy is wrong: then nothing was begun.
    """
    rules = workspace.policy(policy)
    second_opinions.require(rules)
    submission_id, started = str(uuid.uuid4()), time.monotonic()
    with logs.bound(package=source, submission=submission_id):
        logs.note("taking in a package")
        try:
            tidy(workspace)
            done = _judged(workspace, source, submission_id, rules, collection, step)
        except Exception as error:  # noqa: BLE001 - whatever one package brings about, the others of a batch go on
            done = _failed(workspace, source, submission_id, as_finding(error))
        workspace.run.tell(_told(done, rules.name, seconds=time.monotonic() - started))
    return done


def _told(done: Ingested, policy: str, *, seconds: float) -> Row:
    """The package's row in the report; its copies have rows of their own."""
    return told.package(
        done.outcome,
        done.findings,
        source=done.source,
        identifier=done.identifier,
        version=done.version,
        policy=policy,
        size=done.bytes,
        seconds=seconds,
    )


def _judged(
    workspace: Workspace, source: str, submission_id: str, policy: Policy, collection: str | None, step: Step
) -> Ingested:
    """Take the package in; what is wrong with the package itself rejects it."""
    try:
        with _claimed(workspace, source, submission_id, step) as submission:
            return _take_in(workspace, submission, policy, collection, step)
    except PackageError as error:
        if error.findings[0].code == "source-not-found":
            return Ingested(source, "failed", findings=error.findings)
        return _rejected(workspace, source, submission_id, error.findings, ())


@contextmanager
def _claimed(workspace: Workspace, source: str, submission_id: str, step: Step) -> Iterator[Submission]:
    """A claimed submission; whatever happens, nothing of it is left in the workspace but an admitted bag."""
    place, origin = fetched.where(workspace.folder, source)
    submission = step("claim", claim, place, staging=workspace.staging, submission_id=submission_id, origin=origin)
    try:
        yield submission
    finally:
        release(submission)
        with suppress(PreservationError, OSError):  # the next run tidies as well
            tidy(workspace)


def _take_in(
    workspace: Workspace, submission: Submission, policy: Policy, collection: str | None, step: Step
) -> Ingested:
    source, began = submission.told, workspace.clock()
    received = step(
        "receive",
        receive,
        submission,
        algorithms=frozenset(policy.packaging.algorithms),
        litter=policy.acceptance.litter,
        progress=workspace.progress,
        identify=workspace.identifier.identify_seen,
        threads=workspace.threads,
    )
    with workspace.lease(f"content {received.content_digest}") as lease:
        known = workspace.catalog.find_content(received.content_digest)
        if known is not None and _came_whole(received):
            return _already_here(workspace, submission, known, (), began, step)
        supplied = step("check what was supplied", check_supplied_evidence, received, policy, workspace.progress)
        formats = step("identify formats", identify_formats, workspace, received)
        opinions = None
        if second_opinions.asked_for(policy):
            opinions = step("ask for a second opinion", second_opinions.ask, workspace, received, formats)
        acceptance = step(
            "decide acceptance",
            decide,
            received,
            supplied.evidence,
            formats,
            supplied.descriptor,
            policy,
            now=workspace.clock(),
            differing=opinions.differing() if opinions is not None else (),
        )
        history = events.of_reception(
            received,
            supplied.evidence,
            format_report(formats),
            acceptance.findings,
            began=began,
            now=workspace.clock(),
            policy=policy.name,
            accepted=acceptance.accepted,
        )
        if opinions is not None:
            history = (*history, second_opinions.told(workspace, received, opinions))
        if not acceptance.accepted:
            return _rejected(workspace, source, submission.id, acceptance.findings, history)
        if known is not None:
            return _already_here(workspace, submission, known, acceptance.findings, began, step)
        second = opinions.theirs if opinions is not None else None
        with plan_bag(workspace, received, supplied, formats, policy, collection, history, second) as plan:
            bag = step("write the bag", write_bag, received, plan, destination=bag_place(workspace, submission))
            judged = step("check the bag", check_written_bag, workspace, bag, policy)
            version = step(
                "admit", admit, workspace, received, supplied, plan, judged, policy, collection, fence=lease
            )
    return _with_copies(workspace, source, "accepted", version, acceptance.findings, step)


def _came_whole(received: Received) -> bool:
    """Whether nothing of the delivery was kept out, and nothing but its payload says what should be there.

    What came in may be known while the rest was refused or is missing: then it is judged like any other delivery.
    """
    return not received.is_bag and worst(received.findings) is not Severity.ERROR


def _already_here(
    workspace: Workspace,
    submission: Submission,
    known: AIPVersion,
    findings: tuple[Finding, ...],
    began: datetime,
    step: Step,
) -> Ingested:
    """Content that is here gets no second AIP; that it was delivered once more is recorded."""
    workspace.catalog.record([events.delivered_again(known, submission, began)])
    return _with_copies(workspace, submission.told, "already-here", known, findings, step)


def _with_copies(
    workspace: Workspace,
    source: str,
    outcome: str,
    version: AIPVersion,
    findings: tuple[Finding, ...],
    step: Step,
) -> Ingested:
    """Make the copies that are wanting. Content that is already here gets no second AIP, but what it lacks."""
    copies = make_copies(workspace, version, workspace.policy(version.policy), step)
    return Ingested(
        source,
        outcome,
        identifier=version.identifier,
        version=version.version,
        files=version.files,
        bytes=version.bytes,
        findings=findings + copies.findings,
        replicas=tuple(workspace.catalog.replicas(version.identifier, version.version)),
        copies=copies.verdict,
    )


def _failed(workspace: Workspace, source: str, submission: str, reason: Finding) -> Ingested:
    """The system could not do it; that is recorded as well, unless the catalog is what failed."""
    end = events.event(
        EventType.INGESTION_END,
        workspace.clock(),
        submission=submission,
        findings=(reason,),
        detail={"source": source},
    )
    with suppress(PreservationError, OSError):
        workspace.catalog.record([end])
    return Ingested(source, "failed", findings=(reason,))


def _rejected(
    workspace: Workspace, source: str, submission: str, findings: Sequence[Finding], history: Sequence[Event]
) -> Ingested:
    with reasons_kept(workspace, source, submission, findings) as reasons:
        end = events.event(
            EventType.QUARANTINE,
            workspace.clock(),
            outcome=EventOutcome.FAIL,
            submission=submission,
            findings=findings,
            detail={"source": source, "reasons": reasons.relative_to(workspace.folder).as_posix()},
        )
        workspace.catalog.record([*history, end])
    return Ingested(source, "rejected", findings=tuple(findings))


def ingest_batch(
    workspace: Workspace,
    sources: Sequence[str],
    *,
    policy: str | None = None,
    collection: str | None = None,
    step: Step = plain_step,
) -> list[Ingested]:
    """Ingest many packages, many side by side; one that is rejected or fails does not keep the others."""
    second_opinions.require(workspace.policy(policy))
    processes = work.processes(workspace.settings, len(sources))
    if processes == 1 or workspace.clock is not utc_now:  # only the real clock goes on in other processes

        def one(source: str, where: Workspace, step: Step) -> Ingested:
            return ingest(where, source, policy=policy, collection=collection, step=step)

        return each(step, "ingest {}".format, one, sources, workspace)

    def awaited(number: int, batch: Batch, _step: Step) -> Ingested:
        try:
            done: Ingested = batch.answer(number)
        except Exception as error:  # noqa: BLE001 - as above
            return _failed(workspace, sources[number], str(uuid.uuid4()), as_finding(error))
        return done

    with side_by_side(
        workspace, "ingest", sources, processes=processes, policy=policy, collection=collection
    ) as batch:
        return each(
            step,
            lambda number: f"ingest {sources[number]}",
            awaited,
            range(len(sources)),
            batch,
            steps=STEPS_OF_BATCH,
        )

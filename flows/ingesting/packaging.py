"""From a received package to an admitted AIP: what ingest does between deciding and copying, one function a step."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows.workspace import Workspace
from policies.identity import producer_identifier
from policies.model import Policy
from policies.sentences import descriptor_schema
from preservation import events
from preservation.bags.archives import form_of
from preservation.bags.check import check_bag
from preservation.bags.plan import BagPlan, WrittenBag
from preservation.bags.report import BagReport
from preservation.bags.second_opinion import SecondOpinion, disagreement, second_opinion
from preservation.catalog.leases import Lease
from preservation.errors import FixityError, PolicyError
from preservation.facts import AIPVersion, Event, EventOutcome, EventType, FormatFact
from preservation.findings import Severity
from preservation.inventory import FactFile, load_format, write_facts
from preservation.ledger.records import admission_detail
from preservation.packages.descriptor import Descriptor, descriptor_bytes, descriptor_findings, read_descriptor
from preservation.packages.received import Received
from preservation.packages.submission import Submission
from preservation.packages.supplied import Supplied, check_supplied, supplied_from_bag
from preservation.progress import Progress
from wording import say

MOST_FOR_THE_LIBRARY = 150_000  # files; the bagit library takes 1.1 KB of memory for each


@dataclass(frozen=True, slots=True)
class SuppliedEvidence:
    """What came with the payload: checksums (or none), a descriptor (or none), a given bag's bag-info."""

    evidence: Supplied
    descriptor: Descriptor | None
    bag_info: tuple[tuple[str, str], ...] = ()

    def described(self, field: str) -> str | None:
        """A text field of the descriptor."""
        value = self.descriptor.data.get(field) if self.descriptor is not None else None
        return str(value) if isinstance(value, str | int) else None

    def labelled(self, label: str) -> str | None:
        """The first value of a bag-info label; labels are case-insensitive."""
        return next((value for name, value in self.bag_info if name.lower() == label.lower()), None)


def check_supplied_evidence(received: Received, policy: Policy, progress: Progress) -> SuppliedEvidence:
    """Check a given bag, or the vendor's checksum lists, against what was received; read the descriptor.

    Of a bag that is not valid the bagit library is asked as well: the producer may have used it, and says "valid".
    """
    descriptor = read_descriptor(received)
    if descriptor is not None:
        found = (*descriptor.findings, *descriptor_findings(descriptor, descriptor_schema()))
        descriptor = replace(descriptor, findings=found)
    if received.given_tags is not None:
        profile, form = policy.acceptance.bag_profile, form_of(received.submission.source)
        report = check_bag(received.given_tags, profile=profile, form=form, progress=progress)
        evidence = supplied_from_bag(report)
        doubt = None if report.valid else disagreement(report, _opinion_of_a_given_bag(received, received.given_tags))
        if doubt is not None:
            evidence = replace(evidence, findings=(*evidence.findings, doubt))
        return SuppliedEvidence(evidence, descriptor, report.bag_info)
    return SuppliedEvidence(check_supplied(received, progress=progress), descriptor)


def _opinion_of_a_given_bag(received: Received, bag: Path) -> SecondOpinion:
    """What the bagit library says, in time and memory that fit what the bag holds: its tag files may be hostile."""
    if received.files > MOST_FOR_THE_LIBRARY:
        return _not_asked(received.files)
    patience = 4.0 + received.files / 500 + received.bytes / (10 << 20)
    return second_opinion(bag, timeout=patience, memory=(192 << 20) + received.files * 4096)


def _not_asked(files: int) -> SecondOpinion:
    return SecondOpinion(None, f"not asked about a bag of {files} files: it keeps all of them in memory")


def identify_formats(workspace: Workspace, received: Received) -> FactFile[FormatFact]:
    """What every payload file is, in the order of the inventory: told while it was received, else asked now."""
    if received.formats is not None:
        return received.formats
    workspace.progress.begin("identify formats", received.files)
    identified = workspace.identifier.identify(received.payload, workspace.counted(received.inventory))
    return write_facts(received.submission.folder / "formats.jsonl", identified, load_format)


@dataclass(frozen=True, slots=True)
class CheckedBag:
    """A bag in its place, judged by the checker and by the bagit library."""

    written: WrittenBag
    report: BagReport
    opinion: SecondOpinion


@contextmanager
def plan_bag(
    workspace: Workspace,
    received: Received,
    supplied: SuppliedEvidence,
    formats: FactFile[FormatFact],
    policy: Policy,
    collection: str | None,
    history: tuple[Event, ...],
    second_opinions: FactFile[FormatFact] | None = None,
) -> Iterator[BagPlan]:
    """The plan of the bag: which AIP, which version. Nobody else can take that version while the plan is held."""
    producer = _producer(received, supplied, policy)
    with workspace.lease(f"identifier {collection or ''}/{producer or received.submission.id}"):
        known, number = workspace.catalog.next_place(producer_identifier=producer, collection=collection)
        identifier = known or str(uuid.uuid4())
        creation = events.event(EventType.PACKAGE_CREATION, workspace.clock(), submission=received.submission.id)
        descriptor = supplied.descriptor
        yield BagPlan(
            identifier=identifier,
            version=number,
            algorithms=policy.packaging.algorithms,
            bagging_date=workspace.clock().date(),
            agent=events.AGENT,
            events=tuple(replace(event, identifier=identifier, version=number) for event in (*history, creation)),
            formats=formats,
            second_opinions=second_opinions,
            bag_info=_bag_info(supplied, policy, producer=producer, collection=collection),
            descriptor=descriptor_bytes(received, descriptor) if descriptor is not None else None,
            descriptor_name="descriptor" + Path(descriptor.path).suffix
            if descriptor is not None
            else "descriptor.json",
        )


def bag_place(workspace: Workspace, submission: Submission) -> Path:
    """Where the bag of a submission is renamed to when it is whole."""
    workspace.bags.mkdir(exist_ok=True)
    return workspace.bags / submission.id


def check_written_bag(workspace: Workspace, written: WrittenBag, policy: Policy) -> CheckedBag:
    """Judge the bag in its place by code that did not write it.

    Raises FixityError when it is not valid, PolicyError when it does not keep to the policy's profile. Doubts of the
    bagit library are recorded beside our answer, which counts; about a very large bag it is not asked.
    """
    library = workspace.bagit_library
    with ThreadPoolExecutor(1, thread_name_prefix="second opinion") as beside:
        if written.object_count > MOST_FOR_THE_LIBRARY:
            asked = beside.submit(_not_asked, written.object_count)
        else:
            asked = beside.submit(second_opinion, written.path, library=library)
        try:
            report = check_bag(written.path, profile=policy.packaging.bag_profile, progress=workspace.progress)
            opinion = asked.result()
        except BaseException:
            library.interrupt()  # nobody waits for its answer any more
            raise
    errors = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    if not report.valid:
        raise FixityError(
            say("The bag just written is not valid: what is on the disk is not what was received."),
            where=str(written.path),
            seen="; ".join(str(finding.message) for finding in errors[:3]),
            next_step=say("Check the disk of the workspace, then ingest the package again."),
        )
    if report.conforms is False:
        raise PolicyError(
            errors[0].message,
            where=f"{policy.name}: packaging.bag_profile",
            expected=errors[0].expected,
            seen=errors[0].seen,
            next_step=say("Supply in `packaging.bag_info` what the profile demands, or name another profile."),
        )
    return CheckedBag(written, report, opinion)


def admit(
    workspace: Workspace,
    received: Received,
    supplied: SuppliedEvidence,
    plan: BagPlan,
    bag: CheckedBag,
    policy: Policy,
    collection: str | None,
    *,
    fence: Lease,
) -> AIPVersion:
    """Enter the AIP version, its objects and its history into the catalog, all or nothing.

    Raises LeaseLost when another process has taken the content over meanwhile.
    """
    now = workspace.clock()
    version = AIPVersion(
        identifier=plan.identifier,
        version=plan.version,
        content_digest=received.content_digest,
        files=received.files,
        bytes=received.bytes,
        objects=bag.written.object_count,
        object_bytes=bag.written.object_bytes,
        policy=policy.name,
        admitted_at=now,
        submission=received.submission.id,
        source=received.submission.told,
        producer_identifier=_producer(received, supplied, policy),
        collection=collection,
        title=supplied.described("title"),
        staged=bag.written.path.relative_to(workspace.folder).as_posix(),
    )

    doubt = disagreement(bag.report, bag.opinion)

    def about(kind: EventType, **detail: Any) -> Event:  # noqa: ANN401 - JSON
        doubted = doubt is not None and kind is EventType.VALIDATION
        return events.event(
            kind,
            now,
            outcome=EventOutcome.WARNING if doubted else EventOutcome.SUCCESS,
            submission=version.submission,
            of=version,
            findings=(doubt,) if doubt is not None and doubted else (),
            detail=detail,
        )

    closing = (
        about(EventType.VALIDATION, **_judged(bag)),
        about(EventType.POLICY_ASSIGNMENT, policy=policy.name),
        about(
            EventType.INGESTION_END,
            files=version.files,
            bytes=version.bytes,
            objects=version.objects,
            **admission_detail(version, bag.written.objects),  # so that the ledger can tell it all again
        ),
    )
    return workspace.catalog.admit(version, iter(bag.written.objects), (*plan.events, *closing), fence=fence)


def _judged(bag: CheckedBag) -> Mapping[str, Any]:
    return {
        "bag": "valid",
        "checked": bag.report.checked,
        "profile": bag.report.profile,
        "second_opinion": bag.opinion.beside(bag.report.valid),
    }


def _producer(received: Received, supplied: SuppliedEvidence, policy: Policy) -> str | None:
    return producer_identifier(
        policy,
        descriptor=supplied.described("identifier"),
        bag_info=supplied.labelled("External-Identifier"),
        name=received.submission.source.stem,
    )


def _bag_info(
    supplied: SuppliedEvidence, policy: Policy, *, producer: str | None, collection: str | None
) -> dict[str, str | tuple[str, ...]]:
    """The labels that the writer does not set itself; empty ones are left out."""
    wanted = {
        "Source-Organization": policy.packaging.source_organization or supplied.labelled("Source-Organization"),
        "Contact-Email": policy.packaging.contact_email,
        "External-Description": supplied.described("title") or supplied.labelled("External-Description"),
        "Vankho-Producer-Identifier": producer,
        "Vankho-Collection": collection,
        "Vankho-Policy": policy.name,
        "BagIt-Profile-Identifier": policy.packaging.bag_profile and policy.packaging.bag_profile.identifier,
        **policy.packaging.bag_info,
    }
    return {label: value for label, value in wanted.items() if value}

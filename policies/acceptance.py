"""Decides whether a package is accepted: what was found while reading it, seen with the policy's eyes.

Takes findings and facts, gives all findings back with the weight they have under this policy. An ERROR that no
waiver covers rejects. Nothing is left out: a waived or tolerated finding stays, as a warning. What makes a
package unsafe to store cannot be waived.
"""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Protocol

from policies.model import DescriptorRule, FormatRule, Holey, Policy, SuppliedChecksums, Then, Waiver, When
from preservation.facts import Basis, FormatFact
from preservation.findings import Finding, Severity
from wording import say

# A million files of an unknown format make this many findings and one that counts the others.
SHOWN_FORMATS = 1000

_ABSENT = frozenset({"file-missing", "supplied-file-missing"})
# Follow from absent files and say nothing more than they do.
_ABOUT_ABSENT = frozenset({"oxum-differs"})

# The findings an officer may answer for. All others would let in what cannot be stored whole or read again.
WAIVABLE = frozenset(
    {
        "checksums-required",
        "descriptor-field-missing",
        "descriptor-field-unknown",
        "descriptor-field-wrong",
        "descriptor-missing",
        "digest-differs",
        "file-missing",
        "file-unexpected",
        "file-unlisted",
        "format-empty",
        "format-extension-only",
        "format-failed",
        "format-mismatch",
        "format-rejected",
        "format-unknown",
        "oxum-differs",
        "oxum-malformed",
        "oxum-repeated",
        "profile-archive-refused",
        "profile-bag-info-missing",
        "profile-data-not-empty",
        "profile-fetch-missing",
        "profile-fetch-refused",
        "profile-file-missing",
        "profile-file-refused",
        "profile-label-missing",
        "profile-label-repeated",
        "profile-manifest-missing",
        "profile-manifest-refused",
        "profile-no-bag",
        "profile-not-named",
        "profile-serialization",
        "profile-value-refused",
        "profile-version-refused",
        "supplied-digest-differs",
        "supplied-file-missing",
        "supplied-file-unlisted",
        "supplied-list-unreadable",
        "system-litter",
        "tag-digest-differs",
        "tag-file-missing",
        "tagmanifest-incomplete",
    }
)
# Stands for findings of another code that are too many to show.
_NOT_SHOWN = "findings-not-shown"


class HasFindings(Protocol):
    """What was received, or a descriptor: anything that was looked at."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was seen."""


class SuppliedFacts(HasFindings, Protocol):
    """What came of the checksums the producer supplied; `kind` is "none" when there were none."""

    @property
    def kind(self) -> str:
        """What was supplied."""


@dataclass(frozen=True, slots=True)
class Waived:
    """A finding that would have rejected the package, and the waiver that kept it from doing so."""

    finding: Finding
    waiver: Waiver


@dataclass(frozen=True, slots=True)
class Acceptance:
    """`findings` carry the weight they have under the policy; `review` asks a person to look all the same."""

    accepted: bool
    review: bool
    findings: tuple[Finding, ...]
    waived: tuple[Waived, ...]


def decide(
    received: HasFindings,
    supplied: SuppliedFacts,
    formats: Iterable[FormatFact],
    descriptor: HasFindings | None,
    policy: Policy,
    *,
    now: datetime,
    differing: Iterable[tuple[FormatFact, FormatFact]] = (),
) -> Acceptance:
    """The decision on one package.

    `differing` are files about which two identifiers contradict each other: our answer, and the other.
    `supplied.kind` is "none" when no checksums came with the package; `formats` is read once and may be long;
    `descriptor` is None when there is none, and its findings are those of the schema too.
    """
    rules = policy.acceptance
    today = now.date()
    given = _tolerated([*received.findings, *supplied.findings], policy)
    if supplied.kind == "none" and rules.supplied_checksums is SuppliedChecksums.REQUIRE:
        given.append(_checksums_required())
    if supplied.kind != "bag" and rules.bag_profile is not None:
        given.append(_bag_required(rules.bag_profile.identifier))
    given.extend(_about_descriptor(policy, descriptor))
    waived: list[Waived] = []
    weighed = [_weigh(finding, rules.waivers, today=today, waived=waived) for finding in given]
    review, by_format = _about_formats(policy, formats, today=today, waived=waived)
    contradicted = _contradicted(differing)
    weighed += [*by_format, *contradicted, *_expired(weighed, rules.waivers, today=today)]
    return Acceptance(
        accepted=all(finding.severity is not Severity.ERROR for finding in weighed),
        review=review or bool(contradicted),
        findings=tuple(weighed),
        waived=tuple(waived),
    )


def _tolerated(findings: list[Finding], policy: Policy) -> list[Finding]:
    """The findings with the weight that `holey` and `supplied_checksums` give them."""
    weights: dict[str, Severity] = {}
    if policy.acceptance.holey is Holey.RECORD and any(_kind(finding) in _ABSENT for finding in findings):
        weights.update(dict.fromkeys(_ABSENT | _ABOUT_ABSENT, Severity.WARNING))
    if policy.acceptance.supplied_checksums is SuppliedChecksums.REQUIRE:
        weights["supplied-file-unlisted"] = Severity.ERROR
    return [replace(finding, severity=weights.get(_kind(finding), finding.severity)) for finding in findings]


def _kind(finding: Finding) -> str:
    """The code of the finding, or of those it stands for."""
    return str(finding.message.values.get("code")) if finding.code == _NOT_SHOWN else finding.code


def _checksums_required() -> Finding:
    message = say(
        "No checksums came with the package, and the policy asks for them. "
        "Ask the producer for a checksum list of all files."
    )
    return Finding("checksums-required", Severity.ERROR, message, expected="checksum list, bag manifest", seen="none")


def _bag_required(profile: str) -> Finding:
    message = say("The policy asks for a bag that keeps to a profile, and the package is no bag.")
    return Finding("profile-no-bag", Severity.ERROR, message, "bagit.txt", expected=profile, seen="–")


def _about_descriptor(policy: Policy, descriptor: HasFindings | None) -> Iterator[Finding]:
    rule = policy.acceptance.descriptor
    if rule is DescriptorRule.REQUIRED and descriptor is None:
        message = say("The package has no descriptor, and the policy asks for one.")
        expected = "metadata.json | metadata.yaml"
        yield Finding("descriptor-missing", Severity.ERROR, message, expected=expected, seen="none")
    if rule is not DescriptorRule.IGNORE and descriptor is not None:
        yield from descriptor.findings


def _weigh(finding: Finding, waivers: Iterable[Waiver], *, today: date, waived: list[Waived]) -> Finding:
    if finding.severity is not Severity.ERROR or _kind(finding) not in WAIVABLE:
        return finding
    for waiver in waivers:
        if today <= waiver.until and _covers(waiver, finding):
            waived.append(Waived(finding, waiver))
            return replace(finding, severity=Severity.WARNING)
    return finding


def _covers(waiver: Waiver, finding: Finding) -> bool:
    if waiver.code != _kind(finding):
        return False
    return waiver.path is None or (finding.path is not None and fnmatch.fnmatchcase(finding.path, waiver.path))


def _expired(findings: Iterable[Finding], waivers: Iterable[Waiver], *, today: date) -> Iterator[Finding]:
    """Waivers that would have helped and no longer hold: the officer would look for the reason for long."""
    refused = [finding for finding in findings if finding.severity is Severity.ERROR]
    for waiver in waivers:
        if today > waiver.until and any(_covers(waiver, finding) for finding in refused):
            message = say(
                "The waiver of `{code}` by {by} held until {until} and no longer counts.",
                code=waiver.code,
                by=waiver.by,
                until=waiver.until.isoformat(),
            )
            yield Finding("waiver-expired", Severity.INFO, message, path=waiver.path)


def _about_formats(
    policy: Policy, formats: Iterable[FormatFact], *, today: date, waived: list[Waived]
) -> tuple[bool, list[Finding]]:
    shown: list[Finding] = []
    counts: Counter[tuple[str, Severity]] = Counter()
    review = False
    for fact in formats:
        rule = next((rule for rule in policy.acceptance.formats if _fits(rule, fact)), None)
        if rule is None or rule.then is Then.ACCEPT:
            continue
        finding = _weigh(_format_finding(fact, rule), policy.acceptance.waivers, today=today, waived=waived)
        review = review or rule.then is Then.REVIEW
        kind = (finding.code, finding.severity)
        counts[kind] += 1
        if counts[kind] <= SHOWN_FORMATS:
            shown.append(finding)
    shown += [_more(code, severity, count) for (code, severity), count in counts.items() if count > SHOWN_FORMATS]
    return review, shown


def _more(code: str, severity: Severity, count: int) -> Finding:
    message = say("{count} more findings of the kind {code} are not shown.", count=count - SHOWN_FORMATS, code=code)
    return Finding(_NOT_SHOWN, severity, message)


def _contradicted(differing: Iterable[tuple[FormatFact, FormatFact]]) -> list[Finding]:
    """Never a reason to reject: which of the two is right, a person decides."""
    code, shown, count = "format-disagreement", [], 0
    for count, (ours, theirs) in enumerate(differing, 1):
        if count <= SHOWN_FORMATS:
            message = say(
                "Two identifiers contradict each other: {format} says ours, {other} says {tool}.",
                format=ours.name or ours.puid,
                other=theirs.name or theirs.puid,
                tool=theirs.tool,
            )
            shown.append(Finding(code, Severity.WARNING, message, ours.path, ours.puid, theirs.puid))
    return shown if count <= SHOWN_FORMATS else [*shown, _more(code, Severity.WARNING, count)]


def _fits(rule: FormatRule, fact: FormatFact) -> bool:
    if rule.puids and fact.puid not in rule.puids:
        return False
    match rule.when:
        case None | When.ANY:
            return True
        case When.UNKNOWN:
            return fact.basis is Basis.NONE
        case When.EMPTY:
            return fact.basis is Basis.EMPTY
        case When.MISMATCH:
            return fact.extension_mismatch
        case When.EXTENSION_ONLY:
            return fact.basis is Basis.EXTENSION
        case When.FAILED:
            return fact.basis is Basis.FAILED


def _format_finding(fact: FormatFact, rule: FormatRule) -> Finding:
    """What is said of one file; the most particular thing that is true of it."""
    seen = fact.puid or fact.basis.value
    severity = Severity.ERROR if rule.then is Then.REJECT else Severity.WARNING
    expected = rule.reason
    if fact.basis is Basis.FAILED:
        message = say("The format could not be identified within the limits of time and memory.")
        return Finding("format-failed", severity, message, fact.path, expected, seen)
    if fact.basis is Basis.EMPTY:
        return Finding("format-empty", severity, say("The file is empty."), fact.path, expected, seen)
    if fact.basis is Basis.NONE:
        return Finding("format-unknown", severity, say("The format is unknown."), fact.path, expected, seen)
    name = fact.name or seen
    if fact.extension_mismatch and rule.when is When.MISMATCH:
        message = say("The content is {format}, and the file name says otherwise.", format=name)
        return Finding("format-mismatch", severity, message, fact.path, expected, seen)
    if fact.basis is Basis.EXTENSION and rule.when is When.EXTENSION_ONLY:
        message = say("Only the file name says that this is {format}.", format=name)
        return Finding("format-extension-only", severity, message, fact.path, expected, seen)
    if rule.then is Then.REJECT:
        message = say("The policy does not accept the format {format}.", format=name)
        return Finding("format-rejected", severity, message, fact.path, expected, seen)
    message = say("The policy asks to note files of the format {format}.", format=name)
    return Finding("format-noted", severity, message, fact.path, expected, seen)

"""The rows that flows tell, made from their answers: one place, so that a word means the same in every report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flows.reporting.rows import Kind, Row
from preservation.facts import AIPVersion
from preservation.findings import Finding, Severity
from preservation.replicas.verify import ReplicaReport
from wording import say

STORE_AWAY = frozenset({"store-unavailable", "store-denied", "store-full"})  # codes that speak of a store as a whole


def copy_audited(report: ReplicaReport, *, policy: str, seconds: float, away: bool = False) -> Row:
    """A copy was audited, or could not be; `away` when its store could not be used at all."""
    return Row(
        kind=Kind.COPY,
        outcome=report.outcome.value,
        identifier=report.identifier,
        version=report.version,
        store=report.store,
        grade=report.grade.value,
        policy=policy,
        counts=report.counts,
        bytes=report.bytes_read,
        seconds=seconds,
        away=away,
        **_reasons(report.findings),
    )


def copy_failed(version: AIPVersion, store: str, reason: Finding, *, seconds: float = 0.0) -> Row:
    """A copy could not be made, proved or mended."""
    return Row(
        kind=Kind.COPY,
        outcome="failed",
        identifier=version.identifier,
        version=version.version,
        store=store,
        policy=version.policy,
        seconds=seconds,
        away=reason.code in STORE_AWAY,
        **_reasons((reason,)),
    )


def copy_skipped(version: AIPVersion, store: str, reason: Finding, *, grade: str | None = None) -> Row:
    """A copy whose turn it was, and that was left for later."""
    return Row(
        kind=Kind.COPY,
        outcome="skipped",
        identifier=version.identifier,
        version=version.version,
        store=store,
        grade=grade,
        policy=version.policy,
        **_reasons((reason,)),
    )


def copy_not_tried(version: AIPVersion, store: str, reason: Finding) -> Row:
    """A copy that was left for later because its store is left alone."""
    return replace(copy_skipped(version, store, reason), away=True)


LEFT = {
    "level": say("Their turn comes on the next days, so that every day has as much to do."),
    "budget": say("What the policy allows for a day was used up."),
    "throttled": say("The policy lets audits read only so fast."),
    "window": say("The hours in which the policy lets audits run were over."),
    "store-away": say("The store could not be used."),
    "failed": say("They could not be read."),
    "stopped": say("The run was told to end."),
    "not-run": say("No audit ran."),
}


def left_for_later(store: str, grade: str, copies: int, why: str | None) -> Row:
    """Copies that are due in a store and were not taken, all for one reason (a word of `policies.plan`)."""
    sentence = LEFT.get(why or "", say("Another run reads in this store."))
    reason = Finding(f"left-{why or 'to-another-run'}", Severity.INFO, sentence, path=store)
    away = why == "store-away"
    return Row(
        kind=Kind.COPY,
        outcome="skipped",
        store=store,
        grade=grade,
        copies=copies,
        away=away,
        reason=reason,
        findings=1,
    )


def package(
    outcome: str,
    findings: Sequence[Finding],
    *,
    source: str | None,
    identifier: str | None = None,
    version: int | None = None,
    policy: str | None = None,
    size: int = 0,
    seconds: float = 0.0,
) -> Row:
    """A package was taken in or given back, or not."""
    return Row(
        kind=Kind.PACKAGE,
        outcome=outcome,
        source=source,
        identifier=identifier,
        version=version,
        policy=policy,
        bytes=size,
        seconds=seconds,
        **_reasons(findings),
    )


def store(name: str, outcome: str, findings: Sequence[Finding], *, away: bool = False, seconds: float = 0.0) -> Row:
    """A store was looked at as a whole."""
    return Row(kind=Kind.STORE, outcome=outcome, store=name, away=away, seconds=seconds, **_reasons(findings))


def _reasons(findings: Sequence[Finding]) -> dict[str, Any]:
    """The weightiest finding, and how many there were."""
    order = list(Severity)
    first = max(findings, key=lambda finding: order.index(finding.severity), default=None)
    return {"reason": first, "findings": len(findings)}

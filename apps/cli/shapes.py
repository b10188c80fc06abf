"""The documented JSON shapes and the words and tables beside them: one place, so that both say the same.

Times in JSON are ISO 8601 in UTC; people read dd/MM/yyyy HH:mm in Asia/Ho_Chi_Minh.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from apps.cli.answer import Cell, Line, Table
from apps.cli.screen import in_words
from preservation.errors import UsageError
from preservation.facts import AIPVersion, Basis, EventOutcome, EventType, Evidence, Grade, Outcome, Replica
from preservation.findings import Finding, Severity
from preservation.observed import in_sentence
from wording import Message, say
from wording.times import moment
from wording.translate import translate

SHOWN = 20  # errors of one kind shown to a person; --json has all
ALIKE = 3  # warnings and notes of one kind shown to a person
SHORT = 8  # letters of an identifier in a list; enough to name it with

OUTCOMES = {
    "accepted": say("accepted"),
    "already-here": say("already here"),
    "rejected": say("rejected"),
    "failed": say("failed"),
    Outcome.INTACT.value: say("intact"),
    Outcome.DAMAGED.value: say("damaged"),
    Outcome.UNREADABLE.value: say("unreadable"),
    "safe": say("safe"),
    "under-replicated": say("under-replicated"),
    "overdue": say("overdue"),
    "unknown": say("unknown"),
    "repaired": say("repaired"),
    "replicated": say("replicated"),
    "agrees": say("agrees"),
    "disagrees": say("disagrees"),
    "restored": say("restored"),
}

GRADES = {
    Grade.BYTES: say("bytes read back"),
    Grade.PROVIDER: say("provider's checksum"),
    Grade.PRESENCE: say("presence"),
}

_MARKS = {Severity.ERROR: say("error"), Severity.WARNING: say("warning"), Severity.INFO: say("note")}


def size(number: int) -> str:
    """Bytes in a unit a person reads."""
    value = float(number)
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError


def money(amount: float, currency: str) -> str:
    """An amount with its currency; a dash where no price table says what anything costs."""
    if not currency and not amount:
        return "–"
    return f"{amount:,.2f} {currency}".strip()


def length(seconds: float | None) -> str:
    """A length of time as hours and minutes; a dash where nobody can tell."""
    if seconds is None:
        return "–"
    minutes = round(seconds / 60)
    return f"{minutes // 60}:{minutes % 60:02} h" if minutes >= 60 else f"{max(minutes, 1)} min"


def finding_json(finding: Finding, language: str) -> dict[str, Any]:
    """One finding; `message` is in the language of the command."""
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "path": finding.path,
        "message": translate(finding.message, language),
        "expected": finding.expected,
        "seen": finding.seen,
    }


def findings_json(findings: Iterable[Finding], language: str) -> list[dict[str, Any]]:
    """Several findings."""
    return [finding_json(finding, language) for finding in findings]


def finding_lines(findings: Sequence[Finding], language: str, *, about: str = "") -> list[Line]:
    """The findings for a person, errors first, of each kind the first few; the rest is counted.

    `about` is what the lines above have named already.
    """
    order = [Severity.ERROR, Severity.WARNING, Severity.INFO]
    ordered = sorted(findings, key=lambda finding: order.index(finding.severity))
    lines: list[Line] = []
    told: Counter[str] = Counter()
    hidden = 0
    for finding in ordered:
        told[finding.code] += 1
        if told[finding.code] > (SHOWN if finding.severity is Severity.ERROR else ALIKE):
            hidden += 1
            continue
        mark, text = translate(_MARKS[finding.severity], language), translate(finding.message, language)
        named = finding.path in (None, about) or _names(finding.message, text, str(finding.path))
        place = "" if named else f"{finding.path}: "
        lines.append(f"  {mark}: {place}{text}")
        seen = [(say("expected"), in_sentence(finding.expected)), (say("seen"), in_sentence(finding.seen))]
        details = [f"{translate(label, language)} {in_words(value, language)}" for label, value in seen if value]
        if details and finding.severity is Severity.ERROR:
            lines.append("    " + "; ".join(details))
    if hidden:
        lines.append(say("  … and {count} more findings; --json shows all.", count=hidden))
    return lines


def _names(message: Message, text: str, path: str) -> bool:
    """Whether the sentence names the path, whole: a file called `p`, or `a`, is not named by a sentence with such a
    letter or word in it.
    """
    whole = re.search(rf"(?<!\w){re.escape(path)}(?!\w)", text) is not None
    return whole and (not path.isalpha() or path in map(str, message.values.values()))


def replica_json(replica: Replica) -> dict[str, Any]:
    """One replica with its last proof at each grade, null where there is none."""
    return {
        "store": replica.store,
        "evidence": {grade.value: _proof(replica.evidence.get(grade)) for grade in Grade},
    }


def _proof(evidence: Evidence | None) -> dict[str, str] | None:
    if evidence is None:
        return None
    return {"outcome": evidence.outcome.value, "at": evidence.at.isoformat()}


def replica_table(replicas: Iterable[Replica]) -> Table:
    """The copies of one version: store, and what was last proved when, grade by grade."""
    return Table(
        (say("Store"), *GRADES.values()),
        [(replica.store, *(_proved(replica.evidence.get(grade)) for grade in Grade)) for replica in replicas],
    )


def _proved(evidence: Evidence | None) -> Cell:
    if evidence is None:
        return "–"
    return say("{outcome} {at}", outcome=OUTCOMES[evidence.outcome.value], at=moment(evidence.at))


def version_json(version: AIPVersion) -> dict[str, Any]:
    """What the catalog knows of one version, without its replicas."""
    return {
        "source": version.source,
        "identifier": version.identifier,
        "version": version.version,
        "producer_identifier": version.producer_identifier,
        "collection": version.collection,
        "title": version.title,
        "files": version.files,
        "bytes": version.bytes,
        "policy": version.policy,
        "admitted_at": version.admitted_at.isoformat(),
        "staged": version.staged,
    }


BASES = {
    Basis.SIGNATURE: say("byte signature"),
    Basis.CONTAINER: say("container signature"),
    Basis.NAMESPACE: say("XML namespace"),
    Basis.EXTENSION: say("file name only"),
    Basis.EMPTY: say("empty file"),
    Basis.NONE: say("unknown"),
    Basis.FAILED: say("not identified"),
}

EVENTS = {
    EventType.INGESTION_START: say("ingestion start"),
    EventType.UNPACKING: say("unpacking"),
    EventType.FILENAME_CHANGE: say("filename change"),
    EventType.MESSAGE_DIGEST_CALCULATION: say("message digest calculation"),
    EventType.FIXITY_CHECK: say("fixity check"),
    EventType.FORMAT_IDENTIFICATION: say("format identification"),
    EventType.VALIDATION: say("validation"),
    EventType.POLICY_ASSIGNMENT: say("policy assignment"),
    EventType.QUARANTINE: say("quarantine"),
    EventType.PACKAGE_CREATION: say("information package creation"),
    EventType.INGESTION_END: say("ingestion end"),
    EventType.REPLICATION: say("replication"),
    EventType.RECOVERY: say("recovery"),
    EventType.DISSEMINATION: say("dissemination"),
    EventType.DELETION: say("deletion"),
}

EVENT_OUTCOMES = {
    EventOutcome.SUCCESS: say("success"),
    EventOutcome.WARNING: say("warning"),
    EventOutcome.FAIL: say("failure"),
}


def absent(path: Path) -> UsageError:
    """The error for a path that is not there."""
    return UsageError(
        say("{path} does not exist.", path=path),
        where=str(path),
        next_step=say("Check the path, and that the disk is connected."),
    )


def outcome(word: str) -> Message | str:
    """The word for an outcome, translated where people see it."""
    return OUTCOMES.get(word, word)

"""A finding is a fact seen while checking: a code, a place, what was expected and what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from wording import Message


class Severity(StrEnum):
    """How much a finding weighs. ERROR rejects a package or makes a bag invalid."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` is stable and kebab-case (`file-missing`); `path` is relative to what was checked."""

    code: str
    severity: Severity
    message: Message
    path: str | None = None
    expected: str | None = None
    seen: str | None = None


def as_json(finding: Finding) -> dict[str, Any]:
    """The finding as it stands in events and reports: message kept as template and values."""
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "path": finding.path,
        "message": {
            "text": finding.message.text,
            "values": {k: v if isinstance(v, int | float) else str(v) for k, v in finding.message.values.items()},
        },
        "expected": finding.expected,
        "seen": finding.seen,
    }


def from_json(data: Mapping[str, Any]) -> Finding:
    """The finding back from an event's detail."""
    return Finding(
        code=data["code"],
        severity=Severity(data["severity"]),
        message=Message(data["message"]["text"], data["message"]["values"]),
        path=data["path"],
        expected=data["expected"],
        seen=data["seen"],
    )


def worst(findings: tuple[Finding, ...]) -> Severity | None:
    """The heaviest severity among the findings, None when there are none."""
    order = list(Severity)
    return max((finding.severity for finding in findings), key=order.index, default=None)

"""A finding is a fact seen while checking: a code, a place, what was expected and what was seen."""

from __future__ import annotations

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


def message_as_json(message: Message) -> dict[str, Any]:
    """The sentence kept as template and values, so that it can be shown in any language later."""
    return {"text": message.text, "values": {key: _value(value) for key, value in message.values.items()}}


def _value(value: object) -> object:
    if isinstance(value, Message):
        return message_as_json(value)
    return value if isinstance(value, int | float) else str(value)


def as_json(finding: Finding) -> dict[str, Any]:
    """The finding as it stands in events and reports: message kept as template and values."""
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "path": finding.path,
        "message": message_as_json(finding.message),
        "expected": finding.expected,
        "seen": finding.seen,
    }


def worst(findings: tuple[Finding, ...]) -> Severity | None:
    """The heaviest severity among the findings, None when there are none."""
    order = list(Severity)
    return max((finding.severity for finding in findings), key=order.index, default=None)

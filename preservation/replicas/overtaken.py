"""Whether the report of a long reading still says anything, once others have worked on the same replica meanwhile.

An audit takes no lease, so that it holds up nobody; in exchange its report counts only when nothing came between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preservation.facts import EventOutcome, EventType, Grade, Outcome
from preservation.replicas.report import ReplicaReport

_STRENGTH = {Grade.PRESENCE: 0, Grade.PROVIDER: 1, Grade.BYTES: 2}


def overtaken(report: ReplicaReport, kind: EventType, outcome: EventOutcome, detail: Mapping[str, Any]) -> bool:
    """Whether an event about the replica, recorded since the reading began, makes its report stale.

    Copying and repair change bytes, so any of them does. An audit does when it contradicts: damage that a proof at
    least as strong has answered is no longer news, and a proof must not hide damage that it would outrank.
    """
    if kind in (EventType.REPLICATION, EventType.RECOVERY):
        return True
    if kind is not EventType.FIXITY_CHECK or "grade" not in detail:
        return False
    stronger = _STRENGTH[Grade(detail["grade"])] - _STRENGTH[report.grade]
    if report.outcome is Outcome.DAMAGED:
        return outcome is EventOutcome.SUCCESS and stronger >= 0
    return outcome is EventOutcome.FAIL and stronger <= 0

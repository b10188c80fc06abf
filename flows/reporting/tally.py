"""What the rows of a run add up to: counts that a person can check against each other, in flat memory.

Added up from the rows as they are written down, so that a run that was killed is counted like any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.reporting.rows import Kind, Row
from preservation.facts import ObjectOutcome
from preservation.findings import as_json

PARTS = tuple(each.value for each in ObjectOutcome)  # intact, altered, missing, unreadable, unexpected
REASONS = 200  # different ones that are kept; after that they are one
NAMED = 20  # packages that were not taken in


def row_json(row: Row) -> dict[str, Any]:
    """The row as it is written down."""
    return {
        "kind": row.kind.value,
        "outcome": row.outcome,
        "source": row.source,
        "identifier": row.identifier,
        "version": row.version,
        "store": row.store,
        "grade": row.grade,
        "policy": row.policy,
        "objects": {part: int(row.counts.get(part, 0)) for part in PARTS} if row.counts else None,
        "bytes": row.bytes,
        "seconds": round(row.seconds, 3),
        "away": row.away,
        "copies": row.copies if row.kind is Kind.COPY else 0,
        "findings": max(row.findings, int(row.reason is not None)),
        "reason": as_json(row.reason) if row.reason is not None else None,
    }


@dataclass
class Tally:
    """The counts. `copies` are by (store, grade, outcome), `reasons` by (outcome, code of the finding)."""

    rows: int = 0
    packages: Counter[str] = field(default_factory=Counter)
    stores: Counter[str] = field(default_factory=Counter)
    copies: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    amounts: dict[tuple[str, str, str], list[float]] = field(default_factory=dict)  # bytes, seconds of those copies
    objects: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    seconds: float = 0.0
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    sentences: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # the first of each code
    policies: set[str] = field(default_factory=set)
    away: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)  # store → why, of the first row
    reached: set[str] = field(default_factory=set)
    refused: list[tuple[str, str]] = field(default_factory=list)  # outcome, source of the first packages not taken in

    def add(self, row: Mapping[str, Any]) -> None:
        """One more row."""
        self.rows += 1
        outcome = str(row["outcome"])
        if row["kind"] == Kind.COPY.value:
            key = (row["store"] or "", row["grade"] or "", outcome)
            self.copies[key] += row["copies"]
            amount = self.amounts.setdefault(key, [0, 0.0])
            amount[0] += row["bytes"]
            amount[1] += row["seconds"]
        elif row["kind"] == Kind.STORE.value:
            self.stores[outcome] += 1
        else:
            self.packages[outcome] += 1
            if outcome in ("rejected", "failed") and row["source"] and len(self.refused) < NAMED:
                self.refused.append((outcome, str(row["source"])))
        for part, count in (row["objects"] or {}).items():
            self.objects[part] += count
        self.bytes += row["bytes"]
        self.seconds += row["seconds"]
        if row["policy"]:
            self.policies.add(row["policy"])
        self._add_reason(outcome, row["reason"])
        if row["store"] and row["away"]:
            self.away.setdefault(row["store"], row["reason"])
        elif row["store"] and row["kind"] != Kind.PACKAGE.value and outcome not in ("skipped", "failed"):
            self.reached.add(row["store"])

    def _add_reason(self, outcome: str, reason: Mapping[str, Any] | None) -> None:
        if reason is None:
            return
        code = reason["code"] if reason["code"] in self.sentences or len(self.sentences) < REASONS else "others"
        self.reasons[outcome, code] += 1
        self.sentences.setdefault(code, reason)

    def of_copies(self, outcome: str) -> int:
        """How many copies had this outcome, in all stores and grades."""
        return sum(count for (_, _, word), count in self.copies.items() if word == outcome)

    def as_json(self) -> dict[str, Any]:
        """The documented shape. What was checked is counted for itself, and is the sum of what stands beside it."""
        words = sorted({word for _, _, word in self.copies})
        copies = {word: self.of_copies(word) for word in words}
        return {
            "rows": self.rows,
            "packages": {"checked": self.packages.total(), **dict(sorted(self.packages.items()))},
            "copies": {"checked": self.copies.total() - copies.get("skipped", 0), **copies},
            "stores": {"checked": self.stores.total(), **dict(sorted(self.stores.items()))},
            "objects": {"checked": self.objects.total(), **{part: self.objects[part] for part in PARTS}},
            "by_store": [
                {
                    "store": key[0],
                    "grade": key[1] or None,
                    "outcome": key[2],
                    "copies": count,
                    "bytes": self.amounts[key][0],
                    "seconds": round(self.amounts[key][1], 3),
                }
                for key, count in sorted(self.copies.items())
            ],
            "reasons": [
                {"outcome": word, "code": code, "rows": count, "first": self.sentences.get(code)}
                for (word, code), count in sorted(self.reasons.items())
            ],
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
        }

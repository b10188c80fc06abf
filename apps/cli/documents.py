"""The JSON documents that both the command and the API answer with: one place, so that they are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from apps.cli import shapes
from preservation.findings import Finding
from wording.translate import translate

if TYPE_CHECKING:
    from flows.auditing.due_plan import Planned
    from flows.standing import Page, Shown
    from flows.storing.lag import StoreLag
    from flows.storing.stores import StoreListed
    from preservation.catalog.incidents import Incident
    from preservation.catalog.runs import RunFact


def version_standing(seen: Shown, language: str) -> dict[str, Any]:
    """A version with its replicas, how it stands, why, what is due when, and what is open about its copies."""
    return {
        **shapes.version_json(seen.version),
        "standing": seen.standing.word.value,
        "reasons": [translate(reason, language) for reason in seen.standing.reasons],
        "replicas": [shapes.replica_json(replica) for replica in seen.replicas],
        "due": [
            {
                "store": due.store,
                "evidence": due.grade.value,
                "due_at": due.due_at.isoformat(),
                "overdue_at": due.overdue_at.isoformat(),
            }
            for due in seen.standing.due
        ],
        "incidents": [incident(each, language) for each in seen.incidents],
    }


def standing_page(word: str, page: Page, seen: list[Shown], language: str) -> dict[str, Any]:
    """The versions under a word, where the list goes on, and how many versions are not judged yet."""
    return {
        "standing": word,
        "versions": [version_standing(each, language) for each in seen],
        "next": page.next,
        "unjudged": page.unjudged,
    }


def run(each: RunFact) -> dict[str, Any]:
    """A run as the catalog remembers it, without its report."""
    return {
        "run": each.id,
        "flow": each.flow,
        "began": each.began_at.isoformat(),
        "ended": _iso(each.ended_at),
        "word": each.word,
        "verdict": each.verdict,
        "counts": each.counts,
        "report": each.report,
    }


def incident(found: Incident, language: str) -> dict[str, Any]:
    """An incident, its sentence in the language."""
    from flows.reporting.incidents import sentence

    return {
        "incident": found.id,
        "kind": found.kind,
        "message": translate(sentence(found), language),
        "identifier": found.identifier,
        "version": found.version,
        "store": found.store,
        "evidence": found.grade,
        "flow": found.flow,
        "first_seen": found.first_seen.isoformat(),
        "last_seen": found.last_seen.isoformat(),
        "times": found.times,
        "acknowledged_at": _iso(found.acknowledged_at),
        "acknowledged_by": found.acknowledged_by,
        "acknowledged_why": found.acknowledged_why,
        "closed_at": _iso(found.closed_at),
        "closed_why": found.closed_why,
    }


def planned(each: Planned) -> dict[str, Any]:
    """Today's share of one policy in one store at one grade."""
    return {
        "store": each.store,
        "evidence": each.grade.value,
        "policy": each.policy,
        "copies": each.copies,
        "early": each.early,
        "objects": each.objects,
        "bytes": int(each.use.bytes),
        "requests": int(each.use.requests),
        "money": round(each.use.money, 6),
        "currency": each.currency,
        "seconds": None if each.seconds is None else round(each.seconds),
        "waiting": each.waiting,
        "held": each.held,
        "paused": each.paused,
        "again": each.again.isoformat() if each.again is not None else None,
        "opens": each.opens.isoformat() if each.opens is not None else None,
        "next_due": each.next_due.isoformat() if each.next_due is not None else None,
    }


def stores(
    listed: Sequence[StoreListed], behind: Mapping[str, StoreLag], found: Sequence[Finding], language: str
) -> list[dict[str, Any]]:
    """The stores, how far each is behind, and what is to be said of each."""
    return [
        {
            **store.as_json(),
            "lag": behind[store.name].as_json(language),
            "findings": shapes.findings_json(
                [each for each in found if store.name in (each.path or "").split(", ")], language
            ),
        }
        for store in listed
    ]


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None

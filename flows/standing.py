"""How everything stands, in a few numbers: the one value that `vankho show` prints and a program is given.

Promises: versions whose rules have changed are judged again first, within a time; how many are left is said, and they
are in no count. Every share is a numerator and a denominator, and no speed is guessed where nothing was read.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flows.auditing.late import late_because
from flows.in_force import policy_in_force
from flows.storing.retire import Stranger, strangers
from flows.workspace import Workspace
from policies.standing import Standing, Word, standing
from preservation.catalog.counts import Count
from preservation.catalog.coverage import Coverage, Summary
from preservation.catalog.incidents import KINDS, UNREADABLE, Incident, counts, of_copies
from preservation.catalog.listing import Cursor
from preservation.errors import UsageError
from preservation.facts import AIPVersion, Grade, Replica
from wording import say

PATIENCE = 10.0  # seconds that a person waits while versions are judged again
PAGE = 100
WEEK = 7
ALL = "all"
WORDS = (*(word.value for word in Word), ALL)
GRAVE = (Word.DAMAGED, Word.OVERDUE)  # somebody has to act


@dataclass(frozen=True, slots=True)
class Overview:
    """The summary, and what it cannot tell.

    `late`: why copies are late, by (store, grade), how many for which reason (`throttled`, `away`, `failed`); whoever
    plans audits knows the reasons, without a plan there are none. `incidents`: how many are open, by (kind, whether
    acknowledged). `gone`: the stores with copies that the settings do not name.
    """

    summary: Summary
    late: Mapping[tuple[str, Grade], Mapping[str, int]] = field(default_factory=dict)
    incidents: Mapping[tuple[str, bool], int] = field(default_factory=dict)
    gone: Sequence[Stranger] = ()

    @property
    def kinds(self) -> dict[str, int]:
        """How many incidents of each kind are open, the most serious kind first."""
        return {kind: sum(self.incidents.get((kind, known), 0) for known in (True, False)) for kind in KINDS}

    @property
    def unacknowledged(self) -> int:
        """How many open incidents nobody has acknowledged."""
        return sum(number for (_, known), number in self.incidents.items() if not known)

    @property
    def grave(self) -> bool:
        """Whether something is damaged, overdue or cannot be read: a copy that cannot be read keeps its proof for a
        while, and its version its word.
        """
        return any(self.summary.words.get(word) for word in GRAVE) or bool(self.kinds[UNREADABLE])


@dataclass(frozen=True, slots=True)
class Page:
    """Versions under a word; `next` is where the next page begins, None at the end. While versions are `unjudged` by
    the policies as they are now, whether they are listed goes by the rules before.
    """

    versions: list[AIPVersion]
    next: str | None
    unjudged: int


def settle(workspace: Workspace, *, seconds: float = PATIENCE, batch: int = 500) -> int:
    """Judge versions (again) whose rules or clock have changed, for so many seconds; returns how many are left.

    To be run at the start of whatever asks for dues or standing. What was judged stays judged when it is interrupted.
    """
    left = workspace.catalog.unjudged(now=workspace.clock())
    if not left or seconds <= 0:
        return left
    begun = time.monotonic()
    workspace.progress.begin("judge", left)
    while time.monotonic() - begun < seconds:
        judged = workspace.catalog.judge_some(now=workspace.clock(), limit=batch)
        if not judged:
            break
        workspace.progress.advance(judged)
    return workspace.catalog.unjudged(now=workspace.clock())


def overview(
    workspace: Workspace,
    *,
    late: Mapping[tuple[str, Grade], Mapping[str, int]] | None = None,
    patience: float = PATIENCE,
) -> Overview:
    """How everything stands now. With no patience nothing is judged and nothing written. Raises PolicyError when a
    policy that versions go by cannot be read.
    """
    settle(workspace, seconds=patience)
    summary = workspace.catalog.standing(workspace.clock())
    for name in summary.policies:
        policy_in_force(workspace, name)
    if late is None:
        overdue = {(each.store, each.grade): each.overdue.number for each in summary.coverage}
        late = late_because(workspace, overdue=overdue)
    return Overview(summary, late, counts(workspace.catalog.database), strangers(workspace))


def page(
    workspace: Workspace, word: str, *, after: str | None = None, limit: int = PAGE, patience: float = PATIENCE
) -> Page:
    """One page of the versions under a word, or of all (ALL). Raises UsageError."""
    if word not in (*Word, ALL):
        raise UsageError(
            say("{word} is no standing.", word=word),
            expected=", ".join((*Word, ALL)),
            seen=word,
            next_step=say("Name one of these."),
        )
    left = settle(workspace, seconds=patience)
    place = None if after is None else _cursor(after)
    named, now = None if word == ALL else word, workspace.clock()
    found = workspace.catalog.versions_standing(named, now=now, after=place, limit=limit + 1)
    then = _spelt(found[limit - 1].cursor) if len(found) > limit else None
    return Page([each.version for each in found[:limit]], then, left)


@dataclass(frozen=True, slots=True)
class Shown:
    """A version with its copies, how it stands now by its own policy, and the open incidents of its copies."""

    version: AIPVersion
    replicas: list[Replica]
    standing: Standing
    incidents: list[Incident]

    @property
    def grave(self) -> bool:
        """As of the overview."""
        return self.standing.word in GRAVE or any(each.kind == UNREADABLE for each in self.incidents)


def shown(workspace: Workspace, versions: Sequence[AIPVersion]) -> list[Shown]:
    """Each of these versions, judged at this moment. Raises PolicyError, CatalogError."""
    policies = {name: policy_in_force(workspace, name) for name in {version.policy for version in versions}}
    stores, now = workspace.store_facts(), workspace.clock()
    held = workspace.catalog.replicas_of_each([(version.identifier, version.version) for version in versions])
    places = [(each.identifier, each.version, each.store) for replicas in held for each in replicas]
    troubles: dict[tuple[str | None, int | None], list[Incident]] = {}
    for each in of_copies(workspace.catalog.database, places):
        troubles.setdefault((each.identifier, each.version), []).append(each)
    return [
        Shown(
            version,
            replicas,
            standing(version, replicas, policy=policies[version.policy], stores=stores, now=now),
            troubles.get((version.identifier, version.version), []),
        )
        for version, replicas in zip(versions, held, strict=True)
    ]


def days_to_finish(coverage: Coverage) -> float | None:
    """How long what is due today takes at the speed of the last seven days: 0 when nothing is due, None when nothing
    was proved in them.
    """
    if not coverage.due_today.number:
        return 0.0
    if not coverage.week.bytes:
        return None
    return WEEK * coverage.due_today.bytes / coverage.week.bytes


def as_plain(seen: Overview) -> dict[str, Any]:
    """The overview as JSON tells it. Every word is there, with 0 where there is none."""
    summary = seen.summary
    return {
        "at": summary.at.isoformat(),
        "aips": summary.aips,
        "versions": summary.versions.number,
        "files": summary.versions.items,
        "bytes": summary.versions.bytes,
        "unjudged": summary.unjudged,
        "standing": {word.value: _versions(summary.words.get(word.value, Count())) for word in Word},
        "policies": {
            policy: {word.value: summary.by_policy.get((policy, word.value), Count()).number for word in Word}
            for policy in summary.policies
        },
        "coverage": [_coverage(each, seen.late.get((each.store, each.grade), {})) for each in summary.coverage],
        "waiting": [
            {
                "store": each.store,
                **{name: _copies(getattr(each, name)) for name in ("absent", "unproved", "damaged")},
                "oldest": _moment(each.oldest),
            }
            for each in summary.waiting
        ],
        "incidents": {"open": sum(seen.kinds.values()), "unacknowledged": seen.unacknowledged, "kinds": seen.kinds},
        "stores_not_in_settings": [{"store": each.store, "copies": each.copies} for each in seen.gone],
    }


def _coverage(each: Coverage, late: Mapping[str, int]) -> dict[str, Any]:
    counts = ("wanted", "in_time", "overdue", "new", "absent", "due_today", "day", "week")
    return {
        "store": each.store,
        "evidence": each.grade.value,
        **{name: _copies(getattr(each, name)) for name in counts},
        "oldest_proof": _moment(each.oldest_proof),
        "next_due": _moment(each.next_due),
        "days_to_finish": days_to_finish(each),
        "late_because": dict(late),
    }


def _versions(count: Count) -> dict[str, int]:
    return {"versions": count.number, "files": count.items, "bytes": count.bytes}


def _copies(count: Count) -> dict[str, int]:
    return {"copies": count.number, "objects": count.items, "bytes": count.bytes}


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _spelt(cursor: Cursor) -> str:
    return f"{cursor.at.isoformat()}/{cursor.version_id}"


def _cursor(text: str) -> Cursor:
    at, _, number = text.partition("/")
    try:
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError(text)
        return Cursor(moment, int(number))
    except ValueError:
        raise UsageError(
            say("{text} is no place in a list.", text=text),
            seen=text,
            next_step=say("Leave it out for the first page; each page names where the next one begins."),
        ) from None

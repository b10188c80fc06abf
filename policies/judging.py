"""Judgements for the catalog to keep: the standing of a version, its due dates and wanting copies, and how long the
judgement holds. The same functions decide as when somebody asks about one AIP.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import astuple
from datetime import datetime

from policies.model import Policy
from policies.replication import StoreFacts, wanted_stores
from policies.standing import SKEW, Word, is_damaged, is_proved, standing
from preservation.catalog.judging import (
    ABSENT,
    DAMAGED,
    NEVER,
    ONCE,
    UNPROVED,
    DueFact,
    Judge,
    Judged,
    VersionFacts,
    WantingFact,
)
from preservation.errors import PreservationError
from preservation.facts import Replica

RULES = 1  # goes up when the same facts and policy are judged otherwise than before


def judge_of(policies: Callable[[str], Policy], stores: Sequence[StoreFacts]) -> Judge:
    """The judge by these policies and stores of the settings. A policy is read once; of one that cannot be read
    (PreservationError) nothing is judged.
    """
    read: dict[str, tuple[Policy, str] | None] = {}

    def rules(name: str) -> tuple[Policy, str] | None:
        if name not in read:
            try:
                policy = policies(name)
            except PreservationError:
                read[name] = None
            else:
                read[name] = (policy, digest(policy, stores))
        return read[name]

    def digest_of(name: str) -> str | None:
        found = rules(name)
        return None if found is None else found[1]

    def judge(facts: VersionFacts) -> Judged:
        found = rules(facts.version.policy)
        assert found is not None
        return judged(facts, policy=found[0], digest=found[1], stores=stores)

    return Judge(digest_of, judge)


def digest(policy: Policy, stores: Sequence[StoreFacts]) -> str:
    """SHA-256 of all that a judgement depends on besides the facts: the same for two policies that judge alike."""
    plans = sorted(
        (store.name, grade.value, plan.interval, plan.grace)
        for store in stores
        for grade, plan in policy.audit.plans(store.name).items()
    )
    words = repr((RULES, astuple(policy.replication), plans, [astuple(store) for store in stores]))
    return hashlib.sha256(words.encode()).hexdigest()


def judged(facts: VersionFacts, *, policy: Policy, digest: str, stores: Sequence[StoreFacts]) -> Judged:
    """The judgement of one version at its moment."""
    found = standing(facts.version, facts.replicas, policy=policy, stores=stores, now=facts.now)
    held = {replica.store: replica for replica in facts.replicas}
    wanting = []
    for store in wanted_stores(policy, stores):
        state = _state(held.get(store), policy=policy, now=facts.now)
        if state is not None:
            wanting.append(WantingFact(store, state, tuple(policy.audit.plans(store))))
    valid_from, valid_until = _validity(facts.replicas, now=facts.now)
    return Judged(
        word=(Word.SAFE if found.word is Word.OVERDUE else found.word).value,
        policy_digest=digest,
        proved=found.proved,
        dues=tuple(DueFact(d.store, d.grade, d.due_at, d.overdue_at, d.proved_at) for d in found.due),
        wanting=tuple(wanting),
        valid_from=valid_from,
        valid_until=valid_until,
    )


def _state(replica: Replica | None, *, policy: Policy, now: datetime) -> str | None:
    if replica is None:
        return ABSENT
    if is_damaged(replica, now=now):
        return DAMAGED
    return None if is_proved(replica, policy=policy, now=now) else UNPROVED


def _validity(replicas: Sequence[Replica], *, now: datetime) -> tuple[datetime, datetime]:
    """From when until when the clock may stand for the judgement to hold: after the last time that counted, before
    the first that did not count because it lay in the future.
    """
    proofs = [evidence.at for replica in replicas for evidence in replica.evidence.values()]
    times = [*proofs, *(replica.claimed_at for replica in replicas)]
    counted = [at if at <= now else now for at in times]
    ahead = [at - SKEW for at in proofs if at > now + SKEW]
    return max(counted) - SKEW if counted else ONCE, min(ahead, default=NEVER)

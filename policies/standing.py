"""The standing of an AIP version, and when each of its copies must be proved again.

Computed from replicas, evidence and policy whenever somebody asks; it is stored nowhere. Evidence of a stronger
grade answers for a weaker one (whoever read every byte also saw that the object is there), never the other way
round. A proof dated in the future proves nothing: a clock was wrong, and the copy is due now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from policies.model import AuditPlan, Policy
from policies.replication import StoreFacts, missing_copies, one_place, undecided, unseparated, wanted_stores
from preservation.facts import AIPVersion, Evidence, Grade, Outcome, Replica
from wording import Message, say
from wording.times import moment

AIM = 0.85  # audits aim at this part of the interval, so that the load is level and nobody waits longer
SKEW = timedelta(minutes=5)  # how far the clocks of two machines may lie apart

_WEAKEST_FIRST = (Grade.PRESENCE, Grade.PROVIDER, Grade.BYTES)
_AT_LEAST = {grade: _WEAKEST_FIRST[place:] for place, grade in enumerate(_WEAKEST_FIRST)}


class Word(StrEnum):
    """The standing in one word, from the best to the worst."""

    SAFE = "safe"
    OVERDUE = "overdue"
    UNKNOWN = "unknown"
    UNDER_REPLICATED = "under-replicated"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Due:
    """When one copy must be proved again at one grade. `proved_at` is the last proof that counts, if any."""

    store: str
    grade: Grade
    due_at: datetime
    overdue_at: datetime
    proved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """`reasons` say why, the weightiest first; they may be there for a safe one too. `proved` counts the copies
    that count, `due` is every wanted copy's next audit.
    """

    word: Word
    reasons: tuple[Message, ...]
    proved: int
    due: tuple[Due, ...]


def standing(
    version: AIPVersion, replicas: Sequence[Replica], *, policy: Policy, stores: Sequence[StoreFacts], now: datetime
) -> Standing:
    """The standing of one AIP version at the moment `now`; replicas of other versions are passed over."""
    own = [each for each in replicas if (each.identifier, each.version) == (version.identifier, version.version)]
    known = {store.name: store for store in stores}
    here = [replica for replica in own if replica.store in known]
    wanted = set(wanted_stores(policy, stores))
    counted = [each for each in here if each.store in wanted and is_proved(each, policy=policy, now=now)]
    reasons: list[tuple[Word, Message]] = [
        *_damage(here, now=now),
        *_too_few(policy, stores, own, counted),
        *_unproved([each for each in here if each.store in wanted], policy=policy, now=now),
    ]
    plan = due(replicas=own, policy=policy, stores=stores, now=now)
    reasons += [(Word.OVERDUE, _lateness(each)) for each in plan if now > each.overdue_at]
    reasons.sort(key=lambda reason: -list(Word).index(reason[0]))
    return Standing(
        word=reasons[0][0] if reasons else Word.SAFE,
        reasons=(
            *(message for _, message in reasons),
            *_in_doubt(policy, [store for store in stores if store.name in {each.store for each in counted}]),
            *_elsewhere(own, known, wanted),
        ),
        proved=len(counted),
        due=tuple(plan),
    )


def due(*, replicas: Sequence[Replica], policy: Policy, stores: Sequence[StoreFacts], now: datetime) -> list[Due]:
    """The next audit of every replica in a wanted store, for each grade the policy audits there, the most
    urgent first. Nothing here is later than one interval after the last proof that counts.
    """
    wanted = set(wanted_stores(policy, stores))
    plan = [
        _next(replica, grade, audit, now=now)
        for replica in replicas
        if replica.store in wanted
        for grade, audit in policy.audit.plans(replica.store).items()
    ]
    return sorted(plan, key=lambda each: (each.due_at, each.store, each.grade))


def is_proved(replica: Replica, *, policy: Policy, now: datetime) -> bool:
    """Whether a copy counts: the proof the policy asks for is there, intact, and no damage is known."""
    return _proved_at(replica, policy.replication.proof, now=now) is not None and not is_damaged(replica, now=now)


def is_damaged(replica: Replica, *, now: datetime) -> bool:
    """Whether damage was found and nothing at least as strong has found the copy intact since."""
    for evidence in replica.evidence.values():  # a plain loop: almost all evidence is intact, and there are millions
        if evidence.outcome is Outcome.DAMAGED and not any(
            better.at > evidence.at for better in _intact(replica, evidence.grade, now=now)
        ):
            return True
    return False


def _intact(replica: Replica, grade: Grade, *, now: datetime) -> Iterator[Evidence]:
    """The evidence of this grade and of stronger ones that is intact and not from the future."""
    for each in _AT_LEAST[grade]:
        evidence = replica.evidence.get(each)
        if evidence is not None and evidence.outcome is Outcome.INTACT and evidence.at <= now + SKEW:
            yield evidence


def _proved_at(replica: Replica, grade: Grade, *, now: datetime) -> datetime | None:
    last = max((evidence.at for evidence in _intact(replica, grade, now=now)), default=None)
    return None if last is None else min(last, now)


def _next(replica: Replica, grade: Grade, audit: AuditPlan, *, now: datetime) -> Due:
    proved_at = _proved_at(replica, grade, now=now)
    last = replica.evidence.get(grade)
    if proved_at is None:
        claimed_at = min(replica.claimed_at, now)
        return Due(replica.store, grade, claimed_at, claimed_at + audit.grace, None)
    overdue_at = proved_at + audit.interval + audit.grace
    if last is not None and last.outcome is not Outcome.INTACT and last.at > proved_at:
        return Due(replica.store, grade, min(last.at, now, proved_at + audit.interval * AIM), overdue_at, proved_at)
    return Due(replica.store, grade, proved_at + audit.interval * AIM, overdue_at, proved_at)


def _damage(replicas: Sequence[Replica], *, now: datetime) -> Iterator[tuple[Word, Message]]:
    for replica in replicas:
        if is_damaged(replica, now=now):
            yield Word.DAMAGED, say("The copy in {store} is damaged.", store=replica.store)


def _too_few(
    policy: Policy, stores: Sequence[StoreFacts], replicas: Sequence[Replica], counted: Sequence[Replica]
) -> Iterator[tuple[Word, Message]]:
    wanted = wanted_stores(policy, stores)
    held = {replica.store for replica in replicas}
    for store in missing_copies(policy, stores, replicas):
        yield Word.UNDER_REPLICATED, say("There is no copy in {store}.", store=store)
    present = [store for store in stores if store.name in wanted and store.name in held]
    if len(present) < policy.replication.copies:
        message = say(
            "The policy asks for {copies} copies; there are {there}.",
            copies=policy.replication.copies,
            there=len(present),
        )
        yield Word.UNDER_REPLICATED, message
    elif len(counted) < policy.replication.copies:
        message = say(
            "The policy asks for {copies} proved copies; {proved} are proved.",
            copies=policy.replication.copies,
            proved=len(counted),
        )
        yield Word.UNKNOWN, message
    for attribute in unseparated(policy, present):
        message = say(
            "The copies lie too close together: the policy asks for {least} different places by `{attribute}`.",
            least=policy.replication.separation.least,
            attribute=attribute,
        )
        yield Word.UNDER_REPLICATED, message
    if unseparated(policy, present):
        for names in one_place(present):
            message = say(
                "{stores} are not two places: one service used with one credential, or one folder inside another.",
                stores=", ".join(names),
            )
            yield Word.UNDER_REPLICATED, message


def _unproved(replicas: Sequence[Replica], *, policy: Policy, now: datetime) -> Iterator[tuple[Word, Message]]:
    for replica in replicas:
        if is_proved(replica, policy=policy, now=now) or is_damaged(replica, now=now):
            continue
        last = replica.evidence.get(policy.replication.proof)
        if last is None:
            message = say("The copy in {store} has never been proved.", store=replica.store)
        elif last.outcome is Outcome.UNREADABLE:
            message = say(
                "The copy in {store} could not be read; that is no evidence of damage.", store=replica.store
            )
        else:
            message = say(
                "The proof of the copy in {store} bears a time in the future ({at}); a clock was wrong.",
                store=replica.store,
                at=moment(last.at),
            )
        yield Word.UNKNOWN, message


def _lateness(late: Due) -> Message:
    """Why a copy is overdue. That a store was away or a budget spent is known to the catalog, not here."""
    match late.grade, late.proved_at is None:
        case Grade.BYTES, True:
            return say("The bytes of the copy in {store} were to be read by {at} and never were.", **_gaps(late))
        case Grade.BYTES, False:
            return say("The bytes of the copy in {store} were to be read again by {at}.", **_gaps(late))
        case Grade.PROVIDER, _:
            return say("The provider's checksums of the copy in {store} were to be compared by {at}.", **_gaps(late))
        case _:
            return say("The presence of the copy in {store} was to be checked by {at}.", **_gaps(late))


def _gaps(late: Due) -> dict[str, str]:
    return {"store": late.store, "at": moment(late.overdue_at)}


def _in_doubt(policy: Policy, stores: Sequence[StoreFacts]) -> Iterator[Message]:
    for attribute, names in undecided(policy, stores).items():
        yield say(
            "The settings do not say the `{attribute}` of {stores}, so whether the copies lie far enough apart "
            "cannot be told.",
            attribute=attribute,
            stores=", ".join(names),
        )


def _elsewhere(replicas: Sequence[Replica], known: Mapping[str, StoreFacts], wanted: set[str]) -> Iterator[Message]:
    for replica in replicas:
        if replica.store not in known:
            yield say(
                "The settings have no store {store} any more, yet a copy is recorded there; it counts for nothing.",
                store=replica.store,
            )
        elif replica.store not in wanted:
            yield say("There is also a copy in {store}, where the policy wants none.", store=replica.store)

"""What must hold for every standing and every due date, whatever the facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.model import Audit, AuditPlan, Policy, Separation
from policies.standing import SKEW, Word, due, is_proved, standing
from preservation.facts import Evidence, Grade, Outcome, Replica
from tests.policies.facts import NOW, STORES, VERSION, default_policy

STRENGTH = [Grade.PRESENCE, Grade.PROVIDER, Grade.BYTES]
minutes = st.integers(min_value=-400 * 1440, max_value=400 * 1440).map(lambda count: timedelta(minutes=count))
lengths = st.integers(min_value=1, max_value=400 * 1440).map(lambda count: timedelta(minutes=count))
plans = st.builds(AuditPlan, interval=lengths, grace=lengths | st.just(timedelta(0)))
grades = st.dictionaries(st.sampled_from(Grade), plans)
separations = st.builds(
    Separation,
    by=st.lists(st.sampled_from(["provider", "region", "medium"]), unique=True).map(tuple),
    least=st.integers(1, 3),
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    copies = draw(st.integers(1, 4))
    policy = default_policy(
        copies=copies,
        floor=draw(st.integers(1, copies)),
        proof=draw(st.sampled_from([Grade.BYTES, Grade.PROVIDER])),
        separation=draw(separations),
        stores=draw(
            st.none() | st.lists(st.sampled_from([s.name for s in STORES]), unique=True, min_size=1).map(tuple)
        ),
    )
    return replace(policy, audit=Audit(draw(grades), draw(st.dictionaries(st.sampled_from(["cloud-a"]), grades))))


@st.composite
def copies(draw: st.DrawFn) -> list[Replica]:
    found = []
    for store in draw(st.lists(st.sampled_from(["primary", "cloud-a", "cloud-b", "gone"]), unique=True)):
        evidence = {
            grade: Evidence("aip-1", 1, store, grade, draw(st.sampled_from(Outcome)), NOW + draw(minutes))
            for grade in draw(st.sets(st.sampled_from(Grade)))
        }
        found.append(Replica("aip-1", 1, store, NOW + draw(minutes), evidence))
    return found


def word(replicas: list[Replica], policy: Policy, now: datetime = NOW) -> Word:
    return standing(VERSION, replicas, policy=policy, stores=STORES, now=now).word


def badness(of: Word) -> int:
    return list(Word).index(of)


def counting(replica: Replica, grade: Grade) -> list[datetime]:
    """When the proofs were made that count for this grade: as strong, intact, not from the future."""
    return [
        evidence.at
        for each, evidence in replica.evidence.items()
        if evidence.outcome is Outcome.INTACT
        and evidence.at <= NOW + SKEW
        and STRENGTH.index(each) >= STRENGTH.index(grade)
    ]


many = settings(max_examples=150, deadline=None)


@many
@given(copies(), policies())
def test_more_copies_wanted_never_makes_a_worse_standing_better(replicas: list[Replica], policy: Policy) -> None:
    more = replace(policy, replication=replace(policy.replication, copies=policy.replication.copies + 1))
    assert badness(word(replicas, more)) >= badness(word(replicas, policy))


@many
@given(copies(), policies(), st.sampled_from(["primary", "cloud-a", "cloud-b"]))
def test_a_better_proof_never_makes_a_standing_worse(replicas: list[Replica], policy: Policy, store: str) -> None:
    proved = [
        replace(each, evidence={grade: Evidence("aip-1", 1, store, grade, Outcome.INTACT, NOW) for grade in Grade})
        if each.store == store
        else each
        for each in replicas
    ]
    assert badness(word(proved, policy)) <= badness(word(replicas, policy))


@many
@given(copies(), policies(), st.sampled_from(Grade), lengths)
def test_a_shorter_interval_never_makes_a_due_date_later(
    replicas: list[Replica], policy: Policy, grade: Grade, shorter: timedelta
) -> None:
    def tightened(plan: dict[Grade, AuditPlan]) -> dict[Grade, AuditPlan]:
        return {
            each: replace(audit, interval=min(audit.interval, shorter)) if each is grade else audit
            for each, audit in plan.items()
        }

    tight = replace(
        policy,
        audit=Audit(
            tightened(dict(policy.audit.defaults)), {s: tightened(dict(p)) for s, p in policy.audit.stores.items()}
        ),
    )

    def dates(of: Policy) -> dict[tuple[str, Grade], datetime]:
        return {(e.store, e.grade): e.due_at for e in due(replicas=replicas, policy=of, stores=STORES, now=NOW)}

    before, after = dates(policy), dates(tight)
    assert before.keys() == after.keys()
    assert all(after[key] <= before[key] for key in before)


@many
@given(copies(), policies())
def test_nobody_waits_longer_than_the_interval(replicas: list[Replica], policy: Policy) -> None:
    held = {each.store: each for each in replicas}
    for each in due(replicas=replicas, policy=policy, stores=STORES, now=NOW):
        audit = policy.audit.plans(each.store)[each.grade]
        last = max(counting(held[each.store], each.grade), default=held[each.store].claimed_at)
        assert each.due_at <= min(last, NOW) + audit.interval
        assert each.overdue_at >= min(last, NOW) + audit.grace


@many
@given(copies(), policies(), st.integers(1, 10**6))
def test_a_proof_from_the_future_makes_a_copy_due_now(replicas: list[Replica], policy: Policy, ahead: int) -> None:
    later = NOW + SKEW + timedelta(minutes=ahead)
    dreamt = [
        replace(each, evidence={g: replace(e, at=later, outcome=Outcome.INTACT) for g, e in each.evidence.items()})
        for each in replicas
    ]
    assert all(each.due_at <= NOW for each in due(replicas=dreamt, policy=policy, stores=STORES, now=NOW))
    assert word(dreamt, policy) is not Word.SAFE


@many
@given(copies(), policies())
def test_safe_means_a_proof_in_time_for_every_wanted_copy(replicas: list[Replica], policy: Policy) -> None:
    found = standing(VERSION, replicas, policy=policy, stores=STORES, now=NOW)
    if found.word is not Word.SAFE:
        assert found.reasons
        return
    held = {each.store: each for each in replicas}
    wanted = policy.replication.stores or tuple(store.name for store in STORES)
    assert found.proved >= policy.replication.copies
    for store in wanted:
        assert is_proved(held[store], policy=policy, now=NOW)
        for grade, audit in policy.audit.plans(store).items():
            newest = max(
                e.at for e in held[store].evidence.values() if e.outcome is Outcome.INTACT and e.at <= NOW + SKEW
            )
            assert newest + audit.interval + audit.grace >= NOW, grade


@many
@given(copies(), policies(), lengths)
def test_time_alone_never_makes_a_standing_better(replicas: list[Replica], policy: Policy, later: timedelta) -> None:
    past = [
        replace(
            each,
            claimed_at=min(each.claimed_at, NOW),
            evidence={g: replace(e, at=min(e.at, NOW)) for g, e in each.evidence.items()},
        )
        for each in replicas
    ]
    assert badness(word(past, policy, NOW + later)) >= badness(word(past, policy))

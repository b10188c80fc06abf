"""What mutation testing found unguarded in the standing: moments that are just reached, and what is said of each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from policies.model import AuditPlan, Policy
from policies.replication import StoreFacts, distinct
from policies.standing import AIM, SKEW, Due, due, is_damaged, is_proved, standing
from preservation.facts import Grade, Replica
from tests.policies.facts import NOW, STORES, VERSION, default_policy, replica

DAY = timedelta(days=1)
ZERO = timedelta(0)
PLAN = AuditPlan(interval=timedelta(days=90), grace=timedelta(days=14))


def auditing(grade: Grade, **replication: object) -> Policy:
    """The built-in policy, auditing one grade alone."""
    policy = default_policy(**replication)
    return replace(policy, audit=replace(policy.audit, defaults={grade: PLAN}, stores={}))


def next_of(copy: Replica, grade: Grade) -> Due:
    (found,) = due(replicas=[copy], policy=auditing(grade), stores=STORES, now=NOW)
    return found


def test_a_copy_is_overdue_only_after_the_last_moment() -> None:
    for age, word in ((timedelta(days=104), "safe"), (timedelta(days=104, microseconds=1), "overdue")):
        copies = [replica(store.name, bytes=age) for store in STORES]
        assert standing(VERSION, copies, policy=auditing(Grade.BYTES), stores=STORES, now=NOW).word == word


def test_a_proof_of_the_same_moment_does_not_undo_damage() -> None:
    assert is_damaged(replica("primary", presence=(DAY, "damaged"), bytes=DAY), now=NOW)
    later = DAY - timedelta(microseconds=1)
    assert not is_damaged(replica("primary", presence=(DAY, "damaged"), bytes=later), now=NOW)


def test_a_proof_counts_up_to_the_allowed_skew_of_clocks() -> None:
    policy = default_policy()
    assert is_proved(replica("primary", bytes=-SKEW), policy=policy, now=NOW)
    assert not is_proved(replica("primary", bytes=-SKEW - timedelta(microseconds=1)), policy=policy, now=NOW)


def test_what_could_not_be_read_is_due_from_that_moment_on() -> None:
    unread = next_of(replica("primary", presence=(DAY, "unreadable"), bytes=timedelta(days=10)), Grade.PRESENCE)
    assert unread.due_at == NOW - DAY
    assert unread.proved_at == NOW - timedelta(days=10)
    assert unread.overdue_at == NOW + timedelta(days=94)


def test_what_could_not_be_read_in_the_future_is_due_now() -> None:
    unread = next_of(replica("primary", presence=(-DAY, "unreadable"), bytes=timedelta(days=10)), Grade.PRESENCE)
    assert unread.due_at == NOW


def test_what_could_not_be_read_at_the_moment_of_a_stronger_proof_waits_for_its_turn() -> None:
    at_once = next_of(replica("primary", presence=(DAY, "unreadable"), bytes=DAY), Grade.PRESENCE)
    assert at_once.due_at == NOW - DAY + PLAN.interval * AIM


REASONS = {
    (Grade.BYTES, False): "The bytes of the copy in primary were to be read by 20/11/2026 12:30 and never were.",
    (Grade.BYTES, True): "The bytes of the copy in primary were to be read again by 20/11/2026 12:30.",
    (
        Grade.PROVIDER,
        True,
    ): "The provider's checksums of the copy in primary were to be compared by 20/11/2026 12:30.",
    (Grade.PRESENCE, True): "The presence of the copy in primary was to be checked by 20/11/2026 12:30.",
}


@pytest.fixture
def in_honolulu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock shows another zone: reasons speak of the time in Viet Nam all the same."""
    monkeypatch.setenv("TZ", "Pacific/Honolulu")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("grade", "proved"), list(REASONS))
@pytest.mark.usefixtures("in_honolulu")
def test_how_a_late_audit_is_told(grade: Grade, proved: bool) -> None:
    late = timedelta(days=2, hours=6, minutes=30)
    if proved:
        copy = replica("primary", **{grade.value: PLAN.interval + PLAN.grace + late})
    else:
        copy = replica("primary", claimed=PLAN.grace + late)
    policy = auditing(grade, copies=1, stores=("primary",), proof=Grade.PROVIDER)
    policy = replace(policy, replication=replace(policy.replication, separation=replace(_separation(policy), by=())))
    found = standing(VERSION, [copy], policy=policy, stores=STORES[:1], now=NOW)
    assert REASONS[grade, proved] in [str(reason) for reason in found.reasons]


def _separation(policy: Policy):
    return policy.replication.separation


def test_the_number_of_copies_is_told() -> None:
    found = standing(VERSION, [replica("primary", bytes=ZERO)], policy=default_policy(), stores=STORES, now=NOW)
    assert "The policy asks for 3 copies; there are 1." in [str(reason) for reason in found.reasons]


def test_an_empty_word_is_no_place() -> None:
    stores = [StoreFacts("a", region="north"), StoreFacts("b"), StoreFacts("c", region="north")]
    assert distinct(stores, "region") == {"north"}
    assert distinct(stores, "medium") == set()

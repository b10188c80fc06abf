"""The standing of an AIP version and the next audits, from replicas, evidence and policy."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from policies.judging import digest
from policies.load import load_policy
from policies.model import AuditPlan, Policy, Separation
from policies.release import may_release
from policies.replication import StoreFacts, apart, missing_copies, wanted_stores
from policies.standing import Due, Standing, due, standing
from preservation.facts import Grade, Replica
from tests.policies.facts import NOW, STORES, VERSION, default_policy, replica

DAY = timedelta(days=1)
NEVER_AGAIN = {Grade.BYTES: AuditPlan(timedelta(days=90), timedelta(days=14))}


def judge(*replicas: Replica, policy: Policy | None = None, stores: tuple[StoreFacts, ...] = STORES) -> Standing:
    return standing(VERSION, replicas, policy=policy or default_policy(), stores=stores, now=NOW)


def three(**proofs: timedelta | tuple[timedelta, str]) -> list[Replica]:
    """Two good copies, and one with these proofs."""
    return [
        replica("primary", bytes=DAY),
        replica("cloud-a", bytes=DAY),
        replica("cloud-b", **proofs),
    ]


def test_three_proved_copies_in_time_are_safe() -> None:
    found = judge(*three(bytes=DAY))
    assert (found.word, found.reasons, found.proved) == ("safe", (), 3)


def test_no_copy_at_all() -> None:
    found = judge()
    assert found.word == "under-replicated"
    assert len(found.reasons) == 5  # three stores without one, the number, and the separation


def test_a_missing_copy_is_named() -> None:
    found = judge(*three(bytes=DAY)[:2])
    assert found.word == "under-replicated"
    assert "There is no copy in cloud-b." in [str(reason) for reason in found.reasons]


def test_a_copy_that_was_never_proved_counts_for_nothing() -> None:
    found = judge(*three())
    assert (found.word, found.proved) == ("unknown", 2)
    assert [str(reason) for reason in found.reasons[:2]] == [
        "The policy asks for 3 proved copies; 2 are proved.",
        "The copy in cloud-b has never been proved.",
    ]


@pytest.mark.parametrize("weaker", ["provider", "presence"])
def test_weaker_evidence_does_not_stand_for_bytes(weaker: str) -> None:
    found = judge(*three(**{weaker: DAY}))
    assert (found.word, found.proved) == ("unknown", 2)


def test_the_policy_may_be_content_with_the_providers_checksum() -> None:
    policy = default_policy(proof=Grade.PROVIDER)
    policy = replace(policy, audit=replace(policy.audit, defaults={}))
    assert judge(*three(provider=DAY), policy=policy).word == "safe"
    assert judge(*three(presence=DAY), policy=policy).word == "unknown"
    assert judge(*three(bytes=DAY), policy=policy).word == "safe"


def test_unreadable_is_no_evidence_of_damage() -> None:
    found = judge(*three(bytes=(DAY, "unreadable")))
    assert found.word == "unknown"
    assert "no evidence of damage" in str(found.reasons)


@pytest.mark.parametrize("grade", ["bytes", "provider", "presence"])
def test_damage_at_any_grade_is_damage(grade: str) -> None:
    found = judge(*three(bytes=timedelta(days=5)) if grade != "bytes" else three(), policy=default_policy())
    assert found.word != "damaged"
    evidence = {"bytes": timedelta(days=5), grade: (DAY, "damaged")}
    found = judge(*three(**evidence))  # type: ignore[arg-type]
    assert found.word == "damaged"
    assert str(found.reasons[0]) == "The copy in cloud-b is damaged."
    assert found.proved == 2


def test_damage_is_over_when_something_as_strong_found_the_copy_intact_since() -> None:
    assert judge(*three(presence=(timedelta(days=5), "damaged"), bytes=DAY)).word == "safe"
    assert judge(*three(bytes=(timedelta(days=5), "damaged"), presence=DAY)).word == "damaged"
    assert judge(*three(provider=(DAY, "damaged"), bytes=timedelta(days=5))).word == "damaged"


def test_a_damaged_copy_where_the_policy_wants_none_is_still_damage() -> None:
    policy = default_policy(stores=("primary", "cloud-a"), copies=2)
    found = judge(*three(bytes=(DAY, "damaged")), policy=policy)
    assert found.word == "damaged"


def test_a_late_copy_is_overdue_only_after_interval_and_grace() -> None:
    assert judge(*three(bytes=timedelta(days=103), presence=DAY)).word == "safe"
    found = judge(*three(bytes=timedelta(days=105), presence=DAY))
    assert found.word == "overdue"
    assert "cloud-b" in str(found.reasons[0])
    assert "21/11/2026 19:00" in str(found.reasons[0])
    assert found.proved == 3


def test_each_grade_has_its_own_lateness() -> None:
    found = judge(*three(bytes=timedelta(days=30), presence=timedelta(days=15)))
    assert found.word == "overdue"
    assert "presence" in str(found.reasons[0])


def test_reading_the_bytes_also_answers_whether_the_copy_is_there() -> None:
    assert judge(*three(bytes=DAY, presence=timedelta(days=300))).word == "safe"


def test_a_proof_from_the_future_proves_nothing() -> None:
    found = judge(*three(bytes=timedelta(days=-3)))
    assert (found.word, found.proved) == ("unknown", 2)
    assert "future" in str(found.reasons)
    assert judge(*three(bytes=timedelta(minutes=-2))).word == "safe"  # the clocks of two machines


def test_copies_side_by_side_are_too_few() -> None:
    one_place = tuple(replace(store, region="site-1") for store in STORES)
    found = judge(*three(bytes=DAY), stores=one_place)
    assert found.word == "under-replicated"
    assert "`region`" in str(found.reasons[0])
    policy = default_policy(separation=Separation((), 2))
    assert judge(*three(bytes=DAY), stores=one_place, policy=policy).word == "safe"


def test_regions_that_the_settings_do_not_name_are_doubt_and_not_a_verdict() -> None:
    nameless = tuple(replace(store, region="") for store in STORES)
    seen = judge(*three(bytes=DAY), stores=nameless)
    assert seen.word == "safe"
    assert any("cannot be told" in str(reason) for reason in seen.reasons)


def test_one_place_for_all_copies_is_too_close_whatever_else_is_not_said() -> None:
    close = tuple(replace(store, region="site-1") for store in STORES)
    assert judge(*three(bytes=DAY), stores=close).word == "under-replicated"


def test_a_store_removed_from_the_settings_is_named_and_counts_for_nothing() -> None:
    found = judge(*three(bytes=DAY), stores=STORES[:2], policy=default_policy(copies=2))
    assert found.word == "safe"
    assert "no store cloud-b any more" in str(found.reasons[0])
    assert judge(*three(bytes=DAY), stores=STORES[:2]).word == "under-replicated"


def test_a_copy_beyond_the_policy_is_named() -> None:
    found = judge(*three(bytes=DAY), policy=default_policy(stores=("primary", "cloud-a"), copies=2))
    assert (found.word, found.proved) == ("safe", 2)
    assert "where the policy wants none" in str(found.reasons[0])
    assert {each.store for each in found.due} == {"primary", "cloud-a"}


def test_the_worst_reason_comes_first() -> None:
    found = judge(replica("primary", bytes=(DAY, "damaged")), replica("cloud-a", bytes=timedelta(days=200)))
    assert found.word == "damaged"
    assert "damaged" in str(found.reasons[0])
    assert "were to be read again" in str(found.reasons[-1])


def test_replicas_of_other_versions_do_not_count() -> None:
    other = [replace(each, version=2) for each in three(bytes=DAY)]
    assert judge(*other).word == "under-replicated"


def plan(*replicas: Replica, policy: Policy | None = None) -> dict[tuple[str, Grade], Due]:
    found = due(replicas=replicas, policy=policy or default_policy(), stores=STORES, now=NOW)
    assert found == sorted(found, key=lambda each: each.due_at)
    return {(each.store, each.grade): each for each in found}


def test_a_copy_is_due_at_85_per_cent_of_the_interval() -> None:
    found = plan(replica("primary", bytes=timedelta(days=10)))[("primary", Grade.BYTES)]
    assert found.due_at == NOW + timedelta(days=66.5)
    assert found.overdue_at == NOW + timedelta(days=94)
    assert found.proved_at == NOW - timedelta(days=10)


def test_a_copy_never_proved_is_due_since_it_was_claimed() -> None:
    found = plan(replica("primary", claimed=timedelta(days=20)))[("primary", Grade.BYTES)]
    assert found.due_at == NOW - timedelta(days=20)
    assert found.overdue_at == NOW - timedelta(days=6)


def test_a_copy_that_could_not_be_read_is_due_at_once() -> None:
    found = plan(replica("primary", bytes=timedelta(days=3), presence=(DAY, "unreadable")))
    assert found[("primary", Grade.PRESENCE)].due_at <= NOW
    assert found[("primary", Grade.PRESENCE)].overdue_at > NOW
    assert found[("primary", Grade.BYTES)].due_at > NOW


def test_a_grade_that_is_never_audited_is_never_due() -> None:
    assert {grade for _, grade in plan(*three(bytes=DAY))} == {Grade.BYTES, Grade.PRESENCE}


def test_a_store_with_its_own_plan() -> None:
    policy = load_policy("default")
    own = {Grade.PROVIDER: AuditPlan(timedelta(days=100))}
    policy = replace(policy, audit=replace(policy.audit, stores={"cloud-a": own}))
    found = plan(*three(bytes=DAY), policy=policy)
    assert {grade for store, grade in found if store == "cloud-a"} == {Grade.PROVIDER}
    assert found[("cloud-a", Grade.PROVIDER)].due_at == NOW + timedelta(days=84)


def test_a_time_far_ahead_overflows_nothing() -> None:
    replicas = three(bytes=timedelta(days=-2_900_000))
    assert judge(*replicas).word == "unknown"
    assert all(each.due_at <= NOW for each in plan(replicas[2]).values())


def test_wanted_stores_and_missing_copies() -> None:
    policy = default_policy(stores=("cloud-b", "primary", "absent"))
    assert wanted_stores(policy, STORES) == ("primary", "cloud-b")
    assert missing_copies(policy, STORES, [replica("primary")]) == ("cloud-b",)
    assert missing_copies(default_policy(), STORES, []) == ("primary", "cloud-a", "cloud-b")


def test_the_staged_bag_may_go_when_the_floor_is_met() -> None:
    policy = default_policy(floor=2)
    assert not may_release(policy, [], STORES)
    assert not may_release(policy, three()[1:], STORES)
    assert not may_release(policy, [replica("primary", bytes=DAY), replica("cloud-a", provider=DAY)], STORES)
    assert not may_release(
        policy, [replica("primary", bytes=DAY), replica("cloud-a", bytes=(DAY, "damaged"))], STORES
    )
    assert not may_release(policy, [replica("primary", bytes=DAY)] * 2, STORES)
    assert may_release(policy, three()[:2], STORES)
    assert may_release(policy, [replica("primary", bytes=timedelta(days=900)), replica("cloud-a", bytes=DAY)], STORES)


def test_a_copy_that_counts_for_nothing_lets_no_bag_go() -> None:
    assert not may_release(default_policy(floor=2), three()[:2], STORES[:1]), "the settings lost a store"
    assert not may_release(default_policy(floor=2, stores=("primary",)), three()[:2], STORES), "not wanted there"


ONE_SERVICE = (STORES[0], replace(STORES[1], place="cloud-a"), replace(STORES[2], place="cloud-a"))


@pytest.mark.parametrize(
    ("by", "least", "stores", "word"),
    [
        (("region",), 2, ONE_SERVICE, "safe"),  # the library's own, and either of the two
        (("region",), 3, ONE_SERVICE, "under-replicated"),
        (("region",), 3, STORES, "safe"),
        (("region",), 2, ONE_SERVICE[1:], "under-replicated"),
        (("region", "provider"), 2, STORES[1:], "safe"),
        (("medium",), 2, STORES[1:], "under-replicated"),
        ((), 1, ONE_SERVICE[1:], "safe"),  # nobody asks
    ],
)
def test_stores_that_are_one_place_are_one(
    by: tuple[str, ...], least: int, stores: tuple[StoreFacts, ...], word: str
) -> None:
    """Whatever regions the settings give them."""
    policy = default_policy(copies=len(stores), separation=Separation(by=by, least=least))
    seen = judge(*(replica(each.name, bytes=DAY) for each in stores), policy=policy, stores=stores)
    assert seen.word == word, seen.reasons
    said = any("cloud-a, cloud-b are not two places" in str(each) for each in seen.reasons)
    assert said is (word != "safe" and stores != STORES[1:])
    assert (digest(policy, stores) == digest(policy, STORES[-len(stores) :])) is (stores == STORES[-len(stores) :])


def test_a_place_counts_once_with_whichever_of_its_values_fits() -> None:
    one = StoreFacts("one", region="north", place="one")
    two = StoreFacts("two", region="south", place="one")
    assert apart([one, two, StoreFacts("three", region="north")], "region") == 2
    assert apart([one, two, StoreFacts("three", region="north"), StoreFacts("four", region="north")], "region") == 2
    assert apart([one, two, StoreFacts("three")], "region") == 2
    assert apart([one, StoreFacts("three", region="north"), StoreFacts("four")], "region") == 2

"""From policies to deployments: the same policies give the same, one change gives one change."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from policies.load import load_policy
from policies.model import Policy
from policies.replication import StoreFacts
from policies.schedules import Collision, CronLine, Wanted, wanted_deployments

DEFAULT = load_policy("default")
STORES = [StoreFacts(name) for name in "abc"]
ZONE = "Asia/Ho_Chi_Minh"


def wanted(*policies: Policy, stores=STORES, limits=None) -> tuple[Wanted, ...]:
    return wanted_deployments(policies, stores, audits_at_once=limits or {}, time_zone=ZONE)


def by_name(deployments) -> dict[str, Wanted]:
    return {each.name: each for each in deployments}


def named(name: str, **schedule) -> Policy:
    return replace(DEFAULT, name=name, schedule=replace(DEFAULT.schedule, **schedule))


def in_stores(policy: Policy, *names: str) -> Policy:
    return replace(policy, replication=replace(policy.replication, stores=names))


def test_a_policy_asks_for_an_audit_of_each_store_and_the_rest_once():
    found = by_name(wanted(DEFAULT, limits={"b": 3}))
    assert list(found) == [
        "audit a", "audit b", "audit c", "replicate", "reconcile", "watchdog", "ingest", "repair"
    ]  # fmt: skip
    audit = found["audit b"]
    assert audit.lines == (CronLine("0 1 * * *", ZONE),)
    assert (audit.flow, audit.parameters, audit.at_once) == ("audit_due", {"store": "b"}, 3)
    assert audit.collision is Collision.CANCEL
    assert audit.tags == ("policy default", "store b")
    assert found["ingest"].lines == found["repair"].lines == ()
    assert found["replicate"].at_once == 1


def test_policies_with_the_same_times_share_a_line_and_none_audits_twice():
    found = by_name(wanted(named("one"), named("two", audit="0  1 * * *")))
    assert found["audit a"].lines == (CronLine("0 1 * * *", ZONE),)
    assert found["audit a"].policies == ("one", "two")


def test_a_store_of_one_policy_is_audited_when_that_policy_says():
    found = by_name(wanted(in_stores(named("one"), "a"), in_stores(named("two", audit="30 2 * * *"), "a", "b")))
    assert found["audit a"].lines == (CronLine("0 1 * * *", ZONE), CronLine("30 2 * * *", ZONE))
    assert found["audit b"].lines == (CronLine("30 2 * * *", ZONE),)
    assert "audit c" not in found


def test_never_is_a_deployment_that_only_people_start():
    found = by_name(wanted(named("quiet", audit=None, replicate=None)))
    assert found["audit a"].lines == found["replicate"].lines == ()
    assert found["reconcile"].lines != ()


def test_a_store_that_no_grade_is_asked_of_is_not_audited():
    audit = replace(DEFAULT.audit, stores={"b": {}})
    assert "audit b" not in by_name(wanted(replace(DEFAULT, audit=audit)))


LINES = st.sampled_from(["0 1 * * *", "15 3 * * 1-5", "*/10 * * * *", None])
ZONES = st.sampled_from([ZONE, "UTC", "Europe/Berlin"])
POLICIES = st.lists(
    st.builds(
        lambda name, audit, replicate, reconcile, zone, stores: in_stores(
            named(name, audit=audit, replicate=replicate, reconcile=reconcile, time_zone=zone), *stores
        ),
        st.sampled_from("pqrs"), LINES, LINES, LINES, ZONES, st.lists(st.sampled_from("abc"), min_size=1, unique=True),
    ),
    min_size=1, max_size=4, unique_by=lambda policy: policy.name,
)  # fmt: skip


@given(POLICIES, st.randoms(use_true_random=False))
def test_the_same_policies_give_the_same_deployments_in_any_order(policies, random):
    before = wanted(*policies)
    shuffled = list(policies)
    random.shuffle(shuffled)
    after = wanted(*shuffled, stores=random.sample(STORES, 3))
    assert before == after
    assert [each.version for each in before] == [each.version for each in after]
    assert len({(each.flow, each.name) for each in before}) == len(before)


@given(POLICIES)
def test_every_line_asked_for_is_there_and_no_other(policies):
    found = by_name(wanted(*policies))
    for store in "abc":
        asked = {
            CronLine(policy.schedule.audit, policy.schedule.time_zone)
            for policy in policies
            if store in policy.replication.stores and policy.schedule.audit
        }
        assert set(found[f"audit {store}"].lines if f"audit {store}" in found else ()) == asked


@given(POLICIES, st.integers(0, 3))
def test_another_cron_line_changes_the_deployments_that_go_by_it_and_no_other(policies, which):
    before = by_name(wanted(*policies))
    index = which % len(policies)
    changed = replace(policies[index], schedule=replace(policies[index].schedule, reconcile="7 7 * * 7"))
    after = by_name(wanted(*policies[:index], changed, *policies[index + 1 :]))
    assert {name for name in after if after[name].version != before[name].version} == {"reconcile"}
    assert {name for name in after if after[name] != before[name]} == {"reconcile"}

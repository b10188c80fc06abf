"""A policy against the stores of the settings."""

from __future__ import annotations

from dataclasses import replace

from policies.check import check_against_stores
from policies.model import AuditPlan, Separation
from preservation.facts import Grade
from preservation.findings import Severity
from tests.policies.facts import STORES, default_policy, load_policy


def test_the_default_policy_fits_three_stores_in_different_regions() -> None:
    assert check_against_stores(load_policy("default"), STORES) == []


def test_too_few_stores_are_told_with_what_would_do() -> None:
    found = check_against_stores(load_policy("default"), STORES[:2])
    assert [each.code for each in found] == ["policy-too-few-stores"]
    assert found[0].expected == "1–2"
    assert found[0].severity is Severity.ERROR


def test_a_store_that_the_settings_do_not_have_is_told_with_the_nearest() -> None:
    found = check_against_stores(default_policy(stores=("primary", "cloud-a", "cloudb")), STORES)
    assert [each.code for each in found] == ["policy-store-unknown", "policy-too-few-stores"]
    assert "`cloud-b`" in str(found[0].message)
    audited = load_policy("default")
    plans = {"tape": {Grade.BYTES: AuditPlan(audited.audit.defaults[Grade.BYTES].interval)}}
    audited = replace(audited, audit=replace(audited.audit, stores=plans))
    assert [each.code for each in check_against_stores(audited, STORES)] == ["policy-store-unknown"]


def test_stores_too_close_together_are_told() -> None:
    close = [replace(store, region="site-1") for store in STORES]
    assert [each.code for each in check_against_stores(load_policy("default"), close)] == ["policy-stores-too-close"]
    nameless = [replace(store, region="") for store in STORES]
    assert [each.code for each in check_against_stores(load_policy("default"), nameless)] == [
        "policy-separation-unknown"
    ]
    both = default_policy(separation=Separation(("medium", "provider"), 3))
    assert ["medium" in str(each.message) for each in check_against_stores(both, STORES)] == [True]

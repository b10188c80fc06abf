"""What makes a judgement stale: everything it depends on besides the facts, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from policies.judging import digest
from policies.model import Audit, AuditPlan, Policy
from preservation.facts import Grade
from tests.policies.facts import STORES, default_policy


@pytest.mark.parametrize(
    "changed",
    [
        default_policy(copies=2),
        default_policy(proof=Grade.PROVIDER),
        default_policy(stores=("primary",)),
        default_policy(separation=replace(default_policy().replication.separation, least=3)),
        replace(default_policy(), audit=Audit({Grade.BYTES: AuditPlan(timedelta(days=30))}, {})),
        replace(default_policy(), audit=Audit(default_policy().audit.defaults, {"cloud-a": {}})),
    ],
)
def test_other_rules_have_another_digest(changed: Policy) -> None:
    assert digest(changed, STORES) != digest(default_policy(), STORES)


def test_other_stores_make_another_digest() -> None:
    mine = digest(default_policy(), STORES)
    assert digest(default_policy(), STORES[:2]) != mine
    assert digest(default_policy(), (replace(STORES[0], provider="a"), *STORES[1:])) != mine


def test_what_judges_nothing_changes_no_digest() -> None:
    same = replace(default_policy(), description="other words", retention_years=3)
    assert digest(same, STORES) == digest(default_policy(), STORES)

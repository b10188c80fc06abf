"""The short run of `make faults`: one scenario of each kind, fifteen drawn ones that stay, ten fresh each time."""

from __future__ import annotations

import os
import secrets

import pytest

from tests.faults.driver import played
from tests.faults.kinds import ALL
from tests.faults.scenarios import by_name, drawn, one_of_each, scripted
from tests.faults.stage import Ground
from tests.faults.table import FIXED

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
FEW = by_name(one_of_each(scripted()))


@pytest.mark.parametrize("name", FEW)
def test_scripted(made: Ground, name: str):
    played(made, FEW[name])


@pytest.mark.parametrize("group", range(3))
def test_drawn_fixed(made: Ground, group: int):
    for seed in range(FIXED + group * 5, FIXED + group * 5 + 5):
        _play(made, seed)


@pytest.mark.parametrize("group", range(2))
def test_drawn_fresh(made: Ground, group: int):
    first = int(os.environ.get("VANKHO_SEED") or 0) + group * 5 or 1_000_000 + secrets.randbelow(1_000_000_000)
    print(f"fresh seeds from {first}")
    for seed in range(first, first + 5):
        _play(made, seed)


def _play(made: Ground, seed: int) -> None:
    try:
        played(made, drawn(seed))
    except Exception as error:
        pytest.fail(f"python -m tests.faults.table --only-drawn --runs 1 --seed {seed}: {drawn(seed)}\n{error}")


def test_every_kind_of_fault_is_scripted_somewhere():
    scenarios = scripted()
    used = {rule.kind for each in scenarios for rule in each.rules}
    assert set(ALL) - used <= {
        "slow-up",
        "503-unavailable",
    }  # the first in tests/live/test_pacing.py, the other like 503
    assert len(by_name(scenarios)) >= 100
    assert {each.flow for each in scenarios} >= {
        "ingest",
        "replicate",
        "audit",
        "repair",
        "restore",
        "restore-from-b",
    }


def test_no_request_waits_for_100_continue(made: Ground):
    assert not made.proxy.expecting

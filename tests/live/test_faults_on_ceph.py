"""A few faults on a service without checksums and conditions on completing: there, what is proved rests on reading."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storage_adapters.settings import MIB, S3Settings
from tests.faults.driver import played
from tests.faults.stage import Ground, Scenario, ground
from tests.servers.fault_proxy import Rule

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("ceph"), pytest.mark.timeout(300)]
B = "run-*-b"
SCENARIOS = {
    "answers to put and complete are lost": ("ingest", Rule("lost-stored", on="put|complete", bucket=B, times=2)),
    "every put goes twice": ("ingest", Rule("twice-second", on="put|complete", bucket=B, times=None)),
    "a part is cut off": ("ingest", Rule("reset-in-request", on="part", bucket=B, times=2)),
    "nothing can be completed": ("ingest", Rule("500", on="complete|abort", bucket=B, times=None)),
    "bytes flip on the way there": ("replicate", Rule("flip-up", on="put|part", bucket=B, times=3)),
    "the way back is cut": ("audit", Rule("truncated", on="get", key="aip/*", bucket=B, times=3)),
    "erasing is not heard of": ("repair", Rule("lost-stored", on="delete|put", bucket=B, times=2)),
}


@pytest.fixture(scope="module")
def made(ceph: S3Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("faults"), ceph, part_size=5 * MIB) as running:
        yield running


@pytest.mark.parametrize("name", SCENARIOS)
def test_faults(made: Ground, name: str):
    flow, *rules = SCENARIOS[name]
    played(made, Scenario(name, flow, tuple(rules)))

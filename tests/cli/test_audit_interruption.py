"""`vankho audit --due` stopped in the middle by Ctrl-C and by kill -9: what was read is kept and counted, nothing
stays locked, and the next run reads exactly the rest.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.audit import audit
from flows.ingest import ingest
from flows.ledger import in_ledger
from flows.outcomes import Verdict
from flows.workspace import utc_now
from preservation.catalog import audit_days
from preservation.facts import Grade
from preservation.formats.identify import Identifier
from tests.cli.commands import PROGRAM, environment, vankho
from tests.flows.houses import House, local_stores, package

AIPS, STORES, SIZE, RATE = 2, 2, 800_000, 300_000
POLICY = f"""
replication: {{copies: 2, floor: 1, separation: {{by: [], min: 1}}}}
audit:
  defaults:
    bytes: {{interval: P90D, grace: P14D, throttle: {{bytes_per_second: {RATE}}}}}
    presence: never
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> House:
    """AIPs, proved in two stores eighty days ago: everything is due, and reading it takes seconds."""
    folder = tmp_path_factory.mktemp("filled")
    house = House(folder / "house", local_stores(STORES)).settle()
    house.policy("default", POLICY)
    with Identifier() as house.identifier, house.open() as workspace:
        workspace.clock = lambda: utc_now() - timedelta(days=80)
        for number in range(AIPS):
            given = package(folder / f"p{number}", {"trang.txt": f"{number}".encode() * SIZE})
            assert in_ledger(workspace, ingest, str(given)).verdict is Verdict.WELL
    house.identifier = None
    return house


def proved(house: House) -> int:
    """How many copies were proved today."""
    with house.open() as workspace:
        today = datetime.now(UTC) - timedelta(hours=1)
        return sum(each.evidence[Grade.BYTES].at > today for each in workspace.catalog.all_replicas())


def counted(house: House) -> tuple[int, int]:
    """Copies and bytes of today in the account."""
    with house.open() as workspace:
        days = audit_days.days(workspace.catalog.database, since=(utc_now() - timedelta(days=3)).date())
    return sum(day.copies for day in days), sum(day.bytes for day in days)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
def test_the_next_run_reads_exactly_the_rest(filled: House, tmp_path: Path, sign: signal.Signals) -> None:
    house = House(tmp_path / "house", filled.stores)
    subprocess.run(["cp", "-a", filled.folder, house.folder], check=True)
    asked = [PROGRAM, "audit", "--due", "-w", house.folder]
    process = subprocess.Popen(
        asked, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    while (proved(house) < STORES or not counted(house)[1]) and process.poll() is None:
        time.sleep(0.05)  # until each store is in the middle of its second copy
    assert process.poll() is None, process.communicate()
    os.kill(process.pid, sign)
    told = time.monotonic()
    out, err = process.communicate(timeout=60)
    if sign is signal.SIGINT:
        assert time.monotonic() - told < 2.5
        assert (process.returncode, out, err.count("\n")) == (130, "", 1)
        assert "run the same command again" in err
    else:
        assert process.returncode == -signal.SIGKILL
    before = proved(house)
    assert STORES <= before < AIPS * STORES
    copies, read = counted(house)
    if sign is signal.SIGINT:
        assert copies == before
        assert read > before * SIZE  # what was read of the others counts too
    assert read >= before * SIZE - STORES * 3 * RATE  # the account is written every two seconds

    again = vankho("audit", "--due", "-w", house.folder, "--json")
    assert again.code == 0
    assert sum(each["copies"] for each in again.data) == AIPS * STORES - before
    assert all(each["busy"] is None and each["held"] is None for each in again.data)
    assert proved(house) == AIPS * STORES
    assert counted(house)[1] >= read + (AIPS * STORES - before) * SIZE


def test_ctrl_c_ends_an_audit_on_demand_in_the_middle_of_an_object(
    filled: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that waits hears it, and those that read end at their next piece."""
    import flows.auditing.by_store as by_store

    house = House(tmp_path / "house", filled.stores)
    subprocess.run(["cp", "-a", filled.folder, house.folder], check=True)
    monkeypatch.setattr(by_store, "wait", _interrupted)
    with house.open() as workspace:
        before = workspace.catalog.head()
        with pytest.raises(KeyboardInterrupt):
            in_ledger(workspace, audit, [])
        assert not any(each.evidence[Grade.BYTES].at > utc_now() for each in workspace.catalog.all_replicas())
        assert workspace.catalog.head()[0] - before[0] < AIPS * STORES


def _interrupted(_begun: object) -> None:
    raise KeyboardInterrupt

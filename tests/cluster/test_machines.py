"""Several machines: what is refused, and that the lease of a machine that was lost is taken over. `make cluster` has
the whole with workers; here is what costs little.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.running import worker
from preservation.catalog import leases, open_catalog
from preservation.catalog.errors import LeaseHeld
from preservation.errors import PreservationError, UsageError
from tests.cluster.machines import apart, first_of_space
from tests.conftest import cannot_run
from tests.flows.houses import House, local_stores
from tests.servers.postgres import Server, postgres  # noqa: F401 - a fixture

pytestmark = pytest.mark.live
ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from preservation.catalog import open_catalog
with open_catalog(sys.argv[1], base=Path(".")) as catalog:
    with catalog.lease("k", owner="lost", now=lambda: datetime.now(UTC)):
        print("held", flush=True)
        time.sleep(600)
"""


@pytest.fixture
def address(postgres: Server) -> Iterator[str]:  # noqa: F811
    with postgres.database() as name:
        yield postgres.address(name)


def house(folder: Path, address: str) -> House:
    return House(folder, local_stores(1), catalog=address).settle()


def test_machines_share_one_folder_or_are_refused(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(worker.time, "sleep", lambda _: None)
    ours, theirs = house(tmp_path / "a", address), house(tmp_path / "b", address)
    with ours.open() as first, ours.open() as second, theirs.open() as third:  # noqa: SIM117 - opened, then at work
        with worker.one_of_the_machines(first, "may-a"):
            with worker.one_of_the_machines(second, "may-b"):
                pass
            with pytest.raises(UsageError, match="at work already"), worker.one_of_the_machines(second, "may-a"):
                pytest.fail("two of one name")
            clock = iter(float(second) for second in range(0, 1000, 3))
            with monkeypatch.context() as patch:
                patch.setattr(worker.time, "monotonic", lambda: next(clock))
                with pytest.raises(UsageError, match="another workspace"), worker.one_of_the_machines(third, "may-c"):
                    pytest.fail("bags there are not here")
            beacon = ours.folder / "machines" / "may-a.json"
            shutil.copy(beacon, tmp_path / "copy")
            (tmp_path / "copy").replace(beacon)  # the same, and nobody's lock is on it
            with pytest.raises(UsageError, match="do not reach"), worker.one_of_the_machines(second, "may-b"):
                pytest.fail("no locks")


def test_vankho_up_is_one_of_the_machines(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(worker.time, "sleep", lambda _: None)
    ours, theirs = house(tmp_path / "a", address), house(tmp_path / "b", address)
    with ours.open() as first, theirs.open() as third, worker.among_the_machines(ours.folder, first.settings):
        with worker.one_of_the_machines(first, "may-b"):
            pass
        with pytest.raises(UsageError, match="at work"), worker.among_the_machines(theirs.folder, third.settings):
            pytest.fail("one catalog, two folders")
        clock = iter(float(second) for second in range(0, 1000, 3))
        monkeypatch.setattr(worker.time, "monotonic", lambda: next(clock))
        with pytest.raises(UsageError, match="another workspace"), worker.one_of_the_machines(third, "may-c"):
            pytest.fail("bags there are not here")
    alone = house(tmp_path / "c", "sqlite:///catalog.db")
    with alone.open() as workspace, worker.among_the_machines(alone.folder, workspace.settings):
        assert not (alone.folder / worker.MACHINES).exists()


def test_a_clock_that_is_wrong_and_a_catalog_of_one_machine_are_refused(address: str, tmp_path: Path):
    with house(tmp_path / "a", address).open() as workspace:
        worker._refuse_wrong_clock(workspace)
        workspace.clock = lambda: datetime.now(UTC) + timedelta(hours=7)
        with pytest.raises(PreservationError, match="2520"):
            worker._refuse_wrong_clock(workspace)
    with house(tmp_path / "b", "sqlite:///catalog.db").open() as workspace, pytest.raises(UsageError, match="SQLite"):
        worker._refuse_sqlite(workspace)


def test_the_lease_of_a_machine_that_was_lost(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    spaces = apart()
    if spaces is None:
        cannot_run("this system does not let us make process spaces (unshare --pid --uts)")
        return
    open_catalog(address, base=tmp_path).close()
    command = [*spaces, "sh", "-c", 'hostname may-lost && exec "$@"', "sh", sys.executable, "-c", HOLD, address]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as lost:
        try:
            assert lost.stdout is not None
            assert lost.stdout.readline() == b"held\n"
            with open_catalog(address, base=tmp_path) as catalog:
                with pytest.raises(LeaseHeld) as held, catalog.lease("k", owner="b", now=lambda: datetime.now(UTC)):
                    pytest.fail("robbed")
                assert held.value.holder.host == "may-lost"
                for pid in first_of_space(lost.pid):
                    os.kill(pid, 9)
                lost.wait(10)
                monkeypatch.setattr(leases, "EXPIRY", timedelta(seconds=0.2))
                monkeypatch.setattr(leases, "WATCH", 0.6)
                time.sleep(0.3)  # its last sign of life is older than that then
                begun = time.monotonic()
                with catalog.lease("k", owner="b", now=lambda: datetime.now(UTC)):
                    assert time.monotonic() - begun >= 0.6
        finally:
            lost.kill()

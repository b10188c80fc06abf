"""Schedules on a real Prefect server: made to fit, found to fit, changed with the policy, removed; others untouched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.ingest import ingest
from flows.running import schedules
from flows.running.children import end_marked, marked
from flows.running.schedules import Kind
from flows.workspace import utc_now
from policies.problems import PolicyInvalid
from preservation.errors import PreservationError, UsageError
from tests.flows.houses import House, package
from tests.flows.test_prefect import Server, server  # noqa: F401 - one server for all that looks at Prefect
from tests.servers.processes import free_port, wait_until

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("prefect")]

VANKHO = [sys.executable, "-c", "from apps.cli.main import run; run()"]
POLICY = """
extends: default
replication: {copies: 2, stores: %s, separation: {by: [region], min: 1}}
schedule: {audit: %s}
audit: {defaults: {bytes: {interval: PT1M, grace: PT1M}}}
"""


def settled(house: House, name: str, stores: str = "[a, b]", audit: str = "0 1 1 1 *") -> House:
    """A house of its own name that goes by a policy of its own."""
    house.folder = house.folder.parent / name
    house.settle()
    house.policy("own", POLICY % (stores, audit))
    file = house.folder / "vankho.toml"
    file.write_text('policy = "own"\n' + file.read_text())
    return house


def compare(house: House, **asked: str) -> schedules.Compared:
    with house.open() as workspace:
        return schedules.compare(workspace, **asked)


def changed(compared: schedules.Compared) -> dict[str, tuple[str, ...]]:
    return {change.either.name.partition(": ")[2]: change.fields for change in compared.open}


def test_apply_twice_change_the_policy_and_take_a_store_away(server: Server, house: House):  # noqa: F811
    house = settled(house, "thư viện")
    first = schedules.apply(compare(house))
    assert {change.kind for change in first.changes} == {Kind.ADD}
    assert len(first.changes) == 7
    assert compare(house).open == ()

    house.policy("own", POLICY % ("[a, b]", "30 2 * * *"))
    second = compare(house)
    assert changed(second) == {"audit a": ("lines", "version"), "audit b": ("lines", "version")}
    schedules.apply(second)
    assert compare(house).open == ()
    (audit,) = [each for each in deployments(server) if each["name"] == "thư viện: audit b"]
    assert [(line["schedule"]["cron"], line["schedule"]["timezone"]) for line in audit["schedules"]] == [
        ("30 2 * * *", "Asia/Ho_Chi_Minh")
    ]
    assert audit["parameters"] == {"workspace": str(house.folder), "store": "b"}
    assert {f"workspace {house.folder}", "policy own", "store b"} == set(audit["tags"])
    assert audit["global_concurrency_limit"]["limit"] == 1
    assert audit["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"

    others = settled(House(house.folder.parent / "x", house.stores, identifier=house.identifier), "other")
    schedules.apply(compare(others))
    house.policy("own", (POLICY % ("[a]", "30 2 * * *")).replace("copies: 2", "copies: 1, floor: 1"))
    third = compare(house)
    assert [(change.kind, change.either.name) for change in third.open if change.kind is Kind.REMOVE] == [
        (Kind.REMOVE, "thư viện: audit b")
    ]
    schedules.apply(third)
    assert "thư viện: audit b" not in {each["name"] for each in deployments(server)}
    assert compare(others).open == ()


def test_runs_that_wait_or_never_began_have_names_a_person_understands(server: Server, house: House):  # noqa: F811
    house = settled(house, "names")
    schedules.apply(compare(house))
    waits, cancelled = begin(server, house, "audit a"), begin(server, house, "replicate")
    server.ask(f"/flow_runs/{cancelled}/set_state", state={"type": "CANCELLED"}, force=True)
    mine = str(
        server.ask("/deployments/" + deployed(server, house, "repair") + "/create_flow_run", name="by hand")["id"]
    )
    schedules.apply(compare(house))
    names = [server.ask(f"/flow_runs/{run}", by="GET")["name"] for run in (waits, cancelled, mine)]
    assert names == ["audit what is due in a", "replicate what is wanting", "by hand"]


def test_what_a_person_paused_stays_paused(server: Server, house: House):  # noqa: F811
    house = settled(house, "paused")
    schedules.apply(compare(house))
    (audit,) = [each for each in deployments(server) if each["name"] == "paused: audit a"]
    server.ask(f"/deployments/{audit['id']}", by="PATCH", paused=True)
    house.policy("own", POLICY % ("[a, b]", "45 3 * * *"))
    schedules.apply(compare(house))
    (audit,) = [each for each in deployments(server) if each["name"] == "paused: audit a"]
    assert audit["paused"]
    assert audit["schedules"][0]["schedule"]["cron"] == "45 3 * * *"


def test_a_policy_that_is_wrong_changes_nothing(server: Server, house: House):  # noqa: F811
    house = settled(house, "wrong")
    house.policy("own", POLICY % ("[a, b]", '"61 1 * * *"'))
    with pytest.raises(PolicyInvalid):
        compare(house)
    assert [each for each in deployments(server) if each["name"].startswith("wrong:")] == []


def test_a_name_that_is_anothers_is_refused(server: Server, house: House):  # noqa: F811
    house = settled(house, "twin")
    schedules.apply(compare(house))
    folder = house.folder.parent / "elsewhere"
    folder.mkdir()
    twin = settled(House(folder / "x", house.stores, identifier=house.identifier), "twin")
    with pytest.raises(UsageError, match="twin: audit a"):
        compare(twin)


def test_without_a_server_it_says_so(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{free_port()}/api")
    with house.open() as workspace, pytest.raises(PreservationError, match="No Prefect server"):
        schedules.compare(workspace)


def deployments(server: Server) -> list[dict[str, Any]]:  # noqa: F811
    return list(server.ask("/deployments/filter", limit=200))


class Up:
    """`vankho up` beside the server of the tests: all but a server of its own."""

    def __init__(self, house: House, server: Server) -> None:  # noqa: F811
        self.out = house.folder.parent / f"up-{time.monotonic_ns()}.out"
        environment = os.environ | {"PREFECT_API_URL": server.url, "PREFECT_HOME": str(house.folder / "prefect")}
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                [*VANKHO, "up", "-w", str(house.folder), "--pool", house.folder.name, "--web-port", "0"],
                env=environment, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        wait_until(lambda: "Ctrl-C" in self.said(), seconds=60, what="vankho up", log=self.out)

    def said(self) -> str:
        assert self.process.poll() is None, self.out.read_text()
        return self.out.read_text()


@pytest.fixture
def cleared(house: House) -> Iterator[None]:
    """Whatever the test did: nothing of an `up` is left."""
    yield
    for folder in house.folder.parent.iterdir():
        end_marked(str(folder))


def begin(server: Server, house: House, deployment: str) -> str:  # noqa: F811
    return str(server.ask(f"/deployments/{deployed(server, house, deployment)}/create_flow_run")["id"])


def deployed(server: Server, house: House, deployment: str) -> str:  # noqa: F811
    (found,) = [each for each in deployments(server) if each["name"] == f"{house.folder.name}: {deployment}"]
    return str(found["id"])


def state(server: Server, run: str) -> tuple[str, str | None]:  # noqa: F811
    found = server.ask(f"/flow_runs/{run}", by="GET")
    return found["state"]["name"], found["state"]["message"]


def test_up_runs_what_is_scheduled_survives_a_kill_and_leaves_nothing(
    server: Server, house: House, tmp_path: Path, cleared: None  # noqa: F811
):  # fmt: skip
    slow = "{bytes: {interval: PT1M, grace: PT1M, throttle: {bytes_per_second: 4096}}}"
    house = settled(house, "up")
    house.policy("own", (POLICY % ("[a, b]", "0 1 1 1 *")).replace("{bytes: {interval: PT1M, grace: PT1M}}", slow))
    with house.open() as workspace:
        workspace.clock = lambda: utc_now() - timedelta(days=1)  # so that the copies are due today
        ingest(workspace, str(package(tmp_path / "p", {"big": os.urandom(200_000)})))
    schedules.apply(compare(house, pool=house.folder.name))
    compared, audit = begin(server, house, "reconcile"), begin(server, house, "audit a")  # they wait for a worker
    first = Up(house, server)
    second = subprocess.run([*VANKHO, "up", "-w", str(house.folder), "--json"], capture_output=True, text=True)
    assert second.returncode == 2
    assert "runs already" in json.loads(second.stdout)["error"]["message"]
    wait_until(lambda: state(server, compared)[0] == "Completed", seconds=60, what="the run", log=first.out)
    assert state(server, compared) == ("Completed", "agrees")
    named = server.ask(f"/flow_runs/{compared}", by="GET")
    assert named["name"] == "reconcile catalog and stores"
    left = server.ask("/artifacts/filter", flow_runs={"id": {"any_": [compared]}})
    assert {each["type"] for each in left} == {"table", "markdown"}
    wait_until(lambda: tagged(server, audit), seconds=60, what="the audit", log=first.out)
    assert state(server, audit)[0] == "Running"

    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    again = Up(house, server)
    # Told to end by the next `up`, a run may still say itself that it is over; one that cannot is closed, and that is told.
    assert state(server, audit)[0] == "Crashed"
    assert "closed as crashed" in again.said() or "aborted" in str(state(server, audit)[1]), state(server, audit)
    again.process.send_signal(signal.SIGTERM)
    assert again.process.wait(60) == 0
    assert marked(str(house.folder)) == {}
    assert not (house.folder / "up.json").exists()


def tagged(server: Server, run: str) -> bool:  # noqa: F811
    found = server.ask(f"/flow_runs/{run}", by="GET")
    return any(tag.startswith("process ") for tag in found["tags"])

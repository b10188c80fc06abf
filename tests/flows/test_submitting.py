"""Work handed to a pool: the same work once, and what becomes of the runs of a worker that was lost."""

from __future__ import annotations

import pytest

from flows.running import schedules
from flows.running.schedules import workspace_tag
from flows.running.submitting import run_now, submit_ingests
from preservation.errors import UsageError
from tests.flows.houses import House
from tests.flows.test_prefect import Server, house, server  # noqa: F401 - fixtures

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("prefect")]


def test_handed_over_once_and_begun_again_when_its_worker_is_lost(server: Server, house: House):  # noqa: F811
    with house.open() as workspace:
        with pytest.raises(UsageError, match="no deployment"):
            run_now(workspace, "replicate")
        schedules.apply(schedules.compare(workspace))
        (first,) = submit_ingests(workspace, ["/srv/Gói 1"])
        (second,) = submit_ingests(workspace, ["/srv/Gói 1"])
        assert (first.new, second.new, first.id == second.id) == (True, False, True)
        other = run_now(workspace, "replicate")
        tag, pool = workspace_tag(workspace), workspace.settings.prefect.pool

        def lost() -> list[str]:
            from flows.running.lost_workers import close_runs_of_lost_workers

            return [str(finding.message) for finding in close_runs_of_lost_workers(tag, pool)]

        for run in (first.id, other.id):
            server.ask(f"/flow_runs/{run}/labels", by="PATCH", **{"prefect.worker.name": "gone"})
            server.ask(f"/flow_runs/{run}/set_state", state={"type": "RUNNING"}, force=True)
        assert lost() == []  # nobody lives who could say so
        server.ask(f"/work_pools/{pool}/workers/heartbeat", name="here", heartbeat_interval_seconds=30)
        told = lost()
        assert sorted("begun again" in line for line in told) == [False, True]
        assert lost() == []
        runs = {run["id"]: run for run in server.ask("/flow_runs/filter", flow_runs={"tags": {"all_": [tag]}})}
        assert {runs[each]["state_type"] for each in (first.id, other.id)} == {"CRASHED"}
        (again,) = [run for run in runs.values() if "again 1" in run["tags"]]
        assert again["parameters"] == runs[first.id]["parameters"]
        (third,) = submit_ingests(workspace, ["/srv/Gói 2"])
        assert third.new

"""Runs whose worker was lost with its machine: closed as crashed, and a package that was being taken in is asked for
again. Everything else is taken up by the next run of its schedule.

A worker is lost when its signs of life have stopped while others of the pool still give theirs; all are dated by the
Prefect server, so that no machine's clock counts. With nobody else alive, nobody is judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectHTTPStatusError

from flows.running.dead_runs import OPEN, close_run
from preservation.findings import Finding, Severity
from wording import say

WORKER = "prefect.worker.name"  # the label by which Prefect says who took a run
MISSED = 3  # signs of life
SLACK = timedelta(seconds=10)
AGAIN, TRIES = "again ", 3  # a package that ends every worker that takes it ends three of them
_AT_ONCE = 200


def close_runs_of_lost_workers(workspace: str, pool: str) -> list[Finding]:
    """Close the runs with this workspace's tag that lost workers had; says of each what becomes of it. Prefect's
    errors pass. Safe when several machines do it at once.
    """
    with get_client(sync_client=True) as client:
        living = set(_living(client, pool))
        if not living:
            return []
        lost = [run for run in _open(client, workspace) if _worker(run) is not None and _worker(run) not in living]
        return [_close(client, run) for run in lost]


def _living(client: SyncPrefectClient, pool: str) -> Iterator[str]:
    try:
        workers = client.read_workers_for_work_pool(pool)
    except PrefectHTTPStatusError as error:
        if error.response.status_code != HTTPStatus.NOT_FOUND:
            raise
        return  # no such pool yet
    newest = max((each.last_heartbeat_time for each in workers if each.last_heartbeat_time), default=None)
    for each in workers:
        patience = timedelta(seconds=MISSED * (each.heartbeat_interval_seconds or 30)) + SLACK
        if newest is not None and each.last_heartbeat_time and each.last_heartbeat_time + patience >= newest:
            yield each.name


def _open(client: SyncPrefectClient, workspace: str) -> list[FlowRun]:
    wanted = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=OPEN)), tags=FlowRunFilterTags(all_=[workspace])
    )
    found: list[FlowRun] = []
    while True:
        page = client.read_flow_runs(flow_run_filter=wanted, limit=_AT_ONCE, offset=len(found))
        found += page
        if len(page) < _AT_ONCE:
            return found


def _worker(run: FlowRun) -> str | None:
    name = (run.labels or {}).get(WORKER)
    return None if name is None else str(name)


def _close(client: SyncPrefectClient, run: FlowRun) -> Finding:
    close_run(client, run)
    worker = _worker(run) or "?"
    tried = next((int(tag.removeprefix(AGAIN)) for tag in run.tags if tag.startswith(AGAIN)), 0)
    again = "source" in run.parameters and run.deployment_id is not None and tried < TRIES
    if again:
        assert run.deployment_id is not None
        tags = [tag for tag in run.tags if not tag.startswith(("host ", "process ", AGAIN))]
        client.create_flow_run_from_deployment(
            run.deployment_id,
            parameters=run.parameters,
            name=run.name,
            tags=[*tags, f"{AGAIN}{tried + 1}"],
            idempotency_key=f"{AGAIN}{run.id}",
        )
        text = say(
            "{name}: its worker {worker} was lost; it is begun again.", name=run.name, worker=_worker(run) or "?"
        )
    else:
        text = say("{name}: its worker {worker} was lost; it is closed.", name=run.name, worker=worker)
    return Finding("worker-lost", Severity.WARNING, text, path=run.name)

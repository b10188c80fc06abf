"""Prefect's runs whose process died: Prefect shows them as running for ever, so they are closed as crashed.

Each run carries a tag that names its process. Closed is only what is surely dead: of this workspace, and of a process
of this machine that is gone. Another machine's runs are for that machine to close, or for `lost_workers`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from prefect import tags
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Crashed

from flows.running.worker import worker_of_up
from flows.workspace import Workspace
from preservation.catalog.leases import is_gone, this_process

_PROCESS = "process "
OPEN = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
_AT_ONCE = 200
BEGINNING = timedelta(minutes=10)  # more than any process takes to begin
SEEN = timedelta(minutes=2)
DIED = "The process of this run died before its end. What it had done stands; run the same command again to go on."


def named_after_us(*more: str) -> AbstractContextManager[object]:
    """Runs begun inside carry the name of this process, and these tags."""
    return tags(*more, _host(), _PROCESS + this_process())


def close_dead_runs(workspace: Workspace, *, dry_run: bool = False) -> list[str]:
    """Close the runs of this workspace that died on this machine; gives their names. Prefect's errors pass."""
    with get_client(sync_client=True) as client:
        dead = list(_dead(client, workspace))
        if not dry_run:
            for run in dead:
                close_run(client, run)
    return [run.name for run in dead]


def _dead(client: SyncPrefectClient, workspace: Workspace) -> Iterator[FlowRun]:
    wanted = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=OPEN)), tags=FlowRunFilterTags(all_=[_host()])
    )
    offset = 0
    while True:
        runs = client.read_flow_runs(
            flow_run_filter=wanted, sort=FlowRunSort.START_TIME_ASC, limit=_AT_ONCE, offset=offset
        )
        for run in runs:
            process = next((tag.removeprefix(_PROCESS) for tag in run.tags if tag.startswith(_PROCESS)), "")
            if run.parameters.get("workspace") == str(workspace.folder) and is_gone(process):
                yield run
        if len(runs) < _AT_ONCE:
            return
        offset += len(runs)


def name_after_us(run: UUID) -> None:
    """The same for a run that a worker began: its process is known only now."""
    with get_client(sync_client=True) as client:
        known = client.read_flow_run(run)
        client.update_flow_run(run, tags=sorted({*known.tags, _host(), _PROCESS + this_process()}))


def close_never_begun(workspace: str, pool: str, *, now: datetime) -> list[str]:
    """Close the runs with this workspace's tag that a worker took and that never came to name their process: their
    worker died in between. Only for whoever has ended the worker of this machine: where another worker of the pool
    may be about to begin one, only those are closed that have waited for long. Gives their names.
    """
    wanted = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=OPEN)), tags=FlowRunFilterTags(all_=[workspace])
    )
    closed = []
    with get_client(sync_client=True) as client:
        patience = BEGINNING if _others(client, pool, worker_of_up(workspace), now) else timedelta(0)
        for run in client.read_flow_runs(flow_run_filter=wanted, limit=_AT_ONCE):
            named = any(tag.startswith(_PROCESS) for tag in run.tags)
            if not named and run.state is not None and run.state.timestamp <= now - patience:
                close_run(client, run)
                closed.append(run.name)
    return closed


def _others(client: SyncPrefectClient, pool: str, mine: str, now: datetime) -> bool:
    """Whether another worker was seen lately."""
    try:
        workers = client.read_workers_for_work_pool(pool)
    except PrefectHTTPStatusError as error:
        if error.response.status_code != HTTPStatus.NOT_FOUND:
            raise
        return False  # no such pool yet
    return any(
        each.name != mine and each.last_heartbeat_time and each.last_heartbeat_time > now - SEEN for each in workers
    )


def close_run(client: SyncPrefectClient, run: FlowRun) -> None:
    """Its tasks too, or they would be shown as running inside a run that is over."""
    running = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=OPEN)))
    of_this = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
    for task in client.read_task_runs(flow_run_filter=of_this, task_run_filter=running):
        client.set_task_run_state(task.id, Crashed(message=DIED), force=True)
    client.set_flow_run_state(run.id, Crashed(message=DIED), force=True)


def _host() -> str:
    return f"host {socket.gethostname()}"

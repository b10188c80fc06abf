"""Prefect's runs whose process died: Prefect shows them as running for ever, so they are closed as crashed.

Each run carries a tag that names its process. Closed is only what is surely dead: of this workspace, and of a process
of this machine that is gone. Another machine's runs are for that machine to close.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager

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
from prefect.states import Crashed

from flows.workspace import Workspace
from preservation.catalog.leases import is_gone, this_process

_PROCESS = "process "
_OPEN = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
_AT_ONCE = 200
DIED = "The process of this run died before its end. What it had done stands; run the same command again to go on."


def named_after_us() -> AbstractContextManager[object]:
    """Runs begun inside carry the name of this process."""
    return tags(_host(), _PROCESS + this_process())


def close_dead_runs(workspace: Workspace, *, dry_run: bool = False) -> list[str]:
    """Close the runs of this workspace that died on this machine; gives their names. Prefect's errors pass."""
    with get_client(sync_client=True) as client:
        dead = list(_dead(client, workspace))
        if not dry_run:
            for run in dead:
                _close(client, run)
    return [run.name for run in dead]


def _dead(client: SyncPrefectClient, workspace: Workspace) -> Iterator[FlowRun]:
    wanted = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_OPEN)), tags=FlowRunFilterTags(all_=[_host()])
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


def _close(client: SyncPrefectClient, run: FlowRun) -> None:
    """Its tasks too, or they would be shown as running inside a run that is over."""
    running = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=_OPEN)))
    of_this = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
    for task in client.read_task_runs(flow_run_filter=of_this, task_run_filter=running):
        client.set_task_run_state(task.id, Crashed(message=DIED), force=True)
    client.set_flow_run_state(run.id, Crashed(message=DIED), force=True)


def _host() -> str:
    return f"host {socket.gethostname()}"

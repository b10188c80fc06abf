"""Deployments on the Prefect server: read, made, changed and removed. Only those of one workspace are touched.

Each names its flow by module, so that any worker of the pool that has Vankho installed and the workspace at the same
path can run it. Asked for twice, the second time changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    DeploymentFilterTags,
    FlowFilter,
    FlowFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.utilities.callables import parameter_schema

from flows.running.prefect_runs import FLOWS
from flows.running.run_names import is_made_up, name_of
from flows.running.schedules import Change, Deployed, Kind, taken
from policies.schedules import CronLine

_AT_ONCE = 200


def of_workspace(tag: str, *, beside: Sequence[Deployed] = ()) -> list[Deployed]:
    """The deployments that carry the tag. Raises UsageError when one of `beside` has the name of another's."""
    with get_client(sync_client=True) as client:
        names: dict[UUID, str] = {}
        found = list(_read(client, DeploymentFilter(tags=DeploymentFilterTags(all_=[tag])), names))
        ours = {each.id for each in found}
        wanted = {(each.flow, each.name) for each in beside}
        named = DeploymentFilter(name=DeploymentFilterName(any_=sorted(name for _, name in wanted)))
        for each in _read(client, named, names) if wanted else ():
            if (each.flow, each.name) in wanted and each.id not in ours:
                raise taken(each.name, ", ".join(sorted(each.tags)))
    return found


def make_good(changes: Iterable[Change], *, pool: str, kind: str) -> None:
    """Make what is new, change what differs, remove what is no longer wanted. Prefect's errors pass."""
    with get_client(sync_client=True) as client:
        _ensure_pool(client, pool, kind)
        for change in changes:
            if change.after is not None and change.kind is not Kind.SAME:
                _put(client, change.after, change.before)
            elif change.kind is Kind.REMOVE and change.before is not None:
                with suppress(ObjectNotFound):
                    client.delete_deployment(UUID(change.before.id))


def name_coming(tag: str) -> int:
    """Name the runs of this workspace that wait, or that were cancelled before they began, as they would be called
    had they begun: the server makes names up. Gives how many. Prefect's errors pass.
    """
    states = FlowRunFilterState(
        type=FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.CANCELLED]),
    )
    wanted, named = FlowRunFilter(state=states, tags=FlowRunFilterTags(all_=[tag])), 0
    with get_client(sync_client=True) as client:
        flows: dict[UUID, str] = {}
        runs = client.read_flow_runs(
            flow_run_filter=wanted, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=_AT_ONCE
        )
        for run in runs:
            if run.deployment_id is not None and is_made_up(run.name):
                name = name_of(_flow_name(client, run.flow_id, flows), run.parameters)
                client.update_flow_run(run.id, name=name)
                named += 1
    return named


def _ensure_pool(client: SyncPrefectClient, pool: str, kind: str) -> None:
    with suppress(ObjectAlreadyExists):
        client.create_work_pool(WorkPoolCreate(name=pool, type=kind))


def _put(client: SyncPrefectClient, wanted: Deployed, before: Deployed | None) -> None:
    """The server replaces the deployment of that name, its coming runs too; what was paused stays paused."""
    flow = FLOWS[wanted.flow]
    strategy = None if wanted.collision is None else ConcurrencyLimitStrategy(wanted.collision)
    client.create_deployment(
        flow_id=client.create_flow(flow),
        name=wanted.name,
        version=wanted.version,
        schedules=[
            DeploymentScheduleCreate(
                schedule=CronSchedule(cron=line.cron, timezone=line.time_zone),
                active=before is None or not before.paused,
            )
            for line in wanted.lines
        ],
        concurrency_limit=wanted.at_once,
        concurrency_options=None if strategy is None else ConcurrencyOptions(collision_strategy=strategy),
        parameters=dict(wanted.parameters),
        description=wanted.description,
        work_pool_name=wanted.pool,
        tags=sorted(wanted.tags),
        entrypoint=f"flows.running.prefect_runs.{flow.fn.__name__}",
        parameter_openapi_schema=parameter_schema(flow).model_dump_for_openapi(),
        enforce_parameter_schema=True,
        pull_steps=[],
    )


def _read(client: SyncPrefectClient, which: DeploymentFilter, names: dict[UUID, str]) -> Iterator[Deployed]:
    offset = 0
    while True:
        found = client.read_deployments(deployment_filter=which, limit=_AT_ONCE, offset=offset)
        for each in found:
            yield _as_deployed(each, _flow_name(client, each.flow_id, names))
        if len(found) < _AT_ONCE:
            return
        offset += len(found)


def _flow_name(client: SyncPrefectClient, flow_id: UUID, known: dict[UUID, str]) -> str:
    """Our word for the flow; Prefect's where it is none of ours."""
    if flow_id not in known:
        (flow,) = client.read_flows(flow_filter=FlowFilter(id=FlowFilterId(any_=[flow_id])))
        known[flow_id] = next((word for word, each in FLOWS.items() if each.name == flow.name), flow.name)
    return known[flow_id]


def _as_deployed(each: DeploymentResponse, flow: str) -> Deployed:
    lines = [line.schedule for line in each.schedules]
    limit: Any = each.global_concurrency_limit
    options: Any = each.concurrency_options
    return Deployed(
        name=each.name,
        flow=flow,
        lines=tuple(sorted(_line(line) for line in lines)),
        parameters=dict(each.parameters),
        tags=frozenset(each.tags),
        at_once=None if limit is None else limit.limit,
        collision=None if options is None or limit is None else str(options.collision_strategy.value),
        description=each.description or "",
        version=each.version or "",
        pool=each.work_pool_name,
        paused=each.paused or any(not line.active for line in each.schedules),
        id=str(each.id),
    )


def _line(schedule: Any) -> CronLine:  # noqa: ANN401 - Prefect has three kinds; of ours there is one
    if isinstance(schedule, CronSchedule):
        return CronLine(schedule.cron, schedule.timezone or "UTC")
    return CronLine(str(schedule), "")

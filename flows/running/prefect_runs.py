"""The flows as Prefect sees them: a run per package or batch, its steps as tasks. Only this module and `dead_runs`
import Prefect.

Prefect orders, shows and tries again; it decides nothing, and the catalog, not Prefect's state, is the truth.
Result caching is off: a cached "verified" would be a lie in waiting. Parameters are names and paths, never secrets.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from prefect import Flow, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.context import SyncClientContext
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL
from prefect.states import Completed, Failed

from flows.audit import audit
from flows.auditing.due_reading import NOTHING_DUE
from flows.due import audit_due
from flows.ingest import ingest, ingest_batch
from flows.ledger import in_ledger
from flows.outcomes import Ending, Verdict, worst_of
from flows.reconcile import reconcile
from flows.repair import repair
from flows.replicate import replicate
from flows.reporting.watchdog import watch
from flows.restore import restore
from flows.running import artifacts
from flows.running.dead_runs import close_dead_runs, name_after_us, named_after_us
from flows.running.looking_on import LookedOn
from flows.running.run import is_there
from flows.running.run_names import name_of
from flows.running.schedules import workspace_tag
from flows.steps import RETRY_DELAYS
from flows.workspace import Workspace, open_workspace
from preservation.findings import Finding, Severity
from preservation.progress import Silent
from storage_adapters.errors import StorageUnavailable
from wording import say

SENDING_OFF = 2.0  # seconds to wait for Prefect's queues
CONCLUDING = 1.0  # seconds between two looks whether the server that is to hear of the end is still there

Answer = TypeVar("Answer")
P = ParamSpec("P")


@dataclass
class _Caller:
    """The command line that runs a flow in its own process: its workspace is used, and what the body gave or raised
    is kept for it, for Prefect wraps both.
    """

    workspace: Workspace
    looked_on: LookedOn | None = None  # the work goes on in another thread already
    answers: list[Any] = field(default_factory=list)
    raised: BaseException | None = None


_CALLER: ContextVar[_Caller | None] = ContextVar("caller", default=None)


def run(workspace: Workspace, name: str, parameters: dict[str, Any]) -> Any:  # noqa: ANN401 - each flow has its own
    """Run a flow in this process, seen by the server that PREFECT_API_URL names; gives what the flow's body gave.

    Raises what the body raised. What the body did stands, even when the server went away before its end.
    """
    caller = _Caller(workspace)
    _seen(caller, name, parameters)
    if caller.raised is not None:
        raise caller.raised
    return caller.answers[0]


def look_on(run: LookedOn) -> None:
    """Tell the server of a run whose work goes on elsewhere. Prefect's errors pass."""
    caller = _Caller(run.workspace, run)
    with suppress(KeyboardInterrupt):  # it ended the work, and the run with it
        _seen(caller, run.name, run.parameters)


def _seen(caller: _Caller, name: str, parameters: dict[str, Any]) -> None:
    """The flow, run in this thread. Raises when Prefect ended it before anything was done."""
    logging.raiseExceptions = False  # a line of log that cannot be sent is no reason to write on the screen
    token = _CALLER.set(caller)
    state = None
    try:
        # One client for everything: Prefect would make a new one, TLS and all, for each call, at 40 ms.
        with SyncClientContext.get_or_create(), named_after_us(workspace_tag(caller.workspace)):
            _close_dead_runs(caller.workspace)
            # On the runner's loop, and not by `asyncio.run`, which keeps Ctrl-C back until the whole flow is over.
            with asyncio.Runner() as runner:
                begin: Callable[..., Any] = FLOWS[name]
                flow_run = begin(workspace=str(caller.workspace.folder), **parameters, return_state=True)
                state = runner.get_loop().run_until_complete(_concluding(flow_run, caller))
    except Exception:
        if not caller.answers and caller.raised is None:
            raise
    finally:
        _CALLER.reset(token)
        _send_off()
    if not caller.answers and caller.raised is None:
        raise RuntimeError(f"Prefect ended the run without running it: {state!r}")


def _close_dead_runs(workspace: Workspace) -> None:
    """Runs that died before us would be shown as running for ever. That Prefect cannot close them keeps nobody."""
    try:
        close_dead_runs(workspace)
    except Exception as error:  # noqa: BLE001 - whatever Prefect's client raises
        text = say("Prefect could not be asked for runs that died: {reason}", reason=type(error).__name__)
        workspace.notices.append(Finding("prefect-not-asked", Severity.WARNING, text))


async def _concluding(flow_run: Coroutine[Any, Any, State[Any]], caller: _Caller) -> State[Any] | None:
    """The run's state. Once the body is over, a server that has gone is not waited for: Prefect would go on telling
    it of the end for two minutes and more. None then.
    """
    running = asyncio.ensure_future(flow_run)
    absent = 0
    while not running.done() and absent < 2:
        await asyncio.wait({running}, timeout=CONCLUDING)
        over = bool(caller.answers) or caller.raised is not None
        absent = absent + 1 if over and not await asyncio.to_thread(_server_is_there) else 0
    if running.done():
        return await running
    running.cancel()
    await asyncio.wait({running}, timeout=CONCLUDING)
    return None


def _server_is_there() -> bool:
    return is_there(str(PREFECT_API_URL.value()))


def _send_off() -> None:
    """Send what Prefect still holds in its queues while the server is surely there, and drop what is left then.

    Left to the end of the process, Prefect waits for each of them, for minutes, for a server that has gone by then.
    """
    there = _server_is_there()
    for kind in (APILogWorker, EventsWorker):
        services: list[Any] = list(kind._instances.values())  # type: ignore[misc]
        working = [(service._loop, service._task) for service in services]
        kind.drain_all(timeout=SENDING_OFF if there else 0)
        for loop, task_of_service in working:
            if task_of_service is not None and not task_of_service.done():
                loop.call_soon_threadsafe(task_of_service.cancel)


def task_step(name: str, work: Callable[P, Answer], /, *args: P.args, **kwargs: P.kwargs) -> Answer:
    """One step as a Prefect task; only StorageUnavailable is tried again."""
    # The arguments are bound first: Prefect would otherwise look through them for results of other tasks.
    return _task(name, partial(work, *args, **kwargs), tries=RETRY_DELAYS)


def _task(name: str, work: Callable[[], Answer], *, tries: tuple[float, ...] = ()) -> Answer:
    as_task = task(
        name=name,
        task_run_name=name,
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=len(tries),
        retry_delay_seconds=list(tries),
        retry_condition_fn=_store_was_away,
    )
    return as_task(work)()


def _store_was_away(_task: object, _run: object, state: State[Any]) -> bool:
    return isinstance(state.data, StorageUnavailable)


@contextmanager
def _opened(folder: str) -> Iterator[Workspace]:
    # One client for all steps: Prefect would make a new one, TLS and all, for each, at 40 ms a step.
    with SyncClientContext.get_or_create(), _workspace(folder) as workspace:
        yield workspace


@contextmanager
def _workspace(folder: str) -> Iterator[Workspace]:
    caller = _CALLER.get()
    if caller is not None:
        try:
            yield caller.workspace
        except BaseException as error:
            caller.raised = error
            raise
    else:
        if flow_run.id is not None:
            name_after_us(UUID(str(flow_run.id)))
        with open_workspace(Path(folder)) as workspace:
            yield workspace


def _carried(workspace: Workspace, body: Callable[..., Any], *args: Any, **parameters: Any) -> State[Any]:  # noqa: ANN401
    """Run the body between guard and push of the ledger, its steps as tasks."""
    caller = _CALLER.get()
    if caller is not None and caller.looked_on is not None:
        return _looked_on(caller.looked_on)
    earlier = len(workspace.notices)
    with _on_page(workspace):
        answer = in_ledger(workspace, body, *args, **parameters, step=task_step)
    return _concluded(answer, workspace.notices[earlier:])


def _looked_on(run: LookedOn) -> State[Any]:
    """Every step as a task that lasts as long as it does; what the work raised ends this run as well."""
    workspace, mine = run.workspace, UUID(str(flow_run.id))
    page = artifacts.OnPage(mine, Silent(), artifacts.language_of(workspace))
    notices, reports = run.earlier
    try:
        with run.on_page(page):
            for name, over in run.steps():
                with suppress(Exception):  # its task shows it; how all ended comes last
                    _task(name, over.result)
    finally:
        page.end()
        artifacts.leave(workspace, mine, workspace.reported[reports:])
    if run.ended.raised is not None:
        raise run.ended.raised
    return _concluded(run.ended.answer, workspace.notices[notices:])


@contextmanager
def _on_page(workspace: Workspace) -> Iterator[None]:
    """How far the run is, and its report at the end, on its page in Prefect."""
    run, told, before = UUID(str(flow_run.id)), len(workspace.reported), workspace.progress
    workspace.progress = page = artifacts.OnPage(run, before, artifacts.language_of(workspace))
    try:
        yield
    finally:
        workspace.progress = before
        page.end()
        artifacts.leave(workspace, run, workspace.reported[told:])


def _concluded(answer: Ending | Sequence[Ending], notices: Sequence[Finding]) -> State[Any]:
    """The state that a person reads: well, found (with the word for what), or failed. No outcome is hidden, and no
    notice: its code and its place stand behind the words.
    """
    caller = _CALLER.get()
    if caller is not None:
        caller.answers.append(answer)
    endings: Sequence[Ending] = answer if isinstance(answer, Sequence) else [answer]
    said = {ending.word for ending in endings}
    words = ", ".join(sorted(said - {NOTHING_DUE} or said)) or "nothing to do"
    words = "; ".join([words, *(f"{notice.code}: {notice.path}" for notice in notices)])
    match worst_of(endings):
        case Verdict.WELL:
            return Completed(message=words)
        case Verdict.FOUND:
            return Completed(name="Found", message=words)
        case _:
            return Failed(message=words)


def _named(body: str) -> Callable[[], str]:
    """The name of the run that begins: what it is, not one of Prefect's animals."""
    return lambda: name_of(body, flow_run.parameters)


@flow(name="ingest", persist_result=False, flow_run_name=_named("ingest"))
async def ingest_flow(
    workspace: str, source: str, policy: str | None = None, collection: str | None = None
) -> State[Any]:
    """One package, from where it was delivered to proved copies."""
    with _opened(workspace) as opened:
        return _carried(opened, ingest, source, policy=policy, collection=collection)


@flow(name="ingest batch", persist_result=False, flow_run_name=_named("ingest_batch"))
async def ingest_batch_flow(
    workspace: str, sources: list[str], policy: str | None = None, collection: str | None = None
) -> State[Any]:
    """Many packages; each a step of its own."""
    with _opened(workspace) as opened:
        return _carried(opened, ingest_batch, sources, policy=policy, collection=collection)


@flow(name="replicate", persist_result=False, flow_run_name=_named("replicate"))
async def replicate_flow(workspace: str, references: list[str] | None = None, store: str | None = None) -> State[Any]:
    """The copies that are missing or not yet proved, the most endangered first; in one store or in all."""
    with _opened(workspace) as opened:
        return _carried(opened, replicate, references or [], store=store)


@flow(name="audit", persist_result=False, flow_run_name=_named("audit"))
async def audit_flow(
    workspace: str, references: list[str] | None = None, store: str | None = None, evidence: str = "bytes"
) -> State[Any]:
    """Proof of the copies that are there; of all AIPs when none is named."""
    with _opened(workspace) as opened:
        return _carried(opened, audit, references or [], store=store, evidence=evidence)


@flow(name="audit due", persist_result=False, flow_run_name=_named("audit_due"))
async def audit_due_flow(
    workspace: str, store: str | None = None, evidence: str | None = None, until: str | None = None
) -> State[Any]:
    """Today's share of the copies that are due, in one store or in all."""
    with _opened(workspace) as opened:
        return _carried(opened, audit_due, store=store, evidence=evidence, until=until)


@flow(name="repair", persist_result=False, flow_run_name=_named("repair"))
async def repair_flow(workspace: str, references: list[str] | None = None) -> State[Any]:
    """Damaged copies brought back from proved ones."""
    with _opened(workspace) as opened:
        return _carried(opened, repair, references or [])


@flow(name="reconcile", persist_result=False, flow_run_name=_named("reconcile"))
async def reconcile_flow(workspace: str, store: str | None = None) -> State[Any]:
    """Catalog against stores, both directions."""
    with _opened(workspace) as opened:
        return _carried(opened, reconcile, store=store)


@flow(name="watchdog", persist_result=False, flow_run_name=_named("watchdog"))
async def watchdog_flow(workspace: str) -> State[Any]:
    """Whether everything that was due has run."""
    with _opened(workspace) as opened:
        seen = watch(opened)
        words = "; ".join(str(alarm.text) for alarm in seen.alarms) or "all is well"
        return Completed(name="Alarm", message=words) if seen.alarms else Completed(message=words)


@flow(name="restore", persist_result=False, flow_run_name=_named("restore"))
async def restore_flow(
    workspace: str, reference: str, to: str, store: str | None = None, version: int | None = None
) -> State[Any]:
    """One AIP version given back as a bag."""
    with _opened(workspace) as opened:
        return _carried(opened, restore, reference, to=to, store=store, version=version)


FLOWS: dict[str, Flow[..., Coroutine[Any, Any, State[Any]]]] = {
    "ingest": ingest_flow,
    "ingest_batch": ingest_batch_flow,
    "replicate": replicate_flow,
    "audit": audit_flow,
    "audit_due": audit_due_flow,
    "repair": repair_flow,
    "reconcile": reconcile_flow,
    "watchdog": watchdog_flow,
    "restore": restore_flow,
}

for each in FLOWS.values():  # parameters are JSON already; to find that out Prefect would import FastAPI, for 0.2 s
    each.serialize_parameters = dict  # type: ignore[method-assign, assignment]

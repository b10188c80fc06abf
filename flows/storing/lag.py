"""How far each store is behind, in numbers: what waits, since when, how fast it goes, and why it is stuck.

Promises: from counters and the last few runs alone, in constant time, without asking any store. Nothing is guessed:
where nothing was copied lately there is no speed, and no time by which it is done. Damaged copies are told apart:
repair mends them, and no copying does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from flows.reporting.report_files import message_of
from flows.storing.bandwidth import rate_now
from flows.storing.circuits import not_tried
from flows.workspace import Workspace
from policies.replication import wanted_stores
from preservation.catalog import circuits, runs
from preservation.catalog.circuits import Circuit
from preservation.errors import PreservationError
from wording import Message, say
from wording.translate import translate

RUNS = 40  # of the last ones, that are asked how fast it went
RECENT = timedelta(days=14)
_COPYING = ("replicate", "ingest")

STUCK = {"store-denied": "refused", "store-unavailable": "unreachable", "store-full": "full"}
OPEN, THROTTLED = "circuit-open", "throttled"


@dataclass(frozen=True, slots=True)
class StoreLag:
    """One store. `waiting` copies (`absent` and `unproved`) of so many `bytes` are wanted there, the oldest
    `waiting_since`; `target_seconds` is the shortest lag that a policy allows, and `late` whether it is exceeded.
    `stuck` is refused, unreachable, full or throttled, None when nothing keeps it; `open` says that the store is left
    alone until `next_try_at`. Speeds are bytes a second, None where nothing was copied lately.
    """

    store: str
    waiting: int
    bytes: int
    absent: int
    unproved: int
    damaged: int
    waiting_since: datetime | None
    lag_seconds: float
    target_seconds: float | None
    late: bool
    bytes_per_second: float | None
    eta_seconds: float | None
    stuck: str | None
    open: bool
    reason: Message | None
    failures: int
    failed_at: datetime | None
    next_try_at: datetime | None
    upload_limit: int | None

    def as_json(self, language: str) -> dict[str, Any]:
        """The documented shape; `reason` is a sentence in the language."""
        values = {
            key: value.isoformat() if isinstance(value, datetime) else value for key, value in asdict(self).items()
        }
        return {**values, "reason": None if self.reason is None else translate(self.reason, language)}


def lag(workspace: Workspace) -> tuple[StoreLag, ...]:
    """How far each store of the settings is behind, in their order. Raises CatalogError."""
    database, now = workspace.catalog.database, workspace.clock()
    speeds, failing, known = _speeds(workspace, now=now), circuits.every(database), circuits.known(database)
    targets = _targets(workspace)
    return tuple(
        _of(
            workspace,
            name,
            now=now,
            speed=speeds.get(name),
            circuit=failing.get(name),
            known=known.get(name),
            target=targets.get(name),
        )
        for name in workspace.settings.stores
    )


def _of(
    workspace: Workspace,
    store: str,
    *,
    now: datetime,
    speed: float | None,
    circuit: Circuit | None,
    known: datetime | None,
    target: timedelta | None,
) -> StoreLag:
    seen = workspace.catalog.waiting(store)
    todo = seen.absent + seen.unproved
    since = _since(seen.oldest, known, now=now) if todo.number else None
    behind = max(timedelta(0), now - since) if since is not None else timedelta(0)
    bandwidth = workspace.settings.stores[store].bandwidth
    limit = rate_now(bandwidth, bandwidth.upload, workspace.clock) if bandwidth is not None else None
    is_open = circuit is not None and circuit.is_shut(now)
    stuck, reason = _stuck(circuit, is_open=is_open, limit=limit, waits=bool(todo.number))
    fastest = speed if limit is None or speed is None else min(speed, limit)
    return StoreLag(
        store=store,
        waiting=todo.number,
        bytes=todo.bytes,
        absent=seen.absent.number,
        unproved=seen.unproved.number,
        damaged=seen.damaged.number,
        waiting_since=since,
        lag_seconds=behind.total_seconds(),
        target_seconds=None if target is None else target.total_seconds(),
        late=target is not None and behind > target,
        bytes_per_second=speed,
        eta_seconds=todo.bytes / fastest if todo.number and fastest and stuck in (None, THROTTLED) else None,
        stuck=stuck,
        open=is_open,
        reason=reason,
        failures=circuit.failures if circuit is not None else 0,
        failed_at=circuit.failed_at if circuit is not None else None,
        next_try_at=circuit.next_try_at if circuit is not None and is_open else None,
        upload_limit=limit,
    )


def _since(oldest: datetime | None, known: datetime | None, *, now: datetime) -> datetime:
    """An AIP cannot have waited for a store longer than that is known; no clock that ran ahead is believed."""
    times = [each for each in (oldest, known) if each is not None and each <= now]
    return max(times, default=now)


def _stuck(
    circuit: Circuit | None, *, is_open: bool, limit: int | None, waits: bool
) -> tuple[str | None, Message | None]:
    if circuit is not None:
        why = message_of(circuit.reason) or say("It did not answer.")
        text = say("{what} {reason}", what=not_tried(circuit), reason=why) if is_open else why
        return STUCK.get(circuit.code, "refused"), text
    if limit is not None and waits:
        return THROTTLED, say("Its settings let {rate} bytes a second go there at this hour.", rate=limit)
    return None, None


def _targets(workspace: Workspace) -> dict[str, timedelta]:
    """The shortest lag that any policy in use allows, by store; a policy that cannot be read allows nothing."""
    found: dict[str, timedelta] = {}
    facts = workspace.store_facts()
    for name in {*workspace.catalog.standing_policies(), workspace.settings.policy}:
        try:
            policy = workspace.policy(name)
        except PreservationError:
            continue
        for store in wanted_stores(policy, facts):
            target = policy.replication.lag_target
            found[store] = min(target, found.get(store, target))
    return found


def _speeds(workspace: Workspace, *, now: datetime) -> dict[str, float]:
    """Bytes a second that copying and proving took lately, by store, from the counts of the last runs."""
    amounts: dict[str, list[float]] = {}
    for flow in _COPYING:
        for run in runs.latest(workspace.catalog.database, flow=flow, limit=RUNS):
            if run.ended_at is not None and now - RECENT <= run.ended_at <= now:
                _add(amounts, (run.counts or {}).get("by_store", ()))
    return {store: size / seconds for store, (size, seconds) in amounts.items() if size and seconds > 0}


def _add(amounts: dict[str, list[float]], rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        if row["outcome"] == "intact":
            held = amounts.setdefault(row["store"], [0, 0.0])
            held[0] += row.get("bytes", 0)
            held[1] += row.get("seconds", 0.0)

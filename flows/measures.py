"""Everything that is measured, at one moment: what /metrics tells and /readyz decides by.

Promises: read from the catalog's counters and the workspace's own disk; no store is asked anything, so that one that
is away hinders nobody; nothing is written. What cannot be known is None and never 0.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from flows.in_force import policy_in_force
from flows.reporting.watchdog import last_audit, missed
from flows.standing import Overview, overview
from flows.storing.lag import StoreLag, lag
from flows.watching import watch_state
from flows.workspace import Workspace
from preservation.catalog import audit_days, circuits, incidents, leases, outbox, runs
from preservation.catalog.audit_days import AuditDay
from preservation.catalog.circuits import Circuit
from preservation.catalog.incidents import Incident
from preservation.catalog.runs import RunFact
from preservation.errors import PreservationError
from preservation.formats import kept
from preservation.formats.kept import FIDO

INGEST = "content "  # how the leases begin that ingest holds on the packages it works on
DAYS = timedelta(days=2)  # of audits that are looked back to: the day of a schedule may be another one than ours


@dataclass(frozen=True, slots=True)
class Measures:
    """What there is to know. `away` are open incidents of stores that could not be used, by store; `missed` is by
    policy when an audit should have begun that did not; `lags` how far each store is behind; `deliveries` how many
    packages wait in each watched place.
    """

    at: datetime
    overview: Overview
    events: int
    away: Mapping[str, Incident]
    circuits: Mapping[str, Circuit]
    stores: tuple[str, ...]
    runs: tuple[RunFact, ...]
    notices: tuple[tuple[str, int, int], ...]
    missed: Mapping[str, datetime | None]
    lags: tuple[StoreLag, ...]
    audits: tuple[AuditDay, ...]
    in_work: int
    deliveries: Mapping[str, int]
    bags: int
    disk_free: int
    disk_size: int
    signatures: date | None
    unsound: tuple[str, ...]


def shut_off(measures: Measures) -> dict[str, datetime]:
    """The stores of the settings that cannot be used, as the last runs saw it, and since when."""
    found = {name: each.first_seen for name, each in measures.away.items()}
    opened = {name: each.opened_at for name, each in measures.circuits.items() if each.opened_at is not None}
    return {name: at for name, at in sorted((found | opened).items()) if name in measures.stores}


def measure(workspace: Workspace) -> Measures:
    """Measure everything now. Raises CatalogError, PolicyError when a policy was never sound, OSError."""
    now, database = workspace.clock(), workspace.catalog.database
    seen = overview(workspace, patience=0)
    policies = [policy_in_force(workspace, name) for name in seen.summary.policies]
    last = last_audit(workspace, policies, now)
    free = shutil.disk_usage(workspace.folder)
    away = incidents.listed(database, kinds=[incidents.STORE_AWAY])
    return Measures(
        at=now,
        overview=seen,
        events=workspace.catalog.head()[0],
        circuits=circuits.every(database),
        stores=tuple(workspace.settings.stores),
        away={each.store: each for each in away if each.store is not None},
        runs=tuple(runs.last_of_each(database)),
        notices=tuple(outbox.waiting(database)),
        missed={policy.name: missed(workspace, policy, last, now=now) for policy in policies},
        lags=lag(workspace),
        audits=_last_days(audit_days.days(database, since=(now - DAYS).date())),
        in_work=leases.how_many(database, INGEST, now=now),
        deliveries=watch_state.waiting(workspace.folder),
        bags=_bags(workspace.bags),
        disk_free=free.free,
        disk_size=free.total,
        signatures=_dated(workspace.folder / "formats"),
        unsound=tuple(sorted({each.path or "" for each in workspace.notices if each.code == "policy-not-in-force"})),
    )


def _last_days(days: list[AuditDay]) -> tuple[AuditDay, ...]:
    """The last day of each store, grade and policy."""
    last = {(each.store, each.grade, each.policy): each for each in days}
    return tuple(last[key] for key in sorted(last))


def _bags(folder: Path) -> int:
    """Bags that wait until enough copies are proved."""
    try:
        with os.scandir(folder) as entries:
            return sum(not each.name.startswith(".") for each in entries)
    except FileNotFoundError:
        return 0


_dates: dict[tuple[str, str], date | None] = {}  # of releases, which never change: reading one takes a while


def _dated(folder: Path) -> date | None:
    """The day on which PRONOM made the release in use; None when that cannot be told."""
    try:
        name = kept.in_use(folder).name
        key = (str(folder), name)
        if key not in _dates:
            _dates[key] = (kept.fido_kept() if name == FIDO else kept.kept_release(folder, name)).dated
    except PreservationError:
        return None
    return _dates[key]

"""A workspace in which there is something to see of everything, and its server asked without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from apps.dashboard.app import build
from apps.dashboard.guard import Guard
from flows.ledger import in_ledger
from flows.looking import Looking
from flows.reporting.rows import Kind, Row
from flows.watching import watch_state
from flows.watching.drop_folder import Why
from flows.watching.watch_state import Waits
from flows.workspace import Workspace
from preservation.catalog import audit_days, circuits, outbox, runs
from preservation.catalog.audit_days import AuditDay
from preservation.catalog.leases import this_process
from preservation.facts import Grade, Outcome
from preservation.findings import Finding, Severity
from tests.watching.rooms import Clock, Ended, Room, kept, prove
from wording import say

DROP = "/srv/giao nộp"
TOKEN = "một-bí-mật-dài-hơn-16"


def plain_room(folder: Path) -> Room:
    """One AIP that is safe, as of now."""
    room = Room(folder, Clock(datetime.now(UTC))).settle()
    with room.open() as workspace:
        safe(workspace)
    return room


def safe(workspace: Workspace) -> str:
    of = kept(workspace)
    for store in "abc":
        prove(workspace, of, store, Outcome.INTACT)
    return of.identifier


def full_room(folder: Path) -> Room:
    """Something of everything: damage, lateness, a store away, a run that failed, one that goes on, a notice."""
    room = plain_room(folder)
    with room.open() as workspace:
        room.clock.go_on(days=-400)
        kept(workspace)  # never proved since
        room.clock.go_on(days=400)
        database, now = workspace.catalog.database, workspace.clock()
        damaged = kept(workspace)
        prove(workspace, damaged, "b", Outcome.DAMAGED)
        for _ in range(9):
            circuits.failed(database, "c", code="store-unavailable", reason={"text": "It is dark."}, limit=3, now=now)
        in_ledger(workspace, replicate)
        in_ledger(workspace, audit)
        runs.begin(database, "abcdef123456", flow="reconcile", asked={}, process=this_process(), now=now)
        runs.begin(database, "fedcba123456", flow="restore", asked={}, process=this_process(), now=now)
        ended: dict[str, Any] = {"word": "failed", "verdict": 3, "counts": {}, "report": None, "reason": None}
        runs.end(database, "fedcba123456", now=now, **ended)
        told = {"role": "officer", "kind": "digest", "run": None, "subject": "s", "body": "b", "content": "c"}
        outbox.put(database, "n1", channel="mail", now=now, same_within=timedelta(1), **told)
        outbox.failed(database, outbox.listed(database, limit=1)[0], "no route", now)
        day = AuditDay("a", Grade.BYTES, "default", now.date(), 3, 6, 6000, 6, 100, 1)
        audit_days.conclude(database, AuditDay(**{**_fields(day), "waiting": 2, "held": "budget"}))
        workspace.bags.mkdir(exist_ok=True)
        (workspace.bags / "one").mkdir()
        changing = Waits("scan-7", Why.CHANGING, now)
        watch_state.write(workspace, DROP, [changing, Waits("notes.txt", Why.NO_PACKAGE, now)])
        watch_state.write(workspace, "/not/mounted", [Waits("", Why.AWAY, now)])
    return room


def _fields(day: AuditDay) -> dict[str, Any]:
    return {name: getattr(day, name) for name in AuditDay.__slots__}


def replicate(workspace: Workspace) -> list[Ended]:
    workspace.run.tell(Row(kind=Kind.COPY, outcome="intact", store="a", bytes=1000, seconds=0.5))
    workspace.run.tell(Row(kind=Kind.COPY, outcome="intact", store="b", bytes=1000, seconds=0.5))
    return [Ended()]


def audit(workspace: Workspace) -> list[Ended]:
    why = Finding("store-unavailable", Severity.ERROR, say("It is dark."), "c")
    workspace.run.tell(Row(kind=Kind.COPY, outcome="unreadable", store="c", reason=why, away=True))
    return [Ended()]


class Web:
    """Asks the application as a client on this machine would."""

    def __init__(self, folder: Path, *, local: bool = True, keep: float = 0.0) -> None:
        self.looking = Looking(folder)
        self.app = Guard(build(self.looking, keep=keep), settings=self.looking.web, local=local)

    def ask(
        self,
        path: str,
        *,
        host: str = "127.0.0.1:4280",
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
                return await client.request(method, path, headers=dict(headers or {}))

        return asyncio.run(asked())

    def json(self, path: str, **more: Any) -> Any:
        answer = self.ask(path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

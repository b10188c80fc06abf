"""A workspace whose copies are only told of: rows, events and clocks as a test wants them, without any bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flows.outcomes import Verdict
from flows.workspace import Workspace, open_workspace
from preservation import events
from preservation.facts import AIPVersion, Event, EventOutcome, EventType, Evidence, Grade, Outcome, Replica
from tests.catalog.samples import NOW, event, objects, version


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Room:
    folder: Path
    clock: Clock = field(default_factory=Clock)

    def settle(self, settings: str = "", *, policies: dict[str, str] | None = None, secrets: str = "") -> Room:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "vankho.toml").write_text(STORES + settings, "utf-8")
        if secrets:
            (self.folder / "vankho.secrets.toml").write_text(secrets, "utf-8")
            (self.folder / "vankho.secrets.toml").chmod(0o600)
        (self.folder / "policies").mkdir(exist_ok=True)
        for name, text in (policies or {}).items():
            (self.folder / "policies" / f"{name}.yaml").write_text(text, "utf-8")
        return self

    @contextmanager
    def open(self) -> Iterator[Workspace]:
        with open_workspace(self.folder) as workspace:
            workspace.clock = self.clock
            yield workspace


STORES = "".join(f'[stores.{name}]\nkind = "local"\npath = "stores/{name}"\nregion = "{name}"\n' for name in "abc")


@dataclass(frozen=True)
class Ended:
    """The answer of a flow that only has a verdict."""

    verdict: Verdict = Verdict.WELL
    word: str = "done"


def kept(workspace: Workspace, **facts: Any) -> AIPVersion:
    """An AIP with copies in a, b and c that were never proved."""
    facts = {"admitted_at": workspace.clock(), "staged": None} | facts
    made = workspace.catalog.admit(version(2, **facts), objects(2), [event()])
    claims = [Replica(made.identifier, made.version, store, workspace.clock()) for store in "abc"]
    told = [event(made, type=EventType.REPLICATION, store=store, at=workspace.clock()) for store in "abc"]
    workspace.catalog.record(told, claims=claims)
    return made


def checked(
    of: AIPVersion, store: str, outcome: Outcome, at: datetime, *, grade: Grade = Grade.BYTES, **detail: Any
) -> tuple[Event, tuple[Evidence, ...]]:
    """What `events.checked` makes of such an audit."""
    result = {Outcome.INTACT: EventOutcome.SUCCESS, Outcome.DAMAGED: EventOutcome.FAIL}
    done = events.event(
        EventType.FIXITY_CHECK,
        at,
        outcome=result.get(outcome, EventOutcome.WARNING),
        of=of,
        store=store,
        detail={"grade": grade.value, "result": outcome.value, "objects": {}} | detail,
    )
    proof = Evidence(of.identifier, of.version, store, grade, outcome, at)
    return done, () if outcome is Outcome.UNREADABLE else (proof,)


def prove(
    workspace: Workspace, of: AIPVersion, store: str, outcome: Outcome, *, grade: Grade = Grade.BYTES, **detail: Any
) -> None:
    done, evidence = checked(of, store, outcome, workspace.clock(), grade=grade, **detail)
    workspace.catalog.record([done], evidence=evidence)

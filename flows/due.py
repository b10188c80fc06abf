"""Audits by due date: today's share of every store, read and recorded, within budgets, windows and throttles.

Promises that each copy is recorded as soon as it is proved, so that a run that is stopped goes on where it was; that
stores are read side by side, the grades of each in order, and none waits for another; that at most as many audits
read in one store as its settings allow, and never the same copy twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime

from flows.audit import SEVERAL
from flows.auditing.by_store import Heed, Part, Together, by_store
from flows.auditing.due_plan import Planned, plan_today
from flows.auditing.due_reading import DueAudited, Reading
from flows.auditing.due_takings import WEAKEST_FIRST, takings
from flows.reporting.told import left_for_later
from flows.standing import settle
from flows.steps import Step, plain_step
from flows.workspace import Workspace
from preservation.catalog.errors import LeaseHeld
from preservation.facts import Grade

JUDGING = 600.0  # seconds in which versions whose rules have changed are judged before the due dates are asked for


def audit_due(
    workspace: Workspace,
    *,
    store: str | None = None,
    evidence: str | None = None,
    until: str | None = None,
    step: Step = plain_step,
) -> list[DueAudited]:
    """Audit today's share of one store or of all, at one grade or at each that policies ask for; one step for each.

    `until` (ISO 8601) is when no further copy is begun. Raises UsageError, PolicyError, CatalogError.
    """
    settle(workspace, seconds=JUDGING)
    deadline = None if until is None else datetime.fromisoformat(until)
    asked = _grades(workspace, store=store, evidence=evidence)
    parts = _parts(workspace, asked, deadline)

    def one(name: str, heed: Heed) -> list[DueAudited]:
        """A store's grades, one after the other."""
        return [
            step(f"audit {name} {grade.value}", _audit_place, workspace, name, grade, deadline, part, heed)
            for grade, part in parts[name].items()
        ]

    done = [each for answers in by_store(one, list(asked)) for each in answers]
    for each in done:
        if each.waiting:
            workspace.run.tell(left_for_later(each.store, each.grade.value, each.waiting, each.held))
    return done


def plan_due(
    workspace: Workspace, *, store: str | None = None, evidence: str | None = None, until: str | None = None
) -> list[Planned]:
    """Today's share as it would be read now, without reading a byte and without writing anything but judgements."""
    settle(workspace, seconds=JUDGING)
    deadline = None if until is None else datetime.fromisoformat(until)
    now = workspace.clock()
    return [
        planned
        for name, grade in places(workspace, store=store, evidence=evidence)
        for planned in plan_today(workspace, name, grade, now=now, until=deadline)
    ]


def next_due(workspace: Workspace) -> datetime | None:
    """When the next copy falls due, in any store at any grade; None when none ever does."""
    coverage = workspace.catalog.standing(workspace.clock()).coverage
    return min((each.next_due for each in coverage if each.next_due is not None), default=None)


def places(workspace: Workspace, *, store: str | None, evidence: str | None) -> Iterator[tuple[str, Grade]]:
    """The stores and grades asked for, presence first: what takes moments does not wait for what takes hours."""
    for name, grades in _grades(workspace, store=store, evidence=evidence).items():
        for grade in grades:
            yield name, grade


def _grades(workspace: Workspace, *, store: str | None, evidence: str | None) -> dict[str, tuple[Grade, ...]]:
    if store is not None:
        workspace.require_store(store)
    grades = WEAKEST_FIRST if evidence is None else (Grade(evidence),)
    return dict.fromkeys([store] if store is not None else workspace.settings.stores, grades)


def _parts(
    workspace: Workspace, asked: Mapping[str, Sequence[Grade]], until: datetime | None
) -> dict[str, dict[Grade, Part]]:
    """One bar over everything that is to be read: how many bytes of it lie in each store at each grade. Where bytes
    are read back at all, looking at lists takes no time beside it and is not shown.
    """
    now = workspace.clock()
    sizes = {
        (name, grade): sum(each.bytes for each in plan_today(workspace, name, grade, now=now, until=until))
        for name, grades in asked.items()
        for grade in grades
    }
    if any(size for (_, grade), size in sizes.items() if grade is Grade.BYTES):
        sizes = {(name, grade): size if grade is Grade.BYTES else 0 for (name, grade), size in sizes.items()}
    stores = {name for (name, _), size in sizes.items() if size}
    title = f"audit > {stores.pop()}" if len(stores) == 1 else SEVERAL
    whole = Together(workspace.progress, title, sum(sizes.values()))
    return {name: {grade: Part(whole, sizes[name, grade]) for grade in grades} for name, grades in asked.items()}


def _audit_place(
    workspace: Workspace, store: str, grade: Grade, until: datetime | None, part: Part, heed: Heed
) -> DueAudited:
    """One step. Another run that reads in the store does this one's work too, so it is no failure."""
    try:
        shares = takings(workspace, store, grade, now=workspace.clock())
        if not shares:
            return DueAudited(store, grade, {})
        with _slot(workspace, store):
            return Reading(workspace, store, grade, shares, until, part, heed).read()
    except LeaseHeld as held:
        if not held.holder or not str(held.where).startswith("audit "):
            raise
        return DueAudited(store, grade, {}, busy=held.what)
    finally:
        part.over()


@contextmanager
def _slot(workspace: Workspace, store: str) -> Iterator[None]:
    """One of the places that the store's settings have for audits. Raises LeaseHeld when all are taken."""
    with ExitStack() as held:
        last: LeaseHeld | None = None
        for number in range(workspace.settings.stores[store].audits_at_once):
            try:
                held.enter_context(workspace.lease_now(f"audit {store} {number + 1}"))
            except LeaseHeld as error:
                last = error
            else:
                last = None
                break
        if last is not None:
            raise last
        yield

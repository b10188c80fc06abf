"""Replicate: make the copies that policy asks for and that are missing or not yet proved.

Without references, what is wanting everywhere, the most endangered first: AIPs with the fewest proved copies, and of
those the oldest. Read page by page in flat memory; each copy is recorded as soon as it is proved, so that a run that
was stopped goes on where it was. A store that fails too often is left alone, and the others go on.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby, islice

from flows.copies import Copies, make_copies, release
from flows.outcomes import Verdict
from flows.references import version_named, versions_named
from flows.reporting.told import left_for_later
from flows.standing import settle
from flows.steps import STEPS_PER_RUN, Step, each, plain_step
from flows.storing import circuits
from flows.storing.lag import StoreLag, lag
from flows.tidy import tidy
from flows.workspace import Workspace
from preservation.catalog.errors import LeaseHeld
from preservation.catalog.judging import ABSENT, UNPROVED
from preservation.catalog.listing import WantingCopy
from preservation.facts import AIPVersion, Grade, Replica
from preservation.findings import Finding, Severity
from preservation.progress import Progress
from wording import say

JUDGING = 600.0  # seconds in which versions whose rules have changed are judged before it is asked what is wanting
TOLD = 1000  # AIP versions in the answer of one run, those with trouble before the others; the report has all
FIRST = 20  # copies in the answer of what would be done


@dataclass(frozen=True, slots=True)
class Replicated:
    """What became of the copies of one version, and all its replicas now."""

    version: AIPVersion
    copies: Copies
    replicas: tuple[Replica, ...]

    @property
    def verdict(self) -> Verdict:
        """That of its copies."""
        return self.copies.verdict

    @property
    def word(self) -> str:
        """In one word."""
        return {Verdict.WELL: "replicated", Verdict.FOUND: "damaged"}.get(self.verdict, "failed")


@dataclass(frozen=True, slots=True)
class Wanting:
    """What a run would do: how far each store is behind, and which copies come first."""

    stores: tuple[StoreLag, ...]
    first: tuple[WantingCopy, ...]


def replicate(
    workspace: Workspace, references: Sequence[str], *, store: str | None = None, step: Step = plain_step
) -> list[Replicated]:
    """Fill what is missing, version by version, in one store or in all. A store that fails is a finding; the others
    go on. Without references the answer holds the versions that something was done about. Raises UsageError.
    """
    if store is not None:
        workspace.require_store(store)
        circuits.probe(workspace, store)  # who names a store wants it tried now
    tidy(workspace)
    if references:
        only = None if store is None else (store,)

        def one(version: AIPVersion, workspace: Workspace, step: Step) -> Replicated:
            return _one(workspace, version, step, only)

        return each(step, _title, one, versions_named(workspace, references), workspace)
    return _everything(workspace, _asked(workspace, store), step)


def plan_replicate(workspace: Workspace, *, store: str | None = None) -> Wanting:
    """What would be copied, without copying anything or writing anything but judgements. Raises UsageError."""
    if store is not None:
        workspace.require_store(store)
    settle(workspace, seconds=JUDGING)
    names = _asked(workspace, store)
    first = heapq.merge(*(_wanting(workspace, name) for name in names), key=_danger)
    return Wanting(tuple(each for each in lag(workspace) if each.store in names), tuple(islice(first, FIRST)))


def _asked(workspace: Workspace, store: str | None) -> list[str]:
    return list(workspace.settings.stores) if store is None else [store]


def _title(version: AIPVersion) -> str:
    return f"replicate {version.identifier} v{version.version}"


def _one(workspace: Workspace, version: AIPVersion, step: Step, only: Sequence[str] | None) -> Replicated:
    copies = make_copies(workspace, version, workspace.policy(version.policy), step, only=only)
    return Replicated(version, copies, tuple(workspace.catalog.replicas(version.identifier, version.version)))


def _everything(workspace: Workspace, stores: Sequence[str], step: Step) -> list[Replicated]:
    unjudged = settle(workspace, seconds=JUDGING)
    if unjudged:
        text = say(
            "{count} AIP versions could not be judged by their policies; what they lack is not known.", count=unjudged
        )
        workspace.notices.append(Finding("not-judged", Severity.WARNING, text))
    seen = [workspace.catalog.waiting(name) for name in stores]
    todo = sum(each.absent.number + each.unproved.number for each in seen)
    read = sum(2 * each.absent.bytes + each.unproved.bytes for each in seen)
    stream, answer = _versions(workspace, stores), _Answer()
    several = todo > STEPS_PER_RUN
    size = max(1, -(-todo // STEPS_PER_RUN))
    before = workspace.progress
    if several:
        before.begin("copy", read)
        workspace.progress = _Whole(before)
    try:
        for version, wanted in stream:
            if several:
                part = islice(stream, size - 1)
                step(_title(version), _some, workspace, [(version, wanted)], part, answer)
            else:
                answer.add(_one(workspace, version, step, wanted))
    finally:
        workspace.progress = before
    _let_go(workspace)
    return answer.done


Taken = tuple[AIPVersion, tuple[str, ...]]


def _some(workspace: Workspace, first: list[Taken], rest: Iterator[Taken], answer: _Answer) -> None:
    """A part of the work as one step. Tried again, it goes on behind what was begun."""
    while first:
        version, wanted = first.pop()
        answer.add(_one(workspace, version, plain_step, wanted))
    for version, wanted in rest:
        answer.add(_one(workspace, version, plain_step, wanted))


def _versions(workspace: Workspace, stores: Sequence[str]) -> Iterator[Taken]:
    """The versions that lack copies, the most endangered first, each with the stores that lack it."""
    merged = heapq.merge(*(_wanting(workspace, name, acting=True) for name in stores), key=_danger)
    for (identifier, number), copies in groupby(merged, key=lambda copy: (copy.identifier, copy.version)):
        wanted = tuple(copy.store for copy in copies)
        yield version_named(workspace, identifier, number), wanted


def _danger(copy: WantingCopy) -> tuple[int, object, int]:
    return copy.proved, copy.since, copy.cursor.version_id


def _wanting(workspace: Workspace, store: str, *, acting: bool = False) -> Iterator[WantingCopy]:
    """What a store lacks. Of one that is left alone the first copy is still given, so that the run tells of it."""
    states = (workspace.catalog.missing(store, state=state) for state in (ABSENT, UNPROVED))
    for done, copy in enumerate(heapq.merge(*states, key=_danger), start=1):
        yield copy
        if acting and circuits.left_alone(workspace, store):
            seen = workspace.catalog.waiting(store)
            left = seen.absent.number + seen.unproved.number
            if left > 1 or done > 1:
                workspace.run.tell(left_for_later(store, Grade.BYTES.value, max(1, left - 1), "store-away"))
            return


def _let_go(workspace: Workspace) -> None:
    """Bags of which enough copies are proved, and that a run which died did not let go of."""
    for version in workspace.catalog.staged_versions():
        with suppress(LeaseHeld), workspace.lease_now(f"copies {version.identifier}/v{version.version}"):
            now = version_named(workspace, version.identifier, version.version)
            release(workspace, now, workspace.policy(now.policy))


@dataclass
class _Answer:
    """What is told of a run: the first versions, and whatever went wrong before what went well."""

    done: list[Replicated] = field(default_factory=list)

    def add(self, one: Replicated) -> None:
        """One more; a graver one takes the place of a lighter one when there is no more room."""
        if len(self.done) < TOLD:
            self.done.append(one)
            return
        lightest = min(range(TOLD), key=lambda place: self.done[place].verdict)
        if self.done[lightest].verdict < one.verdict:
            self.done[lightest] = one


class _Whole:
    """One bar over all copies: their own beginnings are not shown."""

    def __init__(self, inner: Progress) -> None:
        self._inner = inner

    def begin(self, step: str, total: int | None) -> None:
        """Ignore."""

    def advance(self, amount: int) -> None:
        """So much more of the whole is done."""
        self._inner.advance(amount)

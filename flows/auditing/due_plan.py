"""Today's share as it would be read: what `--dry-run` and the dashboard show, and how much a run has before it.

Goes through the same door as the reading (Today), with what each copy is expected to take. Reads no byte.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from flows.auditing.due_stretches import need_of, stretches
from flows.auditing.due_takings import Taking, candidates, takings
from flows.workspace import Workspace
from policies.plan import Share, Use, Why, effort, time_limits
from preservation.catalog.listing import DueCopy
from preservation.catalog.loads import DueSum
from preservation.facts import Grade


@dataclass(frozen=True, slots=True)
class Planned:
    """What today's share of one policy is in one store at one grade, if nothing comes between. `early` of the copies
    are not due yet, and read now to keep the days level; `waiting` ones are due and have to wait, `held` says why;
    `paused` of them could not be read, and are tried again from `again` on.
    """

    store: str
    grade: Grade
    policy: str
    copies: int
    objects: int
    bytes: int
    early: int
    paused: int
    again: datetime | None
    use: Use
    currency: str
    seconds: float | None
    waiting: int
    held: Why | None
    opens: datetime | None
    next_due: datetime | None


def plan_today(
    workspace: Workspace, store: str, grade: Grade, *, now: datetime, until: datetime | None = None
) -> list[Planned]:
    """Today's share by policy, without reading a byte; `until` is when the run is to end. Raises CatalogError."""
    shares = takings(workspace, store, grade, now=now)
    counts = {name: _Counts() for name in shares}
    for taking in shares.values():
        _limit_time(taking, until)
    for stretch in stretches(workspace, store, grade, shares):
        if stretch.sums is None:
            part = candidates(workspace, store, grade, shares, since=stretch.since, before=stretch.before)
            for copy, taking in part:
                _offer(copy, taking, counts[copy.policy], grade)
            continue
        for name, whole in stretch.sums.items():
            need, work = need_of(shares[name], grade, whole)
            shares[name].today.took(need, work)
            counts[name].add(whole, need, early=stretch.since >= now)
    return [_planned(store, grade, shares[name], counts[name]) for name in sorted(shares)]


def _offer(copy: DueCopy, taking: Taking, taken: _Counts, grade: Grade) -> None:
    if taking.closes is None:
        _shut(taking, copy, taken)
        return
    need = taking.need(grade, copy)
    if taking.today.offer(copy.due_at, need):
        taking.today.took(need, effort(need))
        one = DueSum(1, copy.objects, copy.object_bytes, 1)
        taken.add(one, need, early=copy.due_at >= taking.now)
    elif taken.next_due is None:
        taken.next_due = copy.due_at


@dataclass(slots=True)
class _Counts:
    copies: int = 0
    objects: int = 0
    bytes: int = 0
    early: int = 0
    use: Use = field(default_factory=Use)
    next_due: datetime | None = None

    def add(self, taken: DueSum, need: Use, *, early: bool) -> None:
        self.copies += taken.copies
        self.objects += taken.objects
        self.bytes += taken.bytes
        self.early += taken.copies if early else 0
        self.use += need


def _limit_time(taking: Taking, until: datetime | None) -> None:
    """At the throttle, only so much passes before the window shuts, the run is to end, or the next one starts."""
    if taking.closes is None:
        return
    end = min(taking.closes, taking.following, *([until] if until is not None else []))
    seconds = max(0.0, (end - taking.now).total_seconds())
    limits = time_limits(taking.plan.throttle, seconds, windowed=taking.plan.window is not None)
    share = taking.today.share
    taking.today.share = Share(share.level, (*share.limits, *limits))


def _shut(taking: Taking, copy: DueCopy, taken: _Counts) -> None:
    taking.today.pass_over(copy.due_at, Why.WINDOW)
    if taken.next_due is None:
        taken.next_due = copy.due_at


def _planned(store: str, grade: Grade, taking: Taking, taken: _Counts) -> Planned:
    rate = taking.plan.throttle.bytes_per_second
    speeds = [each for each in (taking.speed, rate) if each]
    return Planned(
        store=store,
        grade=grade,
        policy=taking.policy,
        copies=taken.copies,
        objects=taken.objects,
        bytes=taken.bytes,
        early=taken.early,
        paused=taking.paused,
        again=taking.again,
        use=taken.use,
        currency=taking.prices.currency if taking.prices else "",
        seconds=taken.use.bytes / min(speeds) if speeds and grade is Grade.BYTES else None,
        waiting=taking.today.waiting + taking.paused,
        held=taking.held,
        opens=taking.opens,
        next_due=taken.next_due,
    )

"""A day's share in whole stretches of time: what falls due in a stretch and fits together is taken as one sum.

Promises the share that taking copy by copy gives, in their order: when all copies of a stretch fit together, each of
them fits in its turn. So the plan for a million copies reads some thousands of them. Reads no byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from flows.auditing.due_takings import Taking
from flows.workspace import Workspace
from policies.plan import KEYS_PER_LIST, Use, effort, together
from preservation.catalog.listing import DueCopy, unreadable_due
from preservation.catalog.loads import DueSum, due_sums, first_due
from preservation.facts import Grade

FEW = 2000  # copies that are looked at one by one
SHORT = timedelta(seconds=1)
NEARLY = 0.95  # of what should fit by the stretch before: days are not quite alike
LONGER = 1000  # times as long as the one before, at most


@dataclass(frozen=True, slots=True)
class Stretch:
    """Copies due from `since` on and before `before`. `sums` by policy are to be taken whole; when it is None not all
    of them fit, and they are to be looked at one by one.
    """

    since: datetime
    before: datetime
    sums: dict[str, DueSum] | None


def stretches(workspace: Workspace, store: str, grade: Grade, shares: dict[str, Taking]) -> Iterator[Stretch]:
    """Stretch after stretch, until nobody takes any more; each must be taken before the next is asked for."""
    database = workspace.catalog.database
    at = first_due(database, store, grade) if shares else None
    failing = unreadable_due(database, store, grade) if at is not None else []
    ends = sorted({end for each in shares.values() for end in (each.now, each.today.before, each.horizon)})
    width = timedelta.max
    while at is not None and any(each.takes(at) for each in shares.values()):
        end = next(each for each in ends if each > at)
        end = at + min(width, end - at)
        found = due_sums(database, store, grade, since=at, before=end, page=KEYS_PER_LIST)
        sums = {name: each for name, each in found.items() if name in shares and shares[name].takes(at)}
        copies = sum(each.copies for each in sums.values())
        few = FEW / copies if copies else 2.0
        part = min((_part(shares[name], grade, each, before=end) for name, each in sums.items()), default=2.0)
        if part >= 1:
            here = [copy for copy in failing if at <= copy.due_at < end and copy.policy in sums]
            yield Stretch(at, end, _without_paused(workspace, shares, sums, here))
            # What is left says how long the next one may be, whether or not its copies could wait.
            part = min((_part(shares[name], grade, each, before=None) for name, each in sums.items()), default=2.0)
            width, at = max(SHORT, (end - at) * min(max(part * NEARLY, few), LONGER)), end
        elif copies > 2 * FEW and end - at > SHORT:
            width = (end - at) * max(part * NEARLY, few)
        else:
            yield Stretch(at, end, None)
            at = end


def need_of(taking: Taking, grade: Grade, each: DueSum) -> tuple[Use, float]:
    """What proving so many copies is expected to take, and the effort."""
    use = together(grade, lists=each.lists, objects=each.objects, bytes=each.bytes, prices=taking.prices)
    return use, effort(use, each.copies)


def _part(taking: Taking, grade: Grade, each: DueSum, *, before: datetime | None) -> float:
    if taking.closes is None:
        return 0.0
    use, work = need_of(taking, grade, each)
    return taking.today.share.part(use, work, must=before is not None and before <= taking.today.before)


def _without_paused(
    workspace: Workspace, shares: dict[str, Taking], sums: dict[str, DueSum], failing: Iterable[DueCopy]
) -> dict[str, DueSum]:
    """The sums less the copies that could not be read and are not tried yet."""
    left = dict(sums)
    for copy in failing:
        if shares[copy.policy].pauses(workspace, copy):
            held, pages = left[copy.policy], max(1, -(-copy.objects // KEYS_PER_LIST))
            left[copy.policy] = replace(
                held,
                copies=held.copies - 1,
                objects=held.objects - copy.objects,
                bytes=held.bytes - copy.object_bytes,
                lists=held.lists - pages,
            )
    return left

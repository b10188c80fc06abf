"""How far the stores are behind, for people: one table, and a sentence for each that is stuck or late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from apps.cli import shapes
from apps.cli.answer import Line, Table
from wording import say
from wording.times import moment

if TYPE_CHECKING:
    from flows.storing.lag import StoreLag

STUCK = {
    "refused": say("refused"),
    "unreachable": say("unreachable"),
    "full": say("full"),
    "throttled": say("throttled"),
}


def lines(stores: Sequence[StoreLag]) -> list[Line]:
    """The table and the sentences; nothing where nothing waits and nothing fails."""
    behind = [each for each in stores if each.waiting or each.damaged or each.stuck]
    if not behind:
        return []
    return [
        say("Copies that are wanted and wait:"),
        _table(behind),
        *(line for each in behind for line in _told(each)),
    ]


def _table(behind: Sequence[StoreLag]) -> Table:
    headings = (
        say("Store"),
        say("AIPs waiting"),
        say("Bytes"),
        say("Waiting since"),
        say("Speed"),
        say("Done in"),
        say("Stuck"),
    )
    rows = [
        (
            each.store,
            each.waiting,
            shapes.size(each.bytes),
            "–" if each.waiting_since is None else moment(each.waiting_since),
            "–" if each.bytes_per_second is None else f"{shapes.size(round(each.bytes_per_second))}/s",
            shapes.length(each.eta_seconds),
            "–" if each.stuck is None else STUCK[each.stuck],
        )
        for each in behind
    ]
    return Table(headings, rows)


def _told(each: StoreLag) -> list[Line]:
    found: list[Line] = []
    if each.reason is not None:
        found.append(say("{store}: {reason}", store=each.store, reason=each.reason))
    if each.next_try_at is not None:
        found.append(
            say(
                "  It is tried again after {at}; `vankho store probe {store}` tries it now.",
                at=moment(each.next_try_at),
                store=each.store,
            )
        )
    if each.late and each.target_seconds is not None:
        found.append(
            say(
                "{store} is {behind} behind; the policy allows {target}.",
                store=each.store,
                behind=shapes.length(each.lag_seconds),
                target=shapes.length(each.target_seconds),
            )
        )
    if each.damaged:
        found.append(
            say(
                "{store}: {count} copies are damaged; `vankho repair` mends them.",
                store=each.store,
                count=each.damaged,
            )
        )
    return found

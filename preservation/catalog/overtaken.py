"""A report that was overtaken is not recorded: whoever read for hours must not write over what happened meanwhile.

The reader notes the number of the last event before it begins. In the transaction that records its report, with the
chain locked, every later event about the same replica is looked at; clocks play no part.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from preservation.catalog import chain
from preservation.catalog.errors import Overtaken
from preservation.facts import EventOutcome, EventType

_OF_REPLICA = " AND identifier = :identifier AND version = :version AND store = :store"

# Whether an event of this type, outcome and detail makes the report stale.
Overtakes = Callable[[EventType, EventOutcome, Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Unless:
    """The condition for recording: no event about this replica after number `after` that `overtakes` the report."""

    after: int
    identifier: str
    version: int
    store: str
    overtakes: Overtakes


def refuse(connection: Connection, unless: Unless) -> None:
    """Raise Overtaken when the condition does not hold; the caller has locked the chain."""
    place = {"identifier": unless.identifier, "version": unless.version, "store": unless.store}
    after = unless.after
    while rows := chain.all_rows(connection, after=after, where=_OF_REPLICA, values=place):
        for row in rows:
            if unless.overtakes(EventType(row.type), EventOutcome(row.outcome), json.loads(row.detail)):
                raise Overtaken(unless.identifier, unless.version, unless.store, row.seq)
        after = rows[-1].seq

"""Stores that the settings no longer name while copies are in them: refused until told what becomes of them.

`refuse_strangers` stands before every run that makes or mends copies. `retire` takes the copies of a store that was
given up off the record: one event says who and why; what was proved there stays in the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flows.outcomes import Verdict
from flows.reporting.people import who
from flows.workspace import Workspace
from preservation import events
from preservation.catalog import circuits, incidents, projections
from preservation.catalog.placed import RETIRED
from preservation.errors import UsageError
from preservation.facts import EventOutcome, EventType
from preservation.findings import Finding, Severity
from wording import say

STORE_EVENTS = "stores"  # where events name the delivery they belong to, those about stores bear this
SAYS_WHAT = ("retire", "rename")  # what becomes of the copies in a store that the settings lost
GOES_ON = frozenset({"audit", "audit_due", "restore", "reconcile", "watch", *SAYS_WHAT})  # without the lost stores
LAST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Stranger:
    """A store with copies on record that the settings do not name."""

    store: str
    copies: int


@dataclass(frozen=True, slots=True)
class Retired:
    """A store that was given up: how many copies went off the record, how many of them were an AIP's last."""

    store: str
    copies: int
    last: int
    reason: str
    by: str
    at: datetime

    @property
    def verdict(self) -> Verdict:
        """Found, when an AIP lost its last proved copy on the record."""
        return Verdict.FOUND if self.last else Verdict.WELL

    @property
    def word(self) -> str:
        """In one word."""
        return "retired"


class StoreMissing(UsageError):
    """Copies are in stores that the settings do not name; nothing was done."""


def strangers(workspace: Workspace) -> list[Stranger]:
    """The stores with copies that the settings do not name. Raises CatalogError."""
    gone = [name for name in workspace.catalog.stores_with_copies() if name not in workspace.settings.stores]
    return [Stranger(name, workspace.catalog.count_copies(name)) for name in gone]


def findings(found: Sequence[Stranger]) -> list[Finding]:
    """The same as warnings, for whatever only reads."""
    return [
        Finding(
            "store-not-in-settings",
            Severity.WARNING,
            say(
                "{count} copies are in the store {store}, which vankho.toml does not name; they are not looked at. "
                "Put it back, say its new name (`vankho store rename {store} NEW`), or give it up: "
                "`vankho store retire {store} --reason TEXT`.",
                count=each.copies,
                store=each.store,
            ),
            path=each.store,
        )
        for each in found
    ]


def refuse_strangers(workspace: Workspace, flow: str) -> None:
    """Before a run that writes. Raises StoreMissing where the run would make or mend copies; others get a notice.
    Notes since when each store of the settings is known.
    """
    found = strangers(workspace)
    if found and flow not in GOES_ON:
        first = found[0].store
        raise StoreMissing(
            say(
                "Copies are in stores that vankho.toml does not name: {stores}. Nothing was done.",
                stores=", ".join(f"{each.store} ({each.copies})" for each in found),
            ),
            where="vankho.toml: stores",
            expected=", ".join(workspace.catalog.stores_with_copies()),
            seen=", ".join(workspace.settings.stores) or "-",
            next_step=say(
                "Put the store back under its old name. When it has a new name: `vankho store rename {store} NEW`. "
                "Only when it is given up: `vankho store retire {store} --reason TEXT` takes its copies off the "
                "record.",
                store=first,
            ),
        )
    workspace.notices += findings(found) if flow not in SAYS_WHAT else []
    known = circuits.known(workspace.catalog.database)
    for name in workspace.settings.stores:
        if name not in known:
            circuits.know(workspace.catalog.database, name, since=workspace.clock())


def retire(workspace: Workspace, store: str, *, reason: str, even_if_last: bool = False) -> Retired:
    """Give a store up. Raises UsageError without a reason, for a store that the settings still name or that has no
    copies, and where an AIP would have no proved copy left, unless `even_if_last`.
    """
    if not reason.strip():
        raise UsageError(say("Giving a store up needs a reason."), next_step=say("Give one with --reason TEXT."))
    if store in workspace.settings.stores:
        raise UsageError(
            say(
                "Store {store} still stands in vankho.toml: what is given up there would be copied again.",
                store=store,
            ),
            where="vankho.toml: stores",
            next_step=say("Take its section out of vankho.toml first, then run the same command again."),
        )
    copies = workspace.catalog.count_copies(store)
    if not copies:
        raise UsageError(
            say("No copy is on record in a store named {store}.", store=store),
            seen=store,
            expected=", ".join(workspace.catalog.stores_with_copies()) or "-",
            next_step=say("`vankho store list` shows the stores."),
        )
    last = _refuse_last(workspace, store, even_if_last=even_if_last)
    now, by = workspace.clock(), who()
    told = events.event(
        EventType.DELETION,
        now,
        outcome=EventOutcome.WARNING,
        submission=STORE_EVENTS,
        store=store,
        detail={
            "retired": {"store": store, "copies": copies, "last": last, "reason": reason.strip(), "by": by},
            projections.KEY: [{"change": RETIRED, "store": store}],
        },
    )
    workspace.catalog.record([told])
    circuits.forget(workspace.catalog.database, store)
    incidents.over(workspace.catalog.database, incidents.STORE_AWAY, about=store, why="given-up", now=now)
    return Retired(store, copies, last, reason.strip(), by, now)


def _refuse_last(workspace: Workspace, store: str, *, even_if_last: bool) -> int:
    """How many AIP versions have their last proved copy there. Raises UsageError when that is any."""
    number, first = workspace.catalog.last_copies(store, others=workspace.settings.stores, limit=LAST_SHOWN)
    if number and not even_if_last:
        raise UsageError(
            say(
                "{count} AIP versions have no proved copy in any other store, among them {first}. Nothing was done.",
                count=number,
                first=", ".join(f"{identifier} v{version}" for identifier, version in first),
            ),
            where=store,
            next_step=say(
                "Put the store back into vankho.toml, run `vankho replicate`, then take it out again. Only when the "
                "store is lost for good, add --even-if-last."
            ),
        )
    return number

"""Whether a store's ledger and the catalog tell one history: asked before anything is written.

An older copy of the catalog, another catalog, another store's disk: each is refused with its name and with the ways
on. One page of a list and one small read for each store; nothing is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from preservation.catalog.catalog import Catalog
from preservation.errors import CatalogError
from preservation.findings import Finding, Severity
from preservation.ledger.layout import checkpoints_prefix
from preservation.ledger.reading import LedgerBroken, highest_book, newest
from preservation.ledger.records import Checkpoint
from storage_adapters.errors import place
from storage_adapters.store import Store
from wording import Message, say

LEDGER_EVENTS = "ledger"  # where events name the delivery they belong to, those about the ledger itself bear this


@dataclass(frozen=True, slots=True)
class BookInForce:
    """The book that the catalog writes, and the checkpoints that were set aside when it was opened.

    Book 1 until somebody accepted a catalog that the stores did not agree with; each such decision opens the next.
    """

    book: int = 1
    refused: tuple[Mapping[str, Any], ...] = ()
    names: frozenset[tuple[str, str]] = frozenset()  # (a store, a name that it had before)

    def renamed(self, store: str, to: str) -> BookInForce:
        """The same once a store has a new name; those that it had before go on being its own."""
        before = {(to, name) for each, name in self.names if each == store}
        return replace(self, names=self.names | before | {(to, store)})


@dataclass(frozen=True, slots=True)
class Found:
    """What a store has: its highest book (0: no ledger at all) and the newest checkpoint of it. `broken` when that
    checkpoint is not as it was written; `last` is then the number that its name promises.
    """

    store: str
    book: int = 0
    checkpoint: Checkpoint | None = None
    last: int = 0
    broken: LedgerBroken | None = None


class LedgerRefused(CatalogError):
    """The catalog and a store tell different histories. Nothing is written until a person says how to go on."""

    def __init__(self, finding: Finding, store: str) -> None:
        super().__init__(
            finding.message,
            where=finding.path,
            expected=finding.expected,
            seen=finding.seen,
            next_step=_ways_on(finding, store),
        )
        self.finding = finding
        self.store = store


def _ways_on(finding: Finding, store: str) -> Message:
    if finding.code == "ledger-other-store":  # nobody's history is wrong: two disks stand in each other's place
        return say(
            "Nothing was written. Correct [stores] in vankho.toml, or connect the right disk; then run again. Only "
            "when the store has a new name on purpose: `vankho store rename {seen} {store}`.",
            store=store,
            seen=finding.seen or "",
        )
    return say(
        "Nothing was written. `vankho ledger verify` names the first event that differs. Then take the history of "
        "the store: `vankho catalog rebuild --from {store}`; or keep that of the catalog: "
        "`vankho ledger accept {store} --reason TEXT`.",
        store=store,
    )


def book_in_force(catalog: Catalog) -> BookInForce:
    """What the last decision on the ledger says. Reads the few events about the ledger only."""
    force = BookInForce()
    refused: list[Mapping[str, Any]] = []
    for recorded in catalog.events(submission=LEDGER_EVENTS):
        decided = recorded.event.detail.get("accepted")
        if isinstance(decided, dict):
            refused += decided["refused"]
            force = replace(force, book=int(decided["book"]), refused=tuple(refused))
        renamed = recorded.event.detail.get("renamed")
        if isinstance(renamed, dict):
            force = force.renamed(str(renamed["store"]), str(renamed["to"]))
    return force


def look(store: Store) -> Found:
    """What the store's ledger says of itself. Raises StorageError."""
    found = highest_book(store)
    if found is None:
        return Found(store.name)
    book, first_key = found
    try:
        checkpoint = newest(store, book, first_key=first_key)
    except LedgerBroken as error:
        return Found(store.name, book, last=error.seq, broken=error)
    return Found(store.name, book, checkpoint, last=checkpoint.last if checkpoint else 0)


def objection(catalog: Catalog, found: Found, force: BookInForce) -> Finding | None:
    """Why the catalog may not write beside this store, None when it may. `found` must have been read before this
    is called: the catalog may have grown since, never the other way round.
    """
    if found.book > force.book:
        text = say(
            "The store {store} has book {seen} of the ledger, but the catalog knows of {expected} only: it is older "
            "than that decision, or it is another catalog.",
            store=found.store,
            seen=found.book,
            expected=force.book,
        )
        return _finding("ledger-newer-book", text, found, expected=force.book, seen=found.book)
    if _set_aside(found, force):
        return None
    if found.broken is not None:
        broken = found.broken.finding
        text = say(
            "The ledger of the store {store} cannot be used: {reason}", store=found.store, reason=broken.message
        )
        return Finding(broken.code, Severity.ERROR, text, broken.path, broken.expected, broken.seen)
    if found.checkpoint is None:
        return None
    return _strangers(catalog, found.checkpoint, found, force) or _another_history(catalog, found.checkpoint, found)


def only_damaged(catalog: Catalog, found: Found, force: BookInForce) -> bool:
    """Whether the store's newest checkpoint cannot be read, and its name promises no more than the catalog knows: a
    spoilt object, and no sign of a catalog that fell behind. Other stores may then answer for the history.
    """
    if found.broken is None or found.book > force.book or _set_aside(found, force):
        return False
    return found.last <= catalog.head()[0]


def refuse(catalog: Catalog, found: Found, force: BookInForce) -> None:
    """Raise LedgerRefused when there is an objection."""
    finding = objection(catalog, found, force)
    if finding is not None:
        raise LedgerRefused(finding, found.store)


def other_store(store: str, checkpoint: Checkpoint) -> Message:
    """What is said of a store in whose place another one stands."""
    return say(
        "The disk or bucket set up as store {store} is the one of store {seen}: its ledger says so.",
        store=store,
        seen=checkpoint.store,
    )


def refused_record(found: Found) -> dict[str, Any]:
    """What an acceptance keeps of a checkpoint that it sets aside."""
    known = found.checkpoint
    return {
        "store": found.store,
        "book": found.book,
        "last": found.last,
        "digest": known.digest if known else None,
        "catalog": known.catalog if known else None,
        "named": known.store if known else None,
    }


def _set_aside(found: Found, force: BookInForce) -> bool:
    return found.book < force.book and refused_record(found) in force.refused


def _strangers(catalog: Catalog, checkpoint: Checkpoint, found: Found, force: BookInForce) -> Finding | None:
    if checkpoint.store != found.store and (found.store, checkpoint.store) not in force.names:
        text = other_store(found.store, checkpoint)
        return _finding("ledger-other-store", text, found, expected=found.store, seen=checkpoint.store)
    first = catalog.digest_of(1)
    if checkpoint.catalog != first:
        text = say(
            "The store {store} holds the ledger of another catalog, or this catalog is new or was lost.",
            store=found.store,
        )
        return _finding("ledger-other-catalog", text, found, expected=first or "-", seen=checkpoint.catalog)
    return None


def _another_history(catalog: Catalog, checkpoint: Checkpoint, found: Found) -> Finding | None:
    seq, _ = catalog.head()
    if checkpoint.last > seq:
        text = say(
            "The catalog ends with event {seq}, but the store {store} knows event {last} already: the catalog was "
            "brought back from an older copy, or events were deleted at its end.",
            seq=seq,
            store=found.store,
            last=checkpoint.last,
        )
        return _finding("ledger-catalog-behind", text, found, expected=checkpoint.last, seen=seq)
    digest = catalog.digest_of(checkpoint.last)
    if digest != checkpoint.digest:
        text = say(
            "The catalog and the store {store} tell different histories: up to event {last} they are not the same.",
            store=found.store,
            last=checkpoint.last,
        )
        return _finding("ledger-other-history", text, found, expected=checkpoint.digest, seen=digest)
    return None


def _finding(code: str, text: Message, found: Found, *, expected: object, seen: object) -> Finding:
    where = place(found.store, checkpoints_prefix(found.book))
    return Finding(code, Severity.ERROR, text, where, str(expected), str(seen))

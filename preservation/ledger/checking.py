"""Hold catalog and stores against each other, event by event, and name the first event that is not the same.

Promises: one pass over the catalog and one over each store, in flat memory; nobody's word counts for more than
anybody else's, and nothing is written. What differs is a finding; a store that cannot be read is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from preservation.catalog.catalog import Catalog
from preservation.catalog.history import Entry
from preservation.errors import CatalogError
from preservation.findings import Finding, Severity
from preservation.ledger.admissions import admits, check_object_lists
from preservation.ledger.guard import BookInForce, book_in_force, look, objection
from preservation.ledger.layout import checkpoints_prefix, policy_key
from preservation.ledger.reading import LedgerBroken, books, broken, checkpoints, content_digest, read_events
from preservation.ledger.records import ZEROS, LedgerEvent, objects_digest, version_of
from preservation.ledger.writing import SCRIPT_KEY, script
from storage_adapters.errors import ObjectNotFound, StorageError, place
from storage_adapters.store import Store
from wording import say

CATALOG = "catalog"
COMPARED = frozenset({"ledger-event-differs", "ledger-event-missing"})  # one place's word against another's


@dataclass(frozen=True, slots=True)
class Fault:
    """One disagreement. `seq` is the number of the first event concerned, None when none is (a policy's text)."""

    seq: int | None
    finding: Finding


@dataclass(slots=True)
class StoreChecked:
    """What checking one store gave. `away` when it could not be read to its end."""

    store: str
    book: int = 0
    last: int = 0
    set_aside: tuple[int, ...] = ()
    faults: list[Fault] = field(default_factory=list)
    away: Exception | None = None

    @property
    def wrong(self) -> bool:
        """Whether anything but a note was found."""
        return any(fault.finding.severity is not Severity.INFO for fault in self.faults)


@dataclass(frozen=True, slots=True)
class LedgerChecked:
    """What checking gave: the catalog's events and faults, and each store's."""

    events: int
    head: str
    book: int
    faults: tuple[Fault, ...]
    stores: tuple[StoreChecked, ...]

    @property
    def first(self) -> Fault | None:
        """The fault at the lowest event, the catalog's before a store's; None when nothing was found."""
        every = [*self.faults, *(fault for store in self.stores for fault in store.faults)]
        return min(
            (fault for fault in every if fault.seq is not None), key=lambda fault: fault.seq or 0, default=None
        )

    @property
    def places(self) -> tuple[str, ...]:
        """Where the first wrong event stands: names of stores, and `catalog`.

        A chain that breaks there convicts its own place. Where none does, the places that differ from all others are
        named; where it is one word against one, both are.
        """
        if self.first is None or self.first.seq is None:
            return ()
        seq = self.first.seq
        own = [CATALOG] if any(fault.seq in (seq, seq + 1) for fault in self.faults) else []
        own += [store.store for store in self.stores if any(_breaks(fault, seq) for fault in store.faults)]
        reached = [store for store in self.stores if store.last >= seq]
        differing = [store.store for store in reached if any(_differs_at(fault, seq) for fault in store.faults)]
        agreeing = [store for store in reached if store.store not in (*differing, *own)]
        if agreeing:
            return tuple(dict.fromkeys([*own, *differing]))
        if own:
            return tuple(own)
        return (CATALOG,) if len(differing) > 1 else (CATALOG, *differing)


def _breaks(fault: Fault, seq: int) -> bool:
    return fault.seq in (seq, seq + 1) and fault.finding.code not in COMPARED


def _differs_at(fault: Fault, seq: int) -> bool:
    return fault.seq == seq and fault.finding.code in COMPARED


def check_ledger(catalog: Catalog, stores: Sequence[Store], *, objects: bool = False) -> LedgerChecked:
    """Check the catalog's chain, every store's ledger, and that they are the same; `objects` holds the catalog's
    object lists against their admissions too. Raises CatalogError when the catalog cannot be read.
    """
    end, _ = catalog.head()  # before the stores are looked at: what they lack of it, they lack
    force = book_in_force(catalog)
    checks = [_begun(catalog, store, force) for store in stores]
    chain = catalog.verify_chain()
    faults = []
    if chain.finding is not None:
        faults.append(Fault(chain.first_bad, chain.finding))
    readers = [_Reader(store, check) for store, check in zip(stores, checks, strict=True) if check.away is None]
    _in_step(catalog, readers)
    for reader in readers:
        _ended(reader, end=end)
    if objects:
        faults += _catalog_objects(catalog)
    return LedgerChecked(chain.events, chain.head, force.book, tuple(faults), tuple(checks))


def _begun(catalog: Catalog, store: Store, force: BookInForce) -> StoreChecked:
    try:
        found = look(store)
        check = StoreChecked(store.name, found.book, found.last)
        check.set_aside = tuple(book for book in books(store) if book < found.book)
    except StorageError as error:
        return StoreChecked(store.name, away=error)
    finding = objection(catalog, found, force)
    if finding is not None:
        # How far the histories are the same comes out event by event; this only says that they are not.
        check.faults.append(Fault(None, finding))
    return check


class _Reader:
    """The events of one store, read in step with the catalog's; after the first difference only for themselves."""

    def __init__(self, store: Store, check: StoreChecked) -> None:
        self.store, self.check = store, check
        self.compared = True
        self.admitting: list[int] = []
        self._events = read_events(store, check.book) if check.book else iter(())

    def next(self) -> LedgerEvent | None:
        """The next event, None at the end or at the first that does not hold."""
        try:
            event = next(self._events, None)
        except LedgerBroken as error:
            self.found(error.seq, error.finding)
        except StorageError as error:
            self.check.away = error
        else:
            if event is not None and admits(event):
                self.admitting.append(event.seq)
            return event
        self._events = iter(())
        return None

    def found(self, seq: int | None, finding: Finding) -> None:
        """One more fault of this store."""
        self.check.faults.append(Fault(seq, finding))


def _in_step(catalog: Catalog, readers: Sequence[_Reader]) -> None:
    entries = catalog.entries()
    entry, digest, seq = next(entries, None), ZEROS, 0
    reading = list(readers)
    while reading:
        seq += 1
        seen: Entry | None = None
        if entry is not None and entry.seq <= seq:
            seen, entry = (entry if entry.seq == seq else None), next(entries, None)
        if seen is not None and seen.record is not None:
            digest = hashlib.sha256(bytes.fromhex(digest) + seen.record).hexdigest()
        still = []
        for reader in reading:
            event = reader.next()
            if event is None:
                continue
            still.append(reader)
            if reader.compared and (seen is None or seen.record is None or event.digest != digest):
                reader.compared = False
                reader.found(seq, _differs(seq, reader.store.name, event, seen, digest))
        reading = still


def _differs(seq: int, store: str, event: LedgerEvent, seen: Entry | None, digest: str) -> Finding:
    where = f"event {seq}"
    if seen is None:
        text = say("The store {store} has event {seq}, which the catalog lacks.", store=store, seq=seq)
        return Finding("ledger-event-missing", Severity.ERROR, text, where, event.digest)
    text = say("Event {seq} is one thing in the catalog and another in the store {store}.", store=store, seq=seq)
    return Finding("ledger-event-differs", Severity.ERROR, text, where, event.digest, digest)


def _ended(reader: _Reader, *, end: int) -> None:
    check, store = reader.check, reader.store
    if check.away is not None:
        return
    try:
        _check_script(store, reader)
        _check_policies(store, check)
        check_object_lists(store, check.book, reader.admitting)
    except LedgerBroken as error:
        if all(fault.finding.path != error.finding.path for fault in check.faults):
            reader.found(error.seq, error.finding)
    except StorageError as error:
        check.away = error
    if check.last < end and not check.wrong:
        lacks = say(
            "The store {store} lacks the events {first} to {last}. The next run that reaches it writes them.",
            store=store.name,
            first=check.last + 1,
            last=end,
        )
        where = place(store.name, checkpoints_prefix(check.book or 1))
        reader.found(
            check.last + 1, Finding("ledger-behind", Severity.WARNING, lacks, where, str(end), str(check.last))
        )


def _check_script(store: Store, reader: _Reader) -> None:
    if not reader.check.book:
        return
    try:
        seen = content_digest(store, SCRIPT_KEY)
    except ObjectNotFound:
        seen = None
    expected = hashlib.sha256(script()).hexdigest()
    if seen != expected:
        text = say("The script in the store is not the one of this release: it is another release's, or was changed.")
        where = place(store.name, SCRIPT_KEY)
        reader.found(None, Finding("ledger-script-differs", Severity.INFO, text, where, expected, seen))


def _check_policies(store: Store, check: StoreChecked) -> None:
    seen: set[tuple[str, str]] = set()
    for checkpoint, _ in checkpoints(store, check.book) if check.book else ():
        for name, promised in checkpoint.policies.items():
            if (name, promised) in seen:
                continue
            seen.add((name, promised))
            key = policy_key(check.book, name, promised)
            try:
                digest = content_digest(store, key)
            except ObjectNotFound:
                digest = None
            if digest != promised:
                text = say("The text of the policy {name} is gone from the ledger, or was changed.", name=name)
                where = place(store.name, key)
                raise broken(
                    "ledger-policy-altered", text, where=where, seq=checkpoint.last, expected=promised, seen=digest
                )


def _catalog_objects(catalog: Catalog) -> Iterator[Fault]:
    for entry in catalog.entries():
        if entry.detail is None or "aip" not in entry.detail:
            continue
        promised = str(entry.detail.get("objects_digest"))
        try:
            version = version_of(entry.detail)
            digest = objects_digest(catalog.objects(version.identifier, version.version))
        except (CatalogError, ValueError) as error:
            digest = str(error)
        if digest != promised:
            text = say(
                "The objects that event {seq} admitted are not those that the catalog lists now.", seq=entry.seq
            )
            where = f"event {entry.seq}"
            yield Fault(entry.seq, Finding("ledger-objects-altered", Severity.ERROR, text, where, promised, digest))

"""The catalog made again from what one store keeps of it, or from a folder; and the copies of it that people keep.

Nothing is destroyed: a catalog that is older is brought up to date, another one is kept aside. What was made is
compared with what it was made from, and the difference is computed by other code; then the workspace's bags and the
store's copies that the history does not tell are counted again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from flows.ledger import guard, push
from flows.outcomes import Verdict
from flows.rebuilding.adoption import Counted, count_again
from flows.rebuilding.policy_copies import bring_back
from flows.tidy import bags_spared
from flows.workspace import Workspace
from preservation import events
from preservation.catalog.catalog import Catalog
from preservation.catalog.difference import Difference
from preservation.catalog.renewal import in_place_of, shown_address, stands
from preservation.catalog.replay import Admission, Replayed
from preservation.errors import CatalogError, UsageError
from preservation.facts import EventOutcome, EventType
from preservation.findings import Finding, Severity
from preservation.ledger.admissions import read_admissions
from preservation.ledger.guard import LEDGER_EVENTS, LedgerRefused, look, other_store
from preservation.ledger.reading import books, newest, read_events
from preservation.ledger.records import Checkpoint, LedgerEvent
from preservation.progress import Progress
from preservation.replicas.copy import COMMIT_MARK
from preservation.replicas.layout import AIPS
from storage_adapters.errors import StorageError
from storage_adapters.store import Store
from wording import say

TOLD = 1000  # names in the event; all of them stand in the events of their own
REPLACE = say(  # no word of accepting: a chain that does not hold cannot be kept
    "To take the history that is kept there, run the same command with --replace; the catalog that is here is kept "
    "aside."
)
NOTHING, UNLOOKED = Replayed(0, 0), Counted((), ())


@dataclass(frozen=True, slots=True)
class Kept:
    """A history as a store keeps it in one book, read anew as often as asked. `end` is its newest checkpoint."""

    store: Store
    end: Checkpoint
    progress: Progress

    @property
    def place(self) -> str:
        """The store's name."""
        return self.store.name

    def events(self) -> Iterator[LedgerEvent]:
        """Every event, in order."""
        for event in read_events(self.store, self.end.book):
            yield event
            self.progress.advance(1)

    def admissions(self, after: int = 0) -> Iterator[Admission]:
        """Every AIP version that later events admit."""
        return read_admissions(self.store, self.end.book, after=after)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild made. `outcome`: made-anew, brought-up-to-date, whole-already (the catalog knew all of it and
    perhaps `ahead` events more), differs (it could not be made equal). `aside`: where the old catalog is kept.
    """

    source: str
    catalog: str
    outcome: str
    replayed: Replayed = NOTHING
    book: int = 0
    aside: str | None = None
    difference: Difference | None = None
    counted: Counted = UNLOOKED
    policies: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Whatever differs, and whatever had to be counted again from bags alone, is the officer's to look at."""
        grave = any(each.severity is not Severity.INFO for each in (*self.findings, *self.counted.findings))
        differs = self.difference is not None and self.difference.total > 0
        return Verdict.FOUND if grave or differs or self.outcome == "differs" else Verdict.WELL

    @property
    def word(self) -> str:
        """The outcome."""
        return self.outcome


def rebuild(
    workspace: Workspace, *, source: str, to: str | None = None, replace: bool = False, older: bool = False
) -> Rebuilt:
    """Make the catalog (at `to` when given, else at the address of the settings) from the ledger of one store.

    `replace` takes the place of a catalog of another history; `older` takes this store's history though another
    store knows more. Raises UsageError, CatalogError, LedgerBroken, StorageError.
    """
    store = workspace.bare_store(source)
    kept = kept_history(workspace, store)
    if kept is None:
        _refuse_nothing(workspace, store)
    if not older:
        _refuse_older(workspace, source, kept)
    there = workspace if to is None else workspace.with_catalog(to)
    try:
        return made_from(there, store, kept, replace=replace, looked_through=store)
    finally:
        if there is not workspace:
            there.close()


def kept_history(workspace: Workspace, store: Store) -> Kept | None:
    """The newest history of the store, None when it has no ledger. Raises LedgerBroken, CatalogError."""
    for book in reversed(books(store)):
        end = newest(store, book)
        if end is None:
            continue  # its first push was cut short
        if end.store != store.name:
            raise CatalogError(
                other_store(store.name, end),
                where=store.name,
                expected=store.name,
                seen=end.store,
                next_step=say("Correct [stores] in vankho.toml, or connect the right disk; then run again."),
            )
        return Kept(store, end, workspace.progress)
    return None


def _refuse_nothing(workspace: Workspace, store: Store) -> None:
    """Refuse to make a catalog of nothing, perhaps in the place of one that knows something."""
    bags = workspace.bags.iterdir() if workspace.bags.is_dir() else ()
    if next(iter(store.list(AIPS)), None) is None and not any((bag / COMMIT_MARK).is_file() for bag in bags):
        raise UsageError(
            say(
                "Store {store} keeps no ledger and no AIP; there is nothing to make a catalog from.", store=store.name
            ),
            where=store.name,
            next_step=say("Name a store that has copies, and see that its disk is connected."),
        )


def _refuse_older(workspace: Workspace, source: str, kept: Kept | None) -> None:
    """Refuse while another store that can be asked knows more: what it alone knows would be left behind."""
    mine = (kept.end.book, kept.end.last) if kept is not None else (0, 0)
    for name in workspace.settings.stores:
        if name == source:
            continue
        try:
            found = look(workspace.bare_store(name))
        except (StorageError, OSError):
            continue
        if (found.book, found.last) > mine and found.checkpoint is not None:
            raise CatalogError(
                say(
                    "Store {other} keeps more of the catalog's history than {store}: up to event {last}.",
                    other=name,
                    store=source,
                    last=found.last,
                ),
                where=source,
                expected=str(found.last),
                seen=str(mine[1]),
                next_step=say(
                    "Run `vankho catalog rebuild --from {other}`. Only if its ledger cannot be used, take this one "
                    "with --older.",
                    other=name,
                ),
            )


def made_from(
    workspace: Workspace,
    store: Store,
    kept: Kept | None,
    *,
    replace: bool,
    looked_through: Store | None,
    tell: bool = True,
) -> Rebuilt:
    """The catalog from that history (none: from the bags alone), then what it does not tell counted again, and told
    by an event. Without `tell` nothing is added: later events of a store must still follow.
    """
    url, base = workspace.settings.catalog.url, workspace.folder
    shown = shown_address(url, base=base)
    with bags_spared(workspace):
        if replace or not stands(url, base=base):
            made = _made_anew(workspace, store, kept, shown)
        else:
            made = _brought_up_to_date(workspace, store, kept, shown)
        if made.outcome == "differs" or not tell:
            return made
        counted = count_again(workspace, looked_through)
    policies, findings = bring_back(workspace, store, kept.end if kept is not None else None)
    done = dataclasses.replace(made, counted=counted, policies=policies, findings=findings)
    if done.replayed.events or done.aside or counted.adopted or policies:
        _tell(workspace, done)
        done = dataclasses.replace(done, findings=(*findings, *_pushed(workspace)))
    return done


def _made_anew(workspace: Workspace, store: Store, kept: Kept | None, shown: str) -> Rebuilt:
    with in_place_of(workspace.settings.catalog.url, base=workspace.folder, now=workspace.clock()) as renewal:
        if kept is None:
            return Rebuilt(store.name, shown, "made-anew", aside=renewal.aside)
        replayed = _replayed(renewal.catalog, kept)
        difference = _compared(renewal.catalog, kept)
        if difference.total:
            raise Unequal(kept, difference)  # what stood there stays
    return Rebuilt(store.name, shown, "made-anew", replayed, kept.end.book, renewal.aside, difference)


def _brought_up_to_date(workspace: Workspace, store: Store, kept: Kept | None, shown: str) -> Rebuilt:
    catalog = workspace.catalog
    if kept is None:
        if catalog.head()[0]:
            raise CatalogError(
                say("Store {store} keeps no ledger, and the catalog that is here has a history.", store=store.name),
                where=store.name,
                next_step=say("`vankho reconcile` compares the two. Rebuild from a store that has a ledger."),
            )
        return Rebuilt(store.name, shown, "made-anew")
    sound = catalog.verify_chain()
    if sound.finding is not None:
        raise CatalogError(
            sound.finding.message,
            where=sound.finding.path,
            expected=sound.finding.expected,
            seen=sound.finding.seen,
            next_step=REPLACE,
        )
    was_empty = catalog.head()[0] == 0
    replayed = _replayed(catalog, kept)
    if replayed.ahead:
        return Rebuilt(store.name, shown, "whole-already", replayed, kept.end.book)
    difference = _compared(catalog, kept)
    word = "made-anew" if was_empty else "brought-up-to-date" if replayed.events else "whole-already"
    word = "differs" if difference.total else word
    return Rebuilt(store.name, shown, word, replayed, kept.end.book, difference=difference)


class Unequal(CatalogError):
    """What was made is not equal to what it was made from; it was thrown away."""

    def __init__(self, kept: Kept, difference: Difference) -> None:
        first = difference.findings[0]
        super().__init__(
            say(
                "A catalog made from {store} is not equal to it: {reason}",
                store=kept.place,
                reason=first.message,
            ),
            where=first.path,
            expected=first.expected,
            seen=first.seen,
            next_step=say("Nothing was changed. Run `vankho ledger verify`, then rebuild from another store."),
        )
        self.difference = difference


def _replayed(catalog: Catalog, kept: Kept) -> Replayed:
    kept.progress.begin(f"rebuild < {kept.place}", kept.end.last)
    return catalog.replay(kept.events(), kept.admissions)


def _compared(catalog: Catalog, kept: Kept) -> Difference:
    kept.progress.begin(f"compare > {kept.place}", kept.end.last)
    return catalog.difference(kept)


def _tell(workspace: Workspace, done: Rebuilt) -> None:
    told = events.event(
        EventType.RECOVERY,
        workspace.clock(),
        outcome=EventOutcome.SUCCESS if done.verdict is Verdict.WELL else EventOutcome.WARNING,
        submission=LEDGER_EVENTS,
        store=done.source,
        findings=(*done.findings, *done.counted.findings),
        detail={
            "catalog": {
                "outcome": done.outcome,
                "from": done.source,
                "book": done.book,
                "events": done.replayed.events,
                "versions": done.replayed.versions,
                "counted_again": [dataclasses.asdict(each) for each in done.counted.adopted[:TOLD]],
                "policies": list(done.policies),
                "aside": done.aside,
            }
        },
    )
    workspace.catalog.record([told])


def _pushed(workspace: Workspace) -> tuple[Finding, ...]:
    """Bring the stores' ledgers up to date; a store of another history is a finding, not the end of the rebuild."""
    try:
        push(workspace, guard(workspace))
    except LedgerRefused as error:
        return (dataclasses.replace(error.finding, severity=Severity.WARNING),)
    return ()


def compare(workspace: Workspace, *, store: str) -> tuple[Difference, int]:
    """(The difference between the store's ledger and the catalog, events that the ledger lacks yet). Changes nothing.

    Raises UsageError when there is no ledger, CatalogError when there is no catalog, LedgerBroken, StorageError.
    """
    place = workspace.bare_store(store)
    require_catalog(workspace)
    kept = kept_history(workspace, place)
    if kept is None:
        raise UsageError(
            say("Store {store} keeps no ledger.", store=store),
            where=store,
            next_step=say("The next run that writes leaves one there."),
        )
    return _compared(workspace.catalog, kept), max(0, workspace.catalog.head()[0] - kept.end.last)


def require_catalog(workspace: Workspace) -> None:
    """Raise CatalogError where no catalog stands: asking about it must not make one."""
    if not stands(workspace.settings.catalog.url, base=workspace.folder):
        raise CatalogError(
            say("There is no catalog at the address of the settings."),
            where=shown_address(workspace.settings.catalog.url, base=workspace.folder),
            next_step=say("If it was lost, bring it back: `vankho catalog rebuild --from STORE`."),
        )

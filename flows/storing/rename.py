"""A store that has another name in the settings: its copies are taken over under the new name, once it is proved that
the new name is the same place.

Promises that nothing is claimed in another place: the ledger there must tell our history as that of the old store;
where there is no ledger, a sample of the AIPs must lie there. Every copy has an event, what was proved of it must be
proved again, what was damaged stays damaged. Interrupted, the same command goes on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import chain

from flows.ledger import in_ledger
from flows.outcomes import Verdict
from flows.reporting.people import who
from flows.workspace import Workspace
from policies.load import policy_names, read_policy
from preservation import events
from preservation.catalog import circuits, incidents, placed
from preservation.catalog.placed import Held
from preservation.errors import PolicyError, UsageError
from preservation.facts import EventType, ObjectFact, Replica
from preservation.ledger.guard import LEDGER_EVENTS, BookInForce, Found, LedgerRefused, book_in_force, look, objection
from preservation.replicas.layout import object_key
from storage_adapters.errors import ObjectNotFound, StorageError
from storage_adapters.store import Store
from wording import say

BATCH = 500  # copies in one transaction
SAMPLE = 20  # AIPs that are looked for in a place without a ledger
MARK = "bag-info.txt"  # of every bag, and different in each


@dataclass(frozen=True, slots=True)
class Renamed:
    """What became, or would become, of the copies. `proof` says what told that it is one place: `ledger` or `sample`;
    `policies` still name the old store.
    """

    store: str
    to: str
    copies: int
    proof: str
    policies: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """Well: what could not be proved raised."""
        return Verdict.WELL

    @property
    def word(self) -> str:
        """In one word."""
        return "renamed"


def plan_rename(workspace: Workspace, store: str, *, to: str) -> Renamed:
    """Whether the place is the same, and how many copies would be taken over; nothing is written. Raises UsageError,
    LedgerRefused, StorageError.
    """
    _refuse_names(workspace, store, to)
    force = book_in_force(workspace.catalog)
    found = _agreed(workspace, to, force.renamed(store, to))
    policies = policy_names(folder=workspace.folder / "policies")
    names = tuple(name for name in policies if _names(workspace, name, store))
    copies = workspace.catalog.count_copies(store)
    named = found.checkpoint.store if found.checkpoint is not None else None
    if named == store or (named == to and (to, store) in force.names and copies):
        return Renamed(store, to, copies, "ledger", names)
    if not copies:
        raise UsageError(
            say("No copy is on record in a store named {store}.", store=store),
            seen=store,
            expected=", ".join(workspace.catalog.stores_with_copies()) or "-",
            next_step=say("`vankho store list` shows the stores."),
        )
    _sampled(workspace, store, workspace.store(to))
    return Renamed(store, to, copies, "sample", names)


def rename_store(workspace: Workspace, store: str, *, to: str, reason: str = "") -> Renamed:
    """Take the copies over, some hundred at a time. Raises as `plan_rename`, and CatalogError."""
    planned = plan_rename(workspace, store, to=to)
    if (to, store) not in book_in_force(workspace.catalog).names:
        detail = {"store": store, "to": to, "copies": planned.copies, "proof": planned.proof}
        told = events.event(
            EventType.VALIDATION,
            workspace.clock(),
            submission=LEDGER_EVENTS,
            store=to,
            detail={"renamed": {**detail, "reason": reason.strip(), "by": who()}},
        )
        workspace.catalog.record([told])
    in_ledger(workspace, rename, store, to)
    return planned


def rename(workspace: Workspace, store: str, to: str) -> Renamed:
    """The copies of the old name, claimed anew under the new one."""
    database, copies = workspace.catalog.database, workspace.catalog.count_copies(store)
    workspace.progress.begin(f"rename > {to}", copies)
    while some := placed.held(database, store, limit=BATCH):
        _take_over(workspace, some, store, to)
        workspace.progress.advance(len(some))
    now = workspace.clock()
    circuits.know(database, to, since=circuits.known(database).get(store, now))
    circuits.forget(database, store)
    incidents.over(database, incidents.STORE_AWAY, about=store, why="given-up", now=now)
    return Renamed(store, to, copies, "ledger", ())


def _take_over(workspace: Workspace, some: list[Held], store: str, to: str) -> None:
    now = workspace.clock()
    told, claims, damaged = [], [], []
    for each in some:
        told.append(
            events.event(
                EventType.REPLICATION,
                now,
                of=each,
                store=to,
                detail={"claimed": True, "renamed": {"store": store, "to": to}},
            )
        )
        claims.append(Replica(each.identifier, each.version, to, now))
        damaged += each.damaged(to)
    gone = [(each.identifier, each.version, store) for each in some]
    workspace.catalog.record(told, claims=claims, dropped=gone, evidence=damaged)


def _refuse_names(workspace: Workspace, store: str, to: str) -> None:
    workspace.require_store(to)
    if store in workspace.settings.stores:
        raise UsageError(
            say("Both {store} and {to} stand in vankho.toml: they are two stores.", store=store, to=to),
            where="vankho.toml: stores",
            next_step=say("Take the section of {store} out, when {to} is its new name.", store=store, to=to),
        )
    both = placed.in_both(workspace.catalog.database, store, to)
    if both:
        raise UsageError(
            say(
                "{count} AIP versions have a copy on record in {store} and another one in {to}: they are two stores.",
                count=both,
                store=store,
                to=to,
            ),
            where=to,
            next_step=say(
                "Put {store} back, or give it up: `vankho store retire {store} --reason TEXT`.", store=store
            ),
        )


def _agreed(workspace: Workspace, to: str, force: BookInForce) -> Found:
    """What the ledger in the place says; every store that answers must tell our history. Raises LedgerRefused, and
    StorageError when it is the renamed one that does not answer.
    """
    here = look(workspace.store(to))
    for name in workspace.settings.stores:
        try:
            found = here if name == to else look(workspace.store(name))
        except (StorageError, OSError):
            continue  # compared when it is back, as before every run
        finding = objection(workspace.catalog, found, force)
        if finding is not None:
            raise LedgerRefused(finding, name)
    return here


def _sampled(workspace: Workspace, store: str, place: Store) -> None:
    """Look for some of the first and of the last AIPs of the store in the place without a ledger."""
    database, half = workspace.catalog.database, SAMPLE // 2
    for each in chain(placed.held(database, store, limit=half), placed.held(database, store, limit=half, last=True)):
        objects = workspace.catalog.objects(each.identifier, each.version)
        fact = next((fact for fact in objects if fact.path == MARK), None)
        if fact is None or not _lies_there(place, object_key(each.identifier, each.version, MARK), fact):
            raise UsageError(
                say(
                    "{to} is not shown to be the place of {store}: {identifier} v{version} does not lie there.",
                    to=place.name,
                    store=store,
                    identifier=each.identifier,
                    version=each.version,
                ),
                where=place.name,
                expected=fact.sha256 if fact is not None else None,
                next_step=say("Correct its place in vankho.toml, or bring its files back."),
            )


def _lies_there(place: Store, key: str, fact: ObjectFact) -> bool:
    digest = hashlib.sha256()
    try:
        with place.open(key) as reader:
            while chunk := reader.read(1 << 20):
                digest.update(chunk)
    except ObjectNotFound:
        return False
    return digest.hexdigest() == fact.sha256


def _names(workspace: Workspace, policy: str, store: str) -> bool:
    """Whether the policy speaks of the store by its old name."""
    try:
        read = read_policy(policy, folder=workspace.folder / "policies").policy
    except PolicyError:
        return False  # told by every run
    return store in (read.replication.stores or ()) or store in read.audit.stores

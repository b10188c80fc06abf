"""The ledger around every run that writes: guard before, push after; and the two commands that look after it.

A store that is away cannot be compared and is written later: a notice, never silent and never the run's verdict.
A store that tells another history stops the run before anything is written, until a person says how to go on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from flows import logs
from flows.failures import as_finding
from flows.in_force import keep, kept_text
from flows.outcomes import Verdict
from flows.reporting import reports
from flows.reporting.people import who
from flows.reporting.reports import Report
from flows.storing import circuits
from flows.storing.retire import refuse_strangers
from flows.workspace import Workspace
from policies.load import policy_names, read_policy
from policies.problems import PolicyInvalid
from preservation import events
from preservation.errors import PreservationError, UsageError
from preservation.facts import EventOutcome, EventType
from preservation.findings import Finding, Severity
from preservation.ledger.checking import LedgerChecked, StoreChecked, check_ledger
from preservation.ledger.guard import (
    LEDGER_EVENTS,
    Found,
    book_in_force,
    look,
    objection,
    only_damaged,
    refuse,
    refused_record,
)
from preservation.ledger.segments import spooled_segments
from preservation.ledger.writing import Pushed, write_ledger
from storage_adapters.errors import StorageError
from wording import Message, say

Answer = TypeVar("Answer")
Given = TypeVar("Given")

AT_ONCE = 8  # stores worked on at the same time
READS_ONLY = frozenset({"reconcile"})  # flows that record no event


def in_ledger(workspace: Workspace, body: Callable[..., Answer], /, *args: Any, **parameters: Any) -> Answer:  # noqa: ANN401
    """Run the body of a flow, and keep a report of it. When the flow writes, the stores' ledgers are compared before
    and brought up to date after it.

    Raises LedgerRefused before anything was written; what the body raises passes, and what it did is pushed.
    """
    with reports.kept(workspace, body.__name__, parameters) as report:
        answer = _between(workspace, body, report, *args, **parameters)
        report.ends(answer)
    return answer


def _between(
    workspace: Workspace,
    body: Callable[..., Answer],
    report: Report,
    /,
    *args: Any,  # noqa: ANN401
    **parameters: Any,  # noqa: ANN401
) -> Answer:
    if body.__name__ in READS_ONLY:
        return body(workspace, *args, **parameters)
    refuse_strangers(workspace, body.__name__)
    reached = guard(workspace)
    report.compared(reached, away=workspace.not_compared)
    try:
        answer = body(workspace, *args, **parameters)
    except Exception:
        push(workspace, reached)
        raise
    push(workspace, reached)
    return answer


def guard(workspace: Workspace) -> list[str]:
    """The names of the stores that could be compared; the others are put on the workspace's notices, and so are those
    whose newest checkpoint is damaged while another store answers for the history.

    Raises LedgerRefused when one of them and the catalog tell different histories; CatalogError.
    """
    found, away = _looked(workspace)
    force = book_in_force(workspace.catalog)
    damaged = [each for each in found if only_damaged(workspace.catalog, each, force)]
    sound = [each for each in found if each not in damaged]
    # One damaged object must not keep repair away; but nothing besides damage and empty stores proves nothing.
    for each in sound if any(each.checkpoint for each in sound) else found:
        refuse(workspace.catalog, each, force)
    workspace.not_compared = tuple(away)
    workspace.notices += [_not_compared(name, error) for name, error in away.items()]
    workspace.notices += [_damaged(each) for each in damaged]
    return [each.store for each in sound]


def push(workspace: Workspace, stores: Sequence[str]) -> list[Pushed]:
    """Bring these stores' ledgers up to date, all at once; what fails is a notice and waits for the next run."""
    if not stores:
        return []
    try:
        texts = policy_texts(workspace)
        keep(workspace.folder, texts)
        with workspace.lease("ledger"), spooled_segments(workspace.catalog, workspace.folder / "spool") as segments:
            one = partial(_push_one, workspace, policies=texts, segments=segments)
            done = _at_once(one, stores)
    except (PreservationError, StorageError, OSError) as error:
        workspace.notices.append(_not_written(", ".join(stores), error))
        return []
    workspace.notices += [answer for answer in done if isinstance(answer, Finding)]
    return [answer for answer in done if isinstance(answer, Pushed)]


def _push_one(workspace: Workspace, store: str, *, policies: dict[str, bytes], segments: Any) -> Pushed | Finding:  # noqa: ANN401
    try:
        pushed = write_ledger(
            workspace.catalog,
            workspace.store(store),
            now=workspace.clock(),
            agent=events.AGENT,
            spool=workspace.folder / "spool",
            policies=policies,
            segments=segments,
        )
        circuits.wrote_little(workspace, store)
        return pushed  # noqa: TRY300 - what the catalog raises now is told as any of the above
    except (PreservationError, StorageError, OSError) as error:
        return _not_written(store, error)


def policy_texts(workspace: Workspace) -> dict[str, bytes]:
    """The effective text of every policy in force: its document merged with those it extends, as JSON, which is YAML.
    One that is wrong now is told as it was when it was last right.
    """
    folder, texts = workspace.folder / "policies", dict[str, bytes]()
    for name in policy_names(folder=folder):
        try:
            document = read_policy(name, folder=folder).document
        except PolicyInvalid:
            kept = kept_text(workspace.folder, name)
            if kept is not None:
                texts[name] = kept
            continue  # one that never was right is not in force
        texts[name] = json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True, default=str).encode() + b"\n"
    return texts


def _looked(workspace: Workspace) -> tuple[list[Found], dict[str, Exception]]:
    """What every configured store's ledger says, and the stores that could not be asked."""
    _ = workspace.catalog  # opened here, before several threads ask for it

    def one(store: str) -> Found | Exception:
        try:
            circuits.refuse_shut(workspace, store)
            return look(workspace.store(store))
        except (StorageError, OSError) as error:
            return error

    names = list(workspace.settings.stores)
    answers = dict(zip(names, _at_once(one, names), strict=True))
    found = [answer for answer in answers.values() if isinstance(answer, Found)]
    return found, {name: answer for name, answer in answers.items() if isinstance(answer, Exception)}


def _at_once(work: Callable[[str], Given], stores: Sequence[str]) -> list[Given]:
    def one(store: str) -> Given:
        with logs.bound(store=store):
            return work(store)

    if len(stores) < 2:
        return [one(store) for store in stores]
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(stores)), thread_name_prefix="ledger") as pool:
        return list(pool.map(one, stores))


def _not_compared(store: str, error: Exception) -> Finding:
    return _notice(
        "ledger-not-compared",
        say(
            "Store {store} could not be asked whether its ledger and the catalog agree; what happened now is written "
            "there by the next run that reaches it. {reason}",
            store=store,
            reason=as_finding(error).message,
        ),
        store,
    )


def _damaged(found: Found) -> Finding:
    return _notice(
        "ledger-damaged",
        say(
            "The ledger in store {store} is damaged, so nothing more is written there. `vankho ledger verify` shows "
            "what; `vankho ledger accept {store} --reason TEXT` begins a new book of it in every store.",
            store=found.store,
        ),
        found.store,
    )


def _not_written(store: str, error: Exception) -> Finding:
    return _notice(
        "ledger-not-written",
        say(
            "The ledger could not be written into store {store}; the next run that reaches it does. {reason}",
            store=store,
            reason=as_finding(error).message,
        ),
        store,
    )


def _notice(code: str, message: Message, store: str) -> Finding:
    return Finding(code, Severity.WARNING, message, path=store)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A decision that the catalog's history stands: the book it opened, who took it, what it set aside."""

    store: str
    book: int
    reason: str
    by: str
    refused: tuple[dict[str, Any], ...]
    pushed: tuple[Pushed, ...]


def accept(workspace: Workspace, store: str, *, reason: str) -> Accepted:
    """Keep the catalog's history against the store's: record the decision, open the next book in every store.

    Raises UsageError without a reason or when that store agrees, StorageError when it cannot be asked.
    """
    workspace.require_store(store)
    if not reason.strip():
        raise UsageError(
            say("Setting a store's history aside needs a reason."), next_step=say("Give one with --reason TEXT.")
        )
    if workspace.catalog.head()[0] == 0:
        raise UsageError(
            say(
                "This catalog is empty: there is no history in it to keep against that of store {store}.", store=store
            ),
            where=store,
            next_step=say("Take the history of the store: `vankho catalog rebuild --from {store}`.", store=store),
        )
    found, away = _looked(workspace)
    if store in away:
        raise away[store]
    force = book_in_force(workspace.catalog)
    refused = [each for each in found if objection(workspace.catalog, each, force) is not None]
    if store not in {each.store for each in refused}:
        raise UsageError(
            say("The ledger of store {store} and the catalog agree; there is nothing to accept.", store=store),
            where=store,
            next_step=say("`vankho ledger verify` shows how every store stands."),
        )
    book = max(force.book, *(each.book for each in found)) + 1
    by = who()
    records = tuple(refused_record(each) for each in refused)
    told = events.event(
        EventType.VALIDATION,
        workspace.clock(),
        outcome=EventOutcome.WARNING,
        submission=LEDGER_EVENTS,
        store=store,
        detail={"accepted": {"book": book, "reason": reason.strip(), "by": by, "refused": list(records)}},
    )
    workspace.catalog.record([told])
    workspace.notices += [_not_compared(name, error) for name, error in away.items()]
    pushed = push(workspace, [each.store for each in found])
    return Accepted(store, book, reason.strip(), by, records, tuple(pushed))


@dataclass(frozen=True, slots=True)
class LedgerVerified:
    """What `verify` found in the catalog and in the stores."""

    checked: LedgerChecked
    away: tuple[StoreChecked, ...]

    @property
    def verdict(self) -> Verdict:
        """What was found outweighs a store that was away: it does not go away by trying again."""
        if self.checked.faults or any(store.wrong for store in self.checked.stores):
            return Verdict.FOUND
        return Verdict.FAILED if self.away else Verdict.WELL


def verify(workspace: Workspace, *, store: str | None = None, objects: bool = False) -> LedgerVerified:
    """Check the catalog's chain and the ledgers of all stores (or of the one named) against each other."""
    if store is not None:
        workspace.require_store(store)
    opened, away = [], []
    for name in [store] if store is not None else workspace.settings.stores:
        try:
            opened.append(workspace.store(name))
        except (StorageError, OSError) as error:
            away.append(StoreChecked(name, away=error))
    checked = check_ledger(workspace.catalog, opened, objects=objects)
    away += [each for each in checked.stores if each.away is not None]
    return LedgerVerified(checked, tuple(away))

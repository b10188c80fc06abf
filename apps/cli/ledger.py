"""`vankho ledger verify` and `accept`: whether history was tampered with, and how to go on when histories differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import shapes
from apps.cli.answer import Answer, Line
from apps.cli.command import Session, command
from preservation.findings import Severity
from wording import say
from wording.translate import translate

if TYPE_CHECKING:
    from flows.ledger import LedgerVerified
    from preservation.ledger.checking import Fault, StoreChecked

StoreOption = Annotated[
    str | None, typer.Option("--store", metavar="NAME", help="Only this store.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    ledger = typer.Typer(help="Ledger: the history of events, proved.", no_args_is_help=True)
    command(ledger, "verify")(ledger_verify)
    command(ledger, "accept")(ledger_accept)
    app.add_typer(ledger, name="ledger")


def ledger_verify(
    session: Session,
    store: StoreOption = None,
    objects: Annotated[
        bool, typer.Option("--objects", help="Hold the catalog's object lists against the ledger too.")
    ] = False,
) -> Answer:
    """Check every event in the catalog and in the stores; name the first that was changed. Changes nothing."""
    from flows.ledger import verify

    with session.open() as workspace:
        done = verify(workspace, store=store, objects=objects)
    lines = _verified_lines(done, session.language, only=store)
    return Answer(_verified_json(done, session.language), lines, done.verdict)


def _verified_lines(done: LedgerVerified, language: str, *, only: str | None) -> list[Line]:
    from preservation.ledger.checking import CATALOG

    checked, away = done.checked, {each.store for each in done.away}
    lines: list[Line] = [
        say(
            "Catalog: {events} events hold; the last one's digest is {head}", events=checked.events, head=checked.head
        )
    ]
    lines += shapes.finding_lines([fault.finding for fault in checked.faults], language)
    for each in checked.stores:
        if each.store not in away:
            lines += _store_lines(each, language)
    lines += [_away_line(each) for each in done.away]
    first = checked.first
    if first is not None:
        places = ", ".join(
            translate(say("the catalog"), language) if place == CATALOG else place for place in checked.places
        )
        lines.append(
            say("The first event that is wrong or missing: {seq}, in: {places}", seq=first.seq, places=places)
        )
        lines += _way_on(done, places)
    elif not away and not any(each.wrong for each in checked.stores):
        alike = say("The catalog and all stores tell the same history.")
        lines.append(
            alike if only is None else say("The catalog and store {store} tell the same history.", store=only)
        )
    return lines


def _way_on(done: LedgerVerified, places: str) -> list[Line]:
    """What to do where one side alone is wrong; where it is word against word a person decides."""
    from preservation.ledger.checking import CATALOG

    wrong, away = set(done.checked.places), {each.store for each in done.away}
    if wrong == {CATALOG}:
        tell = [each for each in done.checked.stores if each.book and each.store not in away]
        most = max(tell, key=lambda each: (each.book, each.last), default=None)
        if most is None:
            return []
        return [
            say(
                "Next: `vankho catalog rebuild --from {store}` takes the history that is told there.",
                store=most.store,
            )
        ]
    asked = [each for each in done.checked.stores if each.store not in away]
    damaged = {each.store for each in asked if any(_grave(fault) for fault in each.faults)}
    known_here = not done.checked.faults and all(each.last <= done.checked.events for each in asked)
    if damaged and wrong == damaged and len(damaged) < len(asked) and known_here:  # nothing is told there alone
        return [
            say(
                "Next: take the folder ledger/ out of {places} and keep it as evidence; the next run writes it anew.",
                places=places,
            )
        ]
    return []


def _grave(fault: Fault) -> bool:
    return fault.finding.severity is Severity.ERROR


def _store_lines(each: StoreChecked, language: str) -> list[Line]:
    lines: list[Line] = [
        say("{store}: book {book} up to event {last}", store=each.store, book=each.book, last=each.last)
        if each.book
        else say("{store}: no ledger yet", store=each.store)
    ]
    if each.set_aside:
        books = ", ".join(str(book) for book in each.set_aside)
        lines.append(say("  set aside by a decision of yours, and not checked: book {books}", books=books))
    return lines + shapes.finding_lines([fault.finding for fault in each.faults], language)


def _away_line(each: StoreChecked) -> Line:
    from flows.failures import as_finding

    reason = as_finding(each.away).message if each.away is not None else "-"
    return say("{store}: could not be checked. {reason}", store=each.store, reason=reason)


def _verified_json(done: LedgerVerified, language: str) -> dict[str, Any]:
    from flows.failures import as_finding

    checked = done.checked

    def faults(found: tuple[Fault, ...] | list[Fault]) -> list[dict[str, Any]]:
        return [{"event": fault.seq, **shapes.finding_json(fault.finding, language)} for fault in found]

    away = {each.store: as_finding(each.away) for each in done.away if each.away is not None}
    stores = [*checked.stores, *(each for each in done.away if each not in checked.stores)]
    return {
        "events": checked.events,
        "head": checked.head,
        "book": checked.book,
        "first_wrong_event": checked.first.seq if checked.first is not None else None,
        "places": list(checked.places),
        "findings": faults(checked.faults),
        "stores": [
            {
                "store": each.store,
                "away": shapes.finding_json(away[each.store], language) if each.store in away else None,
                "book": each.book or None,
                "last": each.last or None,
                "set_aside": list(each.set_aside),
                "findings": faults(each.faults),
            }
            for each in stores
        ],
    }


def ledger_accept(
    session: Session,
    store: Annotated[str, typer.Argument(metavar="STORE", help="Store whose history is set aside.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is recorded.")],
) -> Answer:
    """Keep the catalog's history where a store tells another one. The store's stays beside it, set aside."""
    from flows.ledger import accept

    with session.open() as workspace:
        done = accept(workspace, store, reason=reason)
    data = {
        "store": done.store,
        "book": done.book,
        "reason": done.reason,
        "by": done.by,
        "set_aside": list(done.refused),
        "written": [each.store for each in done.pushed],
    }
    lines: list[Line] = [
        say(
            "The catalog's history stands: book {book}, decided by {by}. Recorded as an event.",
            book=done.book,
            by=done.by,
        ),
        *(
            say(
                "{store}: its history up to event {last} is set aside, and stays there as book {book}.",
                store=each["store"],
                last=each["last"],
                book=each["book"],
            )
            for each in done.refused
        ),
        *(say("{store}: written up to event {last}", store=each.store, last=each.last) for each in done.pushed),
    ]
    return Answer(data, lines)

"""`vankho store`: where copies live, whether a store keeps its promises, and what becomes of one that is no more."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli import shapes
from apps.cli.answer import Answer, Line, Table
from apps.cli.command import Session, command
from flows.outcomes import Verdict
from wording import say
from wording.translate import translate

if TYPE_CHECKING:
    from storage_adapters.conformance import ClauseResult
    from storage_adapters.store import Capabilities


def register(app: typer.Typer) -> None:
    """Add the group."""
    store = typer.Typer(help="Stores: where copies live.", no_args_is_help=True)
    command(store, "list")(list_stores)
    command(store, "check")(check_store)
    command(store, "probe")(probe_store)
    command(store, "retire")(retire_store)
    command(store, "rename")(rename_store)
    app.add_typer(store, name="store")


def list_stores(session: Session) -> Answer:
    """Show the stores, where they are, what they were seen to do, and how far each is behind."""
    from apps.cli import documents, lagging
    from flows.storing.lag import lag
    from flows.storing.retire import findings, strangers
    from flows.storing.separation import same_places
    from flows.storing.stores import list_stores

    with session.open() as workspace:
        listed = list_stores(workspace)
        found = [*findings(strangers(workspace)), *same_places(workspace)]
        behind = {each.store: each for each in lag(workspace)}
    headings = (say("Store"), say("Kind"), say("Place"), say("Provider"), say("Region"), say("Medium"), say("Copies"))
    rows = [(s.name, s.kind, s.place, s.provider or "–", s.region or "–", s.medium or "–", s.copies) for s in listed]
    lines: list[Line] = [Table(headings, rows)] if listed else [say("No store is set up.")]
    for store in listed:
        if store.capabilities is not None:
            lines += [say("{store}:", store=store.name), *_abilities(store.capabilities)]
        elif store.kind != "local":
            lines.append(
                say("{store}: not asked yet what it can do; `vankho store check {store}` does.", store=store.name)
            )
    lines += lagging.lines(list(behind.values()))
    lines += shapes.finding_lines(found, session.language)
    data = documents.stores(listed, behind, found, session.language)
    return Answer(data, lines)


def probe_store(session: Session, name: Annotated[str, typer.Argument(metavar="NAME", help="The store.")]) -> Answer:
    """Ask a store that is left alone whether it answers, and use it again when it does."""
    from flows.storing.circuits import probe

    with session.open() as workspace:
        reason = probe(workspace, name)
    data = {"store": name, "answers": reason is None}
    data["findings"] = shapes.findings_json([reason] if reason else [], session.language)
    if reason is None:
        return Answer(data, [say("{store} answers; the next run uses it again.", store=name)])
    lines = [say("{store} does not do its work.", store=name), *shapes.finding_lines([reason], session.language)]
    return Answer(data, lines, Verdict.FAILED)


def retire_store(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A store that vankho.toml no longer names.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it is given up; it is recorded.")],
    even_if_last: Annotated[
        bool,
        typer.Option("--even-if-last", help="Though AIPs have no other proved copy.", show_default=False),
    ] = False,
) -> Answer:
    """Give a store up: its copies are no longer counted, and its history stays."""
    from flows.ledger import in_ledger
    from flows.storing.retire import retire

    with session.open() as workspace:
        done = in_ledger(workspace, retire, store=name, reason=reason, even_if_last=even_if_last)
    data = {"store": done.store, "copies": done.copies, "last": done.last, "reason": done.reason, "by": done.by}
    lines: list[Line] = [
        say("{store} was given up: {count} copies are no longer counted.", store=done.store, count=done.copies)
    ]
    if done.last:
        lines.append(say("{count} of them were the last proved copy of an AIP version.", count=done.last))
    lines.append(say("`vankho replicate` makes what is missing now."))
    return Answer(data, lines, done.verdict)


def rename_store(
    session: Session,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The name that vankho.toml no longer has.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The name that it has there now.")],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; it is recorded.", show_default=False)
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say whether it is the same place.", show_default=False)
    ] = False,
) -> Answer:
    """Take the copies over under a store's new name, once it is proved to be the same place."""
    from flows.storing.rename import plan_rename
    from flows.storing.rename import rename_store as rename

    with session.open() as workspace:
        done = plan_rename(workspace, old, to=new) if dry_run else rename(workspace, old, to=new, reason=reason)
    data = {"store": done.store, "to": done.to, "copies": done.copies, "proof": done.proof}
    gaps = {"store": done.store, "to": done.to, "count": done.copies}
    if done.proof == "ledger":
        lines: list[Line] = [say("{to} is the place of {store}: its ledger says so.", **gaps)]
    else:
        lines = [say("{to} is the place of {store}: AIPs of it lie there.", **gaps)]
    if dry_run:
        lines.append(say("{count} copies would be taken over; nothing was changed.", **gaps))
    else:
        lines.append(say("{count} copies were taken over. They are due again: `vankho audit --due`.", **gaps))
    for name in done.policies:
        lines.append(say("The policy {name} still names {store}; write {to} there.", name=name, **gaps))
    return Answer({**data, "policies": list(done.policies), "dry_run": dry_run}, lines)


def _abilities(can: Capabilities) -> list[Line]:
    from storage_adapters.capabilities import describe

    return [say("  {sentence}", sentence=sentence) for sentence in describe(can)]


def check_store(session: Session, name: Annotated[str, typer.Argument(metavar="NAME", help="The store.")]) -> Answer:
    """Try the whole contract on a store, under a prefix of its own that is removed afterwards."""
    from flows.storing.stores import check_store as checked

    with session.open() as workspace:
        workspace.require_store(name)
        results, can = checked(workspace, name)
    counted = Counter(result.outcome.value for result in results)
    lines: list[Line] = [_clause(result, session.language) for result in results]
    lines += [say("What {store} does of itself:", store=name), *_abilities(can)]
    lines.append(
        say(
            "Clauses: {all}; {held} hold, {spared} are not promised, {broken} are broken.",
            all=len(results),
            held=counted["held"],
            spared=counted["not-promised"],
            broken=counted["broken"],
        )
    )
    data = {
        "store": name,
        "clauses": [
            {
                "name": result.name,
                "sentence": translate(result.sentence, session.language),
                "outcome": result.outcome.value,
                "detail": result.detail,
            }
            for result in results
        ],
        "capabilities": asdict(can),
    }
    return Answer(data, lines, Verdict.FOUND if counted["broken"] else Verdict.WELL)


_CLAUSE = {"held": say("holds"), "broken": say("BROKEN"), "not-promised": say("not promised")}


def _clause(result: ClauseResult, language: str) -> Line:
    line = f"{translate(_CLAUSE[result.outcome.value], language)}: {translate(result.sentence, language)}"
    return f"{line} ({result.detail})" if result.detail and result.outcome != "held" else line

"""`vankho catalog rebuild`, `backup`, `restore`, `compare`, `upgrade`: the catalog made again, copied, held against
copies, its tables stepped up and down.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import shapes
from apps.cli.answer import Answer, Line, Table
from apps.cli.command import Session, command
from flows.outcomes import Verdict
from wording import Message, say

if TYPE_CHECKING:
    from flows.rebuilding.catalog_backup import RestoredCatalog, Together
    from flows.rebuilding.catalog_copies import Rebuilt
    from preservation.catalog.difference import Difference

ToOption = Annotated[
    str | None,
    typer.Option("--to", metavar="URL", help="Address of the catalog; else that of vankho.toml.", show_default=False),
]
ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Take the place of a catalog of another history, which is kept aside.")
]
SHOWN = 20  # AIPs counted again that are named to a person; --json has all


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    catalog = typer.Typer(help="Catalog: made again from a store, copied, compared.", no_args_is_help=True)
    command(catalog, "rebuild")(catalog_rebuild)
    command(catalog, "backup")(catalog_backup)
    command(catalog, "restore")(catalog_restore)
    command(catalog, "compare")(catalog_compare)
    command(catalog, "upgrade")(catalog_upgrade)
    app.add_typer(catalog, name="catalog")


def catalog_rebuild(
    session: Session,
    store: Annotated[str, typer.Option("--from", metavar="STORE", help="The store whose ledger is read.")],
    to: ToOption = None,
    replace: ReplaceOption = False,
    older: Annotated[
        bool, typer.Option("--older", help="Take this store's history though another store keeps more of it.")
    ] = False,
) -> Answer:
    """Make the catalog again from one store alone, or bring an older one up to date; compare the two."""
    from flows.rebuilding.catalog_copies import rebuild

    with session.open() as workspace:
        done = rebuild(workspace, source=store, to=to, replace=replace, older=older)
    return Answer(_rebuilt_json(done, session.language), _rebuilt_lines(done, session.language), done.verdict)


_OUTCOMES = {
    "made-anew": say("The catalog was made anew from {source}: {events} events, {versions} AIP versions."),
    "brought-up-to-date": say(
        "The catalog was brought up to date from {source}: {events} events and {versions} AIP versions more."
    ),
    "whole-already": say("The catalog knows all that {source} keeps; no event was missing."),
    "differs": say("The catalog could not be made equal to {source}. Run the same command with --replace."),
}


def _rebuilt_lines(done: Rebuilt, language: str) -> list[Line]:
    values = {"source": done.source, "events": done.replayed.events, "versions": done.replayed.versions}
    lines: list[Line] = [
        Message(_OUTCOMES[done.outcome].text, values),
        say("It stands at {place}", place=done.catalog),
    ]
    if done.replayed.ahead:
        lines.append(
            say("It holds {ahead} events that {source} lacks.", ahead=done.replayed.ahead, source=done.source)
        )
    if done.aside is not None:
        lines.append(say("The catalog that was here is kept aside: {place}", place=done.aside))
    if done.difference is not None:
        lines += _difference_lines(done.difference, language)
    for each in done.counted.adopted[:SHOWN]:
        lines.append(_COUNTED_LINES[each.how](each.identifier, each.version, each.place))
    if len(done.counted.adopted) > SHOWN:
        lines.append(say("… and {more} more, which --json names.", more=len(done.counted.adopted) - SHOWN))
    lines += [say("Brought back: policies/{name}.yaml", name=name) for name in done.policies]
    return lines + shapes.finding_lines([*done.findings, *done.counted.findings], language)


_COUNTED_LINES = {
    "adopted": lambda identifier, version, place: say(
        "{identifier} version {version}: counted again from its bag in {place}; audit it",
        identifier=identifier,
        version=version,
        place=place,
    ),
    "claimed": lambda identifier, version, place: say(
        "{identifier} version {version}: the copy in {place} is counted again; audit it",
        identifier=identifier,
        version=version,
        place=place,
    ),
    "staged": lambda identifier, version, place: say(
        "{identifier} version {version}: the bag in the {place} is counted on again",
        identifier=identifier,
        version=version,
        place=place,
    ),
}


def _difference_lines(difference: Difference, language: str) -> list[Line]:
    line = say(
        "difference: {total} of {events} events, {aips} AIPs, {versions} versions, {objects} objects, {findings} "
        "findings, {replicas} copies, {evidence} proofs, {formats} format counts, {standings} standings",
        total=difference.total,
        **{kind: number for kind, number in difference.compared.items() if kind != "chain"},
    )
    return [line, *shapes.finding_lines(difference.findings, language)]


def _difference_json(difference: Difference | None, language: str) -> dict[str, Any] | None:
    if difference is None:
        return None
    return {
        "total": difference.total,
        "compared": dict(difference.compared),
        "differing": dict(difference.differing),
        "findings": shapes.findings_json(difference.findings, language),
    }


def _rebuilt_json(done: Rebuilt, language: str) -> dict[str, Any]:
    return {
        "from": done.source,
        "catalog": done.catalog,
        "outcome": done.outcome,
        "book": done.book,
        "events": done.replayed.events,
        "versions": done.replayed.versions,
        "ahead": done.replayed.ahead,
        "aside": done.aside,
        "difference": _difference_json(done.difference, language),
        "counted_again": [asdict(each) for each in done.counted.adopted],
        "policies": list(done.policies),
        "findings": shapes.findings_json((*done.findings, *done.counted.findings), language),
    }


FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the copy.")]


def catalog_backup(session: Session, folder: FolderArgument) -> Answer:
    """Write the whole catalog into a folder, only what is new when it is run again, and read it back."""
    from flows.rebuilding.catalog_backup import backup

    with session.open() as workspace:
        done = backup(workspace, to=str(folder.resolve()))
    lines: list[Line] = [
        say(
            "{folder}: {written} events written now; read back and proved: {events} events, {versions} AIP versions, "
            "{objects} objects",
            folder=done.folder,
            written=done.written,
            events=done.events,
            versions=done.versions,
            objects=done.objects,
        ),
        say(
            "vankho.toml and {policies} policies lie beside it. Passwords and keys do not: keep them apart.",
            policies=len(done.policies),
        ),
    ]
    return Answer({**asdict(done), "policies": list(done.policies)}, lines)


def catalog_restore(
    session: Session, folder: FolderArgument, to: ToOption = None, replace: ReplaceOption = False
) -> Answer:
    """Bring the catalog back from such a folder, and prove that it and the packages in every store fit together."""
    from flows.rebuilding.catalog_backup import restore_catalog

    with session.open() as workspace:
        done = restore_catalog(workspace, source=str(folder.resolve()), to=to, replace=replace)
    data = {
        **_rebuilt_json(done.rebuilt, session.language),
        "older_than": done.older.store if done.older is not None else None,
        "stores": [_together_json(each, session.language) for each in done.stores],
    }
    return Answer(data, _restored_lines(done, session.language), done.verdict)


def _restored_lines(done: RestoredCatalog, language: str) -> list[Line]:
    from flows.rebuilding.catalog_backup import older_copy

    lines = _rebuilt_lines(done.rebuilt, language)
    for each in done.stores:
        if each.away is not None:
            lines.append(say("{store}: could not be held against the catalog", store=each.store))
            lines += shapes.finding_lines([each.away], language)
            continue
        if each.objection is None:
            lines.append(
                say("{store}: its ledger, up to event {last}, is the catalog's", store=each.store, last=each.last)
            )
        elif not each.ahead:
            lines += shapes.finding_lines([each.objection], language)
        if each.packages is not None:
            report = each.packages.report
            lines.append(
                say(
                    "{store}: {outcome}; {replicas} copies claimed, {objects} objects listed",
                    store=each.store,
                    outcome=shapes.outcome(each.packages.word),
                    replicas=report.replicas,
                    objects=report.objects,
                )
            )
            lines += shapes.finding_lines(report.findings, language)
    if done.older is not None:
        lines += shapes.finding_lines([older_copy(done.older)], language)
    elif done.verdict is Verdict.WELL:
        lines.append(say("Catalog and packages belong together."))
    return lines


def _together_json(each: Together, language: str) -> dict[str, Any]:
    report = each.packages.report if each.packages is not None else None
    return {
        "store": each.store,
        "away": shapes.finding_json(each.away, language) if each.away is not None else None,
        "last": each.last or None,
        "ahead": each.ahead,
        "objection": shapes.finding_json(each.objection, language) if each.objection is not None else None,
        "replicas": report.replicas if report is not None else None,
        "objects": report.objects if report is not None else None,
        "findings": shapes.findings_json(report.findings, language) if report is not None else [],
    }


def catalog_compare(
    session: Session, store: Annotated[str, typer.Argument(metavar="STORE", help="The store whose ledger is read.")]
) -> Answer:
    """Compare everything the catalog says with what a store's ledger says. Changes nothing."""
    from flows.rebuilding.catalog_copies import compare

    with session.open() as workspace:
        difference, ahead = compare(workspace, store=store)
    lines = _difference_lines(difference, session.language)
    if ahead:
        lines.append(say("The ledger lacks the last {ahead} events; the next run writes them.", ahead=ahead))
    data = {"store": store, "ahead": ahead, "difference": _difference_json(difference, session.language)}
    return Answer(data, lines, Verdict.FOUND if difference.total else Verdict.WELL)


def catalog_upgrade(
    session: Session,
    listed: Annotated[bool, typer.Option("--list", help="Only show which there are; change nothing.")] = False,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="NUMBER", help="Step to this migration, down too; else to this release's."),
    ] = None,
) -> Answer:
    """Show which migrations the catalog has had, and step its tables up, or down for an earlier release."""
    from flows.settings_files import read_settings
    from flows.workspace import utc_now
    from preservation.catalog.stepping import revisions, step_to

    folder = session.folder.resolve()
    url = read_settings(folder).catalog.url
    before = revisions(url, base=folder)
    goal = before.now if listed else to or before.release
    if goal is not None and goal != before.now:
        step_to(url, goal, base=folder, now=utc_now())
    data = {
        "catalog": before.place,
        "before": before.now,
        "now": goal,
        "release": before.release,
        "migrations": [{"number": number, "what": what} for number, what in before.steps],
    }
    rows = [(number, what.partition(". ")[0], _applied(number, goal)) for number, what in before.steps]
    lines: list[Line] = [Table((say("Migration"), say("What"), say("Applied")), rows)]
    if goal == before.now:
        lines.append(say("The catalog stands at {now}; nothing was changed.", now=goal or "-"))
    else:
        lines.append(
            say("The catalog was at {before} and stands at {now}.", before=before.now or "-", now=goal or "-")
        )
    if goal is not None and goal < before.release:
        lines.append(
            say("Install the earlier release now: the next command of this one steps the tables up again by itself.")
        )
    return Answer(data, lines)


def _applied(number: str, now: str | None) -> Message:
    return say("yes") if now is not None and number <= now else say("no")

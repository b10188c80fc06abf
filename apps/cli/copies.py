"""`vankho replicate`, `repair`, `restore`, `reconcile`: the copies, made, mended and given back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import shapes
from apps.cli.answer import Answer, Line
from apps.cli.command import Session, command
from flows.outcomes import worst_of
from preservation.facts import Outcome
from wording import say

if TYPE_CHECKING:
    from flows.repair import RepairedReplica
    from preservation.findings import Finding

References = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="AIPs, by identifier or its beginning; all when none is named."),
]
StoreOption = Annotated[
    str | None, typer.Option("--store", metavar="NAME", help="Only this store.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    command(app, "replicate")(copy)
    command(app, "repair")(mend)
    command(app, "restore")(give_back)
    command(app, "reconcile")(compare)


def copy_line(identifier: str, version: int, store: str, word: str) -> Line:
    """One copy and what became of it."""
    return say(
        "{identifier} version {version} in {store}: {outcome}",
        identifier=identifier,
        version=version,
        store=store,
        outcome=shapes.outcome(word),
    )


def copy(
    session: Session,
    references: References = None,
    store: StoreOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be copied, and copy nothing.", show_default=False)
    ] = False,
) -> Answer:
    """Make the copies that policy asks for and that are missing, the most endangered first, and prove them."""
    from apps.cli import lagging
    from flows.replicate import replicate
    from flows.running.run import carry_out
    from flows.storing.lag import lag

    if dry_run:
        return _what_would_be_copied(session, references or [], store)
    with session.open() as workspace:
        named = {} if store is None else {"store": store}
        done = carry_out(workspace, replicate, references=references or [], **named)
        behind = [each for each in lag(workspace) if store in (None, each.store)]
    lines: list[Line] = []
    data = []
    for each in done:
        version = each.version
        lines.append(
            say(
                "{identifier} version {version}: {made} copies made or proved now, {held} in all",
                identifier=version.identifier,
                version=version.version,
                made=len(each.copies.reports),
                held=len(each.replicas),
            )
        )
        found = [*each.copies.failures, *(f for report in each.copies.reports for f in report.findings)]
        lines += shapes.finding_lines(found, session.language)
        data.append(
            {
                "identifier": version.identifier,
                "version": version.version,
                "outcome": each.word,
                "replicas": [shapes.replica_json(replica) for replica in each.replicas],
                "findings": shapes.findings_json(found, session.language),
            }
        )
    lines = lines or [
        say("No copy is wanting.") if not any(each.waiting for each in behind) else say("Nothing was done.")
    ]
    return Answer(data, [*lines, *lagging.lines(behind)], worst_of(done))


def _what_would_be_copied(session: Session, references: list[str], store: str | None) -> Answer:
    from apps.cli import lagging
    from flows.replicate import plan_replicate
    from preservation.errors import UsageError

    if references:
        raise UsageError(
            say("--dry-run tells what all AIPs lack; it takes no identifier."),
            next_step=say(
                "Leave the identifiers out; `vankho show {identifier}` shows one.", identifier=references[0]
            ),
        )
    with session.open() as workspace:
        seen = plan_replicate(workspace, store=store)
    data = {
        "stores": [each.as_json(session.language) for each in seen.stores],
        "first": [
            {
                "identifier": each.identifier,
                "version": each.version,
                "store": each.store,
                "state": each.state,
                "proved": each.proved,
                "objects": each.objects,
                "bytes": each.object_bytes,
            }
            for each in seen.first
        ],
    }
    if not any(each.waiting for each in seen.stores):
        return Answer(data, [say("No copy is wanting."), *lagging.lines(seen.stores)])
    lines: list[Line] = [*lagging.lines(seen.stores), say("First:")]
    lines += [
        say(
            "  {identifier} version {version} to {store}: {size}, proved copies now: {proved}",
            identifier=each.identifier,
            version=each.version,
            store=each.store,
            size=shapes.size(each.object_bytes),
            proved=each.proved,
        )
        for each in seen.first
    ]
    return Answer(data, lines)


def mend(session: Session, references: References = None) -> Answer:
    """Bring damaged copies back from a copy that is proved now; keep the damaged bytes as evidence."""
    from flows.repair import repair
    from flows.running.run import carry_out

    with session.open() as workspace:
        done = carry_out(workspace, repair, references=references or [])
    lines: list[Line] = [] if done else [say("No copy is known to be damaged.")]
    for each in done:
        lines += _repair_lines(each, session.language)
    lines += _what_repair_leaves(done)
    return Answer([_repair_json(each, session.language) for each in done], lines, worst_of(done))


def _repair_lines(each: RepairedReplica, language: str) -> list[Line]:
    lines: list[Line] = [copy_line(each.version.identifier, each.version.version, each.store, each.word)]
    if each.repaired is not None:
        lines += [
            say("  {path} brought back from {donor}", path=path, donor=donor)
            for path, donor in each.repaired.repaired
        ]
        lines += [say("  {path} taken out; it did not belong there", path=path) for path in each.repaired.removed]
        lines += [say("  what was there is kept in {file}", file=file) for file in each.repaired.kept]
    return lines + shapes.finding_lines(_left(each), language)


def _left(each: RepairedReplica) -> tuple[Finding, ...]:
    """What could not be done, then what the last audit still saw of other objects."""
    if each.after is None or each.after.outcome is Outcome.INTACT:
        return each.findings
    told = {finding.path for finding in each.findings}
    return (*each.findings, *(finding for finding in each.after.findings if finding.path not in told))


def _what_repair_leaves(done: list[RepairedReplica]) -> list[Line]:
    codes = {finding.code for each in done for finding in each.findings}
    lines: list[Line] = []
    if "no-good-copy" in codes:
        lines.append(
            say(
                "LOST AS FAR AS VANKHO CAN SEE: of the files named above no good copy is left in any place it knows. "
                "Nothing was changed there. Call the person who answers for the collection; look for other copies "
                "(the producer, old disks, what is kept in the folder evidence) before anything is deleted."
            )
        )
    if codes & {"repair-failed", "store-set-aside"}:
        lines.append(
            say("Call a person: a store spoils what is put into it. Have it looked at before more is written there.")
        )
    return lines


def _repair_json(each: RepairedReplica, language: str) -> dict[str, Any]:
    done = each.repaired
    return {
        "identifier": each.version.identifier,
        "version": each.version.version,
        "store": each.store,
        "outcome": each.word,
        "repaired": [{"path": path, "from": donor} for path, donor in done.repaired] if done else [],
        "removed": list(done.removed) if done else [],
        "kept": [str(file) for file in done.kept] if done else [],
        "after": each.after.outcome.value if each.after else None,
        "findings": shapes.findings_json(_left(each), language),
    }


def give_back(
    session: Session,
    reference: Annotated[str, typer.Argument(metavar="ID", help="AIP, by identifier or its beginning.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder to make; it becomes the bag.")],
    store: Annotated[
        str | None, typer.Option("--from", metavar="STORE", help="Only from this store.", show_default=False)
    ] = None,
    version: Annotated[
        int | None, typer.Option("--version", metavar="N", help="This version; else the newest.", show_default=False)
    ] = None,
) -> Answer:
    """Give an AIP back as a bag, every byte checked on the way."""
    from flows.restore import restore
    from flows.running.run import carry_out

    with session.open() as workspace:
        done = carry_out(
            workspace,
            restore,
            reference=reference,
            to=str(to.absolute()),
            store=store,
            version=version,
        )
    data = {
        "identifier": done.version.identifier,
        "version": done.version.version,
        "folder": str(done.restored.folder),
        "files": done.restored.files,
        "bytes": done.restored.bytes,
        "from": list(done.restored.places),
        "valid": done.report.valid,
        "findings": shapes.findings_json((*done.restored.findings, *done.report.findings), session.language),
    }
    facts = {
        "identifier": done.version.identifier,
        "version": done.version.version,
        "folder": done.restored.folder,
        "files": done.restored.files,
        "size": shapes.size(done.restored.bytes),
    }
    lines: list[Line] = [
        say(
            "{identifier} version {version} restored to {folder}: {files} files, {size}, from {places}.",
            places=", ".join(done.restored.places),
            **facts,
        )
        if done.restored.places
        else say(
            "{identifier} version {version} stood in {folder} already: {files} files, {size}; every byte was "
            "compared, nothing was fetched.",
            **facts,
        ),
        say("The restored bag is valid.") if done.report.valid else say("The restored bag is NOT valid."),
        *shapes.finding_lines((*done.restored.findings, *done.report.findings), session.language),
    ]
    return Answer(data, lines, done.verdict)


def compare(session: Session, store: StoreOption = None) -> Answer:
    """Compare the catalog with what the stores list, in both directions. Changes nothing."""
    from flows.reconcile import reconcile
    from flows.running.run import carry_out

    with session.open() as workspace:
        done = carry_out(workspace, reconcile, store=store)
    lines: list[Line] = []
    for each in done:
        if each.away is not None:
            lines.append(say("{store}: {outcome}", store=each.report.store, outcome=shapes.outcome(each.word)))
            lines += shapes.finding_lines([each.away], session.language, about=each.away.path or "")
            continue
        lines.append(
            say(
                "{store}: {outcome}; {replicas} copies claimed, {objects} objects listed",
                store=each.report.store,
                outcome=shapes.outcome(each.word),
                replicas=each.report.replicas,
                objects=each.report.objects,
            )
        )
        lines += shapes.finding_lines(each.report.findings, session.language)
    data = [
        {
            "store": each.report.store,
            "outcome": each.word,
            "replicas": each.report.replicas,
            "objects": each.report.objects,
            "findings": shapes.findings_json(each.report.findings, session.language),
        }
        for each in done
    ]
    return Answer(data, lines, worst_of(done))

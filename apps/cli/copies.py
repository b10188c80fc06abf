"""`vankho audit`, `replicate`, `repair`, `restore`, `reconcile`: the copies, proved, made, mended and given back."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import shapes
from apps.cli.answer import Answer, Cell, Line, Table
from apps.cli.command import Session, command
from flows.outcomes import Verdict, worst_of
from preservation.errors import UsageError
from preservation.facts import Grade, Outcome
from wording import say

if TYPE_CHECKING:
    from flows.audit import Audited
    from flows.repair import RepairedReplica
    from preservation.findings import Finding
    from preservation.replicas.verify import ReplicaReport

References = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="AIPs, by identifier or its beginning; all when none is named."),
]
StoreOption = Annotated[
    str | None, typer.Option("--store", metavar="NAME", help="Only this store.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    command(app, "audit")(prove)
    command(app, "replicate")(copy)
    command(app, "repair")(mend)
    command(app, "restore")(give_back)
    command(app, "reconcile")(compare)


def prove(
    session: Session,
    references: References = None,
    store: StoreOption = None,
    evidence: Annotated[Grade, typer.Option("--evidence", help="What the proof rests on.")] = Grade.BYTES,
    every: Annotated[bool, typer.Option("--all", help="Every copy of every AIP.", show_default=False)] = False,
) -> Answer:
    """Prove copies: read every byte back (or ask for less), and say what is intact, damaged or unreadable."""
    from flows.audit import audit
    from flows.run import carry_out

    if references and every:
        raise UsageError(say("--all and identifiers were both given."), next_step=say("Leave out one of them."))
    with session.open() as workspace:
        done = carry_out(
            workspace,
            audit,
            references=references or [],
            store=store,
            evidence=evidence.value,
        )
        nothing_proved = not done and next(workspace.catalog.versions(), None) is not None
    data = [_report_json(each.report, session.language) for each in done]
    verdict = Verdict.FOUND if nothing_proved else worst_of(done)
    return Answer(data, _audit_lines(done, session.language), verdict)


def _audit_lines(done: list[Audited], language: str) -> list[Line]:
    """How many copies of each store are intact; each one that is not, with what was seen; what to do next."""
    if not done:
        return [say("There is no copy to audit.")]
    outcomes = Counter((each.report.store, each.word) for each in done)
    stores = sorted({store for store, _ in outcomes})
    rows: list[tuple[Cell, ...]] = [
        (store, *(outcomes[store, word] for word in (Outcome.INTACT, Outcome.DAMAGED, Outcome.UNREADABLE)))
        for store in stores
    ]
    lines: list[Line] = [Table((say("Store"), say("Intact"), say("Damaged"), say("Unreadable")), rows)]
    away: set[str] = set()
    for each in done:
        report = each.report
        if each.away is not None:
            if report.store not in away:  # once for the store, not for every copy in it
                lines += shapes.finding_lines([each.away], language, about=each.away.path or "")
            away.add(report.store)
            continue
        if report.outcome is not Outcome.INTACT:
            lines.append(_copy_line(report.identifier, report.version, report.store, each.word))
        lines += shapes.finding_lines(report.findings, language)
    words = {each.report.outcome for each in done}
    if Outcome.DAMAGED in words:
        lines.append(say("Next: `vankho repair` brings damaged copies back from proved ones."))
    if any(each.report.outcome is Outcome.UNREADABLE and not each.without_checksum for each in done):
        lines.append(say("Unreadable is no evidence of damage. See to the store, then audit again."))
    return lines


def _copy_line(identifier: str, version: int, store: str, word: str) -> Line:
    return say(
        "{identifier} version {version} in {store}: {outcome}",
        identifier=identifier,
        version=version,
        store=store,
        outcome=shapes.outcome(word),
    )


def _report_json(report: ReplicaReport, language: str) -> dict[str, Any]:
    return {
        "identifier": report.identifier,
        "version": report.version,
        "store": report.store,
        "evidence": report.grade.value,
        "outcome": report.outcome.value,
        "objects": report.counts,
        "findings": shapes.findings_json(report.findings, language),
    }


def copy(session: Session, references: References = None) -> Answer:
    """Make the copies that policy asks for and that are missing, and prove them."""
    from flows.replicate import replicate
    from flows.run import carry_out

    with session.open() as workspace:
        done = carry_out(workspace, replicate, references=references or [])
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
    return Answer(data, lines or [say("Nothing is here yet.")], worst_of(done))


def mend(session: Session, references: References = None) -> Answer:
    """Bring damaged copies back from a copy that is proved now; keep the damaged bytes as evidence."""
    from flows.repair import repair
    from flows.run import carry_out

    with session.open() as workspace:
        done = carry_out(workspace, repair, references=references or [])
    lines: list[Line] = [] if done else [say("No copy is known to be damaged.")]
    for each in done:
        lines += _repair_lines(each, session.language)
    lines += _what_repair_leaves(done)
    return Answer([_repair_json(each, session.language) for each in done], lines, worst_of(done))


def _repair_lines(each: RepairedReplica, language: str) -> list[Line]:
    lines: list[Line] = [_copy_line(each.version.identifier, each.version.version, each.store, each.word)]
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
    from flows.run import carry_out

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
    lines: list[Line] = [
        say(
            "{identifier} version {version} restored to {folder}: {files} files, {size}, from {places}.",
            identifier=done.version.identifier,
            version=done.version.version,
            folder=done.restored.folder,
            files=done.restored.files,
            size=shapes.size(done.restored.bytes),
            places=", ".join(done.restored.places),
        ),
        say("The restored bag is valid.") if done.report.valid else say("The restored bag is NOT valid."),
        *shapes.finding_lines((*done.restored.findings, *done.report.findings), session.language),
    ]
    return Answer(data, lines, done.verdict)


def compare(session: Session, store: StoreOption = None) -> Answer:
    """Compare the catalog with what the stores list, in both directions. Changes nothing."""
    from flows.reconcile import reconcile
    from flows.run import carry_out

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

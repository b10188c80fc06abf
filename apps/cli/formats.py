"""`vankho formats`: what files are, by which signatures, and what newer ones would say of what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import shapes
from apps.cli.answer import Answer, Line, Table
from apps.cli.command import Session, command
from apps.cli.drift import formats_drift
from apps.cli.options import CollectionOption, ContainerOption, DroidOption
from flows.outcomes import Verdict
from preservation.errors import UsageError
from preservation.facts import Basis, FormatFact
from wording import say
from wording.times import moment

if TYPE_CHECKING:
    from flows.identifying.signatures import Shown, Switched
    from flows.workspace import Workspace
    from preservation.formats.kept import Kept
    from preservation.formats.pronom.facts import SignatureFiles

Paths = Annotated[list[Path], typer.Argument(metavar="PATH", help="Files or folders.")]


def register(app: typer.Typer) -> None:
    """Add the group of this module."""
    formats = typer.Typer(help="Formats: what files are.", no_args_is_help=True)
    command(formats, "identify")(formats_identify)
    command(formats, "report")(formats_report)
    command(formats, "show")(formats_show)
    command(formats, "update")(formats_update)
    command(formats, "drift")(formats_drift)
    app.add_typer(formats, name="formats")


def formats_identify(
    session: Session,
    paths: Paths,
    second: Annotated[
        bool, typer.Option("--second-opinion", help="Ask Siegfried as well, and show both.", show_default=False)
    ] = False,
) -> Answer:
    """Say what each file is, and what that rests on; with the signatures of the workspace, if there is one."""
    from preservation.formats.identify import Identifier

    _refuse_absent(paths)
    signatures = _signatures(session)
    if second:
        return _both(paths, signatures)
    with Identifier(signatures=signatures) as identifier:
        facts = list(identifier.identify_paths(paths))
    headings = (say("File"), say("PUID"), say("Format"), say("Basis"), say("XML"))
    rows = [(f.path, f.puid or "–", _name(f), shapes.BASES[f.basis], f.xml_format or "–") for f in facts]
    failed = any(fact.basis is Basis.FAILED for fact in facts)
    return Answer([_format_json(fact) for fact in facts], [Table(headings, rows)], Verdict.FOUND if failed else 0)


def _both(paths: Sequence[Path], signatures: SignatureFiles | None) -> Answer:
    """Two answers for each file, and whether they contradict each other."""
    from preservation.formats.identify import Identifier
    from preservation.formats.opinions import disagree, installed, kinship, siegfried
    from preservation.formats.pronom.chosen import load

    if not installed():
        raise UsageError(
            say("Siegfried cannot be asked: the package `pygfried` is not installed."),
            next_step=say('Install it with `pip install "vankho[siegfried]"`.'),
        )
    known = kinship(load(signatures))
    with Identifier(signatures=signatures) as ours, siegfried() as theirs:
        pairs = list(zip(ours.identify_paths(paths), theirs.identify_paths(paths), strict=True))
    data, rows = [], []
    for mine, other in pairs:
        differ = disagree(mine, other, known)
        data.append({**_format_json(mine), "second_opinion": _format_json(other), "disagree": differ})
        judged = say("contradict each other") if differ else say("no contradiction")
        rows.append((mine.path, mine.puid or "–", _name(mine), other.puid or "–", _name(other), judged))
    headings = (say("File"), say("PUID"), say("Format"), say("Siegfried"), say("Format"), say("The two"))
    found = any(each["disagree"] or each["basis"] == Basis.FAILED for each in data)
    return Answer(data, [Table(headings, rows)], Verdict.FOUND if found else Verdict.WELL)


def _name(fact: FormatFact) -> str:
    name = " ".join(part for part in (fact.name, fact.version) if part) or "–"
    return f"{name} (≠ {Path(fact.path).suffix})" if fact.extension_mismatch else name


def _format_json(fact: FormatFact) -> dict[str, Any]:
    return {
        "path": fact.path,
        "puid": fact.puid,
        "name": fact.name,
        "version": fact.version,
        "mime": fact.mime,
        "basis": fact.basis.value,
        "candidates": list(fact.candidates),
        "extension_mismatch": fact.extension_mismatch,
        "xml_format": fact.xml_format,
        "xml_namespace": fact.xml_namespace,
        "tool": fact.tool,
        "signatures": fact.signatures,
        "note": fact.note,
    }


def formats_report(
    session: Session,
    collection: CollectionOption = None,
) -> Answer:
    """Count the formats of everything that is kept."""
    with session.open() as workspace:
        counts = workspace.catalog.format_counts(collection=collection)
    data = [
        {
            "puid": c.puid,
            "name": c.name,
            "version": c.version,
            "basis": c.basis.value,
            "xml_format": c.xml_format,
            "extension_mismatch": c.extension_mismatch,
            "files": c.files,
            "bytes": c.bytes,
            "packages": c.packages,
        }
        for c in counts
    ]
    headings = (say("PUID"), say("Format"), say("Basis"), say("XML"), say("Files"), say("Size"), say("AIPs"))
    rows = [
        (
            c.puid or "–",
            " ".join(part for part in (c.name, c.version) if part) or "–",
            shapes.BASES[c.basis],
            c.xml_format or "–",
            c.files,
            shapes.size(c.bytes),
            c.packages,
        )
        for c in counts
    ]
    return Answer(data, [Table(headings, rows)] if rows else [say("Nothing is here yet.")])


def _signatures(session: Session) -> SignatureFiles | None:
    """The release in use in the workspace; that of the installation where there is no workspace."""
    from preservation.formats.kept import files_in_use

    try:
        folder = session.folder
    except UsageError:
        return None
    return files_in_use(folder / "formats")


def _refuse_absent(paths: Sequence[Path]) -> None:
    absent = [path for path in paths if not path.exists() and not path.is_symlink()]
    if absent:
        raise shapes.absent(absent[0])


def formats_show(session: Session) -> Answer:
    """Show which signatures are in use, how old they are, and when they were changed."""
    from flows.identifying.signatures import show

    with session.open() as workspace:
        shown, now = show(workspace), workspace.clock()
    days = shown.days(now)
    data = {
        **_release_json(shown.now),
        "chosen": shown.chosen,
        "days": days,
        "old": _is_old(days),
        "kept": list(shown.kept),
        "history": [
            {"at": each.event.at.isoformat(), "agent": each.event.agent, **each.event.detail}
            for each in shown.history
        ],
    }
    return Answer(data, _shown_lines(shown, days))


def _is_old(days: int | None) -> bool:
    from flows.identifying.signatures import OLD

    return days is not None and days > OLD


def _shown_lines(shown: Shown, days: int | None) -> list[Line]:
    now = shown.now
    lines: list[Line] = [
        say("In use: {release}", release=now.label),
        *_about_release(now),
        say("  age: {days} days", days=days if days is not None else "–"),
        say("  can be chosen: {names}", names=", ".join(shown.kept)),
    ]
    if _is_old(days):
        lines.append(
            say(
                "warning: these signatures are older than a year; formats registered since are unknown to them. "
                "`vankho formats update` takes newer ones."
            )
        )
    rows = [
        (
            moment(each.event.at),
            str(each.event.detail.get("before")),
            str(each.event.detail.get("signatures")),
            str(each.event.detail.get("by")),
            str(each.event.detail.get("origin")),
        )
        for each in shown.history
    ]
    return [*lines, Table((say("Changed"), say("From"), say("To"), say("By"), say("Came from")), rows)]


def _about_release(now: Kept) -> list[Line]:
    return [
        say("  dated: {date}", date=now.dated.isoformat() if now.dated else "–"),
        say(
            "  formats: {formats}; byte signatures: {signatures}; container signatures: {containers}",
            formats=now.formats,
            signatures=now.signatures,
            containers=now.containers,
        ),
        say("  came from: {origin}", origin=now.origin),
        *(say("  SHA-256 of {file}: {digest}", file=file, digest=digest) for file, digest in now.digests.items()),
    ]


def _release_json(release: Kept) -> dict[str, Any]:
    return {
        "signatures": release.label,
        "pronom": release.pronom,
        "containers_dated": release.containers_dated,
        "dated": release.dated.isoformat() if release.dated else None,
        "formats": release.formats,
        "byte_signatures": release.signatures,
        "container_signatures": release.containers,
        "origin": release.origin,
        "kept_at": release.kept_at.isoformat() if release.kept_at else None,
        "files": release.digests,
    }


def formats_update(
    session: Session,
    droid: DroidOption = None,
    container: ContainerOption = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from-folder", metavar="DIR", help="Take the newest two files of a folder.", show_default=False
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="Page that links to the files; else PRONOM's.", show_default=False),
    ] = None,
    use: Annotated[
        str | None,
        typer.Option(
            "--use", metavar="RELEASE", help="Go to a release that is kept, or to `fido`.", show_default=False
        ),
    ] = None,
    older: Annotated[
        bool, typer.Option("--older", help="Also take a release older than the one in use.", show_default=False)
    ] = False,
) -> Answer:
    """Take newer signatures from PRONOM (from files, a folder, or the network) and use them from now on."""
    from flows.identifying.pronom_web import PAGE
    from flows.ledger import in_ledger

    if sum((bool(droid or container), folder is not None, url is not None, use is not None)) > 1:
        raise UsageError(
            say("Signatures can come from one place only."),
            expected="--droid + --container | --from-folder | --url | --use",
        )
    if bool(droid) != bool(container):
        raise UsageError(
            say("A signature file and a container signature file belong together."),
            expected="--droid FILE --container FILE",
        )

    def update_signatures(workspace: Workspace) -> Switched:
        from flows.identifying import signatures

        if droid is not None and container is not None:
            return signatures.update_from_files(workspace, droid, container, older=older)
        if folder is not None:
            return signatures.update_from_folder(workspace, folder, older=older)
        if use is not None:
            return signatures.use(workspace, use)
        return signatures.update_from_web(workspace, url or PAGE, older=older)

    with session.open() as workspace:
        done = in_ledger(workspace, update_signatures)
    data = {"changed": done.changed, "before": done.before, **_release_json(done.now)}
    if not done.changed:
        return Answer(data, [say("{release} is in use already.", release=done.now.label)])
    lines: list[Line] = [
        say("In use from now on: {release} (before: {before})", release=done.now.label, before=done.before),
        *_about_release(done.now),
        say("`vankho formats drift` tells what it says of the files that are kept."),
    ]
    return Answer(data, lines)

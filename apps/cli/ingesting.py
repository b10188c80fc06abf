"""`vankho init` and `vankho ingest`: a new workspace, and packages into it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli import shapes
from apps.cli.answer import Answer, Line
from apps.cli.command import Session, command
from apps.cli.pooled import handed_over
from apps.cli.workspace_files import SETTINGS_TEXT
from flows.outcomes import worst_of
from preservation.errors import UsageError
from wording import say

if TYPE_CHECKING:
    from flows.ingest import Ingested
    from flows.workspace import Workspace

PolicyOption = Annotated[
    str | None, typer.Option("--policy", metavar="NAME", help="Policy to accept and keep by.", show_default=False)
]
CollectionOption = Annotated[
    str | None,
    typer.Option("--collection", metavar="NAME", help="Collection the packages belong to.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    command(app)(init)
    command(app, "ingest")(take_in)


def init(_session: Session, folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make.")]) -> Answer:
    """Make a workspace: settings, an empty catalog and one local store."""
    from flows.settings import SETTINGS_FILE
    from flows.workspace import open_workspace

    settings = folder / SETTINGS_FILE
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            say("{folder} is a file; nothing was changed.", folder=folder), next_step=say("Name another folder.")
        )
    if settings.exists():
        raise UsageError(
            say("{folder} is a workspace already; nothing was changed.", folder=folder),
            where=str(settings),
            next_step=say("Edit {file}, or name another folder.", file=settings),
        )
    (folder / "policies").mkdir(parents=True, exist_ok=True)
    settings.write_text(SETTINGS_TEXT, encoding="utf-8")
    with open_workspace(folder) as workspace:
        workspace.catalog.staged()
        stores = list(workspace.settings.stores)
        for store in stores:
            workspace.store(store)
    lines: list[Line] = [
        say("Workspace made in {folder}.", folder=folder),
        say("Next: set up your stores in {file}, then run", file=settings),
        f"  vankho --workspace {shlex.quote(str(folder))} store check primary",
        f"  vankho --workspace {shlex.quote(str(folder))} ingest PATH...",
    ]
    return Answer({"workspace": str(folder.resolve()), "settings": str(settings.resolve()), "stores": stores}, lines)


def take_in(
    session: Session,
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Packages: folders, ZIP, tar or bags.")],
    policy: PolicyOption = None,
    collection: CollectionOption = None,
    submit: Annotated[
        bool,
        typer.Option("--submit", help="Hand them to the machines of the work pool, one run each, and do not wait."),
    ] = False,
) -> Answer:
    """Take packages in: check, identify, bag, copy to every store and prove every copy."""
    from flows.ingest import ingest, ingest_batch
    from flows.running.run import carry_out
    from flows.work import processes

    sources = [_settled(path) for path in paths]
    if submit:
        return handed_over(session, sources, policy, collection)
    with session.open() as workspace:
        if processes(workspace.settings, len(sources)) == 1:
            workspace.warm_up()
        if len(sources) == 1:
            done = [carry_out(workspace, ingest, source=sources[0], policy=policy, collection=collection)]
        else:
            done = carry_out(workspace, ingest_batch, sources=sources, policy=policy, collection=collection)
        lines = [line for each in done for line in ingested_lines(each, session.language)]
        lines += _in_all(workspace, done)
    return Answer([ingested_json(each, session.language) for each in done], lines, worst_of(done))


def _settled(path: str) -> str:
    """The path as it will be recorded: absolute and without `..`; its last name stays, be it a link's."""
    given = Path(path)
    return str(given.resolve() if given.name in ("", "..") else given.parent.resolve() / given.name)


def _in_all(workspace: Workspace, done: Sequence[Ingested]) -> list[Line]:
    """The outcomes of several packages counted, and a word when policy asks for more than there is now."""
    from flows.standing import shown

    lines: list[Line] = []
    outcomes = Counter(each.outcome for each in done)
    if len(done) > 1:
        lines.append(
            say(
                "Packages: {packages}; accepted {accepted}, already here {here}, "
                "rejected {rejected}, failed {failed}.",
                packages=len(done),
                accepted=outcomes["accepted"],
                here=outcomes["already-here"],
                rejected=outcomes["rejected"],
                failed=outcomes["failed"],
            )
        )
    places = {(each.identifier, each.version) for each in done}
    held = [
        version
        for identifier in {identifier for identifier, _ in places if identifier is not None}
        for version in workspace.catalog.find(identifier)
        if (version.identifier, version.version) in places
    ]
    unsafe = sum(each.standing.word.value != "safe" for each in shown(workspace, held))
    if unsafe:
        lines.append(
            say("Not safe yet: {count}. `vankho show ID` says what the policy still asks for.", count=unsafe)
        )
    return lines


def ingested_json(each: Ingested, language: str) -> dict[str, object]:
    """The documented shape of one ingested package."""
    return {
        "source": each.source,
        "outcome": each.outcome,
        "identifier": each.identifier,
        "version": each.version,
        "files": each.files,
        "bytes": each.bytes,
        "findings": shapes.findings_json(each.findings, language),
        "replicas": [shapes.replica_json(replica) for replica in each.replicas],
    }


def ingested_lines(each: Ingested, language: str) -> list[Line]:
    """The same for a person."""
    lines: list[Line] = [say("{source}: {outcome}", source=each.source, outcome=shapes.outcome(each.outcome))]
    if each.identifier is not None:
        lines.append(
            say(
                "  AIP {identifier} version {version}, {files} files, {size}",
                identifier=each.identifier,
                version=each.version,
                files=each.files,
                size=shapes.size(each.bytes),
            )
        )
    lines += shapes.finding_lines(each.findings, language, about=each.source)
    if each.replicas:
        lines.append(shapes.replica_table(each.replicas))
    return lines

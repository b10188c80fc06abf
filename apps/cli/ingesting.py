"""`vankho init` and `vankho ingest`: a new workspace, and packages into it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.cli import shapes
from apps.cli.answer import Answer, Line
from apps.cli.command import Session, command
from apps.cli.workspace_files import SETTINGS_TEXT
from flows.ingest import Ingested, ingest, ingest_batch
from flows.outcomes import worst_of
from flows.run import carry_out
from flows.settings import SETTINGS_FILE
from flows.workspace import open_workspace
from preservation.errors import UsageError
from wording import say

PolicyOption = Annotated[
    str | None, typer.Option("--policy", help="Policy to accept and keep by.", show_default=False)
]
CollectionOption = Annotated[
    str | None, typer.Option("--collection", help="Collection the packages belong to.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    command(app)(init)
    command(app, "ingest")(take_in)


def init(_session: Session, folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make.")]) -> Answer:
    """Make a workspace: settings, an empty catalog and one local store."""
    settings = folder / SETTINGS_FILE
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
        f"  vankho --workspace {folder} store check primary",
        f"  vankho --workspace {folder} ingest PATH...",
    ]
    return Answer({"workspace": str(folder.resolve()), "settings": str(settings.resolve()), "stores": stores}, lines)


def take_in(
    session: Session,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Packages: folders, ZIP, tar or bags.")],
    policy: PolicyOption = None,
    collection: CollectionOption = None,
) -> Answer:
    """Take packages in: check, identify, bag, copy to every store and prove every copy."""
    with session.open() as workspace:
        if len(paths) == 1:
            done = [carry_out(workspace, ingest, source=paths[0], policy=policy, collection=collection)]
        else:
            done = carry_out(workspace, ingest_batch, sources=paths, policy=policy, collection=collection)
    return Answer(
        [ingested_json(each, session.language) for each in done],
        [line for each in done for line in ingested_lines(each, session.language)],
        worst_of(done),
    )


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
    lines += shapes.finding_lines(each.findings, language)
    if each.replicas:
        lines.append(shapes.replica_table(each.replicas))
    return lines

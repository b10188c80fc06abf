"""`vankho demo`, as it is asked for; `demonstration.py` is what it does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.cli.answer import Answer
from apps.cli.command import Session, command

DEFAULT_FOLDER = Path("demo-workspace")


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app)(demo)


def demo(
    session: Session,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder for the demonstration; made anew each time.")
    ] = DEFAULT_FOLDER,
    package: Annotated[
        list[str] | None,
        typer.Option("--package", metavar="PATH", help="Take this package in too.", show_default=False),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the servers running until Ctrl-C.", show_default=False)
    ] = False,
) -> Answer:
    """Show the whole path on sample packages: taken in, copied three times, damaged, found, mended, proved."""
    from apps.cli.demonstration import demonstrate

    return demonstrate(session, folder, package or [], keep=keep)

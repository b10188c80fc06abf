"""`vankho tidy`: what dead runs left behind, named, measured and removed."""

from __future__ import annotations

from typing import Annotated

import typer

from apps.cli import shapes
from apps.cli.answer import Answer, Cell, Line, Table
from apps.cli.command import Session, command
from wording import say


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    command(app, "tidy")(clear_up)


def clear_up(
    session: Session,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.", show_default=False)
    ] = False,
) -> Answer:
    """Remove what dead runs left behind, in the workspace and in every store. Safe beside living runs."""
    from flows.remains import clear

    with session.open() as workspace:
        cleared = clear(workspace, dry_run=dry_run)
    total = shapes.size(sum(each.bytes for each in cleared.removed))
    rows: list[tuple[Cell, ...]] = [(each.place, each.what, shapes.size(each.bytes)) for each in cleared.removed]
    lines: list[Line] = [Table((say("Place"), say("What"), say("Size")), rows)]
    if not cleared.removed:
        lines.append(say("Dead runs left nothing behind."))
    elif dry_run:
        lines.append(
            say("{count} remains, {size}. Nothing was removed: this was only a look.", count=len(rows), size=total)
        )
    else:
        lines.append(say("{count} remains removed, {size}.", count=len(rows), size=total))
    lines += shapes.finding_lines(cleared.findings, session.language)
    data = {
        "removed": [{"place": each.place, "what": each.what, "bytes": each.bytes} for each in cleared.removed],
        "dry_run": dry_run,
        "findings": shapes.findings_json(cleared.findings, session.language),
    }
    return Answer(data, lines, cleared.verdict)

"""`vankho worker`, and what hands work to the machines of a work pool: `ingest --submit`, `schedule run`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli import screen
from apps.cli.answer import Answer, Line
from apps.cli.command import Session, command
from preservation.errors import UsageError
from wording import Message, printable_json, say
from wording.translate import translate

if TYPE_CHECKING:
    from flows.running.submitting import Submitted


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "worker")(work_here)


def work_here(
    session: Session,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name of this worker; else `vankho on HOST`.")
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option("--pool", metavar="NAME", help="Work pool to work for; else that of the settings."),
    ] = None,
    runs: Annotated[
        int | None,
        typer.Option("--runs", metavar="N", min=1, max=64, help="Runs at once; else the settings say."),
    ] = None,
) -> Answer:
    """Work on this machine beside others: take runs of the work pool until Ctrl-C."""
    from flows import logs
    from flows.running.worker import default_name, work

    def tell(line: Message) -> None:
        """As it happens; with --json one document a line on standard error, for the answer comes at the end."""
        if session.as_json:
            sys.stderr.write(printable_json({"message": translate(line, session.language)}, indent=None) + "\n")
        else:
            sys.stdout.write(screen.in_words(line, session.language) + "\n")
            sys.stdout.flush()
        logs.note(str(line))

    with session.open() as workspace:
        settings = workspace.settings.prefect
        known = name or default_name()
        restarts = work(workspace, name=known, pool=pool or settings.pool, runs=runs or settings.runs, tell=tell)
        folder = str(workspace.folder)
    return Answer({"workspace": folder, "name": known, "restarts": restarts}, [say("Ended as asked.")])


def handed_over(session: Session, sources: Sequence[str], policy: str | None, collection: str | None) -> Answer:
    """What `ingest --submit` does: one run for each package, begun by whichever machine has room."""
    from flows.running.submitting import submit_ingests

    for source in sources:
        if not os.path.lexists(source):
            raise UsageError(
                say("Nothing was found at this place. Check the path, and that the disk is connected."),
                where=str(Path(source)),
                next_step=say("Nothing was handed over. Packages must lie where every machine reads them."),
            )
    with session.open() as workspace:
        done = submit_ingests(workspace, sources, policy=policy, collection=collection)
    return Answer([_json(each) for each in done], [line for each in done for line in _lines(each)])


def begin_now(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `vankho schedule show` names it: `audit STORE`.")],
) -> Answer:
    """Begin a deployment now, besides its times; a machine of the pool does it."""
    from flows.running.submitting import run_now

    with session.open() as workspace:
        done = run_now(workspace, name)
    return Answer(_json(done), _lines(done))


def _lines(done: Submitted) -> list[Line]:
    what = done.source or done.deployment
    if done.new:
        return [say("Handed over: {what}. {page}", what=what, page=done.page)]
    return [say("It waits or runs already: {what}. {page}", what=what, page=done.page)]


def _json(done: Submitted) -> dict[str, object]:
    return {
        "run": done.id,
        "deployment": done.deployment,
        "source": done.source,
        "page": done.page,
        "new": done.new,
    }

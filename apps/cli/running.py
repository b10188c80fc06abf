"""`vankho up`: everything on one machine, until it is ended."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli import screen
from apps.cli.answer import Answer
from apps.cli.command import Session, command
from apps.cli.scheduling import PoolOption
from wording import Message, printable_json, say
from wording.translate import translate

if TYPE_CHECKING:
    from flows.running.up import Extra
    from flows.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "up")(start)


def start(
    session: Session,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port of Prefect's pages; 0: a free one.")
    ] = 4200,
    web_port: Annotated[
        int,
        typer.Option("--web-port", metavar="N", min=0, max=65535, help="Port of metrics and health; 0: a free one."),
    ] = 4280,
    pool: PoolOption = None,
) -> Answer:
    """Run everything on this machine, until Ctrl-C: Prefect's server and pages, scheduled runs, what watches them."""
    from flows import logs
    from flows.running.up import up
    from flows.settings_files import read_settings

    folder = session.folder.resolve()
    settings = read_settings(folder)
    logs.set_up(os.environ, settings.log, base=folder)

    def tell(line: Message) -> None:
        """As it happens; with --json one document a line on standard error, for the answer comes at the end."""
        if session.as_json:
            sys.stderr.write(printable_json({"message": translate(line, session.language)}, indent=None) + "\n")
        else:
            sys.stdout.write(screen.in_words(line, session.language) + "\n")
            sys.stdout.flush()
        logs.note(str(line))

    restarts = up(folder, settings, port=port, pool=pool, extras=_extras(folder, settings, web_port), tell=tell)
    return Answer({"workspace": str(folder), "restarts": restarts}, [say("Ended as asked.")])


def _extras(folder: Path, settings: Settings, web_port: int) -> list[Extra]:
    """What goes on beside Prefect: metrics and health, and the watcher where there is a place to watch."""
    from flows.running.up import Extra

    ours = (sys.executable, "-P", "-c", "from apps.cli.main import run; run()", "--workspace", str(folder))
    address = f"http://127.0.0.1:{web_port}" if web_port else None
    extras = [Extra("serve", (*ours, "serve", "--port", str(web_port)), address)]
    if settings.watch:
        extras.append(Extra("watch", (*ours, "watch")))
    return extras

"""`vankho serve`: metrics, health and the API, for programs that watch."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from apps.cli.answer import Answer
from apps.cli.command import Session, command
from apps.cli.screen import in_words
from wording import printable_json, say


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app)(serve)


def serve(
    session: Session,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port to listen at; 0: a free one.")
    ] = 4280,
) -> Answer:
    """Answer over HTTP until Ctrl-C: metrics for Prometheus, health, and how everything stands as JSON. Read-only."""
    from apps.dashboard.serve import serve as answer
    from flows import logs
    from flows.settings_files import read_settings

    folder = session.folder.resolve()
    logs.set_up(os.environ, read_settings(folder).log, base=folder)

    def tell(address: str) -> None:
        """At once; the answer of the command comes at its end."""
        if session.as_json:
            sys.stderr.write(printable_json({"address": address}, indent=None) + "\n")
        else:
            line = say("Answering at {address} (metrics at {address}/metrics). Ctrl-C ends it.", address=address)
            sys.stdout.write(in_words(line, session.language) + "\n")
            sys.stdout.flush()

    answer(folder, host=host, port=port, tell=tell)
    return Answer({"workspace": str(folder)}, [say("Ended as asked.")])

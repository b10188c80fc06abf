"""One decorator makes a command: it adds the options every command has, prints the answer, and sets the exit code.

Exit codes: 0 all well, 1 something was found, 2 wrong usage or policy, 3 the system failed, 130 interrupted.
"""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli import screen
from apps.cli.answer import Answer
from flows.failures import as_finding
from flows.outcomes import Verdict
from flows.settings import SETTINGS_FILE
from flows.workspace import Workspace, open_workspace
from preservation.errors import PackageError, PolicyError, PreservationError, UsageError
from wording import Explained, say
from wording.translate import LANGUAGES, choose_language

INTERRUPTED = 130  # as shells have it for a program ended by Ctrl-C

WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", "-w", envvar="VANKHO_WORKSPACE", help="Folder of the workspace.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.", show_default=False)]
LanguageOption = Annotated[str | None, typer.Option("--lang", help="Language: en or vi.", show_default=False)]


@dataclass(frozen=True, slots=True)
class Session:
    """What every command has: the workspace asked for, the form of the answer, the language."""

    workspace: Path | None
    as_json: bool
    language: str

    @contextmanager
    def open(self) -> Iterator[Workspace]:
        """The workspace, with a bar on the screen while a person watches. Raises PolicyError when there is none."""
        with (
            screen.progress(wanted=not self.as_json, language=self.language) as progress,
            open_workspace(self.folder, progress=progress) as workspace,
        ):
            yield workspace

    @property
    def folder(self) -> Path:
        """The folder named, else the current one when it is a workspace. Raises UsageError."""
        if self.workspace is not None:
            return self.workspace
        if (Path.cwd() / SETTINGS_FILE).is_file():
            return Path.cwd()
        raise UsageError(
            say("No workspace was named, and the current folder is none."),
            where=str(Path.cwd()),
            next_step=say("Name one with --workspace or VANKHO_WORKSPACE, or make one with `vankho init DIR`."),
        )


def command(app: typer.Typer, name: str | None = None) -> Callable[[Callable[..., Answer]], Callable[..., None]]:
    """Register a function `(session, ...) -> Answer` as a command of the app."""

    def register(ask: Callable[..., Answer]) -> Callable[..., None]:
        def run(workspace: Path | None, as_json: bool, lang: str | None, **asked: Any) -> None:  # noqa: ANN401
            session = Session(workspace, as_json, _language(lang))
            raise typer.Exit(_carried_out(ask, session, asked))

        run.__name__, run.__doc__ = ask.__name__, ask.__doc__
        _session, *own = inspect.signature(ask, eval_str=True).parameters.values()
        common = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for key, default, annotation in (
                ("workspace", None, WorkspaceOption),
                ("as_json", False, JsonOption),
                ("lang", None, LanguageOption),
            )
        ]
        parameters = [*(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own), *common]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        app.command(name)(run)
        return run

    return register


def _language(asked: str | None) -> str:
    if asked is not None and asked not in LANGUAGES:
        raise typer.BadParameter(", ".join(LANGUAGES), param_hint="--lang")
    return choose_language(asked)


def _carried_out(ask: Callable[..., Answer], session: Session, asked: dict[str, Any]) -> int:
    try:
        answer = ask(session, **asked)
        screen.show(answer, as_json=session.as_json, language=session.language)
        sys.stdout.flush()
        return int(answer.verdict)
    except Explained as error:
        screen.show_error(error, as_json=session.as_json, language=session.language)
        return _exit_code(error)
    except KeyboardInterrupt:
        stopped = PreservationError(say("Interrupted. Nothing is half visible; run the same command again to go on."))
        screen.show_error(stopped, as_json=session.as_json, language=session.language)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Verdict.FAILED
    except Exception as error:  # noqa: BLE001 - the last word to a person; never a bare traceback, never exit 0
        if os.environ.get("VANKHO_DEBUG"):
            traceback.print_exc()
        finding = as_finding(error)
        failed = PreservationError(
            finding.message, where=finding.path, next_step=say("Set VANKHO_DEBUG=1 to see where it happened.")
        )
        screen.show_error(failed, as_json=session.as_json, language=session.language)
        return Verdict.FAILED


def _exit_code(error: Explained) -> int:
    if isinstance(error, PolicyError | UsageError):
        return Verdict.USAGE
    return Verdict.FOUND if isinstance(error, PackageError) else Verdict.FAILED

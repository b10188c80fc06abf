"""One decorator makes a command: it adds the options every command has, prints the answer, and sets the exit code.

Exit codes: 0 all well, 1 something was found, 2 wrong usage or policy, 3 the system failed, 130 interrupted
(143 by SIGTERM, 129 by SIGHUP).
Commands import what they run when they run, so that help and small questions wait for nothing they do not need.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import interrupted, screen
from apps.cli.answer import Answer
from flows.outcomes import Verdict
from preservation.errors import NoGoodCopy, PackageError, PolicyError, PreservationError, UsageError
from preservation.findings import Finding
from wording import Explained, say
from wording.translate import choose_language

if TYPE_CHECKING:
    from flows.workspace import Workspace


class Language(StrEnum):
    """What messages and help are written in."""

    EN = "en"
    VI = "vi"


WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        metavar="DIR",
        help="Folder of the workspace; else VANKHO_WORKSPACE, else the current folder.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.", show_default=False)]
LanguageOption = Annotated[Language | None, typer.Option("--lang", help="Language: en or vi.", show_default=False)]


@dataclass(frozen=True, slots=True)
class Common:
    """The options that may stand before the command as well as after it."""

    workspace: Path | None = None
    as_json: bool = False
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """What every command has: the workspace asked for, the form of the answer, the language."""

    workspace: Path | None
    as_json: bool
    language: str
    notices: list[Finding] = field(default_factory=list)  # what runs had to say besides their answers

    @contextmanager
    def open(self) -> Iterator[Workspace]:
        """The workspace, with a bar on the screen while a person watches. Raises PolicyError when there is none."""
        from flows.workspace import open_workspace

        with (
            screen.progress(wanted=not self.as_json, language=self.language) as progress,
            open_workspace(self.folder, progress=progress) as workspace,
        ):
            try:
                yield workspace
            finally:
                self.notices.extend(workspace.notices)

    @property
    def folder(self) -> Path:
        """The folder named, else VANKHO_WORKSPACE, else the current one when it is a workspace. Raises UsageError."""
        from flows.settings import SETTINGS_FILE

        named = self.workspace or os.environ.get("VANKHO_WORKSPACE")
        if named:
            return Path(named)
        if Path(SETTINGS_FILE).is_file():
            return Path.cwd()
        raise UsageError(
            say("No workspace was named, and the current folder is none."),
            where=str(Path.cwd()),
            next_step=say("Name one with --workspace or VANKHO_WORKSPACE, or make one with `vankho init DIR`."),
        )


def command(app: typer.Typer, name: str | None = None) -> Callable[[Callable[..., Answer]], Callable[..., None]]:
    """Register a function `(session, ...) -> Answer` as a command of the app."""

    def register(ask: Callable[..., Answer]) -> Callable[..., None]:
        def run(
            context: typer.Context,
            workspace: Path | None,
            as_json: bool,
            lang: Language | None,
            **asked: Any,  # noqa: ANN401 - the command's own parameters
        ) -> None:
            before = context.obj if isinstance(context.obj, Common) else Common()
            language = choose_language(lang or before.language)
            session = Session(workspace or before.workspace, as_json or before.as_json, language)
            raise typer.Exit(_carried_out(ask, session, asked))

        run.__name__, run.__doc__ = ask.__name__, ask.__doc__
        _session, *own = inspect.signature(ask, eval_str=True).parameters.values()
        common = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for key, default, annotation in (
                ("context", inspect.Parameter.empty, typer.Context),
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


def _carried_out(ask: Callable[..., Answer], session: Session, asked: dict[str, Any]) -> int:
    try:
        return _answered(ask, session, asked)
    finally:
        screen.show_notices(session.notices, as_json=session.as_json, language=session.language)


def _answered(ask: Callable[..., Answer], session: Session, asked: dict[str, Any]) -> int:
    try:
        answer = ask(session, **asked)
        screen.show(answer, as_json=session.as_json, language=session.language)
        sys.stdout.flush()
        return int(answer.verdict)
    except Explained as error:
        screen.show_error(error, as_json=session.as_json, language=session.language)
        return _exit_code(error)
    except KeyboardInterrupt as ended:
        interrupted.tell(ended, session.language, as_json=session.as_json)
        return interrupted.code_of(ended)
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Verdict.FAILED
    except Exception as error:  # noqa: BLE001 - the last word to a person; never a bare traceback, never exit 0
        if os.environ.get("VANKHO_DEBUG"):
            import traceback

            from wording.secrets import veiled

            sys.stderr.write(veiled(traceback.format_exc()))
        from flows.failures import as_finding

        finding = as_finding(error)
        failed = PreservationError(
            finding.message, where=finding.path, next_step=say("Set VANKHO_DEBUG=1 to see where it happened.")
        )
        screen.show_error(failed, as_json=session.as_json, language=session.language)
        return Verdict.FAILED


def _exit_code(error: Explained) -> int:
    if isinstance(error, PolicyError | UsageError):
        return Verdict.USAGE
    return Verdict.FOUND if isinstance(error, PackageError | NoGoodCopy) else Verdict.FAILED

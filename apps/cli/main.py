"""The `vankho` command, put together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version as release_of
from typing import Annotated

import typer

from apps.cli import (
    audits,
    bags,
    catalog,
    copies,
    demo,
    dropping,
    formats,
    ingesting,
    ledger,
    pooled,
    rules,
    running,
    scheduling,
    screen,
    serving,
    tidying,
    viewing,
    watching,
)
from apps.cli.command import INTERRUPTED, Common, JsonOption, LanguageOption, WorkspaceOption
from apps.cli.help import in_language
from apps.cli.usage import explained
from preservation.errors import UsageError
from wording import say
from wording.translate import choose_language


def build() -> typer.Typer:
    """The whole command."""
    app = typer.Typer(
        name="vankho",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(help="Digital preservation: packages in, proved copies out, and proved again and again.")(_before)
    ingesting.register(app)
    dropping.register(app)
    viewing.register(app)
    audits.register(app)
    copies.register(app)
    tidying.register(app)
    watching.register(app)
    rules.register(app)
    running.register(app)
    serving.register(app)
    pooled.register(app)
    scheduling.register(app)
    formats.register(app)
    bags.register(app)
    ledger.register(app)
    catalog.register(app)
    demo.register(app)
    return app


def _print_release(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vankho {release_of('vankho')}")
        raise typer.Exit


def _before(
    context: typer.Context,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    lang: LanguageOption = None,
    _release: Annotated[
        bool, typer.Option("--version", help="Print the release.", is_eager=True, callback=_print_release)
    ] = False,
) -> None:
    """What stands before the command."""
    context.obj = Common(workspace, as_json, lang)


def run(arguments: Sequence[str] | None = None) -> None:
    """What the `vankho` script calls."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    words = list(sys.argv[1:] if arguments is None else arguments)
    language = choose_language(language_asked(words))
    command = in_language(typer.main.get_command(build()), language)
    try:
        sys.exit(command(words, prog_name="vankho", standalone_mode=False))
    except typer.Abort:
        sys.exit(INTERRUPTED)
    except typer.TyperException as error:
        in_our_words, as_json = explained(error), "--json" in words
        if in_our_words is None and not as_json:
            error.show()  # type: ignore[attr-defined]
        else:
            told = in_our_words or UsageError(
                say("The command was not understood: {reason}", reason=error.format_message())
            )
            screen.show_error(told, as_json=as_json, language=language)
        sys.exit(error.exit_code)


def language_asked(words: Sequence[str]) -> str | None:
    """The language that --lang names, wherever it stands: help and usage errors speak it too."""
    for place, word in enumerate(words):
        if word == "--":
            break
        if word == "--lang":
            return next(iter(words[place + 1 :]), None)
        if word.startswith("--lang="):
            return word.removeprefix("--lang=")
    return None

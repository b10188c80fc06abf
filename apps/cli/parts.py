"""The `vankho` command, put together of what was asked for: the other parts are not imported."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from apps.cli import screen
from apps.cli.command import Common, JsonOption, LanguageOption, WorkspaceOption
from apps.cli.help import in_language
from apps.cli.usage import explained
from apps.cli.values import read_plainly
from preservation.errors import UsageError
from wording import say

# The modules beside this one, and the words that their commands begin with, in the order in which help lists them.
PARTS = {
    "ingesting": ("init", "ingest"),
    "dropping": ("watch",),
    "viewing": ("show", "events"),
    "audits": ("audit",),
    "copies": ("replicate", "repair", "restore", "reconcile"),
    "tidying": ("tidy",),
    "watching": ("report", "incident", "notices", "watchdog"),
    "rules": ("policy",),
    "stores": ("store",),
    "running": ("up",),
    "serving": ("serve",),
    "pooled": ("worker",),
    "scheduling": ("schedule",),
    "formats": ("formats",),
    "bags": ("bag",),
    "ledger": ("ledger",),
    "catalog": ("catalog",),
    "demo": ("demo",),
}


def build(first: str | None = None) -> typer.Typer:
    """The whole command, or as much of it as has this first word."""
    app = typer.Typer(
        name="vankho",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(help="Digital preservation: packages in, proved copies out, and proved again and again.")(_before)
    known = any(first in words for words in PARTS.values())
    for part, words in PARTS.items():
        if first in words or not known:
            import_module(f"apps.cli.{part}").register(app)
    return app


def _print_release(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version as release_of

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


def carried_out(words: Sequence[str], language: str) -> int | None:
    """Do what the words ask for; gives the exit code. Raises KeyboardInterrupt; 130 where typer caught it."""
    command = read_plainly(in_language(typer.main.get_command(build(first_word(words))), language))
    try:
        code: int | None = command(words, prog_name="vankho", standalone_mode=False)
    except typer.Abort:  # somebody closed what we asked for an answer
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        in_our_words, as_json = explained(error), "--json" in words
        if in_our_words is None and not as_json:
            error.show()  # type: ignore[attr-defined]
        else:
            told = in_our_words or UsageError(
                say("The command was not understood: {reason}", reason=error.format_message())
            )
            screen.show_error(told, as_json=as_json, language=language)
        code = error.exit_code
    return code


def first_word(words: Sequence[str]) -> str | None:
    """The command's first word; None where it cannot be told for sure what stands before it."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            return word
        if word in ("-w", "--workspace", "--lang"):
            next(rest, None)
        elif word != "--json" and not word.startswith(("-w", "--workspace=", "--lang=")):
            return None
    return None

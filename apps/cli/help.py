"""Help in the reader's language: the words of commands and options are looked up when the command is put together.

typer carries a click of its own, so commands are known here by what they have: help, params, and commands below.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.cli.usage import METAVARS, context_in
from wording import Message
from wording.translate import translate


def in_language(command: Any, language: str) -> Any:  # noqa: ANN401 - see above
    """The same command with its help translated."""
    context = context_in(language)
    for each in every_command(command):
        each.context_class = context
        each.help = _translated(each.help, language)
        for metavar in ("options_metavar", "subcommand_metavar"):
            if getattr(each, metavar, None) in METAVARS:
                setattr(each, metavar, _translated(getattr(each, metavar), language))
        each.short_help = each.help  # given, it is shown whole in the list of commands; made by click, it is cut
        for parameter in each.params:
            if isinstance(getattr(parameter, "help", None), str):
                parameter.help = _translated(parameter.help, language)
    return command


def every_command(command: Any) -> Iterator[Any]:  # noqa: ANN401
    """The command and all below it."""
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from every_command(below)


def help_texts(command: Any) -> set[str]:  # noqa: ANN401
    """Every English text of help; the catalog of translations must have them all."""
    texts: set[str] = set()
    for each in every_command(command):
        texts.update(text for text in (each.help, *(getattr(p, "help", None) for p in each.params)) if text)
    return texts


def _translated(text: str | None, language: str) -> str | None:
    return translate(Message(text), language) if text else text

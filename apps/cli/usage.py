"""What the command line says of itself, in the reader's language: the words around help, and what was typed wrong.

typer speaks English only. Two doors that it leaves open are used, and nothing of it is replaced: the formatter that a
command's context names, and errors raised instead of printed (`standalone_mode=False`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import typer

from preservation.errors import UsageError
from wording import Message, say
from wording.translate import translate

METAVARS = {each.text: each for each in (say("[OPTIONS]"), say("COMMAND [ARGS]..."))}
_WORDS = {
    each.text: each
    for each in (
        say("Arguments"),
        say("Options"),
        say("Commands"),
        say("Show this message and exit."),
        say("required"),
        say("default"),
        say("env var"),
    )
}
_EXTRAS = re.compile(
    r"(?<=  )\[[^\[\]]*\]$"
)  # what typer adds behind the help of an option: [default: bytes; required]
_EXTRA = re.compile(r"(?<=\[)(?:default|env var|required)\b|(?<=; )(?:default|env var|required)\b")

# typer's sentences, and ours for them. A sentence of typer's that is not here is shown as it is.
_INVALID = r"Invalid value for '?(?P<word>[^:']*)'?: "
_UNACCEPTED = say("The value of {word} is not accepted.")
_SENTENCES = (
    (r"No such command '(?P<word>.*)'\.(?: Did you mean (?P<expected>.*)\?)?", say("There is no command {word}.")),
    (r"No such option: (?P<word>\S+)(?: \(Possible options: (?P<expected>.*)\))?", say("There is no option {word}.")),
    (r"Missing command\.", say("A command is missing.")),
    (r"Missing (?:argument|option|parameter) '(?P<word>.*)'\.", say("{word} is missing.")),
    (r"Option '(?P<word>.*)' requires an argument\.", say("The option {word} needs a value.")),
    (r"Option '(?P<word>.*)' does not take a value\.", say("The option {word} takes no value.")),
    (r"Got unexpected extra argument\(s\) \((?P<word>.*)\)", say("More was given than is taken: {word}")),
    (_INVALID + r"(?:Value error, )?(?P<seen>'.*') is not one of (?P<expected>.*)\.", _UNACCEPTED),
    (_INVALID + r"Input should be a valid integer.*", say("The value of {word} must be a whole number.")),
    (_INVALID + r"(?P<detail>.*)", _UNACCEPTED),
)


def context_in(language: str) -> type[typer.Context]:
    """A context whose help is formatted with the words of the language."""

    class Formatter(typer.Context.formatter_class):  # type: ignore[misc, valid-type]
        def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
            super().write_usage(prog, args, prefix or f"{translate(say('Usage'), language)}: ")

        def write_heading(self, heading: str) -> None:
            super().write_heading(_word(heading, language))

        def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
            super().write_dl([(name, _help(text, language)) for name, text in rows], col_max, col_spacing)

    class Context(typer.Context):
        formatter_class = Formatter

    return Context


def _word(word: str, language: str) -> str:
    return translate(_WORDS[word], language) if word in _WORDS else word


def _help(text: str, language: str) -> str:
    def extras(found: re.Match[str]) -> str:
        return _EXTRA.sub(lambda word: _word(word.group(), language), found.group())

    return _EXTRAS.sub(extras, _word(text, language))


def explained(error: typer.TyperException) -> UsageError | None:
    """What is wrong with the command line, in sentences of ours; None when typer's sentence is not known."""
    for pattern, sentence in _SENTENCES:
        found = re.fullmatch(pattern, error.format_message(), re.DOTALL)
        if found:
            parts = found.groupdict()
            context = getattr(error, "ctx", None)
            return UsageError(
                Message(sentence.text, {"word": parts.get("word", "")}),
                expected=_bare(parts.get("expected")),
                seen=_bare(parts.get("seen")),
                next_step=say(
                    "`{command} --help` says what it takes.", command=context.command_path if context else "vankho"
                ),
                detail=parts.get("detail"),
            )
    return None


def _bare(quoted: str | None) -> str | None:
    return quoted.replace("'", "") if quoted else None

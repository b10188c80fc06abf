"""A message is a sentence with named gaps and the values that fill them, kept apart.

Kept apart so that the screen can show the sentence in the reader's language, and so that a hostile
file name inside it can never pass for text of ours: values are made printable when they are filled in.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

# Categories that move the cursor, hide, or reorder text on a terminal: control, format (bidirectional
# overrides, zero-width), surrogate, private use, line and paragraph separators.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def printable(value: object) -> str:
    """The value as one line of text in which nothing can act on a terminal or reorder the line."""
    return "".join(
        char.encode("unicode_escape").decode("ascii") if unicodedata.category(char) in _UNPRINTABLE else char
        for char in str(value)
    )


def printable_json(data: object, *, indent: int | None = 2) -> str:
    """The data as JSON in which nothing can act on a terminal; one line when `indent` is None.

    JSON itself escapes only what is below a blank. A program that reads it gets the very same names.
    """
    text = json.dumps(data, ensure_ascii=False, indent=indent, default=str)
    return "\n".join(line if line.isprintable() else _escaped(line) for line in text.split("\n"))


def _escaped(line: str) -> str:
    return "".join(json.dumps(char)[1:-1] if unicodedata.category(char) in _UNPRINTABLE else char for char in line)


class _Gaps(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


@dataclass(frozen=True, slots=True)
class Message:
    """One sentence. `text` is the English template and the key under which translations are found."""

    text: str
    values: Mapping[str, object] = field(default_factory=dict)

    def fill(self, template: str) -> str:
        """The template (ours or a translation) with the gaps filled in; an unknown gap stays visible."""
        return template.format_map(
            _Gaps({k: v if isinstance(v, int | float) else printable(v) for k, v in self.values.items()})
        )

    def __str__(self) -> str:
        return self.fill(self.text)


def say(text: str, /, **values: object) -> Message:
    """A message. The text must be a literal: the catalog of translations is extracted from these calls."""
    return Message(text, values)


class Explained(Exception):
    """An error that tells a person what happened, where, what was expected and seen, and what to do next.

    `what` is the sentence for the officer; `detail` is for whoever mends the system and is never translated.
    """

    def __init__(
        self,
        what: Message,
        *,
        where: str | None = None,
        expected: str | None = None,
        seen: str | None = None,
        next_step: Message | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(str(what))
        self.what = what
        self.where = where
        self.expected = expected
        self.seen = seen
        self.next_step = next_step
        self.detail = detail

"""What was expected and seen, as a person reads it: the few values that are words stand here in sentences of ours.

Events and JSON keep the English word; every other value (a digest, a name, a number) is a fact and stays as it is.
"""

from __future__ import annotations

from wording import Message, say

FACTS = frozenset({"default", "false", "true"})  # as they are written in the document that is meant

_WORDS = {
    "checksum list, bag manifest": say("a checksum list or a bag manifest"),
    "encrypted": say("encrypted"),
    "folder": say("a folder"),
    "none": say("none"),
    "not encrypted": say("not encrypted"),
    "nothing": say("nothing"),
    "regular file": say("a regular file"),
    "special file": say("a special file (a pipe or a device)"),
}


def in_sentence(value: str | None) -> str | Message | None:
    """The value for the screen: a sentence where it is a word of ours, else the value itself."""
    return _WORDS.get(value, value) if value else value

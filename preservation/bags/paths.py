"""The names that are in a bag, and the paths that its tag files write.

Names are matched byte for byte first; a name that differs only in Unicode normalisation counts as the same file,
because file systems and ZIP tools change it on their own. No path leads out of the bag.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property

from preservation.bags.bag_view import BagView
from preservation.bags.report import Notes
from preservation.bags.tag_grammar import Declaration
from wording import say


class Names:
    """The names that are in the bag, and the ones that look alike."""

    def __init__(self, view: BagView) -> None:
        self.view = view

    def find(self, path: str) -> str | None:
        """The file of this name, else the only file whose name is the same after normalisation."""
        if path in self.view.files:
            return path
        alike = self._composed.get(unicodedata.normalize("NFC", path), [])
        return alike[0] if len(alike) == 1 else None

    def other_case(self, path: str) -> str | None:
        """A file whose name differs only in upper and lower case."""
        return self._folded.get(path.casefold())

    @cached_property
    def _composed(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for name in self.view.files:
            if not name.isascii():
                found[unicodedata.normalize("NFC", name)].append(name)
        return found

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {name.casefold(): name for name in self.view.files}


@dataclass(frozen=True, slots=True)
class Bag:
    """What judging one bag needs at hand. `fetched` maps a path to the URL under which fetch.txt has it."""

    view: BagView
    names: Names
    declared: Declaration
    notes: Notes
    fetched: dict[str, str] = field(default_factory=dict)


def is_safe(path: str) -> bool:
    """Whether a path written in a bag stays inside it on every system: relative, no `..`, no drive, no home."""
    return _is_plain(path) or not _UNSAFE.search(path)


_UNSAFE = re.compile(r"^[/\\~]|^[A-Za-z]:|^%[A-Za-z]+%|(^|[/\\])\.{1,2}([/\\]|$)|//|\x00")


def _is_plain(path: str) -> bool:
    """Whether nothing is in the path that the pattern asks for: nearly every path, in a tenth of the time."""
    return not (
        path[:1] in "/~%." or path[1:2] == ":" or "/." in path or "//" in path or "\\" in path or "\x00" in path
    )


def decoded(bag: Bag, path: str, manifest: str) -> str:
    """The path with %25, %0A and %0D decoded as BagIt 1.0 asks (section 2.1.3); literally in older bags."""
    if "%" not in path:
        return path
    plain = re.sub(r"%(25|0[AaDd])", lambda match: chr(int(match[1], 16)), path)
    if not bag.declared.strict:
        return plain if bag.names.find(path) is None and bag.names.find(plain) is not None else path
    literal = bag.names.find(plain) is None and bag.names.find(path) is not None
    if literal or re.search(r"%(?!25|0[AaDd])", path):
        bag.notes.error(
            "manifest-path-encoding",
            say(
                "{manifest} holds a percent sign in this path that is not written as %25, as BagIt 1.0 demands.",
                manifest=manifest,
            ),
            path,
            expected=path.replace("%", "%25") if literal else plain.replace("%", "%25"),
            seen=path,
        )
    return path if literal else plain


def judge_cases(bag: Bag) -> None:
    """Names that differ only in upper and lower case cannot lie side by side on Windows and macOS."""
    folded: dict[str, str] = {}
    for path in bag.view.files:
        lower = path.casefold()
        if lower != path:  # one of every such pair is not in lower case
            other = folded.get(lower) or (lower if lower in bag.view.files else None)
            if other is not None:
                text = say("Another file's name differs from this one only in upper and lower case.")
                bag.notes.warning("names-differ-in-case", text, path, expected="1", seen=other)
            folded.setdefault(lower, path)


def judge_twins(bag: Bag) -> None:
    """Names that differ only in Unicode normalisation are one name on macOS and look alike everywhere."""
    composed: dict[str, str] = {}  # of every two that are twins, one at least is not composed
    for path in bag.view.files:
        if path.isascii() or unicodedata.is_normalized("NFC", path):
            continue
        name = unicodedata.normalize("NFC", path)
        other = name if name in bag.view.files else composed.get(name)
        if other is not None:
            text = say("Another file's name differs from this one only in Unicode normalisation.")
            bag.notes.warning("names-differ-in-normalisation", text, path, expected="1", seen=escaped(other))
        composed.setdefault(name, path)


def escaped(path: str) -> str:
    """The path with every letter beyond ASCII written as its number: two that look alike differ."""
    return path.encode("ascii", "backslashreplace").decode("ascii")

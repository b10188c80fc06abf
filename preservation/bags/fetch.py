"""fetch.txt (RFC 8493 section 2.2.3): read and judged, never fetched. No network is ever touched."""

from __future__ import annotations

import re

from preservation.bags.manifests import Manifest
from preservation.bags.paths import Bag, decoded, is_safe
from preservation.bags.report import NOTHING
from preservation.bags.tag_grammar import lines_of, note_blank_line
from wording import say

_NAME = "fetch.txt"
NO_MANIFEST = "manifest-sha256.txt"  # what is expected where there is none at all
_LINE = re.compile(r"([^ \t]+)[ \t]+([^ \t]+)[ \t]+([^ \t].*)", re.DOTALL)
_ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x1f]+")
_LENGTH = re.compile(r"-|[0-9]+", re.ASCII)


def read_fetch(bag: Bag) -> None:
    """Judge every line and fill `bag.fetched` (payload path → URL)."""
    if _NAME not in bag.view.files:
        return
    for number, line in lines_of(bag.view, _NAME, bag.declared, bag.notes):
        if line.strip(" \t") == "":
            note_blank_line(bag.notes, _NAME, number)
            continue
        match = _LINE.fullmatch(line)
        if match is None or not _ABSOLUTE_URI.fullmatch(match[1]) or not _LENGTH.fullmatch(match[2]):
            bag.notes.error(
                "fetch-malformed",
                say("Line {number} is not an absolute URL, a length (or “-”) and a path.", number=number),
                _NAME,
                expected="https://… 1234 data/…",
                seen=line,
            )
            continue
        _enter(bag, match[1], match[2], match[3].removeprefix("./"))


def _enter(bag: Bag, url: str, length: str, written: str) -> None:
    if not is_safe(written) or not written.startswith("data/"):
        bag.notes.error(
            "fetch-path-unsafe",
            say("fetch.txt names this path, which is not a file of the payload folder data/."),
            written,
            expected="data/…",
            seen=written,
        )
        return
    path = decoded(bag, written, _NAME)
    if path in bag.fetched:
        text = say("fetch.txt lists this file more than once.")
        bag.notes.warning("fetch-lists-twice", text, path, expected="1", seen=f"{bag.fetched[path]}, {url}")
    bag.fetched[path] = url
    if path in bag.view.files and length not in ("-", str(bag.view.size(path))):
        bag.notes.warning(
            "fetch-length-differs",
            say("fetch.txt gives another length for this file."),
            path,
            expected=length,
            seen=str(bag.view.size(path)),
        )


def judge_fetch(bag: Bag, manifests: list[Manifest]) -> None:
    """Every file of fetch.txt must stand in every payload manifest (in one of them before BagIt 1.0)."""
    for path in bag.fetched:
        there = bag.names.find(path)
        found = [path in m.absent or (there is not None and m.promised(there) is not None) for m in manifests]
        if not (all(found) if bag.declared.strict else any(found)):
            text = say("fetch.txt lists this file, but a payload manifest does not, so it could never be checked.")
            without = [m.name for m, there in zip(manifests, found, strict=True) if not there]
            bag.notes.error(
                "fetch-not-in-manifest", text, path, expected=", ".join(without) or NO_MANIFEST, seen=NOTHING
            )

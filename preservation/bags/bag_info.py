"""bag-info.txt (RFC 8493 section 2.2.2): its elements, and what the reserved ones among them must and should be."""

from __future__ import annotations

import re

from preservation.bags.bag_view import BagView
from preservation.bags.paths import Bag
from preservation.bags.report import NOTHING, Notes, shown
from preservation.bags.tag_grammar import Declaration, lines_of, note_blank_line, note_too_long
from wording import say

_NAME = "bag-info.txt"
_MOST = 16 << 20  # bytes
_COMFORTABLE_LINE = 79  # characters
_DATE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_COUNT = re.compile(r"[0-9]+ of ([0-9]+|\?)")
_OXUM = re.compile(r"[0-9]+\.[0-9]+")
_ONCE = ("bagging-date", "bag-size", "bag-group-identifier", "bag-count")

Elements = tuple[tuple[str, str], ...]


def read_bag_info(view: BagView, declared: Declaration, notes: Notes) -> Elements:
    """The elements of bag-info.txt (section 2.2.2) in their order; package-info.txt before 0.96."""
    path = _NAME
    if path not in view.files and declared.version in ("0.93", "0.94", "0.95"):
        path = "package-info.txt"
    if path not in view.files:
        return ()
    if view.size(path) > _MOST:
        note_too_long(view, path, _MOST, notes)
        return ()
    elements: list[tuple[str, list[str]]] = []  # label, lines of the value
    shape = _STRICT_ELEMENT if declared.strict else _LOOSE_ELEMENT
    long_lines: list[int] = []
    for number, line in lines_of(view, path, declared, notes):
        if len(line) > _COMFORTABLE_LINE and len(line.split()) > 2:  # a digest or an address cannot be broken
            long_lines.append(number)
        if line.strip(" \t") == "":
            note_blank_line(notes, path, number)
        elif line[0] in " \t" and elements:
            elements[-1][1].append(line.strip(" \t"))
        elif match := shape.fullmatch(line):
            elements.append((match[1], [match[2]]))
        else:
            notes.error(
                "bag-info-malformed",
                say("Line {number} is not a label, a colon, one blank and a value.", number=number),
                path,
                expected="Label: …",
                seen=line,
            )
    if long_lines:
        text = say(
            "{count} lines are longer than 79 characters, which the standard advises against.", count=len(long_lines)
        )
        where = ", ".join(map(str, long_lines[:10]))
        notes.remark("bag-info-line-long", text, path, expected=f"≤ {_COMFORTABLE_LINE}", seen=where)
    return tuple((label, "\n".join(value)) for label, value in elements)


_STRICT_ELEMENT = re.compile(r"([^:\s](?:[^:]*[^:\s])?):[ \t](.*)", re.DOTALL)
_LOOSE_ELEMENT = re.compile(r"([^:\s](?:[^:]*?[^:\s])?)[ \t]*:[ \t]*(.*)", re.DOTALL)


def judge_bag_info(bag: Bag, elements: Elements) -> None:
    """The reserved elements; their labels are case-insensitive."""
    values: dict[str, list[str]] = {}
    for label, value in elements:
        values.setdefault(label.lower(), []).append(value)
    for label in _ONCE:
        if len(values.get(label, ())) > 1:
            text = say("The element {label} should stand only once.", label=label)
            bag.notes.warning("bag-info-repeated", text, _NAME, expected="1", seen=str(len(values[label])))
    for date in values.get("bagging-date", ()):
        if not _DATE.fullmatch(date):
            text = say("Bagging-Date is not a date written as year-month-day.")
            bag.notes.warning("bagging-date-malformed", text, _NAME, expected="2026-11-22", seen=date)
    for count in values.get("bag-count", ()):
        if not _COUNT.fullmatch(count):
            text = say("Bag-Count is not two numbers with “of” between them.")
            bag.notes.warning("bag-count-malformed", text, _NAME, expected="1 of 4, 1 of ?", seen=count)
    if "bag-count" in values and "bag-group-identifier" not in values:
        text = say("Bag-Count counts the bags of a group, but no Bag-Group-Identifier names the group.")
        bag.notes.warning("bag-group-missing", text, _NAME, expected="Bag-Group-Identifier", seen=NOTHING)
    _judge_oxum(bag, values.get("payload-oxum", []))


def _judge_oxum(bag: Bag, sums: list[str]) -> None:
    """Payload-Oxum: whatever it says, the digests of all files are checked as well."""
    files, size = bag.view.payload()
    there = f"{size}.{files}"
    if len(sums) > 1:
        text = say("Payload-Oxum must stand only once.")
        bag.notes.rule(bag.declared.strict, "oxum-repeated", text, _NAME, expected="1", seen=str(len(sums)))
    for oxum in sums:
        if not _OXUM.fullmatch(oxum):
            text = say("Payload-Oxum is not a number of bytes, a dot and a number of files.")
            bag.notes.error("oxum-malformed", text, _NAME, expected=there, seen=oxum)
        elif [number.lstrip("0") or "0" for number in oxum.split(".")] != [str(size), str(files)]:
            text = say("Payload-Oxum promises another number of bytes or files than the payload has.")
            bag.notes.error("oxum-differs", text, _NAME, expected=shown(oxum), seen=there)

"""The checker's reading of text tag files (RFC 8493 sections 2.1.1, 2.2.2, 2.3): declaration, lines, bag-info.

Promises: lines end at LF, CR or CRLF and at nothing else; only character sets that are plain text encodings are
tried; what cannot be read is a finding, never skipped. Rules that came with BagIt 1.0 weigh less in older bags.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from preservation.bags.bag_view import BagView
from preservation.bags.report import NOTHING, Notes
from wording import say

VERSIONS = ("0.93", "0.94", "0.95", "0.96", "0.97", "1.0")
_MOST_LINES, _LINES_PER_FILE = 200_000, 4  # of one tag file: what it names in vain takes time and memory too
LONGEST_LINE = 1 << 16  # characters; the longest path a file system takes is 4096 bytes
_LONGEST_DECLARATION = 1000  # bytes

# Python knows codecs that are no character sets (rot13, hex, idna…); only these names are tried.
_ENCODINGS = frozenset(
    {"utf-8", "ascii", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"}
    | {f"iso8859-{n}" for n in range(1, 17)}
    | {f"cp{n}" for n in (437, 850, 932, 949, 950, *range(1250, 1259))}
    | {"shift_jis", "euc_jp", "iso2022_jp", "gb2312", "gbk", "gb18030", "big5", "euc_kr", "koi8-r", "koi8-u"}
)
_BYTE_ORDER_MARKS = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}


@dataclass(frozen=True, slots=True)
class Declaration:
    """What bagit.txt says. `strict` is True for BagIt 1.0; `version` None when it could not be read."""

    version: str | None = None
    encoding: str = "utf-8"
    strict: bool = True


def read_declaration(view: BagView, notes: Notes) -> Declaration:
    """bagit.txt (section 2.1.1). When it is at fault the rest of the bag is judged as BagIt 1.0 in UTF-8."""
    path = "bagit.txt"
    if path not in view.files:
        text = say("The bag declaration bagit.txt is missing, so this is no bag.")
        notes.error("bagit-txt-missing", text, path, expected=path, seen=NOTHING)
        return Declaration()
    raw = read_bounded(view, path, _LONGEST_DECLARATION, notes)
    if raw is None:
        return Declaration()
    lines = re.split(r"\r\n|\r|\n", raw.decode("utf-8", "backslashreplace"))
    if lines[-1] == "":
        lines.pop()
    exact = _EXACT.fullmatch("\n".join(lines))
    loose = _LOOSE.fullmatch("\n".join(lines))
    version = _version(lines)
    strict = version is None or not version.startswith("0.")
    if raw and not raw.endswith((b"\n", b"\r")):
        note_open_end(notes, path, lines[-1])
    if not (exact if strict else loose):
        notes.error(
            "bagit-txt-malformed",
            say("The bag declaration bagit.txt does not consist of exactly the two lines it must have."),
            path,
            expected="BagIt-Version: 1.0 / Tag-File-Character-Encoding: UTF-8",
            seen=" / ".join(lines) or NOTHING,
        )
    if version is not None and version not in VERSIONS:
        notes.error(
            "version-unsupported",
            say("This version of BagIt is not known here, so the bag cannot be judged."),
            path,
            expected=", ".join(VERSIONS),
            seen=version,
        )
    return Declaration(version, _encoding(loose[1] if loose else "UTF-8", notes), strict)


_EXACT = re.compile(r"BagIt-Version: [0-9]+\.[0-9]+\nTag-File-Character-Encoding: [A-Za-z0-9._:+-]+")
_LOOSE = re.compile(  # before BagIt 1.0, blanks about the colon
    r"BagIt-Version[ \t]*:[ \t]*[0-9]+\.[0-9]+[ \t]*\nTag-File-Character-Encoding[ \t]*:[ \t]*(\S+)[ \t]*"
)


def _version(lines: list[str]) -> str | None:
    """The version, read generously, so that a malformed declaration is judged by the rules it meant."""
    match = re.match(r"BagIt-Version[ \t]*:[ \t]*([0-9]+\.[0-9]+)[ \t]*$", lines[0]) if lines else None
    return match[1] if match else None


def _encoding(name: str, notes: Notes) -> str:
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        known = ""
    if known not in _ENCODINGS:
        notes.error(
            "encoding-unsupported",
            say("The character encoding that bagit.txt declares is not one that can be read here."),
            "bagit.txt",
            expected="UTF-8",
            seen=name[:80],
        )
        return "utf-8"
    if known not in ("utf-8", "ascii"):
        text = say("The tag files should be in UTF-8.")
        notes.warning("encoding-not-utf8", text, "bagit.txt", expected="UTF-8", seen=name)
    return known


def read_bounded(view: BagView, path: str, most: int, notes: Notes) -> bytes | None:
    """The bytes of a tag file of at most `most` bytes; None (noted) when longer or unreadable."""
    try:
        with view.open(path) as stream:
            raw = stream.read(most + 1)
    except view.errors as error:
        _note_unreadable(view, path, error, notes)
        return None
    if len(raw) > most:
        note_too_long(view, path, most, notes)
        return None
    return raw


def lines_of(view: BagView, path: str, declared: Declaration, notes: Notes) -> Iterator[tuple[int, str]]:
    """Numbered lines of a text tag file, without their ends. Stops with a finding at what cannot be decoded."""
    try:
        if not _marks_are_right(view, path, declared, notes):
            return
        with view.open(path) as raw:
            text = io.TextIOWrapper(raw, encoding=declared.encoding, newline=None)
            number, most = 0, _MOST_LINES + _LINES_PER_FILE * len(view.files)
            while line := text.readline(LONGEST_LINE + 1):
                number += 1
                if number > most:
                    far_more = say("This tag file has far more lines than the bag has files; the rest was not read.")
                    notes.error("tag-file-too-long", far_more, path, expected=f"≤ {most}", seen=f"> {most}")
                    return
                if len(line) > LONGEST_LINE:
                    too_long = say("Line {number} is far too long.", number=number)
                    notes.error("tag-file-malformed", too_long, path, expected=f"≤ {LONGEST_LINE}", seen=line)
                    return
                if not line.endswith("\n"):
                    note_open_end(notes, path, line)
                line = line.removesuffix("\n")
                yield number, line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeError as error:
        notes.error(
            "tag-file-undecodable",
            say("This tag file is not written in the encoding that bagit.txt declares, so it cannot be checked."),
            path,
            expected=declared.encoding,
            seen=str(error),
        )
    except view.errors as error:
        _note_unreadable(view, path, error, notes)


def note_blank_line(notes: Notes, path: str, number: int) -> None:
    """A line with nothing on it: against the form, but nothing is hidden by it."""
    text = say("Line {number} is blank.", number=number)
    notes.warning("tag-file-blank-line", text, path, expected="≥ 1", seen="0")


def note_open_end(notes: Notes, path: str, line: str) -> None:
    """The last line is not ended. Perhaps the writer was cut short; what is missing then, other rules find."""
    text = say("The last line of this tag file does not end with a line end, so the file may have been cut short.")
    notes.warning("tag-file-open-end", text, path, expected="LF, CR, CRLF", seen=line[-80:])


def _note_unreadable(view: BagView, path: str, error: Exception, notes: Notes) -> None:
    size = f"{view.size(path)} bytes"
    notes.error("file-unreadable", say("This file cannot be read."), path, expected=size, seen=str(error))


def note_too_long(view: BagView, path: str, most: int, notes: Notes) -> None:
    """A tag file that is not read, for its length."""
    text = say("This tag file is far longer than one of its kind can be.")
    notes.error("tag-file-too-long", text, path, expected=f"≤ {most} bytes", seen=f"{view.size(path)} bytes")


def _marks_are_right(view: BagView, path: str, declared: Declaration, notes: Notes) -> bool:
    with view.open(path) as stream:
        start = stream.read(4)
    if declared.encoding == "utf-8" and start.startswith(codecs.BOM_UTF8):
        broken = say("This tag file begins with a byte-order mark, which a UTF-8 tag file must not have.")
        notes.rule(declared.strict, "tag-file-bom", broken, path, expected=NOTHING, seen=start[:3].hex(" "))
    marks = _BYTE_ORDER_MARKS.get(declared.encoding)
    if marks and start and not start.startswith(marks):
        notes.error(
            "tag-file-undecodable",
            say("This tag file lacks the byte-order mark that its encoding needs, so it cannot be read for sure."),
            path,
            expected=declared.encoding,
            seen=start.hex(),
        )
        return False
    return True

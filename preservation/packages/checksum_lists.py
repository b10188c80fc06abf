"""Checksum lists as vendors deliver them, read line by line into (file, algorithm, digest).

Styles: md5sum and sha*sum (text, binary, escaped names), BSD `SHA256 (f) = x`, tables separated by comma,
semicolon or tab, with a header or without; a file that holds one digest and nothing else. Encodings: UTF-8,
UTF-16 with or without a mark, cp1258. A line that is none of these is said to be unreadable, never skipped.
"""

from __future__ import annotations

import csv
import io
import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from preservation.packages.names import decode

ALGORITHM_OF_LENGTH = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
_ALGORITHMS = frozenset(ALGORITHM_OF_LENGTH.values())
_WORD = r"(?:md5|sha-?(?:1|224|256|384|512))"
_SURE_SUFFIX = re.compile(rf"\.{_WORD}(?:sums?)?$", re.IGNORECASE)
_SURE_NAME = re.compile(
    rf"^(?:{_WORD}(?:sums?)?|check_?sums?)(?:[-_.][^/]*)?(?:\.(?:txt|csv|tsv|lst))?$", re.IGNORECASE
)
_PERHAPS = re.compile(rf"{_WORD}|check_?sum|manifest|hash|digest|fixity|mã băm|ma_bam|mabam", re.IGNORECASE)
_TEXT_SUFFIXES = frozenset({"", ".txt", ".csv", ".tsv", ".lst", ".dat"})
_SIGNATURES = (".asc", ".sig", ".gpg")  # what proves a list is no list

# No pattern may try one stretch of blanks in two ways: a line of blanks would take minutes.
_GNU = re.compile(r"(\\?)([0-9A-Fa-f]{32,128}) [ *](.+)")
_GNU_LOOSE = re.compile(r"(\\?)([0-9A-Fa-f]{32,128})[ \t]+\*?(\S.*)")
_BSD = re.compile(r"(\\?)([A-Za-z0-9/-]+) ?\((.+)\) ?= ?([0-9A-Fa-f]+)")
_POWERSHELL = re.compile(rf"({_WORD})\s+([0-9A-Fa-f]{{32,128}})\s+(\S.*)", re.IGNORECASE)
_POWERSHELL_HEAD = re.compile(r"Algorithm\s+Hash\s+Path\s*|[-\s]+")
_DIGEST = re.compile(r"[0-9A-Fa-f]{32,128}")
_COMMENT = re.compile(r"\s*(?:#|;|//|%)(?!.*[0-9A-Fa-f]{32})")
_FILE_WORDS = re.compile(r"file|path|name|tệp|tập tin|đường dẫn|ten_tep", re.IGNORECASE)
_FOLDER_WORDS = re.compile(r"^(?:folder|directory|dir|thư mục)$", re.IGNORECASE)
_LONGEST_LINE = 1 << 14  # letters; the longest path a system takes is 4096 bytes
_LOOK = 1000  # lines looked at to tell what a list asks for


@dataclass(frozen=True, slots=True)
class Listed:
    """One promise of a list: this file has this digest. `name` is None where the list's own name tells the file."""

    name: str | None
    algorithm: str
    digest: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that says nothing we understand. `number` counts from 1."""

    number: int
    text: str


def surely_a_list(path: str) -> bool:
    """Whether the name says that this is a checksum list (`SHA256SUMS`, `box1.md5`, `checksums.csv`)."""
    name = path.rpartition("/")[2]
    return not name.lower().endswith(_SIGNATURES) and bool(_SURE_SUFFIX.search(name) or _SURE_NAME.match(name))


def perhaps_a_list(path: str) -> bool:
    """Whether the name is one that checksum lists sometimes have (`0001_manifest.txt`); its content decides."""
    name = path.rpartition("/")[2]
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
    if _PERHAPS.search(name) is None:  # nearly every name ends here, and this is asked of every one
        return False
    return surely_a_list(path) or PurePosixPath(name).suffix.lower() in _TEXT_SUFFIXES


def is_a_list(path: Path, *, name: str) -> bool:
    """Whether the file is a checksum list: by a sure name, or by a name that may be one and its first lines."""
    if surely_a_list(name):
        return True
    if not perhaps_a_list(name):
        return False
    promises = [isinstance(line, Listed) for line in _beginning(path)]
    return 2 * sum(promises) > len(promises)  # a letter that mentions a digest is no list


def algorithms_in(path: Path) -> frozenset[str]:
    """The algorithms that the first lines of a list ask for."""
    return frozenset(line.algorithm for line in _beginning(path) if isinstance(line, Listed))


class ListTooLong(Exception):
    """The list has more lines than were to be read."""


def _beginning(path: Path) -> Iterator[Listed | Unreadable]:
    with suppress(ListTooLong):
        yield from read_list(path, most=_LOOK)


def read_list(path: Path, *, most: int = sys.maxsize) -> Iterator[Listed | Unreadable]:
    """What the list promises, in its order; blank lines and comments are passed over. Streams.

    Raises ListTooLong after `most` lines of any kind.
    """
    table: _Table | None = None
    for number, line in enumerate(_lines(path), start=1):
        if number > most:
            raise ListTooLong
        if not line.strip() or _COMMENT.match(line) or _POWERSHELL_HEAD.fullmatch(line):
            continue
        found = [] if len(line) >= _LONGEST_LINE - 1 else _plain(line)
        if not found:
            if table is None and (table := _table(line)) is not None and table.header:
                continue
            found = _digest_last(line) if table is None else table.read(line)
        if found:
            yield from found
        else:
            yield Unreadable(number, line[:200])


def _lines(path: Path) -> Iterator[str]:
    """The lines as text, without their ends; UTF-16 by its mark or its zeros, else each line by the name ladder."""
    with path.open("rb") as file:
        head = file.read(4096)
    encoding = _utf16(head)
    if encoding is not None:
        with path.open(encoding=encoding, errors="replace") as text:
            for line in _bounded(text):
                yield line.rstrip("\n").lstrip("\ufeff")
        return
    # Latin-1 keeps every byte; opened as text, so that all three line ends (also the old Mac one) count.
    with path.open(encoding="latin-1") as raw:
        for line in _bounded(raw):
            yield decode(line.rstrip("\n").encode("latin-1")).removeprefix("\ufeff")


def _bounded(text: io.TextIOWrapper) -> Iterator[str]:
    """The lines, an endless one in parts: what only looks like a list must not fill the memory."""
    while line := text.readline(_LONGEST_LINE):
        yield line


def _utf16(head: bytes) -> str | None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) * 4 < len(head):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _plain(line: str) -> list[Listed]:
    """The promise of a line in md5sum or BSD style, or of a lone digest; empty when it is neither."""
    short = line.rstrip()
    if match := _BSD.fullmatch(short):
        escaped, word, name, digest = match.groups()
        algorithm = word.lower().replace("-", "")
        if algorithm in _ALGORITHMS and ALGORITHM_OF_LENGTH.get(len(digest)) == algorithm:
            return [Listed(_unescaped(name, escaped), algorithm, digest.lower())]
    match = _GNU.fullmatch(line)
    if match is None or not match[3].strip():
        match = _GNU_LOOSE.fullmatch(line)
    if match:
        escaped, digest, name = match.groups()
        if algorithm_of_length := ALGORITHM_OF_LENGTH.get(len(digest)):
            return [Listed(_unescaped(name, escaped), algorithm_of_length, digest.lower())]
    if match := _POWERSHELL.fullmatch(short):
        word, digest, name = match.groups()
        if ALGORITHM_OF_LENGTH.get(len(digest)) == word.lower().replace("-", ""):
            return [Listed(name, ALGORITHM_OF_LENGTH[len(digest)], digest.lower())]
    if _DIGEST.fullmatch(line.strip()) and (algorithm_of_length := ALGORITHM_OF_LENGTH.get(len(line.strip()))):
        return [Listed(None, algorithm_of_length, line.strip().lower())]
    return []


def _digest_last(line: str) -> list[Listed]:
    """The promise of a line that names the file first: `0001.tif  d41d…`, `0001.tif: d41d…`."""
    short = line.rstrip()
    cut = max(short.rfind(" "), short.rfind("\t"))
    digest = short[cut + 1 :].removeprefix("*")
    algorithm = ALGORITHM_OF_LENGTH.get(len(digest)) if _DIGEST.fullmatch(digest) else None
    name = short[: max(cut, 0)].rstrip(" \t")
    if name.endswith((":", "=")):
        name = name[:-1].rstrip(" \t")
    if algorithm is None or not name or "\t" in name or name[-1] in ",;:=" or _BSD.fullmatch(short):
        return []
    return [Listed(name.strip(), algorithm, digest.lower())]


def _unescaped(name: str, escaped: str) -> str:
    r"""GNU coreutils write `\\`, `\n` and `\r` in names of lines that begin with a backslash."""
    if not escaped:
        return name
    return re.sub(r"\\([\\nr])", lambda found: {"\\": "\\", "n": "\n", "r": "\r"}[found[1]], name)


@dataclass(frozen=True, slots=True)
class _Table:
    """How to read the rows of a table: which columns hold the file, its folder, and digests."""

    delimiter: str
    header: bool
    file: int
    folder: int | None
    digests: tuple[tuple[int, str | None], ...]  # column and the algorithm its header states

    def read(self, line: str) -> list[Listed]:
        """The promises of one row; empty when the row is not as the table promised."""
        row = _cells(line, self.delimiter)
        if len(row) <= max(self.file, *(column for column, _ in self.digests)) or not row[self.file]:
            return []
        name = row[self.file]
        if self.folder is not None and self.folder < len(row) and row[self.folder]:
            name = row[self.folder].rstrip("/\\") + "/" + name
        found = []
        for column, stated in self.digests:
            digest = row[column]
            algorithm = ALGORITHM_OF_LENGTH.get(len(digest)) if _DIGEST.fullmatch(digest) else None
            if algorithm is None or stated not in (None, algorithm):
                return []
            found.append(Listed(name, algorithm, digest.lower()))
        return found


def _table(line: str) -> _Table | None:
    """The table that this line begins, by its header or by its first row; None when it begins none."""
    for delimiter in "\t;,":
        row = _cells(line, delimiter)
        if len(row) < 2:
            continue
        digests = [i for i, cell in enumerate(row) if _DIGEST.fullmatch(cell) and len(cell) in ALGORITHM_OF_LENGTH]
        if digests:
            files = [i for i, cell in enumerate(row) if i not in digests and re.search(r"[^\d\s:.,/-]", cell)]
            if files:
                return _Table(delimiter, False, files[0], None, tuple((i, None) for i in digests))
        elif (table := _headed(row, delimiter)) is not None:
            return table
    return None


def _headed(row: list[str], delimiter: str) -> _Table | None:
    digests: list[tuple[int, str | None]] = []
    for column, cell in enumerate(row):
        if match := re.search(_WORD, cell, re.IGNORECASE):
            digests.append((column, match[0].lower().replace("-", "")))
        elif re.search(r"check_?sum|hash|digest|mã băm", cell, re.IGNORECASE) and "algo" not in cell.lower():
            digests.append((column, None))
    taken = {column for column, _ in digests}
    folder = next((i for i, cell in enumerate(row) if _FOLDER_WORDS.match(cell)), None)
    files = [i for i, cell in enumerate(row) if i not in taken and i != folder and _FILE_WORDS.search(cell)]
    return _Table(delimiter, True, files[0], folder, tuple(digests)) if digests and files else None


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        row = next(csv.reader(io.StringIO(line), delimiter=delimiter), [])
    except csv.Error:
        return []
    return [cell.strip() for cell in row]

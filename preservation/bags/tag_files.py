"""Writing text tag files (RFC 8493): bag declaration, bag-info, manifests. The writer's side only.

Everything is UTF-8 without a byte-order mark, and lines end with LF.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"


def sync_folder(folder: Path) -> None:
    """Make the names in this folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def manifest_line(digest: str, path: str) -> bytes:
    """One manifest line (section 2.1.3)."""
    return f"{digest}  {encoded(path)}\n".encode()


def encoded(path: str) -> str:
    """The path with percent sign, CR and LF percent-encoded, and only those."""
    return path.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def bag_info_lines(elements: Mapping[str, str | tuple[str, ...]]) -> Iterable[bytes]:
    """The elements of bag-info.txt. Raises ValueError for a label that the format cannot hold."""
    for label, values in elements.items():
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9 ._-]*[A-Za-z0-9])?", label):
            raise ValueError(f"not a label for bag-info.txt: {label!r}")
        for value in (values,) if isinstance(values, str) else values:
            yield f"{label}: {one_line(value)}\n".encode()


def one_line(value: str) -> str:
    """The value on one line: a line end and the blanks about it become one blank, a tab too; other control
    characters are escaped.

    The breaks that only Python takes for line ends (U+0085, U+2028…) are escaped too: some readers split at them.
    """
    folded = re.sub(r"[ \t]*[\r\n]+[ \t]*|\t", " ", value).lstrip(" ")
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
        else char
        for char in folded
    )


def human_size(size: int) -> str:
    """A size for people, "41.3 MB" (Bag-Size, section 2.2.2)."""
    amount = float(size)
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"

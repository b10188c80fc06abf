"""Paths that a person names, and the files below them, in an order that is the same every time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to identify: the path to show, the path to open, why it cannot be opened when it cannot, and its first
    and last bytes when they have been read already.
    """

    shown: str
    real: str
    problem: str | None = None
    edges: tuple[bytes, bytes] | None = None


def walk(paths: Sequence[Path]) -> Iterator[Entry]:
    """Every file named or found, one at a time. A named link is followed; a link that was found is
    given as it is, and refused when it is opened.
    """
    for path in paths:
        real = str(path) if path.is_absolute() else str(Path.cwd() / path)  # ".." means what it means to the system
        if os.path.islink(real):  # noqa: PTH114
            real = os.path.realpath(real)
        if os.path.isdir(real):  # noqa: PTH112 - names need not be UTF-8, so they stay strings here
            yield from _folder(str(path), real)
        else:
            yield Entry(_shown(str(path)), real)


def _folder(shown: str, real: str) -> Iterator[Entry]:
    try:
        with os.scandir(real) as found:
            entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        yield Entry(_shown(shown), real, problem=f"the folder cannot be read: {error.strerror}")
        return
    for entry in entries:
        below = os.path.join(shown, entry.name)  # noqa: PTH118
        if entry.is_dir(follow_symlinks=False):
            yield from _folder(below, entry.path)
        else:
            yield Entry(_shown(below), entry.path)


def _shown(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")

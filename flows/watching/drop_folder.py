"""A watched folder: what lies in it, and in which state each package is. Looks and never touches; reads no file.

A state is what the file system says of a whole package: its names, sizes and times. Clocks are not asked, so that
files dated in the future, and clocks that jump, mean nothing. Links are never followed.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from flows.watching.outcome_files import Told, write
from flows.workspace import Workspace
from preservation.packages.litter import is_litter
from preservation.packages.names import decode

REVISIT = (
    0.2  # seconds of each look for packages that are done: files deep in them may be replaced without a trace above
)
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".tar.zst")
OURS = re.compile(r"\.vankho(-accepted|-rejected|-failed)?\.(txt|json)$")
# What browsers, rsync, WinSCP, rclone, lftp, Syncthing, Word and Windows call a file that is not finished.
_HALF = re.compile(
    r"(\.(part|partial|crdownload|opdownload|download|filepart|aria2|!ut|tmp))$|^(~\$|\.syncthing\.|~syncthing~|\.in\.)"
    r"|^\..+\.[A-Za-z0-9]{6}$|^\.~tmp~$|^\.rsync-partial$|^\.smbdelete",
    re.IGNORECASE,
)


class Why(StrEnum):
    """Why a package is not taken."""

    CHANGING = "changing"
    UNFINISHED = "unfinished"  # a file in it is named as one that is still being written
    EMPTY = "empty"
    MARKER = "marker"  # its ready marker is not there
    LATER = "later"  # the system failed; it is tried again
    HELD = "held"  # another watcher has it
    NO_PACKAGE = "no-package"  # not a folder, ZIP or tar
    AWAY = "away"  # the place cannot be looked into


@dataclass(frozen=True, slots=True)
class Look:
    """One package as it was met. `detail` names the unfinished file; `None` as `why`: nothing but time hinders."""

    name: str  # as it is in the place; may hold what is no UTF-8
    fingerprint: str
    marked: bool = False
    why: Why | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Markers:
    """How a producer says that a package is ready: a name beside it, or a file in it."""

    required: bool = False
    beside: str = ".ready"
    inside: str = "_READY"


@dataclass(slots=True)
class DropFolder:
    """A folder that is looked into again and again."""

    folder: Path
    markers: Markers
    done: dict[str, tuple[tuple[int, int], str]] = field(default_factory=dict)  # name → its own stamp, fingerprint
    _turns: dict[str, None] = field(default_factory=dict)  # whose turn it is to be looked through, the next first

    @property
    def key(self) -> str:
        """The place, as it stands in the catalog."""
        return key_of(str(self.folder))

    def source(self, name: str) -> str:
        """What ingest is given."""
        return str(self.folder / name)

    def fetch(self, workspace: Workspace, name: str) -> None:
        """It is read where it lies."""

    def let_go(self, workspace: Workspace, name: str) -> None:
        """Nothing was fetched."""

    def answer(self, name: str, what: Told) -> str:
        """Write the outcome beside the package; where. Raises OSError."""
        return str(write(self.folder, name, what))

    def settled(self, name: str, fingerprint: str) -> None:
        """Nothing is to be done for the package in this state: it is looked through less often from now on."""
        with_stamp = self._stamp(name)
        if with_stamp is not None:
            self._turns[name] = None
            self.done[name] = (with_stamp, fingerprint)

    def looks(self) -> Iterator[Look]:
        """Every package that is there and may have changed, and what is no package. Raises OSError when the folder
        cannot be listed.
        """
        with os.scandir(self.folder) as found:
            entries = {each.name: each for each in found}
        beside = _Beside.among(entries)
        for gone in [name for name in self.done if name not in entries]:
            del self.done[gone]
        again = self._whose_turn(entries)
        for name, entry in entries.items():
            if self._is_ours_to_skip(name):
                continue
            known = self.done.get(name)
            if known is not None and name not in again and known[0] == _stamp_of(entry):
                continue
            look = self._look(entry, beside)
            if look is not None and (known is None or look.fingerprint != known[1]):
                self.done.pop(name, None)
                yield look

    def look_at(self, name: str) -> Look | None:
        """One package as it is now, None when it is gone."""
        try:
            with os.scandir(self.folder) as found:
                entries = {each.name: each for each in found}
        except OSError:
            return None
        if name not in entries:
            return None
        return self._look(entries[name], _Beside.among(entries))

    def _is_ours_to_skip(self, name: str) -> bool:
        hidden = name.startswith(".") or is_litter(name) or OURS.search(name) is not None
        return hidden or name == self.markers.inside or name.endswith(self.markers.beside)

    def _whose_turn(self, entries: dict[str, os.DirEntry[str]]) -> frozenset[str]:
        """The packages that are done and looked through once more now: as many as a moment allows."""
        turn, until = set(), time.monotonic() + REVISIT
        for _ in range(len(self._turns)):
            if time.monotonic() > until:
                break
            name = next(iter(self._turns))
            del self._turns[name]
            known = self.done.get(name)
            if known is None:
                continue
            self._turns[name] = None
            if _is_folder(entries[name]) and _tree(self._path(name), self.markers.inside).digest != known[1]:
                turn.add(name)
        return frozenset(turn)

    def _look(self, entry: os.DirEntry[str], beside: _Beside) -> Look | None:
        name = entry.name
        nfc = unicodedata.normalize("NFC", name)
        marked = f"{nfc}{self.markers.beside}" in beside.names
        try:
            seen = entry.stat(follow_symlinks=False)
        except OSError:
            return None  # it has just gone
        if stat.S_ISDIR(seen.st_mode):
            tree = _tree(self._path(name), self.markers.inside)
            return self._judged(
                name, tree.digest, marked or tree.marked, name if is_half(name) else tree.half, empty=not tree.files
            )
        if not stat.S_ISREG(seen.st_mode) or not name.casefold().endswith(ARCHIVES):
            if _HALF.search(name):
                return Look(name, "", why=Why.UNFINISHED, detail=name)
            return Look(name, "", why=Why.NO_PACKAGE)
        fingerprint = hashlib.sha256(f"{seen.st_size} {seen.st_mtime_ns}".encode()).hexdigest()
        return self._judged(name, fingerprint, marked, beside.halves.get(nfc, ""), empty=not seen.st_size)

    def _judged(self, name: str, fingerprint: str, marked: bool, half: str, *, empty: bool) -> Look:
        why = None
        if empty:
            why = Why.EMPTY
        elif not marked and self.markers.required:
            why = Why.MARKER
        elif not marked and half:
            why = Why.UNFINISHED
        return Look(name, fingerprint, marked, why, half if why is Why.UNFINISHED else "")

    def _path(self, name: str) -> bytes:
        return os.fsencode(self.folder / name)

    def _stamp(self, name: str) -> tuple[int, int] | None:
        try:
            seen = os.lstat(self.folder / name)
        except OSError:
            return None
        return seen.st_size, seen.st_mtime_ns


@dataclass(frozen=True, slots=True)
class _Beside:
    """What lies beside a package: names in NFC, as some systems change between the forms; and by the name that it is
    going to have, each unfinished file.
    """

    names: frozenset[str]
    halves: dict[str, str]

    @classmethod
    def among(cls, entries: Iterable[str]) -> _Beside:
        names = frozenset(unicodedata.normalize("NFC", name) for name in entries)
        return cls(names, {name.rpartition(".")[0].removeprefix("."): name for name in names if _HALF.search(name)})


@dataclass(frozen=True, slots=True)
class _Tree:
    digest: str
    files: int
    half: str  # the first unfinished file
    marked: bool


def _tree(root: bytes, marker: str) -> _Tree:
    """The state of everything below a folder. Bounded by its largest single folder."""
    state, files, half, marked = hashlib.sha256(), 0, "", False
    waiting = [b""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(os.path.join(root, inside)) as found:  # noqa: PTH118 - bytes
                entries = sorted(found, key=lambda each: each.name)
        except OSError as error:
            state.update(b"%s\0unreadable %d\0" % (inside, error.errno or 0))
            continue
        for entry in entries:
            if not inside and entry.name == os.fsencode(marker):
                marked = True
                continue
            name = os.path.join(inside, entry.name)  # noqa: PTH118 - bytes
            try:
                seen = entry.stat(follow_symlinks=False)
            except OSError:
                state.update(b"%s\0gone\0" % name)
                continue
            if stat.S_ISDIR(seen.st_mode):
                state.update(b"%s\0folder\0" % name)
                waiting.append(name)
            else:
                files += 1
                state.update(b"%s\0%o %d %d\0" % (name, stat.S_IFMT(seen.st_mode), seen.st_size, seen.st_mtime_ns))
            if not half and _HALF.search(entry.name.decode("utf-8", "replace")):
                half = decode(name)
    return _Tree(state.hexdigest(), files, half, marked)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _stamp_of(entry: os.DirEntry[str]) -> tuple[int, int] | None:
    try:
        seen = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    return seen.st_size, seen.st_mtime_ns


def is_half(name: str) -> bool:
    """Whether a file of that name is still being written."""
    return _HALF.search(name) is not None


def key_of(name: str) -> str:
    """The name as text that every catalog can hold: bytes that are no UTF-8 as %XX."""
    return "".join(f"%{ord(char) - 0xDC00:02X}" if 0xDC80 <= ord(char) <= 0xDCFF else char for char in name)

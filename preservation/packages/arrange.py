"""Arrange what arrived: payload, tag files of a given bag, litter set aside; sorted, counted, surveyed.

Nothing is read again and nothing is copied: files only change their folder, and facts their order.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from preservation.facts import FileFact, FormatFact
from preservation.findings import Finding, Severity
from preservation.inventory import FactFile, load_file, load_format, write_facts
from preservation.packages.entries import Notes
from preservation.packages.litter import Litter, is_litter
from preservation.packages.received import Received
from preservation.packages.submission import Submission
from wording import say

Located = TypeVar("Located", FileFact, FormatFact)

_RUN = 50_000  # facts sorted in memory at once
_LONGEST_LINE = 1 << 16


@dataclass(slots=True)
class _Sorted:
    """What the one pass over the arrived facts collects beside the inventory it writes."""

    tags: list[FileFact] = field(default_factory=list)
    aside: list[FileFact] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)


def arrange(
    submission: Submission,
    arrived: FactFile[FileFact],
    formats: FactFile[FormatFact] | None,
    *,
    litter: Litter,
    notes: Notes,
) -> Received:
    """The received package from the facts of what arrived; `formats`, where known, in the same order.

    Raises OSError.
    """
    home = submission.folder / "received"
    top = _bag_top(home)
    found = _Sorted()
    listed = _litter_in_manifests(home / top) if top is not None else frozenset()
    facts = sort_facts(arrived, submission.folder, load_file)
    inventory = write_facts(
        submission.folder / "inventory.jsonl",
        _payload(facts, found, home, top=top, listed=listed, litter=litter, notes=notes),
        load_file,
    )
    if formats is not None:
        known = sort_facts(formats, submission.folder, load_format)
        formats = write_facts(submission.folder / "formats.jsonl", _of_payload(known, inventory, top), load_format)
    _remove_empty_litter_folders(home)
    if top:
        _make_root(home, top)
    payload = home if top is None else home / "data"
    empty = tuple(_survey(payload, notes))
    if not found.files:
        notes.add(_empty(submission))
    return Received(
        submission=submission,
        is_bag=top is not None,
        payload=payload,
        given_tags=None if top is None else home,
        inventory=inventory,
        given_tag_files=tuple(found.tags),
        set_aside=tuple(found.aside),
        empty_folders=empty,
        files=found.files,
        bytes=found.bytes,
        content_digest=found.digest.hexdigest(),
        findings=notes.all(),
        formats=formats,
    )


def _of_payload(known: Iterator[FormatFact], inventory: Iterable[FileFact], top: str | None) -> Iterator[FormatFact]:
    """The formats of the payload, under the names of the inventory; both are sorted."""
    before = "" if top is None else f"{top}/data/" if top else "data/"
    for file in inventory:
        arrived = before + file.path
        yield next(replace(each, path=file.path) for each in known if each.path == arrived)


def sort_facts(
    facts: Iterable[Located], folder: Path, load: Callable[[dict[str, Any]], Located]
) -> Iterator[Located]:
    """The facts by path bytes, in bounded memory: sorted runs on disk, then merged."""
    source = iter(facts)
    runs: list[FactFile[Located]] = []
    while run := sorted(islice(source, _RUN), key=_order):
        if len(run) < _RUN and not runs:
            yield from run
            return
        runs.append(write_facts(folder / f"run-{len(runs)}.jsonl", run, load))
    yield from heapq.merge(*runs, key=_order)
    for written in runs:
        written.remove()


def _order(fact: FileFact | FormatFact) -> bytes:
    return fact.path.encode()


def _bag_top(home: Path) -> str | None:
    """Where in `home` a bag begins: "" at its root, the name of the one folder in it, None when there is no bag."""
    if (home / "bagit.txt").is_file():
        return ""
    inside = [entry.name for entry in home.iterdir() if not _is_only_litter(entry)]
    return inside[0] if len(inside) == 1 and (home / inside[0] / "bagit.txt").is_file() else None


def _is_only_litter(entry: Path) -> bool:
    """Whether all that can stand there is litter. A folder `._scan` is called like litter, its files are not."""
    return is_litter(f"{entry.name}/" if entry.is_dir() else entry.name)


def _litter_in_manifests(bag: Path) -> frozenset[str]:
    """The litter that a given bag lists as payload: it belongs to the bag, and the bag breaks without it."""
    listed = set()
    for manifest in bag.glob("manifest-*.txt"):
        if not manifest.is_file():
            continue
        with manifest.open(encoding="utf-8", errors="replace") as lines:
            while line := lines.readline(_LONGEST_LINE):
                path = line.rstrip("\r\n").partition(" ")[2].lstrip(" \t*")
                if path and is_litter(path):
                    listed.add(path)
    return frozenset(listed)


def _payload(
    facts: Iterator[FileFact],
    found: _Sorted,
    home: Path,
    *,
    top: str | None,
    listed: frozenset[str],
    litter: Litter,
    notes: Notes,
) -> Iterator[FileFact]:
    """The payload's facts, in order; everything else is put into `found`, and litter into its place."""
    prefix = f"{top}/" if top else ""
    for fact in facts:
        inside = fact.path.removeprefix(prefix) if fact.path.startswith(prefix) else None
        if is_litter(fact.path) and inside not in listed:
            _note_litter(fact.path, litter, notes)
            if litter is Litter.SET_ASIDE or inside is None:
                _move(home / fact.path, home.parent / "set-aside" / fact.path)
                found.aside.append(fact)
                continue
        assert inside is not None
        if top is not None and not inside.startswith("data/"):
            found.tags.append(replace(fact, path=inside))
            continue
        kept = fact if top is None else replace(fact, path=inside.removeprefix("data/"))
        found.files += 1
        found.bytes += kept.size
        found.digest.update(f"{kept.digests['sha256']} {kept.size} {kept.path}\n".encode())
        yield kept


def _note_litter(path: str, litter: Litter, notes: Notes) -> None:
    if litter is Litter.KEEP:
        finding = Finding("system-litter", Severity.INFO, say("System litter; kept, as the policy says."), path=path)
    elif litter is Litter.SET_ASIDE:
        message = say("System litter; set aside beside the payload, as the policy says. Nothing is lost.")
        finding = Finding("system-litter", Severity.WARNING, message, path=path)
    else:
        message = say("System litter, which the policy refuses. Ask for the package without it.")
        finding = Finding("system-litter", Severity.ERROR, message, path=path)
    notes.add(finding)


def _move(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    old.rename(new)


def _remove_empty_litter_folders(home: Path) -> None:
    for here, _, _ in os.walk(home, topdown=False):
        folder = Path(here)
        if folder != home and is_litter(str(folder.relative_to(home))) and not any(folder.iterdir()):
            folder.rmdir()


def _make_root(home: Path, top: str) -> None:
    """Take the bag out of the one folder it was packed in."""
    delivered = home.with_name("delivered")
    home.rename(delivered)
    (delivered / top).rename(home)
    shutil.rmtree(delivered)  # folders of litter, emptied before


def _survey(payload: Path, notes: Notes) -> Iterator[str]:
    """The empty folders; notices names that collide. Names collide only among neighbours, so one folder at a time."""
    for here, folders, files in os.walk(payload):
        folder = Path(here).relative_to(payload)
        folders.sort()
        _note_twins(folder, sorted([*folders, *files]), notes)
        if not folders and not files and folder.parts:
            message = say("The folder is empty. A bag holds files only; the folder is recorded but not preserved.")
            notes.add(Finding("folder-empty", Severity.INFO, message, path=str(folder)))
            yield str(folder)


def _note_twins(folder: Path, names: list[str], notes: Notes) -> None:
    normal: dict[str, str] = {}
    folded: dict[str, str] = {}
    for name in names:
        key = unicodedata.normalize("NFC", name)
        low = unicodedata.normalize("NFC", key.casefold())
        path, twin = str(folder / name), str(folder / normal.get(key, folded.get(low, "")))
        if key in normal:
            message = say(
                "Two names that look the same ({twin}) differ only in how their letters are encoded; "
                "other systems take them for one. Ask which one is meant.",
                twin=twin,
            )
            notes.add(Finding("names-collide", Severity.ERROR, message, path=path, seen=twin))
        elif low in folded:
            message = say(
                "The name differs from {twin} only in capital letters; Windows and macOS take them for one.",
                twin=twin,
            )
            notes.add(Finding("names-differ-by-case", Severity.WARNING, message, path=path, seen=twin))
        normal.setdefault(key, name)
        folded.setdefault(low, name)


def _empty(submission: Submission) -> Finding:
    message = say("The package is empty: it holds no file to preserve. Ask for the right package.")
    return Finding("package-empty", Severity.ERROR, message, path=submission.source.name)

"""Is this a complete and valid bag? (RFC 8493 section 3)

Knows a path and nothing else: no catalog, no writer's code. Every file is read once, for all its digests.
Everything found wrong is reported; an unreadable file is reported as unreadable, never as damaged.
Raises PackageUnreadable only when nothing stands at the path.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from preservation.bags.bag_view import READ_ERRORS, BagView, open_view
from preservation.bags.fetch import judge_fetch, read_fetch
from preservation.bags.manifests import Manifest, read_manifests
from preservation.bags.paths import Bag, Names, judge_cases
from preservation.bags.report import BagReport, Notes
from preservation.bags.tag_grammar import read_bag_info, read_declaration
from preservation.errors import PackageUnreadable
from preservation.findings import Finding, Severity
from preservation.progress import Progress, Silent
from wording import say

_BUFFER = 1 << 20  # bytes read at a time
_BATCH = 256  # files handed to the readers at a time


def check_bag(path: Path, *, progress: Progress | None = None) -> BagReport:
    """Judge the bag at `path`: a folder, .zip, .tar or .tar.gz. `progress` counts bytes."""
    if not path.exists():
        missing = say("There is nothing at this path.")
        raise PackageUnreadable([Finding("source-not-found", Severity.ERROR, missing, str(path))])
    notes = Notes()
    with open_view(path, notes) as view:
        if view is None:
            return _report(path, None, (), [], _Tally(), (0, 0), notes)
        return _judge(path, view, notes, progress or Silent())


def _judge(path: Path, view: BagView, notes: Notes, progress: Progress) -> BagReport:
    declared = read_declaration(view, notes)
    bag = Bag(view, Names(view), declared, notes)
    bag_info = read_bag_info(view, declared, notes)
    read_fetch(bag)
    payload = read_manifests(bag, "manifest")
    tags = read_manifests(bag, "tagmanifest")
    judge_fetch(bag, payload)
    _judge_required(view, payload, notes)
    judge_cases(bag)
    _judge_listing(bag, payload)
    _judge_tag_listing(bag, payload, tags)
    _judge_bag_info(bag, bag_info)
    progress.begin("check the bag", sum(view.sizes))
    tally = _compare(view, payload, tags, notes, progress)
    return _report(path, declared.version, bag_info, payload, tally, view.payload(), notes)


def _judge_required(view: BagView, manifests: list[Manifest], notes: Notes) -> None:
    if "data" not in view.folders:
        notes.error("data-folder-missing", say("The payload folder data/ is missing."), "data")
    if not manifests:
        text = say("There is no payload manifest, so nothing says what the payload should be.")
        notes.error("manifest-missing", text, expected="manifest-sha256.txt")


def _judge_listing(bag: Bag, manifests: list[Manifest]) -> None:
    """Every payload file stands in every payload manifest; before BagIt 1.0 one of them is enough."""
    for path in bag.view.files:
        if not path.startswith("data/") or not manifests:
            continue
        without = [manifest.name for manifest in manifests if manifest.promised(path) is None]
        if len(without) == len(manifests):
            bag.notes.error("file-unexpected", say("This file is in the payload, but no manifest lists it."), path)
        elif without and bag.declared.strict:
            text = say("This payload file is not listed in {manifests}.", manifests=", ".join(without))
            bag.notes.error("file-unlisted", text, path)


def _judge_tag_listing(bag: Bag, payload: list[Manifest], tags: list[Manifest]) -> None:
    """Section 2.2.1: what a tag manifest must and should list."""
    others = [p for p in bag.view.files if not p.startswith("data/") and not p.startswith("tagmanifest-")]
    names = {manifest.name for manifest in payload}
    for tag_manifest in tags:
        for manifest in payload:
            if tag_manifest.promised(manifest.name) is None:
                text = say("{manifest} does not list this payload manifest.", manifest=tag_manifest.name)
                bag.notes.rule(bag.declared.strict, "tagmanifest-incomplete", text, manifest.name)
        for path in others:
            if path not in names and tag_manifest.promised(path) is None:
                text = say(
                    "{manifest} does not list this tag file, so nothing guards it.", manifest=tag_manifest.name
                )
                bag.notes.warning("tag-file-unlisted", text, path)
    if tags and {m.algorithm for m in tags} != {m.algorithm for m in payload}:
        text = say("Tag manifests and payload manifests use different digest algorithms.")
        bag.notes.warning("tagmanifest-algorithms-differ", text)


_ONCE = ("bagging-date", "bag-size", "bag-group-identifier", "bag-count")


def _judge_bag_info(bag: Bag, elements: tuple[tuple[str, str], ...]) -> None:
    values: dict[str, list[str]] = {}
    for label, value in elements:
        values.setdefault(label.lower(), []).append(value)
    for label in _ONCE:
        if len(values.get(label, ())) > 1:
            text = say("The element {label} should stand only once.", label=label)
            bag.notes.warning("bag-info-repeated", text, "bag-info.txt")
    for date in values.get("bagging-date", ()):
        if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", date):
            text = say("Bagging-Date is not a date written as year-month-day.")
            bag.notes.warning("bagging-date-malformed", text, "bag-info.txt", expected="2026-11-22", seen=date[:80])
    sums = values.get("payload-oxum", [])
    if len(sums) > 1:
        text = say("Payload-Oxum must stand only once.")
        bag.notes.rule(bag.declared.strict, "oxum-repeated", text, "bag-info.txt")
    files, size = bag.view.payload()
    for oxum in sums:
        if not re.fullmatch(r"[0-9]+\.[0-9]+", oxum):
            text = say("Payload-Oxum is not a number of bytes, a dot and a number of files.")
            bag.notes.error("oxum-malformed", text, "bag-info.txt", seen=oxum[:80])
        elif [number.lstrip("0") or "0" for number in oxum.split(".")] != [str(size), str(files)]:
            text = say("Payload-Oxum promises another number of bytes or files than the payload has.")
            bag.notes.error("oxum-differs", text, "bag-info.txt", expected=oxum, seen=f"{size}.{files}")


@dataclass(slots=True)
class _Tally:
    checked: int = 0
    matched: int = 0


@dataclass(frozen=True, slots=True)
class _Read:
    """What reading one file gave: its digests, or why it could not be read to its end."""

    path: str
    digests: dict[str, bytes]
    size: int
    problem: str | None = None


def _compare(
    view: BagView, payload: list[Manifest], tags: list[Manifest], notes: Notes, progress: Progress
) -> _Tally:
    """Read every listed file once and compare it with every manifest that lists it."""
    manifests = [*payload, *tags]
    tally = _Tally()
    wanted = (
        (path, {manifest.algorithm for manifest in manifests if manifest.promised(path)}) for path in view.files
    )
    for read in _read_all(view, ((path, algorithms) for path, algorithms in wanted if algorithms)):
        progress.advance(read.size)
        if read.problem is not None:
            text = say("This file cannot be read to its end, so nothing can be said about its bytes.")
            notes.error("file-unreadable", text, read.path, seen=read.problem)
            continue
        is_payload = read.path.startswith("data/")
        differing = [m for m in manifests if m.promised(read.path) not in (None, read.digests.get(m.algorithm))]
        for manifest in differing:
            notes.error(
                "digest-differs" if is_payload else "tag-digest-differs",
                say("The bytes of this file are not the ones that {manifest} promises.", manifest=manifest.name),
                read.path,
                expected=(manifest.promised(read.path) or b"").hex(),
                seen=read.digests[manifest.algorithm].hex(),
            )
        if is_payload:
            tally.checked += 1
            tally.matched += not differing
    return tally


def _read_all(view: BagView, wanted: Iterable[tuple[str, set[str]]]) -> Iterator[_Read]:
    """Read the files in the view's order, on as many threads as the view bears; hashing runs beside Python."""
    if view.workers == 1:
        for path, algorithms in wanted:
            yield _read(view, path, algorithms)
        return
    with ThreadPoolExecutor(view.workers) as pool:
        rest = iter(wanted)
        while batch := list(islice(rest, _BATCH)):
            yield from pool.map(lambda item: _read(view, *item), batch)


def _read(view: BagView, path: str, algorithms: set[str]) -> _Read:
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    size = 0
    try:
        with view.open(path) as stream:
            while block := stream.read(_BUFFER):
                size += len(block)
                for running in hashes.values():
                    running.update(block)
    except READ_ERRORS as error:
        return _Read(path, {}, size, f"{type(error).__name__}: {error}")
    if size != view.size(path):
        return _Read(path, {}, size, f"{size} bytes read, {view.size(path)} announced")
    return _Read(path, {name: running.digest() for name, running in hashes.items()}, size)


def _report(
    path: Path,
    version: str | None,
    bag_info: tuple[tuple[str, str], ...],
    manifests: list[Manifest],
    tally: _Tally,
    standing: tuple[int, int],
    notes: Notes,
) -> BagReport:
    return BagReport(
        path=path,
        version=version,
        complete=notes.complete,
        valid=notes.valid
        and tally.matched == standing[0],  # proof for every file, not only the absence of complaints
        checked=tally.checked,
        matched=tally.matched,
        algorithms=tuple(manifest.algorithm for manifest in manifests),
        manifests=tuple(manifest.name for manifest in manifests),
        payload_files=standing[0],
        payload_bytes=standing[1],
        bag_info=bag_info,
        findings=notes.findings(),
    )

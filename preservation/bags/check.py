"""Is this a complete and valid bag? (RFC 8493 section 3)

Knows a path and nothing else: no catalog, no writer's code. Every file is read once, for all its digests.
Everything found wrong is reported; an unreadable file is reported as unreadable, never as damaged.
Raises PackageUnreadable only when nothing stands at the path.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from preservation.bags.archives import archive_view
from preservation.bags.bag_info import Elements, judge_bag_info, read_bag_info
from preservation.bags.bag_view import READ_ERRORS, BagView, folder_view
from preservation.bags.digests import ALGORITHMS
from preservation.bags.fetch import judge_fetch, read_fetch
from preservation.bags.manifests import Manifest, read_manifests
from preservation.bags.paths import Bag, Names, judge_cases, judge_twins
from preservation.bags.profile import Profile
from preservation.bags.profile_check import judge_profile
from preservation.bags.report import NOTHING, BagReport, Notes
from preservation.bags.tag_grammar import read_declaration
from preservation.errors import PackageUnreadable
from preservation.findings import Finding, Severity
from preservation.progress import Progress, Silent
from wording import say

_BUFFER = 1 << 18  # bytes read at a time: what was read is still in the processor's cache when it is hashed
_BATCH = 256  # files handed to the readers at a time
_LARGE = 1 << 18  # bytes from which on a file is worth a thread


def check_bag(
    path: Path, *, profile: Profile | None = None, form: str | None = None, progress: Progress | None = None
) -> BagReport:
    """Judge the bag at `path`: a folder, .zip, .tar or .tar.gz; against a profile too, when one is given.

    `form` is the MIME type of the archive that a folder was unpacked from; `progress` counts bytes.
    A bag that does not conform to the profile may still be valid: `conforms` says.
    """
    if not path.exists():
        missing = say("There is nothing at this path.")
        found = Finding("source-not-found", Severity.ERROR, missing, str(path), str(path), NOTHING)
        raise PackageUnreadable([found])
    notes = Notes()
    if path.is_dir():
        view = replace(folder_view(path, notes), form=form)
        return _judge(path, view, profile, notes, progress or Silent())
    with archive_view(path, notes) as packed:
        if packed is None:
            return _report(path, None, (), [], _Tally(), (0, 0), notes, profile, Notes())
        return _judge(path, packed, profile, notes, progress or Silent())


def _judge(path: Path, view: BagView, profile: Profile | None, notes: Notes, progress: Progress) -> BagReport:
    declared = read_declaration(view, notes)
    bag = Bag(view, Names(view), declared, notes)
    bag_info = read_bag_info(view, declared, notes)
    read_fetch(bag)
    payload = read_manifests(bag, "manifest")
    tags = read_manifests(bag, "tagmanifest")
    judge_fetch(bag, payload)
    _judge_required(view, payload, notes)
    judge_cases(bag)
    judge_twins(bag)
    _judge_listing(bag, payload)
    _judge_tag_listing(bag, payload, tags)
    judge_bag_info(bag, bag_info)
    about_profile = Notes()
    if profile is not None:
        judge_profile(profile, bag, bag_info, about_profile)
    progress.begin("check the bag", sum(view.sizes))
    tally = _compare(view, payload, tags, notes, progress)
    return _report(path, declared.version, bag_info, payload, tally, view.payload(), notes, profile, about_profile)


def _judge_required(view: BagView, manifests: list[Manifest], notes: Notes) -> None:
    if "data" not in view.folders:
        seen = "regular file" if "data" in view.files else NOTHING
        notes.error(
            "data-folder-missing", say("The payload folder data/ is missing."), "data", expected="data/", seen=seen
        )
    if not manifests:
        text = say("There is no payload manifest, so nothing says what the payload should be.")
        wanted = "manifest-sha256.txt"
        notes.error("manifest-missing", text, wanted, expected=wanted, seen=NOTHING)


def _judge_listing(bag: Bag, manifests: list[Manifest]) -> None:
    """Every payload file stands in every payload manifest; before BagIt 1.0 one of them is enough."""
    names = ", ".join(manifest.name for manifest in manifests)
    for path in bag.view.files:
        if not path.startswith("data/") or not manifests:
            continue
        without = [manifest.name for manifest in manifests if manifest.promised(path) is None]
        if len(without) == len(manifests):
            text = say("This file is in the payload, but no manifest lists it.")
            bag.notes.error("file-unexpected", text, path, expected=names, seen=NOTHING)
        elif without and bag.declared.strict:
            text = say("This payload file is not listed in {manifests}.", manifests=", ".join(without))
            listed = [manifest.name for manifest in manifests if manifest.name not in without]
            bag.notes.error("file-unlisted", text, path, expected=names, seen=", ".join(listed))


def _judge_tag_listing(bag: Bag, payload: list[Manifest], tags: list[Manifest]) -> None:
    """Section 2.2.1: what a tag manifest must and should list."""
    others = [p for p in bag.view.files if not p.startswith("data/") and not p.startswith("tagmanifest-")]
    names = {manifest.name for manifest in payload}
    for tag_manifest in tags:
        for manifest in payload:
            if tag_manifest.promised(manifest.name) is None:
                text = say("{manifest} does not list this payload manifest.", manifest=tag_manifest.name)
                strict, name = bag.declared.strict, tag_manifest.name
                bag.notes.rule(strict, "tagmanifest-incomplete", text, manifest.name, expected=name, seen=NOTHING)
        for path in others:
            if path not in names and tag_manifest.promised(path) is None:
                text = say(
                    "{manifest} does not list this tag file, so nothing guards it.", manifest=tag_manifest.name
                )
                bag.notes.warning("tag-file-unlisted", text, path, expected=tag_manifest.name, seen=NOTHING)
    wanted, seen = (", ".join(m.algorithm for m in manifests) for manifests in (payload, tags))
    if tags and wanted != seen:  # both are sorted
        text = say("Tag manifests and payload manifests use different digest algorithms.")
        bag.notes.warning("tagmanifest-algorithms-differ", text, tags[0].name, expected=wanted or NOTHING, seen=seen)


@dataclass(slots=True)
class _Tally:
    checked: int = 0
    matched: int = 0


_Promises = list[tuple[Manifest, bytes]]  # what every manifest that lists a file says of it


class _Read(NamedTuple):
    """What reading one file gave: its digests by algorithm, or why it could not be read to its end."""

    path: str
    promises: _Promises
    digests: dict[str, bytes]
    size: int
    problem: str | None = None


def _compare(
    view: BagView, payload: list[Manifest], tags: list[Manifest], notes: Notes, progress: Progress
) -> _Tally:
    """Read every listed file once and compare it with every manifest that lists it."""
    tally = _Tally()
    with closing(_read_all(view, _listed(view, [*payload, *tags]))) as reads:
        for read in reads:
            progress.advance(read.size)
            if read.problem is not None:
                text = say("This file cannot be read to its end, so nothing can be said about its bytes.")
                size = f"{view.size(read.path)} bytes"
                notes.error("file-unreadable", text, read.path, expected=size, seen=read.problem)
                continue
            is_payload = read.path.startswith("data/")
            differing = [(m, promised) for m, promised in read.promises if promised != read.digests[m.algorithm]]
            for manifest, promised in differing:
                notes.error(
                    "digest-differs" if is_payload else "tag-digest-differs",
                    say("The bytes of this file are not the ones that {manifest} promises.", manifest=manifest.name),
                    read.path,
                    expected=promised.hex(),
                    seen=read.digests[manifest.algorithm].hex(),
                )
            if is_payload:
                tally.checked += 1
                tally.matched += not differing
    return tally


def _listed(view: BagView, manifests: list[Manifest]) -> Iterator[tuple[str, _Promises]]:
    for path in view.files:
        promises = [(m, promised) for m in manifests if (promised := m.promised(path)) is not None]
        if promises:
            yield path, promises


def _read_all(view: BagView, listed: Iterable[tuple[str, _Promises]]) -> Generator[_Read]:
    """Read the files; answers come in the view's order.

    Hashing runs beside Python, so large files go to as many threads as the view bears. A small one is read here:
    handing it over and waiting for Python's lock would take longer than its bytes.
    """
    buffers = [memoryview(bytearray(_BUFFER)) for _ in range(view.workers + 1)]
    pool = ThreadPoolExecutor(view.workers)
    try:
        rest = iter(listed)
        while batch := list(islice(rest, _BATCH)):
            running = {
                path: pool.submit(_read, view, path, promises, buffers)
                for path, promises in batch
                if view.workers > 1 and view.size(path) >= _LARGE
            }
            for path, promises in batch:
                yield running[path].result() if path in running else _read(view, path, promises, buffers)
    finally:
        pool.shutdown(cancel_futures=True)  # interrupted: no further file is begun


def _read(view: BagView, path: str, promises: _Promises, buffers: list[memoryview]) -> _Read:
    hashes = {manifest.algorithm: ALGORITHMS[manifest.algorithm]() for manifest, _ in promises}
    size, buffer = 0, buffers.pop()
    try:
        with view.open(path) as stream:
            while count := stream.readinto(buffer):  # type: ignore[attr-defined]
                size += count
                for running in hashes.values():
                    running.update(buffer[:count])
    except READ_ERRORS as error:
        return _Read(path, promises, {}, size, f"{type(error).__name__}: {error}")
    finally:
        buffers.append(buffer)
    if size != view.size(path):
        return _Read(path, promises, {}, size, f"{size} bytes read, {view.size(path)} announced")
    return _Read(path, promises, {name: running.digest() for name, running in hashes.items()}, size)


def _report(
    path: Path,
    version: str | None,
    bag_info: Elements,
    manifests: list[Manifest],
    tally: _Tally,
    standing: tuple[int, int],
    notes: Notes,
    profile: Profile | None,
    about_profile: Notes,
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
        findings=notes.findings() + about_profile.findings(),
        profile=profile.identifier if profile is not None else None,
        conforms=None if profile is None else about_profile.valid and notes.valid,
    )

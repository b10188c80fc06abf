"""Is this a complete and valid bag? (RFC 8493 section 3)

Knows a path and nothing else: no catalog, no writer's code. Every file is read once, for all its digests.
Everything found wrong is reported; an unreadable file is reported as unreadable, never as damaged.
Raises PackageUnreadable only when nothing stands at the path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from preservation import forked
from preservation.bags.bag_info import Elements, judge_bag_info, read_bag_info
from preservation.bags.bag_view import BagView, folder_view
from preservation.bags.comparing import Fault, compared
from preservation.bags.fetch import judge_fetch, read_fetch
from preservation.bags.manifests import Manifest, read_manifests
from preservation.bags.paths import Bag, Names, judge_cases, judge_twins
from preservation.bags.report import NOTHING, BagReport, Notes
from preservation.bags.tag_grammar import read_declaration
from preservation.errors import PackageUnreadable
from preservation.findings import Finding, Severity
from preservation.progress import Progress, Silent
from wording import say

if TYPE_CHECKING:
    from preservation.bags.profile import Profile

STEP = "check the bag"
_BAGS_EACH = 4  # bags for each process from which on they are shared out whole


def check_bags(
    paths: Sequence[Path], *, profile: Profile | None = None, progress: Progress | None = None, processes: int = 1
) -> Iterator[BagReport]:
    """The same of several, in their order. Many are shared out whole among the processes, few one after the other."""
    listener = progress or Silent()
    if processes == 1 or len(paths) < _BAGS_EACH * processes or not forked.alone():
        for path in paths:
            yield check_bag(path, profile=profile, progress=listener, processes=processes)
        return
    for first in range(0, len(paths), forked.MOST_THINGS):
        some = paths[first : first + forked.MOST_THINGS]

        def work(number: int, tell: Callable[[int], None], some: Sequence[Path] = some) -> BagReport:
            return check_bag(some[number], profile=profile, progress=_Told(tell))

        with forked.shared(work, len(some), processes=processes, moved=listener.advance) as reports:
            if first == 0:
                listener.begin(STEP, None)
            yield from reports


class _Told:
    """Progress of a bag among others: its steps are nobody's concern."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self.advance = tell

    def begin(self, step: str, total: int | None) -> None:
        """Ignore."""


def check_bag(
    path: Path,
    *,
    profile: Profile | None = None,
    form: str | None = None,
    progress: Progress | None = None,
    processes: int = 1,
) -> BagReport:
    """Judge the bag at `path`: a folder, .zip, .tar or .tar.gz; against a profile too, when one is given.

    `form` is the MIME type of the archive that a folder was unpacked from; `progress` counts bytes. Many small files
    of a folder are shared among so many `processes`, when no other thread runs here. Raises HelperEnded then.
    A bag that does not conform to the profile may still be valid: `conforms` says.
    """
    if not path.exists():
        missing = say("There is nothing at this path.")
        found = Finding("source-not-found", Severity.ERROR, missing, str(path), str(path), NOTHING)
        raise PackageUnreadable([found])
    notes = Notes()
    if path.is_dir():
        view = replace(folder_view(path, notes), form=form)
        return _judge(path, view, profile, notes, progress or Silent(), processes=processes)
    from preservation.bags.archives import archive_view

    with archive_view(path, notes) as packed:
        if packed is None:
            return _report(path, None, (), [], (0, 0), (0, 0), notes, profile, Notes())
        return _judge(path, packed, profile, notes, progress or Silent())


def _judge(
    path: Path, view: BagView, profile: Profile | None, notes: Notes, progress: Progress, *, processes: int = 1
) -> BagReport:
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
        from preservation.bags.profile_check import judge_profile

        judge_profile(profile, bag, bag_info, about_profile)
    checked = matched = 0
    with compared(view, [*payload, *tags], processes=processes, moved=progress.advance) as answers:
        progress.begin(STEP, sum(view.sizes))  # a bar may begin a thread, and before that the work was shared out
        for each in answers:
            checked, matched = checked + each.checked, matched + each.matched
            _note(each.faults, notes)
    return _report(
        path, declared.version, bag_info, payload, (checked, matched), view.payload(), notes, profile, about_profile
    )


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
    for number, path in enumerate(bag.view.files):
        if not path.startswith("data/") or not manifests or all(m.listed[number] for m in manifests):
            continue
        without = [manifest.name for manifest in manifests if not manifest.listed[number]]
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


def _note(faults: Iterable[Fault], notes: Notes) -> None:
    for path, manifest, expected, seen in faults:
        if manifest is None:
            text = say("This file cannot be read to its end, so nothing can be said about its bytes.")
            notes.error("file-unreadable", text, path, expected=expected, seen=seen)
        else:
            notes.error(
                "digest-differs" if path.startswith("data/") else "tag-digest-differs",
                say("The bytes of this file are not the ones that {manifest} promises.", manifest=manifest),
                path,
                expected=expected,
                seen=seen,
            )


def _report(
    path: Path,
    version: str | None,
    bag_info: Elements,
    manifests: list[Manifest],
    proved: tuple[int, int],
    standing: tuple[int, int],
    notes: Notes,
    profile: Profile | None,
    about_profile: Notes,
) -> BagReport:
    checked, matched = proved
    return BagReport(
        path=path,
        version=version,
        complete=notes.complete,
        valid=notes.valid and matched == standing[0],  # proof for every file, not only the absence of complaints
        checked=checked,
        matched=matched,
        algorithms=tuple(manifest.algorithm for manifest in manifests),
        manifests=tuple(manifest.name for manifest in manifests),
        payload_files=standing[0],
        payload_bytes=standing[1],
        bag_info=bag_info,
        findings=notes.findings() + about_profile.findings(),
        profile=profile.identifier if profile is not None else None,
        conforms=None if profile is None else about_profile.valid and notes.valid,
    )

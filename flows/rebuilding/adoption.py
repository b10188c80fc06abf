"""After a catalog was made again: what stands in a store or in the workspace and that its history does not tell.

A run that was killed before its ledger was written leaves AIPs that no ledger knows, and copies that nobody claims.
They are counted again from their own bags, each with an event that says so; nothing is removed and no byte trusted
beyond what the bag's manifests prove: an audit has to read them. What contradicts itself is named and left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from flows.storing.places import WORKSPACE
from flows.workspace import Workspace
from preservation import events
from preservation.bags.check import check_bag
from preservation.catalog.errors import AlreadyAdmitted, AmbiguousReference, PlaceTaken
from preservation.facts import AIPVersion, EventOutcome, EventType, Replica
from preservation.findings import Finding, Severity
from preservation.ledger.records import admission_detail
from preservation.packages.submission import sweep
from preservation.replicas.adopt import FromBag, NotAdoptable, read_bag, read_info
from preservation.replicas.copy import COMMIT_MARK
from preservation.replicas.layout import AIPS, parse_key, replica_prefix
from preservation.replicas.pairing import pair
from storage_adapters.opening import LocalSettings, open_store
from storage_adapters.store import ObjectStat, Store
from wording import Message, say

UNCLAIMED = "unclaimed"  # the folder of the workspace for bags that could not be counted again


@dataclass(frozen=True, slots=True)
class Adopted:
    """One AIP version, or one copy of it, that is counted again. `how`: adopted, claimed, staged."""

    identifier: str
    version: int
    place: str
    how: str


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted again, and what was seen on the way."""

    adopted: tuple[Adopted, ...]
    findings: tuple[Finding, ...]


def count_again(workspace: Workspace, store: Store | None) -> Counted:
    """Look through the workspace's bags, then through the store when one is given. Safe to run again.

    Raises StorageError when the store cannot be listed or read, CatalogError.
    """
    findings: list[Finding] = []
    spool = workspace.folder / "spool"
    spool.mkdir(exist_ok=True)
    _forget_bags_that_went(workspace)
    adopted = [*_of_workspace(workspace, spool, findings)]
    if store is not None:
        adopted += _of_store(workspace, store, spool, findings)
    return Counted(tuple(adopted), tuple(findings))


def _forget_bags_that_went(workspace: Workspace) -> None:
    """An older catalog may count on bags that were let go since."""
    for version in workspace.catalog.versions():
        if version.staged is not None and not (workspace.folder / version.staged).is_dir():
            workspace.catalog.set_staged(version.identifier, version.version, None)


def _of_workspace(workspace: Workspace, spool: Path, findings: list[Finding]) -> Iterator[Adopted]:
    """The bags in the workspace: perhaps the only copies of what was admitted. Tidying removes what nobody counts on,
    so a bag that cannot be counted again is moved out of its way. Those of living runs are left alone.
    """
    sweep(workspace.staging)
    for bag in sorted(workspace.bags.iterdir()) if workspace.bags.is_dir() else []:
        if not (bag / COMMIT_MARK).is_file() or (workspace.staging / bag.name).exists():
            continue
        info = read_info((bag / "bag-info.txt").read_bytes()) if (bag / "bag-info.txt").is_file() else {}
        known = _known(workspace, info.get("external-identifier", ""), info.get("vankho-aip-version", ""))
        if known is None:
            known, how = _adopt_bag(workspace, bag, spool, findings), "adopted"
        elif info.get("vankho-content-digest") == f"sha256:{known.content_digest}":
            how = "" if known.staged is not None else "staged"
        else:
            known, how = None, ""
            findings.append(_left(f"{UNCLAIMED}/{bag.name}", say("The bag names an AIP of other content.")))
        if known is None:
            _move_away(workspace, bag)
        elif how:
            workspace.catalog.set_staged(known.identifier, known.version, f"bags/{bag.name}")
            yield Adopted(known.identifier, known.version, WORKSPACE, how)


def _move_away(workspace: Workspace, bag: Path) -> None:
    (workspace.folder / UNCLAIMED).mkdir(exist_ok=True)
    bag.rename(workspace.folder / UNCLAIMED / bag.name)


def _known(workspace: Workspace, identifier: str, number: str) -> AIPVersion | None:
    """The version of exactly this name: a folder may be called like the producer's word for another AIP."""
    try:
        found = workspace.catalog.find(identifier)
    except AmbiguousReference:
        return None
    return next((each for each in found if (each.identifier, str(each.version)) == (identifier, number)), None)


def _adopt_bag(workspace: Workspace, bag: Path, spool: Path, findings: list[Finding]) -> AIPVersion | None:
    """A bag that was written, and perhaps admitted, but that no ledger knows: adopted when every byte holds."""
    if not check_bag(bag, progress=workspace.progress).valid:
        findings.append(_left(f"{UNCLAIMED}/{bag.name}", say("The bag is not valid.")))
        return None
    bags = open_store(WORKSPACE, LocalSettings(path=workspace.bags))
    return _adopt(workspace, bags, f"{bag.name}/", spool, findings, told=f"{UNCLAIMED}/{bag.name}")


def _of_store(workspace: Workspace, store: Store, spool: Path, findings: list[Finding]) -> Iterator[Adopted]:
    """What stands whole in the store and is not claimed there, versions in their order."""
    unclaimed = []
    for (identifier, number), stats in _by_version(store):
        version = _known(workspace, identifier, str(number))
        claims = workspace.catalog.replicas(identifier, number) if version is not None else []
        if any(replica.store == store.name for replica in claims):
            continue
        whole = any(stat.key == replica_prefix(identifier, number) + COMMIT_MARK for stat in stats)
        if whole:
            unclaimed.append((identifier, number))
        elif version is None:
            unfinished = say("Copying was cut short here; no place knows what it was to become.")
            findings.append(_left(replica_prefix(identifier, number), unfinished))
    for identifier, number in sorted(unclaimed):
        yield from _take(workspace, store, identifier, number, spool, findings)


def _take(
    workspace: Workspace, store: Store, identifier: str, number: int, spool: Path, findings: list[Finding]
) -> Iterator[Adopted]:
    version, how, prefix = _known(workspace, identifier, str(number)), "claimed", replica_prefix(identifier, number)
    if version is None:
        version, how = _adopt(workspace, store, prefix, spool, findings, told=prefix), "adopted"
    elif not _listed_whole(workspace, store, version):
        differs = say("What stands here is not what was admitted under this name, by names and sizes.")
        findings.append(_left(prefix, differs))
        return
    if version is None or (version.identifier, version.version) != (identifier, number):
        return
    _claim(workspace, store, version)
    yield Adopted(identifier, number, store.name, how)


def _listed_whole(workspace: Workspace, store: Store, version: AIPVersion) -> bool:
    objects = workspace.catalog.objects(version.identifier, version.version)
    prefix = replica_prefix(version.identifier, version.version)
    both = pair(objects, store.list(prefix), prefix=prefix)
    return all(fact is not None and stat is not None and fact.size == stat.size for fact, stat in both)


def _claim(workspace: Workspace, store: Store, version: AIPVersion) -> None:
    now = workspace.clock()
    told = events.event(
        EventType.REPLICATION,
        now,
        outcome=EventOutcome.SUCCESS,
        of=version,
        store=store.name,
        detail={"claimed": True, "found": "listed whole when the catalog was made again; no byte read yet"},
    )
    workspace.catalog.record([told], claims=[Replica(version.identifier, version.version, store.name, now)])


def _adopt(
    workspace: Workspace,
    store: Store,
    prefix: str,
    spool: Path,
    findings: list[Finding],
    *,
    told: str,
) -> AIPVersion | None:
    """Enter the AIP version that the bag tells; None, with a finding, when it cannot be."""
    now = workspace.clock()
    with TemporaryDirectory(prefix="adopt-", dir=spool) as folder:
        try:
            found = read_bag(store, prefix, now=now, spool=Path(folder))
            expected = parse_key(f"{prefix}{COMMIT_MARK}") or (found.version.identifier, found.version.version, "")
            if (found.version.identifier, found.version.version) != expected[:2]:
                raise NotAdoptable(_left(told, say("The bag names another AIP than the one it lies under.")))
            admitted = _admit(workspace, found, store.name)
        except NotAdoptable as error:
            findings.append(error.finding)
            return None
        except (AlreadyAdmitted, PlaceTaken) as error:
            findings.append(_left(told, error.what))
            return None
    findings.append(
        Finding(
            "aip-adopted",
            Severity.WARNING,
            say(
                "No ledger knew this AIP version; it was counted again from its own bag. Its digests are those that "
                "the bag's manifest lists, so its fixity is known from now on only."
            ),
            replica_prefix(admitted.identifier, admitted.version),
            seen=f"{admitted.objects} objects",
        )
    )
    return admitted


def _admit(workspace: Workspace, found: FromBag, place: str) -> AIPVersion:
    version = found.version
    end = events.event(
        EventType.INGESTION_END,
        version.admitted_at,
        outcome=EventOutcome.WARNING,
        submission=version.submission,
        of=version,
        detail={
            "adopted": {
                "from": place,
                "why": "the catalog was made again and no ledger knew this AIP version",
                "digests": "from the bag's own manifest-sha256.txt",
                "events": "those of its metadata/premis.xml",
            },
            **admission_detail(version, found.objects),
        },
    )
    return workspace.catalog.admit(version, iter(found.objects), (*found.events, end))


def _by_version(store: Store) -> Iterator[tuple[tuple[str, int], Iterator[ObjectStat]]]:
    def known() -> Iterator[tuple[tuple[str, int], ObjectStat]]:
        for stat in store.list(AIPS):
            parsed = parse_key(stat.key)
            if parsed is not None:
                yield parsed[:2], stat

    for place, group in groupby(known(), key=lambda item: item[0]):
        yield place, (stat for _, stat in group)


def _left(where: str, reason: Message) -> Finding:
    return Finding(
        "aip-not-adopted",
        Severity.ERROR,
        say("What stands here could not be counted again and was left as it is: {reason}", reason=reason),
        where,
    )

"""What must be so after a command was killed and run again: compared with a run that nobody disturbed.

Everything is looked at from outside: files, the catalog's tables, the events. `Seen` is what the catalog tells; the
functions give what is wrong, in words, [] when all is well.

Which events are allowed: a command that goes on where it was cut off (`once`) tells in both runs together exactly
what one undisturbed run tells; only "delivered again" comes once more for each run that found the AIP here already. A
command that does its whole work at every call (audit, a rejection) tells it once for the run that came to its end, and
of the cut-off run a part of the same. A repair tells every object that it brought back or took out exactly once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from flows.ledger import guard, push
from flows.reconcile import reconcile
from flows.remains import clear
from flows.workspace import Workspace
from preservation.bags.check import check_bag
from preservation.catalog.renewal import stands
from preservation.catalog.schema import leases
from preservation.facts import Event, EventType
from preservation.ledger.checking import check_ledger
from tests.crash.scenes import Scene, pages_of
from tests.flows.houses import House, contents, proofs, tree

ALREADY = "ingestion start: delivered again"


@dataclass(frozen=True)
class Seen:
    """What the catalog tells at one moment: how often each event, and how many versions."""

    told: Counter[str]
    versions: int

    @classmethod
    def of(cls, house: House) -> Seen:
        """Look now; nothing where there is no catalog, for looking would make one."""
        if not stands(house.catalog, base=house.folder):
            return cls(Counter(), 0)
        with house.open() as workspace:
            return cls(
                Counter(named(each.event) for each in workspace.catalog.events()),
                len(list(workspace.catalog.versions())),
            )


def named(event: Event) -> str:
    """An event in a word or two, so that equal ones count as the same."""
    if event.detail.get("already_here"):
        return ALREADY
    words = [event.type.value, event.store or "", str(event.detail.get("result", ""))]
    if event.type is EventType.REPLICATION:
        words.append("claimed" if event.detail.get("claimed") else "failed")
    return " ".join(word for word in words if word)


def after_the_kill(house: House, base: Path, sources: dict[str, Any]) -> Iterator[str]:
    """What must be so even before anybody runs it again."""
    if tree(base / "source") != sources:
        yield "the source was touched"
    if not stands(house.catalog, base=house.folder):
        return
    with house.open() as workspace:
        if not workspace.catalog.verify_chain().sound:
            yield "the chain of events is broken"
    out = base / "out/bag"
    if out.exists() and not check_bag(out).valid:
        yield "the restored bag is half visible"
    for name in house.stores:
        yield from _partly_proved(house, name)


def _partly_proved(house: House, store: str) -> Iterator[str]:
    """A copy that the catalog calls proved is whole; a claimed one has every object (damage was put there by us)."""
    with house.open() as workspace:
        for version in workspace.catalog.versions():
            for replica in workspace.catalog.replicas(version.identifier, version.version):
                if replica.store == store and proofs([replica])[store] == "intact":
                    yield from _object_by_object(workspace, house, version, store)


def at_the_end(
    house: House,
    base: Path,
    scene: Scene,
    sources: dict[str, Any],
    *,
    began: Seen,
    clean: Seen,
    killed: Seen,
) -> Iterator[str]:
    """All that must be so when the command was run again to its end. `began` is the catalog as prepared, `clean` after
    an undisturbed run, `killed` after the last kill.
    """
    if tree(base / "source") != sources:
        yield "the source was touched"
    yield from _leftovers(house, base)
    now = Seen.of(house)
    if now.versions != scene.versions:
        yield f"{now.versions} versions, not {scene.versions}"
    yield from _told(scene, began, clean, killed, now)
    with house.open() as workspace:
        if scene.flow == "rebuild":  # what it could not tell the stores any more, the next run of any kind tells them
            push(workspace, guard(workspace))
            workspace.catalog.sweep_leases()
        yield from _catalog(workspace)
        for version in workspace.catalog.versions():
            source = Path(version.source)
            expected = pages_of(base / "source" / source.name)
            held = workspace.catalog.replicas(version.identifier, version.version)
            if proofs(held) != dict.fromkeys(house.stores, "intact"):
                yield f"not all copies are proved: {proofs(held)}"
            for name in house.stores:
                yield from _object_by_object(workspace, house, version, name)
                payload = contents(house.store_folder(name) / f"aip/{version.identifier}/v{version.version}/data")
                if not payload.items() <= expected.items() or set(expected) - set(payload) - LITTER:
                    yield f"the payload in {name} is not what was delivered"
        yield from _evidence(workspace, house, scene)
        yield from _quarantine(workspace, house, scene)
        for each in reconcile(workspace):
            if each.report.findings or each.away:
                yield f"{each.report.store} disagrees: {[str(f.message) for f in each.report.findings]}"
    yield from _restored(scene, base)


def _leftovers(house: House, base: Path) -> Iterator[str]:
    """Nothing in the workspace, nothing in a copy; what a put that died left elsewhere in a store, `tidy` removes."""
    if left := house.leftovers():
        yield f"left in the workspace: {left}"
    if left := [path for path in _unfinished(base) if "/aip/" in path or "/stores/" not in path]:
        yield f"unfinished: {left}"
    if _unfinished(base):
        with house.open() as workspace:
            clear(workspace)
        if left := _unfinished(base):
            yield f"unfinished even after tidying: {left}"
    for name in house.stores:
        there = {path.name for path in house.store_folder(name).iterdir()}
        if there - {"README.txt", "aip", "ledger", "verify_ledger.py"}:
            yield f"in store {name}: {sorted(there)}"


def _unfinished(base: Path) -> list[str]:
    """What is half written; the room for reports of runs that go on may stand there, empty."""
    found = (path for path in base.rglob("*") if "unfinished" in path.name)
    return sorted(path.relative_to(base).as_posix() for path in found if not path.is_dir() or any(path.iterdir()))


LITTER = {"metadata.json"}  # taken out of the payload as the descriptor


def _told(scene: Scene, began: Seen, clean: Seen, killed: Seen, now: Seen) -> Iterator[str]:
    usual = clean.told - began.told
    if scene.flow == "repair":
        return  # judged object by object
    again = 1 if scene.flow.startswith("ingest") and scene.once and killed.versions > began.versions else 0
    if scene.once:
        expected = began.told + usual
        seen, expected = _without(now.told, ALREADY), _without(expected, ALREADY)
        if scene.flow == "rebuild" and killed.versions:
            # The catalog was in its place when the run died: the next one finds it whole and has nothing to tell.
            seen, expected = _without(seen, "recovery a"), _without(expected, "recovery a")
        if seen != expected:
            yield f"events missing {dict(expected - seen)}, too many {dict(seen - expected)}"
        twice = now.told[ALREADY] - killed.told[ALREADY]
        if scene.flow == "ingest" and twice != again:
            yield f"delivered again was told {twice} times, not {again}"
        return
    if not (killed.told - began.told) <= usual + usual:
        yield f"the run that was cut off told {dict(killed.told - began.told - usual)}"
    if now.told - killed.told != usual:
        yield f"the second run told {dict(now.told - killed.told)}, not {dict(usual)}"


def _without(told: Counter[str], word: str) -> Counter[str]:
    return Counter({each: count for each, count in told.items() if each != word})


def _catalog(workspace: Workspace) -> Iterator[str]:
    catalog = workspace.catalog
    if not catalog.verify_chain().sound:
        yield "the chain of events is broken"
    if catalog.staged():
        yield f"the catalog counts on bags that are let go: {catalog.staged()}"
    with catalog._database.reading() as connection:
        if held := connection.execute(select(func.count()).select_from(leases)).scalar():
            yield f"{held} leases are still held"
    replicas = list(catalog.all_replicas())
    stores = [workspace.store(name) for name in workspace.settings.stores]
    ledger = check_ledger(catalog, stores, objects=True)
    faults = [*ledger.faults, *(fault for each in ledger.stores for fault in each.faults)]
    if faults:
        yield f"the ledger: {[str(fault.finding.message) for fault in faults]}"
    catalog.rebuild_projections()
    if list(catalog.all_replicas()) != replicas:
        yield "the replicas rebuilt from the events are not those the catalog had"


def _object_by_object(workspace: Workspace, house: House, version: Any, store: str) -> Iterator[str]:
    folder = house.store_folder(store) / f"aip/{version.identifier}/v{version.version}"
    held = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
    recorded = {fact.path: fact.sha256 for fact in workspace.catalog.objects(version.identifier, version.version)}
    if held != recorded:
        wrong = {path for path in held.keys() | recorded.keys() if held.get(path) != recorded.get(path)}
        yield f"{store} holds v{version.version} otherwise than recorded: {sorted(wrong)}"


def _evidence(workspace: Workspace, house: House, scene: Scene) -> Iterator[str]:
    """Every damaged object told exactly once, every file kept named by one event, and nothing else there."""
    repairs = [each.event for each in workspace.catalog.events() if each.event.type is EventType.RECOVERY]
    told = Counter(each["path"] for event in repairs for each in event.detail.get("repaired", ()))
    told += Counter(path for event in repairs for path in event.detail.get("removed", ()))
    if scene.flow == "repair" and told != Counter(DAMAGED):
        yield f"objects told as repaired or removed: {dict(told)}"
    named_files = Counter(Path(path).name for event in repairs for path in event.detail.get("evidence", ()))
    kept = contents(house.evidence_folder) if house.evidence_folder.exists() else {}
    if scene.flow == "repair" and sorted(kept.values()) != [b"not ours", b"rotten"]:
        yield f"evidence on the disk: {kept}"
    if Counter(path.rpartition("/")[2] for path in kept) != named_files:
        yield f"evidence named by events {dict(named_files)}, on the disk {sorted(kept)}"


DAMAGED = {"data/Trang 0001.txt": 1, "data/Trang 0002.txt": 1, "data/stranger.txt": 1}


def _quarantine(workspace: Workspace, house: House, scene: Scene) -> Iterator[str]:
    reasons = {path.name for path in (house.folder / "quarantine").glob("*")}
    told = {
        Path(str(each.event.detail["reasons"])).name
        for each in workspace.catalog.events()
        if each.event.type is EventType.QUARANTINE
    }
    if reasons != told:
        yield f"reasons on the disk {sorted(reasons)}, told by events {sorted(told)}"
    if scene.rejected and not told:
        yield "the rejection was not told"


def _restored(scene: Scene, base: Path) -> Iterator[str]:
    if scene.flow != "restore":
        return
    if not check_bag(base / "out/bag").valid:
        yield "the restored bag is not valid"
    if sorted(path.name for path in (base / "out").iterdir()) != ["bag"]:
        yield f"beside the restored bag: {sorted(path.name for path in (base / 'out').iterdir())}"

"""Audit of a local store: every byte read back and compared, against `sha256sum -c` on the same files.

Both know the digests beforehand and say which file differs; before anything is timed, both must find one changed
byte. What is promised is against the command as people run it, in one process; two of it at once stand beside.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from bench import measure
from bench.measure import Disagreement, Result, Side
from bench.room import CORES, Room
from bench.sets import Set
from preservation.facts import Grade, ObjectFact, Outcome, Role
from preservation.progress import Silent
from preservation.replicas.layout import object_key
from preservation.replicas.verify import verify_replica
from storage_adapters.local import LocalStore

AIP = "00000000-0000-4000-8000-000000000000"


def rows(room: Room) -> Iterable[Result]:
    """Masters, scans, tiny files."""
    yield _row(room, "audit of a local store: masters", room.set("L"), 5.0)
    yield _row(room, "audit of a local store: scans", room.set("S"), 5.0)
    yield _row(room, "audit of a local store: tiny files", room.set("M"), 5.0)


def _row(room: Room, title: str, made: Set, target: float) -> Result:
    root = room.fresh("store")
    store, home = LocalStore("local", root), root / object_key(AIP, 1, "x")
    facts = sorted(_stored(made, home.parent), key=lambda fact: fact.path.encode())
    lists = _lists(room, facts, home.parent)
    _must_notice(store, facts, lists, home.parent)
    ready = room.ready(root)
    sides = [
        Side("vankho", partial(_ours, store, facts), ready),
        Side("sha256sum -c", partial(_theirs, lists[:1]), ready),
        Side(f"sha256sum -c, {CORES} at once", partial(_theirs, lists[1:]), ready),
    ]
    size = sum(fact.size for fact in facts) / 1e6
    return measure.duel(
        title,
        sides,
        rounds=room.times(5),
        amount=size,
        unit="MB",
        target={"sha256sum -c": target},
        state=room.state,
        notes=(f"{len(facts)} objects, {size:.0f} MB, SHA-256",),
    )


def _ours(store: LocalStore, facts: list[ObjectFact]) -> str:
    report = verify_replica(facts, store, identifier=AIP, version=1, grade=Grade.BYTES, progress=Silent())
    if report.outcome is not Outcome.INTACT:
        raise Disagreement(f"the store is not intact: {dict(report.counts)}")
    return "intact"


def _theirs(lists: list[Path]) -> str:
    measure.run(*(["sha256sum", "--check", "--quiet", "--strict", each] for each in lists))
    return "intact"


def _stored(made: Set, home: Path) -> Iterable[ObjectFact]:
    """The files of the set as objects of one AIP, by links: nothing is copied."""
    for package in made.packages:
        for file in package.rglob("*"):
            if file.is_file():
                path = "data/" + file.relative_to(package.parent).as_posix()
                target = home / path
                target.parent.mkdir(parents=True, exist_ok=True)
                _link(file, target)
                content = file.read_bytes()
                yield ObjectFact(path, len(content), hashlib.sha256(content).hexdigest(), Role.PAYLOAD)


def _link(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError:  # the cache lies on another file system
        target.write_bytes(file.read_bytes())


def _lists(room: Room, facts: list[ObjectFact], home: Path) -> list[Path]:
    """Check lists: one of everything, then shares of it."""
    written = []
    for number, share in enumerate([facts, *measure.shares(facts, CORES)]):
        place = room.folder / f"list-{number}"
        place.write_text("".join(f"{fact.sha256}  {home / fact.path}\n" for fact in share), encoding="utf-8")
        written.append(place)
    return written


def _must_notice(store: LocalStore, facts: list[ObjectFact], lists: list[Path], home: Path) -> None:
    """Both sides find one changed byte; the file is put back afterwards."""
    victim = home / facts[len(facts) // 2].path
    content = victim.read_bytes()
    victim.unlink()  # a link to the set
    victim.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    report = verify_replica(facts, store, identifier=AIP, version=1, grade=Grade.BYTES, progress=Silent())
    if report.outcome is not Outcome.DAMAGED or report.counts["altered"] != 1:
        raise Disagreement(f"vankho did not notice a changed byte: {dict(report.counts)}")
    measure.run(["sha256sum", "--check", "--quiet", lists[0]], codes=(1,))
    victim.write_bytes(content)

"""The damage lab: a small library with proved copies, damaged behind the engine's back, audited, repaired, compared.

A round begins with the library as it was, damages replicas at random, and asks the command `vankho` itself. What it
must say is found by comparing bytes (oracle.py). Every draw follows from one seed.
"""

from __future__ import annotations

import io
import os
import random
import shutil
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import flows.steps
import flows.workspace
from apps.cli import audits as commands
from apps.cli import screen
from apps.cli.answer import Answer, Table
from apps.cli.command import Session
from flows.ingest import ingest
from preservation.facts import Grade
from storage_adapters.errors import StorageUnavailable
from tests.damage import kinds, oracle
from tests.damage.hands import Hand, OnDisk
from tests.damage.kinds import BOTH, EARLIER, KINDS, Spot, files_below
from tests.flows.houses import House, package
from wording import say

Copy = tuple[str, int, str]  # identifier, version, store


@contextmanager
def at_rest() -> Iterator[None]:
    """No Prefect server of this machine is asked, and nothing of the tester's own settings counts. No power cut is
    played here, so nothing waits for the disk.
    """
    mine = {name: value for name, value in os.environ.items() if name.startswith(("VANKHO_", "PREFECT_", "AWS_"))}
    nowhere = {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
    with (
        mock.patch.dict(os.environ, nowhere),
        mock.patch.object(os, "fsync", lambda _file: None),
        mock.patch.object(flows.steps, "RETRY_DELAYS", (0.0, 0.0)),
    ):
        for name in mine.keys() - {"PREFECT_API_URL"}:
            del os.environ[name]
        yield


@dataclass(frozen=True)
class Library:
    """The house as it was when every copy was proved, and what every AIP version consists of."""

    house: House
    pristine: Path
    was: Mapping[tuple[str, int], Mapping[str, bytes]]
    hands: Mapping[str, Hand]
    checksums: frozenset[str] = frozenset()  # stores that keep checksums of their own

    @property
    def copies(self) -> list[Copy]:
        return [(*version, store) for version in self.was for store in self.hands]

    def as_it_was(self) -> None:
        """Everything back: stores, catalog, no evidence."""
        for store, hand in self.hands.items():
            if not isinstance(hand, OnDisk):
                kept = OnDisk(self.pristine.with_name(f"{self.pristine.name} of {store}"))
                kinds.replace_below(hand, "", {key: kept.read(key) for key in kept.all_keys()})
        shutil.rmtree(self.house.folder)
        shutil.copytree(self.pristine, self.house.folder)


def prefix_of(identifier: str, version: int) -> str:
    return f"aip/{identifier}/v{version}/"


def build(house: House, hands: Mapping[str, Hand], *, aips: int, checksums: frozenset[str] = frozenset()) -> Library:
    """Take in AIPs of small files, every third one in two versions; all proved in every store."""
    rng = random.Random(20)
    with house.open() as workspace:
        for number in range(aips):
            for version in range(1 + (number % 3 == 0)):
                delivered = house.folder.parent / "delivered" / f"{number}-{version}"
                made = ingest(
                    workspace, str(package(delivered, _pages(rng, number, version), identifier=f"N-{number}"))
                )
                assert made.verdict == 0, made
        was = {
            (each.identifier, each.version): files_below(
                next(iter(hands.values())), prefix_of(each.identifier, each.version)
            )
            for each in workspace.catalog.versions()
        }
    pristine = house.folder.with_name("as it was")
    shutil.copytree(house.folder, pristine)
    for store, hand in hands.items():
        if not isinstance(hand, OnDisk):
            kinds.replace_below(OnDisk(pristine.with_name(f"{pristine.name} of {store}")), "", files_below(hand, ""))
    return Library(house, pristine, was, hands, checksums)


def _pages(rng: random.Random, number: int, version: int) -> dict[str, bytes]:
    names = ["Trang 0001.txt", "Trang 0002.txt", "Quyển một/Trang 0003.txt", "rỗng.txt"]
    if number % 2:
        names += [unicodedata.normalize("NFD", "Quyển hai/Địa chí.xml"), "CHỮ HOA.TXT", "%41.txt"]
    pages = {name: b"" if name == "rỗng.txt" else rng.randbytes(rng.randint(1, 900)) for name in names}
    return pages | {"version.txt": b"%d" % version, "same in all.txt": b"the same page"}


class Behind:
    """A store behind a line that will not give some objects, and gives others wrongly the first time; or one that
    spoils whatever is put into it.
    """

    def __init__(
        self, store: Any, unreadable: set[str], flickering: Mapping[str, bytes], spoil: Callable[[str], None] | None
    ) -> None:
        self._store, self._unreadable = store, unreadable
        self._first = dict(flickering)
        self._spoil = spoil

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def open(self, key: str) -> Any:
        if key in self._unreadable:
            raise StorageUnavailable(say("The disk answered with an error."))
        instead = self._first.pop(key, None)
        return self._store.open(key) if instead is None else io.BytesIO(instead)

    def glimpse(self, wanted: Sequence[tuple[str, int]]) -> Iterator[memoryview | None]:
        """What lies in memory comes by the same line."""
        inner = getattr(self._store, "glimpse", None)
        for key, size in wanted:
            if key in self._unreadable or inner is None:
                yield None
            elif (instead := self._first.pop(key, None)) is not None:
                yield memoryview(instead)
            else:
                yield from inner([(key, size)])

    def put(self, key: str, source: Any, *, size: int, sha256: str) -> None:
        self._store.put(key, source, size=size, sha256=sha256)
        if self._spoil is not None:
            self._spoil(key)


@dataclass
class Damage:
    """What was done in one round: kind by copy, and what the lines to the stores do."""

    kinds: dict[Copy, str] = field(default_factory=dict)
    unreadable: dict[str, set[str]] = field(default_factory=dict)  # store → keys
    flickering: dict[str, dict[str, bytes]] = field(default_factory=dict)
    spoil: dict[str, Callable[[str], None]] = field(default_factory=dict)  # what happens to a key that was just put

    @contextmanager
    def lines(self) -> Iterator[None]:
        """Every store is seen through its line."""
        opened = flows.workspace.open_named

        def behind(workspace: Any, name: str) -> Any:
            line = (self.unreadable.get(name, set()), self.flickering.get(name, {}), self.spoil.get(name))
            return Behind(opened(workspace, name), *line)

        with mock.patch.object(flows.workspace, "open_named", behind):
            yield


def do_damage(library: Library, rng: random.Random, *, among: Collection[str] = tuple(KINDS)) -> Damage:
    """Damage about two thirds of the replicas, each in one way; most often a good one of each version is left."""
    done = Damage()
    good = {version: rng.choice([*library.hands, *library.hands, None]) for version in library.was}
    deck: list[str] = []
    for copy in rng.sample(library.copies, len(library.copies)):
        identifier, version, store = copy
        if good[identifier, version] == store or rng.random() < 0.2:
            continue
        if not deck:
            deck = rng.sample([*among], len(among))
        kind = deck.pop()
        if version == 1 and kind in EARLIER:  # there is none; it is the turn of the next copy with two
            deck.insert(0, kind)
            kind = next((each for each in reversed(deck) if each not in EARLIER), "flip")
        if kind == "swap versions" and good[identifier, version - 1] == store:
            kind = "roll back"
        others = [other for other in library.was if other[0] != identifier and good[other] != store]
        if others:
            twins = [each for each in library.hands if each not in (store, good[identifier, version])]
            _damage_one(library, rng, copy, kind, other=rng.choice(others), twin=rng.choice(twins), done=done)
    return done


def _damage_one(
    library: Library, rng: random.Random, copy: Copy, kind: str, *, other: tuple[str, int], twin: str, done: Damage
) -> None:
    identifier, version, store = copy
    hand, earlier = library.hands[store], (identifier, version - 1)
    spot = Spot(
        hand,
        prefix_of(identifier, version),
        prefix_of(*earlier) if version > 1 else None,
        prefix_of(*other),
        rng,
        library.hands[twin],
        done.unreadable.setdefault(store, set()),
    )
    KINDS[kind](spot)
    done.kinds[copy] = kind
    if kind == "two agree":
        done.kinds[identifier, version, twin] = kind
    elif kind in BOTH:
        done.kinds[(*(other if kind == "swap AIPs" else earlier), store)] = kind
    left = {spot.prefix + path for path, content in spot.files().items() if content}
    for key in spot.flickering & left:  # a further damage may have taken it away or emptied it
        first = bytearray(hand.read(key))
        first[rng.randrange(len(first))] ^= 1 << rng.randrange(8)
        done.flickering.setdefault(store, {})[key] = bytes(first)


def ask(command: Callable[..., Answer], library: Library, **asked: Any) -> tuple[Any, str, int]:
    """What the command says: its JSON, its English, its exit code."""
    answer = command(Session(library.house.folder, True, "en"), **asked)
    text = []
    for line in answer.lines:
        text += screen._drawn(line, "en") if isinstance(line, Table) else [screen.in_words(line, "en")]
    return answer.data, "\n".join(text), int(answer.verdict)


def audited(library: Library, damage: Damage, grade: Grade, *, through: bool = True) -> dict[Copy, str | None]:
    """Audit everything at a grade; for each copy None when exactly what there is was said, else what was wrong.

    `through` the stores' lines, or with the lines mended. Raises AssertionError for the exit code.
    """
    if through:
        with damage.lines():
            data, text, code = ask(commands.prove, library, evidence=grade)
    else:
        data, text, code = ask(commands.prove, library, evidence=grade)
    said = {(each["identifier"], each["version"], each["store"]): each for each in data}
    faults: dict[Copy, str | None] = {}
    codes = {0}
    for copy in library.copies:
        right = _right(library, damage if through else Damage(), copy, grade)
        faults[copy] = _compared(said.pop(copy, None), right, text, copy)
        no_checksum = {told[0] for told in right.findings} == {"no-provider-checksum"}
        codes.add(oracle.verdict({right.outcome}, without_checksum=no_checksum))
    assert not said, f"said of copies that there are not: {[*said]}"
    assert code == max(codes), f"exit code {code} instead of {max(codes)} at grade {grade}"
    return faults


def _right(library: Library, damage: Damage, copy: Copy, grade: Grade) -> oracle.Answer:
    identifier, version, store = copy
    prefix = prefix_of(identifier, version)
    first = damage.flickering.get(store, {})
    return oracle.expected(
        library.was[identifier, version],
        files_below(library.hands[store], prefix),
        grade.value,
        checksums=store in library.checksums,
        unreadable={key.removeprefix(prefix) for key in damage.unreadable.get(store, ()) if key.startswith(prefix)},
        flickering={key.removeprefix(prefix): first[key] for key in first if key.startswith(prefix)},
    )


def _compared(said: Mapping[str, Any] | None, right: oracle.Answer, text: str, copy: Copy) -> str | None:
    if said is None:
        return "not audited at all"
    if said["outcome"] != right.outcome:
        return f"called {said['outcome']}, is {right.outcome}"
    counts = {name: count for name, count in said["objects"].items() if count}
    if counts != {name: count for name, count in right.counts.items() if count}:
        return f"counted {counts}, is {dict(right.counts)}"
    told = {(each["code"], each["path"], each["expected"], each["seen"]) for each in said["findings"]}
    if told != right.findings:
        return f"said {sorted(told - right.findings, key=str)}, left out {sorted(right.findings - told, key=str)}"
    if right.outcome != "intact" and f"{copy[0]} version {copy[1]} in {copy[2]}: {right.outcome}" not in text:
        return "not named on the screen"
    for code, *words in right.findings:
        for word in words if code in ("object-altered", "object-missing", "object-unexpected") else ():
            if word is not None and screen.printable(word) not in text and word not in text:
                return f"{word!r} is not on the screen"
    return None

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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import flows.workspace
from apps.cli import copies as commands
from apps.cli import screen
from apps.cli.answer import Answer, Table
from apps.cli.command import Session
from flows.ingest import ingest
from preservation.facts import Grade
from storage_adapters.errors import StorageUnavailable
from tests.damage import kinds, oracle
from tests.damage.hands import Hand, OnDisk
from tests.damage.kinds import KINDS, Spot, files_below
from tests.flows.houses import House, package
from wording import say

Copy = tuple[str, int, str]  # identifier, version, store


@contextmanager
def at_rest() -> Iterator[None]:
    """No Prefect server of this machine is asked, and nothing of the tester's own settings counts."""
    mine = {name: value for name, value in os.environ.items() if name.startswith(("VANKHO_", "PREFECT_", "AWS_"))}
    with mock.patch.dict(os.environ, {"PREFECT_API_URL": "http://127.0.0.1:9/api"}):
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
    """A store behind a line that will not give some objects, and gives others wrongly the first time."""

    def __init__(self, store: Any, unreadable: set[str], flickering: Mapping[str, bytes]) -> None:
        self._store, self._unreadable = store, unreadable
        self._first = dict(flickering)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def open(self, key: str) -> Any:
        if key in self._unreadable:
            raise StorageUnavailable(say("The disk answered with an error."))
        instead = self._first.pop(key, None)
        return self._store.open(key) if instead is None else io.BytesIO(instead)


@dataclass
class Damage:
    """What was done in one round: kind by copy, and what the lines to the stores do."""

    kinds: dict[Copy, str] = field(default_factory=dict)
    unreadable: dict[str, set[str]] = field(default_factory=dict)  # store → keys
    flickering: dict[str, dict[str, bytes]] = field(default_factory=dict)

    @contextmanager
    def lines(self) -> Iterator[None]:
        """Every store is seen through its line."""
        opened = flows.workspace._open

        def behind(workspace: Any, name: str) -> Any:
            return Behind(opened(workspace, name), self.unreadable.get(name, set()), self.flickering.get(name, {}))

        with mock.patch.object(flows.workspace, "_open", behind):
            yield


def do_damage(library: Library, rng: random.Random, *, among: Mapping[str, Callable[[Spot], None]] = KINDS) -> Damage:
    """Damage about two thirds of the replicas, each in one way; most often a good one of each version is left."""
    done = Damage()
    untouched = {version: rng.choice([*library.hands, *library.hands, None]) for version in library.was}
    for identifier, version, store in rng.sample(library.copies, len(library.copies)):
        if untouched[identifier, version] == store or rng.random() < 0.2:
            continue
        others = [other for other in library.was if other[0] != identifier and untouched[other] != store]
        kind = rng.choice([*among])
        if not others or (kind in ("swap versions", "roll back") and version == 1):
            continue
        if kind == "swap versions" and untouched[identifier, version - 1] == store:
            continue
        other = rng.choice(others)
        spot = Spot(
            library.hands[store],
            prefix_of(identifier, version),
            prefix_of(identifier, version - 1) if version > 1 else None,
            prefix_of(*other),
            rng,
            done.unreadable.setdefault(store, set()),
        )
        among[kind](spot)
        done.kinds[identifier, version, store] = kind
        if kind == "swap AIPs":
            done.kinds[(*other, store)] = kind
        if kind == "swap versions":
            done.kinds[identifier, version - 1, store] = kind
        for key in spot.flickering:
            first = bytearray(library.hands[store].read(key))
            first[rng.randrange(len(first))] ^= 1 << rng.randrange(8)
            done.flickering.setdefault(store, {})[key] = bytes(first)
    return done


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
    for _code, *words in right.findings if right.outcome == "damaged" else ():
        for word in words:
            if word is not None and screen.printable(word) not in text and word not in text:
                return f"{word!r} is not on the screen"
    return None

"""Repair and audit that are cut off in the middle, by a person or by a store: run again, they go on, nothing double."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from flows.audit import audit
from flows.ingest import ingest
from flows.outcomes import Verdict, worst_of
from flows.repair import repair
from preservation.facts import EventType
from preservation.formats.identify import Identifier
from storage_adapters.errors import StorageUnavailable
from tests.damage import lab
from tests.damage.hands import OnDisk
from tests.damage.kinds import files_below
from tests.damage.lab import Behind, Damage, at_rest, prefix_of
from tests.flows.houses import House, local_stores, package, proofs
from wording import say

DAMAGED = ("bagit.txt", "data/Trang 0001.txt", "data/Trang 0002.txt", "metadata/premis.xml")
STRANGE = "data/lạ.txt"


@pytest.fixture(autouse=True)
def _at_rest() -> Iterator[None]:
    with at_rest():
        yield


class Held:
    """One AIP, its copy in b damaged in five places and audited."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house = house
        with house.open() as workspace:
            self.identifier = str(ingest(workspace, str(package(folder / "p"))).identifier)
        self.prefix = prefix_of(self.identifier, 1)
        self.hand = OnDisk(house.store_folder("b"))
        self.was = files_below(self.hand, self.prefix)
        for path in DAMAGED:
            self.hand.write(self.prefix + path, b"spoilt " + path.encode())
        self.hand.write(self.prefix + STRANGE, b"strange")
        self.before = files_below(self.hand, self.prefix)
        self.audit()

    def audit(self) -> Verdict:
        with self.house.open() as workspace:
            return worst_of(audit(workspace, []))

    def repair(self) -> Verdict:
        with self.house.open() as workspace:
            return worst_of(repair(workspace, []))

    def told(self) -> Counter[str]:
        """How often each path was told to be brought back or taken out."""
        paths: Counter[str] = Counter()
        with self.house.open() as workspace:
            for each in workspace.catalog.events(identifier=self.identifier):
                if each.event.type is EventType.RECOVERY:
                    paths.update(item["path"] for item in each.event.detail.get("repaired", ()))
                    paths.update(each.event.detail.get("removed", ()))
            assert workspace.catalog.verify_chain().sound
            assert proofs(workspace.catalog.replicas(self.identifier, 1)) == dict.fromkeys("abc", "intact")
        return paths

    def is_whole_again(self) -> None:
        assert files_below(self.hand, self.prefix) == self.was
        kept = Counter(file.read_bytes() for file in self.house.evidence_folder.rglob("*") if file.is_file())
        assert kept == Counter(self.before[path] for path in (*DAMAGED, STRANGE))  # each once
        assert self.told() == Counter((*DAMAGED, STRANGE))
        assert self.house.leftovers() == []
        assert self.repair() is Verdict.WELL


@pytest.fixture
def held(tmp_path: Path, identifier: Identifier) -> Held:
    return Held(House(tmp_path / "house", local_stores(), identifier=identifier).settle(), tmp_path)


class CutOff(Behind):
    """Something happens before or after the n-th call of one kind."""

    call, when, number = "put", "after", 1
    happens: Callable[[], None]
    count = 0

    def __init__(self, store: object, *_line: object) -> None:
        super().__init__(store, set(), {}, None)

    def _now(self, call: str, when: str) -> None:
        if call == self.call and self.name == "b":
            type(self).count += when == "before"
            if when == self.when and type(self).count == self.number:
                self.happens()

    def put(self, key: str, source: object, *, size: int, sha256: str) -> None:
        self._now("put", "before")
        super().put(key, source, size=size, sha256=sha256)
        self._now("put", "after")

    def erase(self, key: str) -> None:
        self._now("erase", "before")
        self._store.erase(key)
        self._now("erase", "after")

    def open(self, key: str) -> object:
        self._now("open", "before")
        return super().open(key)

    def glimpse(self, wanted: Sequence[tuple[str, int]]) -> Iterator[memoryview | None]:
        for each in wanted:
            self._now("open", "before")
            yield from super().glimpse([each])


def interrupted() -> None:
    raise KeyboardInterrupt


def away() -> None:
    raise StorageUnavailable(say("The cable was pulled."))


@contextmanager
def cut_off(happens: Callable[[], None], **where: object) -> Iterator[None]:
    line = type("Line", (CutOff,), {"happens": staticmethod(happens), "count": 0, **where})
    with mock.patch.object(lab, "Behind", line), Damage().lines():
        yield


@pytest.mark.parametrize("call", ["put", "erase"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [1, 3])
def test_a_repair_that_a_person_interrupts(held: Held, call: str, when: str, number: int):
    with cut_off(interrupted, call=call, when=when, number=number), pytest.raises(KeyboardInterrupt):
        held.repair()
    assert held.repair() is Verdict.WELL
    held.is_whole_again()


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_repair_whose_store_goes_away(held: Held, number: int):
    """The step is tried again at once; what it did the first time is told by then."""
    with cut_off(away, call="put", when="before", number=number):
        assert held.repair() is Verdict.WELL
    held.is_whole_again()


@pytest.mark.parametrize("number", [1, 5])
def test_an_audit_that_a_person_interrupts_records_nothing_and_is_run_again(held: Held, number: int):
    with held.house.open() as workspace:
        before = workspace.catalog.head()
        (replica,) = (each for each in workspace.catalog.replicas(held.identifier, 1) if each.store == "b")
    with (
        cut_off(interrupted, call="open", when="before", number=number),
        pytest.raises(KeyboardInterrupt),
        held.house.open() as workspace,
    ):
        audit(workspace, [], store="b")
    with held.house.open() as workspace:
        assert workspace.catalog.head() == before
        assert replica in workspace.catalog.replicas(held.identifier, 1)
    assert held.audit() is Verdict.FOUND
    assert held.repair() is Verdict.WELL
    held.is_whole_again()

"""Twenty processes that ingest the same package at the same moment: one AIP, nineteen "already here"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from preservation.bags.check import check_bag
from preservation.facts import EventType
from tests.crash.judge import ALREADY, named
from tests.crash.lab import Lab, new_house
from tests.flows.houses import package, proofs, tree

MANY = 20


def twenty(lab: Lab, address: str, *, broken: str | None = None) -> str | None:
    """What is wrong, None when nothing is."""
    with lab.place() as base:
        house = new_house(base, address=address)
        source = package(base / "p", identifier="TVQG-0042")
        before = tree(source)
        request: dict[str, Any] = {
            "workspace": str(house.folder),
            "flow": "ingest",
            "parameters": {"source": str(source)},
        }
        request["broken"] = broken
        answers = lab.zygote.ask_all([request] * MANY)
        words = Counter(each["word"] for answer in answers for each in answer.get("answer", [answer | {"word": "?"}]))
        assert words == {"accepted": 1, "already-here": MANY - 1}, f"{words} {answers}"
        assert {each["verdict"] for answer in answers for each in answer["answer"]} == {0}, answers
        assert not any(answer["orphans"] for answer in answers)
        assert tree(source) == before, "the source was touched"
        with house.open() as workspace:
            (version,) = workspace.catalog.versions()
            held = workspace.catalog.replicas(version.identifier, version.version)
            assert proofs(held) == dict.fromkeys("ab", "intact")
            told = Counter(named(each.event) for each in workspace.catalog.events())
            assert told[ALREADY] == MANY - 1, told
            assert told[EventType.INGESTION_END.value] == told[EventType.PACKAGE_CREATION.value] == 1, told
            assert all(told[f"replication {name} claimed"] == 1 for name in "ab"), told
            assert all(told[f"fixity check {name} intact"] == 1 for name in "ab"), told
            assert workspace.catalog.verify_chain().sound
            assert workspace.catalog.staged() == []
        assert house.leftovers() == []
        for name in "ab":
            (aip,) = (house.store_folder(name) / "aip").iterdir()
            assert check_bag(aip / "v1").valid
    return None


def _on_sqlite(lab: Lab) -> str | None:
    return twenty(lab, "sqlite:///catalog.db")


def _on_postgresql(lab: Lab) -> str | None:
    if lab.server is None:
        return "there is no PostgreSQL here"
    with lab.server.database() as name:
        return twenty(lab, lab.server.address(name))


CASES: dict[str, Callable[[Lab], str | None]] = {"sqlite": _on_sqlite, "postgresql": _on_postgresql}

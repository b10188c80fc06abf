"""Packages side by side: the same answers in the same order as one by one, and no worker that is left or missed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from flows.ingest import ingest, ingest_batch
from flows.ingesting.side_by_side import side_by_side
from flows.work import PACKAGES_EACH, processes
from flows.workspace import Workspace
from tests.flows.houses import House, package
from tests.servers.processes import wait_until

HOLE = 6 << 30  # bytes that take many seconds to copy, and no room where they come from


def two(house: House, monkeypatch) -> None:
    monkeypatch.setenv("VANKHO_WORK__PROCESSES", "2")
    house.stores = {name: house.stores[name] for name in "ab"}  # as many as let go of the bag
    house.settle()


def huge(folder: Path) -> Path:
    folder.mkdir()
    with (folder / "hole.bin").open("wb") as file:
        file.truncate(HOLE)
    return folder


def children() -> set[int]:
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def busy(house: House, packages: int) -> Callable[[], bool]:
    return lambda: sum((folder / "received").is_dir() for folder in (house.folder / "staging").glob("*")) >= packages


def test_as_if_they_were_taken_in_one_by_one(house: House, tmp_path: Path, monkeypatch):
    two(house, monkeypatch)
    sources = [package(tmp_path / "0", {"a": os.urandom(3 << 20)}, identifier="VN-1")]  # slower than those behind it
    sources += [package(tmp_path / f"{n}", {"a": b"%d" % n}, identifier=f"VN-{1 + n % 2}") for n in range(1, 5)]
    sources += [tmp_path / "0", tmp_path / "nowhere", tmp_path / "empty", package(tmp_path / "9", {"a": b"9"})]
    (tmp_path / "empty").mkdir()
    with house.open() as workspace:
        done = ingest_batch(workspace, [str(source) for source in sources])
        assert [each.source for each in done] == [str(source) for source in sources]
        outcomes = [each.outcome for each in done]
        assert outcomes == [*["accepted"] * 5, "already-here", "failed", "rejected", "accepted"]
        assert [each.version for each in done[:5]] == [1, 1, 2, 2, 3]
        assert len({each.identifier for each in done[:5]}) == 2
        assert all(len(each.replicas) == 2 for each in done if each.outcome == "accepted")
        assert workspace.catalog.verify_chain().sound
    assert house.leftovers() == []


def test_a_worker_that_dies_fails_its_package_alone(house: House, tmp_path: Path, monkeypatch):
    two(house, monkeypatch)
    small = [package(tmp_path / f"{n}", {"a": b"%d" % n}) for n in range(3)]
    sources = [str(each) for each in (huge(tmp_path / "huge"), *small)]
    before = children()
    with (
        house.open() as workspace,
        side_by_side(workspace, "ingest", sources, processes=2, policy=None, collection=None) as batch,
    ):
        wait_until(busy(house, 2), seconds=60, what="both packages in work")
        first = min(children() - before)  # started first, so it has the first package
        os.kill(first, signal.SIGKILL)
        assert [batch.answer(number).outcome for number in (1, 2, 3)] == ["accepted"] * 3
        try:
            batch.answer(0)
        except Exception as error:
            assert "-9" in str(error)
        else:
            raise AssertionError("a worker that died gave an answer")
    with house.open() as workspace:
        assert ingest(workspace, sources[1]).outcome == "already-here"  # and tidies what the dead one left
    assert house.leftovers() == []


def test_who_leaves_early_leaves_no_worker_and_nothing_half_done(house: House, tmp_path: Path, monkeypatch):
    two(house, monkeypatch)
    before = children()
    with (
        house.open() as workspace,
        side_by_side(workspace, "ingest", [str(huge(tmp_path / "huge"))], processes=1, policy=None, collection=None),
    ):
        wait_until(busy(house, 1), seconds=60, what="the package in work")
    assert children() <= before
    assert house.leftovers() == []


def test_how_many_processes(workspace: Workspace, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert [processes(workspace.settings, count) for count in (1, PACKAGES_EACH, 2 * PACKAGES_EACH, 1000)] == [
        1,
        1,
        2,
        4,
    ]

"""A power cut at any moment, eight runs at once, a full disk: one AIP, nothing half visible, the source untouched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from flows.ingest import ingest
from flows.outcomes import Verdict
from preservation.bags.check import check_bag
from preservation.facts import EventType
from tests.flows.houses import PAGES, House, contents, package, proofs, tree

ROOT = Path(__file__).resolve().parents[2]

MOMENTS = [
    "in:receive:2",
    "before:check the bag",  # the bag stands in its place; the catalog does not know it
    "after:admit",
    "in:copy > a:2",
    "in:verify > b:2",
    "after:verify in c",  # enough copies are proved; the bag is still there
]


def start(house: House, source: Path, moment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.flows.victim", str(house.folder), str(source), moment],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def outcome(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    answer: dict[str, Any] = json.loads(out)
    return answer


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_run_again(house: House, tmp_path: Path, moment: str):
    source = package(tmp_path / "p", identifier="TVQG-0042")
    before = tree(source)
    process = start(house, source, moment)
    assert process.wait(120) == -signal.SIGKILL, process.communicate()
    assert tree(source) == before
    with house.open() as workspace:
        assert workspace.catalog.verify_chain().sound
        again = ingest(workspace, str(source))
        (version,) = workspace.catalog.versions()
        admitted = MOMENTS.index(moment) >= MOMENTS.index("after:admit")
        assert again.outcome == ("already-here" if admitted else "accepted")
        assert again.verdict is Verdict.WELL
        assert (again.identifier, again.version, version.version) == (version.identifier, 1, 1)
        assert proofs(again.replicas) == dict.fromkeys("abc", "intact")
        told = Counter(each.event.type for each in workspace.catalog.events(identifier=again.identifier))
        assert told[EventType.INGESTION_END] == told[EventType.PACKAGE_CREATION] == 1
        assert workspace.catalog.verify_chain().sound
        assert workspace.catalog.staged() == []
    assert house.leftovers() == []
    for name in house.stores:
        (aip,) = (house.store_folder(name) / "aip").iterdir()
        assert check_bag(aip / "v1").valid
        assert {path: content for path, content in contents(aip / "v1/data").items() if path in PAGES} == PAGES
        assert not [path for path in house.store_folder(name).rglob("*") if "unfinished" in path.name]
    assert tree(source) == before


def test_a_killed_run_leaves_no_process_behind(house: House, tmp_path: Path):
    process = start(house, package(tmp_path / "p"), "after:identify formats")
    assert process.wait(120) == -signal.SIGKILL
    alive = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                status = (each / "stat").read_text().rpartition(")")[2].split()
                command = (each / "cmdline").read_bytes()
            except OSError:
                continue
            if status[2] == str(process.pid) and status[0] != "Z":
                alive.append(command)
    assert alive == []


def test_eight_at_once_make_one_aip(house: House, tmp_path: Path):
    sources = [package(tmp_path / f"delivery {number}") for number in range(8)]
    answers = [outcome(process) for process in [start(house, source, "-") for source in sources]]
    assert Counter(each["outcome"] for each in answers) == {"accepted": 1, "already-here": 7}, answers
    assert {each["verdict"] for each in answers} == {0}
    assert len({each["identifier"] for each in answers}) == 1
    assert all(each["proofs"] == dict.fromkeys("abc", "intact") for each in answers)
    with house.open() as workspace:
        assert len(list(workspace.catalog.versions())) == 1
        told = Counter(each.event.type for each in workspace.catalog.events(identifier=answers[0]["identifier"]))
        assert told[EventType.REPLICATION] == 3  # nobody copied what another had copied
        assert workspace.catalog.verify_chain().sound
        ingest(workspace, str(tmp_path / "nothing"))  # any next run tidies
    assert house.leftovers() == []


def test_two_versions_at_once_get_two_numbers(house: House, tmp_path: Path):
    sources = [package(tmp_path / str(n), {"n": b"%d" % n}, identifier="TVQG-0042") for n in range(2)]
    answers = [outcome(process) for process in [start(house, source, "-") for source in sources]]
    assert [each["outcome"] for each in answers] == ["accepted"] * 2, answers
    with house.open() as workspace:
        assert [each.version for each in workspace.catalog.find("TVQG-0042")] == [1, 2]


def test_a_full_disk_fails_the_package_and_leaves_nothing_half_visible(house: House, tmp_path: Path):
    """No file may grow beyond 1 MiB: the first page fits, the second does not."""
    limit = 1 << 20
    large = {"Trang 0001.tif": os.urandom(limit // 2), "Trang 0002.tif": os.urandom(limit + 1)}
    source = package(tmp_path / "p", large)
    before = tree(source)
    with house.open() as workspace:
        ingest(workspace, str(package(tmp_path / "first")))  # the catalog exists, with its tables
    answer = outcome(start(house, source, f"full:{limit}"))
    assert (answer["outcome"], answer["verdict"], answer["codes"]) == ("failed", Verdict.FAILED, ["disk-full"])
    assert "Make room" in answer["messages"][0]
    assert house.leftovers() == []
    assert tree(source) == before
    with house.open() as workspace:
        assert len(list(workspace.catalog.versions())) == 1
        assert workspace.catalog.verify_chain().sound
        assert ingest(workspace, str(source)).outcome == "accepted"

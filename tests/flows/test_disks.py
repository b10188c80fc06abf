"""Disks as they fail: really full (a small file system of its own), taken away, and mounted again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.audit import audit
from flows.ingest import ingest, ingest_batch
from flows.outcomes import Verdict
from flows.repair import repair
from flows.replicate import replicate
from preservation.facts import Outcome
from tests.flows.houses import House, codes, package, proofs


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 2 MiB."""
    disk = tmp_path / "small disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system is not permitted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def big_and_small(folder: Path) -> tuple[Path, Path]:
    return package(folder / "lớn", {"ảnh.bin": os.urandom(4 << 20)}), package(folder / "nhỏ", {"a.txt": b"a"})


def test_a_full_disk_of_a_store_costs_that_copy_alone(house: House, small_disk: Path, tmp_path: Path):
    house.stores["a"]["path"] = str(small_disk)
    house.settle()
    with house.open() as workspace:
        big, small = ingest_batch(workspace, [str(source) for source in big_and_small(tmp_path)])
        assert (big.outcome, big.verdict) == ("accepted", Verdict.FAILED)
        assert "store-full" in codes(big.findings)
        assert proofs(big.replicas) == {"b": "intact", "c": "intact"}
        assert proofs(small.replicas) == {"a": "intact", "b": "intact", "c": "intact"}
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    with house.open() as workspace:
        replicate(workspace, [])
        assert {each.report.outcome for each in audit(workspace, [])} == {Outcome.INTACT}


def test_a_full_disk_of_the_workspace_fails_that_package_alone(house: House, small_disk: Path, tmp_path: Path):
    for name, store in house.stores.items():
        store["path"] = str(tmp_path / "stores" / name)
        Path(store["path"]).mkdir(parents=True)
    house.folder = small_disk / "house"
    house.settle()
    with house.open() as workspace:
        big, small = ingest_batch(workspace, [str(source) for source in big_and_small(tmp_path)])
    assert (big.outcome, big.verdict) == ("failed", Verdict.FAILED)
    assert (small.outcome, small.verdict) == ("accepted", Verdict.WELL)
    assert house.leftovers() == []


@pytest.mark.parametrize("mount_point_stays", [True, False])
def test_a_store_whose_disk_is_away_is_unreadable_and_never_damaged(
    house: House, tmp_path: Path, mount_point_stays: bool
):
    with house.open() as workspace:
        ingest(workspace, str(package(tmp_path / "p")))
    folder = house.store_folder("b")
    away = folder.rename(tmp_path / "away")
    if mount_point_stays:
        folder.mkdir()
    with house.open() as workspace:
        seen = {each.report.store: each.report.outcome for each in audit(workspace, [])}
        assert seen == {"a": Outcome.INTACT, "b": Outcome.UNREADABLE, "c": Outcome.INTACT}
        repair(workspace, [])
    assert not folder.exists() or not any(folder.iterdir())  # nothing was written where the disk is not
    if folder.exists():
        folder.rmdir()
    away.rename(folder)
    with house.open() as workspace:
        assert {each.report.outcome for each in audit(workspace, [])} == {Outcome.INTACT}

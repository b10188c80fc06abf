"""A smaller draw of `make damage`: fixed seeds that never change, and fresh ones that are printed when they fail."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from preservation.bags.check import check_bag
from preservation.formats.identify import Identifier
from preservation.progress import Silent
from tests.conftest import cannot_run
from tests.damage.hands import OnDisk
from tests.damage.kinds import KINDS, replace_below
from tests.damage.lab import Library, at_rest
from tests.damage.rounds import lose, play, spoil
from tests.damage.table import library
from tests.servers.ministack import program

FRESH = random.SystemRandom().randrange(10**6, 10**9)


@pytest.fixture(autouse=True, scope="module")
def _at_rest() -> Iterator[None]:
    with at_rest():
        yield


@pytest.fixture(scope="module")
def on_disks(tmp_path_factory: pytest.TempPathFactory, identifier: Identifier) -> Iterator[Library]:
    with library(tmp_path_factory.mktemp("lab") / "disks", identifier) as held:
        yield held


def faults(held: Library, seed: int) -> list[tuple[str, str, str | None]]:
    return [result for result in play(held, seed) if result[2] is not None]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_all_damage_is_found_said_and_repaired(on_disks: Library, seed: int):
    assert faults(on_disks, seed) == []


def test_a_fresh_draw(on_disks: Library):
    """Repeat it with: make damage SEED=<the seed printed> RUNS=1"""
    assert faults(on_disks, FRESH) == [], f"seed {FRESH}"


def test_a_store_that_spoils_what_is_put_into_it(on_disks: Library):
    assert [result for result in spoil(on_disks, 1) if result[2] is not None] == []


def test_what_is_lost_for_good(on_disks: Library):
    assert [result for seed in (1, 2) for result in lose(on_disks, seed) if result[2] is not None] == []


@pytest.mark.live
def test_the_same_with_a_store_in_a_bucket(tmp_path: Path, identifier: Identifier):
    if program() is None:
        cannot_run("MiniStack is not installed: make .venv-ministack/.installed")
    with library(tmp_path / "s3", identifier, bucket=True, aips=3) as held:
        assert faults(held, 8) == []
        assert [result for result in spoil(held, 2) if result[2] is not None] == []


@pytest.mark.parametrize("kind", ["forge", "another bag", "swap AIPs", "roll back"])
def test_the_clever_kinds_leave_a_valid_bag(on_disks: Library, kind: str, tmp_path: Path):
    """Else they would prove less than they say: any checker of bags finds a bag that is not valid."""
    from tests.damage.lab import Damage, _damage_one

    version = max(on_disks.was, key=lambda version: version[1])
    other = next(each for each in on_disks.was if each[0] != version[0])
    on_disks.as_it_was()
    _damage_one(on_disks, random.Random(1), (*version, "a"), kind, other=other, twin="b", done=Damage())
    bag = on_disks.hands["a"].root / f"aip/{version[0]}/v{version[1]}"  # type: ignore[attr-defined]
    now = {path: (bag / path).read_bytes() for path in OnDisk(bag).all_keys()}
    assert now != on_disks.was[version]
    replace_below(OnDisk(tmp_path / "bag"), "", now)
    assert check_bag(tmp_path / "bag", progress=Silent()).valid
    assert kind in KINDS

"""The bagit library may add doubt, never take it away, and can neither hang nor crash us."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from preservation.bags.check import check_bag
from preservation.bags.second_opinion import second_opinion
from tests.bags.bag_maker import lines, make_bag


def test_it_agrees_and_disagrees(tmp_path):
    bag = make_bag(tmp_path / "bag")
    assert second_opinion(bag).valid is True
    (bag / "data/a.txt").write_bytes(b"mou")
    opinion = second_opinion(bag)
    assert opinion.valid is False
    assert "data/a.txt" in opinion.message


@pytest.mark.timeout(30)
def test_a_pipe_cannot_hang_us(tmp_path):
    bag = make_bag(tmp_path / "bag", tags={"manifest-md5.txt": b"0" * 32 + b"  data/pipe\n"})
    os.mkfifo(bag / "data/pipe")
    assert second_opinion(bag, timeout=1).valid in (None, False)


def test_a_crash_of_the_library_is_no_answer(tmp_path):
    bag = make_bag(tmp_path / "bag", tags={"bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: rot13\n"})
    opinion = second_opinion(bag)
    assert opinion.valid is not True


def test_names_it_misreads_give_no_answer(tmp_path):
    name = {"data/100%.tif": b"x"}
    manifest = lines({"data/100%25.tif": b"x"})
    bag = make_bag(tmp_path / "bag", name, tags={"manifest-sha256.txt": manifest})
    assert check_bag(bag).valid
    opinion = second_opinion(bag)
    assert opinion.valid is None
    assert "100%.tif" in opinion.message


def test_paths_and_folders_that_trip_it(tmp_path):
    bag = make_bag(tmp_path / "tagmanifest-sha256" / "Túi tagmanifest-")
    here = Path.cwd()
    assert second_opinion(bag).valid is True
    assert Path.cwd() == here
    assert second_opinion(tmp_path / "nowhere").valid is None


def test_a_bag_cannot_bring_its_own_library(tmp_path):
    bag = make_bag(
        tmp_path / "bag", tags={"bagit.py": b"print('valid'); raise SystemExit", "sitecustomize.py": b"1/0"}
    )
    (bag / "data/a.txt").write_bytes(b"mou")
    assert second_opinion(bag).valid is False

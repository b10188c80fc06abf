"""The bagit library may add doubt, never take it away, and can neither hang nor crash us."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import pytest

from preservation.bags.check import check_bag
from preservation.bags.second_opinion import disagreement, second_opinion
from tests.bags.bag_maker import lines, make_bag
from tests.bags.golden import GOLDEN
from tests.bags.second_opinions import answers, compared, folder_bags, mutated


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


@pytest.mark.timeout(30)
def test_memory_is_bounded(tmp_path):
    """A manifest that the library would hold whole: it gets less than that takes, and no answer is our answer."""
    bag = make_bag(tmp_path / "bag", tags={"bag-info.txt": b"".join(b"L%d: b\n" % n for n in range(300_000))})
    opinion = second_opinion(bag, memory=50 << 20)
    assert opinion.valid is None
    assert opinion.message


def test_it_can_write_nothing(tmp_path):
    """Neither into the bag nor elsewhere: a library that is changed one day must not mend what it judges."""
    bag = make_bag(tmp_path / "bag")
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    second_opinion(bag)
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def test_where_they_disagree_both_answers_stand(tmp_path):
    for name, says in (("invalid Oxum twice", True), ("warning NFD manifest on an NFC disk", False)):
        bag = tmp_path / name
        GOLDEN[name][0](bag)
        report, opinion = check_bag(bag), second_opinion(bag)
        assert (report.valid, opinion.valid) == (not says, says)
        doubt = disagreement(report, opinion)
        assert (doubt.code, doubt.severity) == ("second-opinion-differs", "warning")
        assert doubt.expected != doubt.seen
        kept = opinion.beside(report.valid)
        assert kept == {"tool": "bagit", "ours": not says, "valid": says, "agrees": False, "message": opinion.message}


def test_whatever_it_says_our_answer_stands(tmp_path):
    """The library's answer has no way into the report: the only thing made of the two is a warning beside it."""
    for name in ("valid plain", "invalid one bit"):
        GOLDEN[name][0](tmp_path / name)
        report = check_bag(tmp_path / name)
        for opinion in answers(report.valid):
            doubt = disagreement(report, opinion)
            assert opinion.beside(report.valid)["ours"] is report.valid
            assert (doubt is None) is (opinion.valid in (None, report.valid))


@pytest.mark.timeout(120)
def test_it_is_compared_with_ours_on_many_bags(tmp_path):
    """A few of the bags of `make conformance`, which asks about all of them; fixed ones and fresh ones."""
    for seed in (1, random.randrange(1 << 31)):
        bags = sorted(folder_bags(), key=lambda case: hash_of(f"{seed} {case}"))[:10]
        for number, case in enumerate(bags):
            case.make(tmp_path / f"{seed}-{number}")
            assert compared(tmp_path / f"{seed}-{number}")[1] is None, (seed, str(case))
        for more in range(4):
            bag = mutated(tmp_path / f"{seed}-m{more}", seed + more)
            assert compared(bag)[1] is None, seed + more


def hash_of(text):
    return hashlib.sha256(text.encode()).hexdigest()

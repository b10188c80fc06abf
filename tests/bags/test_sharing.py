"""Work shared among copies of a process: the same report as from one, and a lost copy is an error, never a pass."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bags.bag_maker import make_bag

HERE = Path(__file__).parents[2]
FILES = {
    f"data/{'ảnh ' if number % 9 == 0 else ''}{number:03}": b"%d" % number * (number % 50) for number in range(90)
}


def tried(trial: str, *arguments: object) -> Any:
    command = [sys.executable, "-m", "tests.bags.sharing", trial, *map(str, arguments)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, encoding="utf-8", timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def harmed(folder: Path) -> Path:
    """A bag in which every kind of thing is wrong, at both ends and in the middle."""
    bag = make_bag(folder, {**FILES, "data/large": b"x" * (1 << 19)}, algorithms=("md5", "sha256"))
    for name in ("data/001", "data/040", "data/ảnh 045", "data/large"):
        (bag / name).write_bytes(b"?" + (bag / name).read_bytes()[1:])
    (bag / "data/002").unlink()
    (bag / "data/041").write_bytes(b"shorter")
    (bag / "data/077").unlink()
    (bag / "data/077").symlink_to("078")
    (bag / "data/unexpected").write_bytes(b"")
    (bag / "bagit.txt").write_bytes((bag / "bagit.txt").read_bytes() + b"\n")
    return bag


def test_a_large_bag_gets_the_same_report_from_one_process_and_from_several(tmp_path: Path) -> None:
    for bag in (harmed(tmp_path / "harmed"), make_bag(tmp_path / "whole", FILES)):
        alone, none = tried("bags", 1, bag)
        assert none == 0
        for processes in (2, 3):
            assert tried("bags", processes, bag) == [alone, processes - 1]
    assert "digest-differs" in tried("bags", 2, tmp_path / "harmed")[0][0]


def test_many_bags_get_the_same_reports_in_their_order(tmp_path: Path) -> None:
    bags = [make_bag(tmp_path / f"{number}", {"data/a": b"%d" % number}) for number in range(10)]
    (bags[3] / "data/a").write_bytes(b"x")
    (bags[9] / "data/a").unlink()
    bags.insert(5, harmed(tmp_path / "harmed"))
    alone, none = tried("bags", 1, *bags)
    assert (none, tried("bags", 2, *bags)) == (0, [alone, 1])


def test_answers_come_in_order_from_all_who_work() -> None:
    told = tried("well")
    assert [number for number, _ in told["answers"]] == list(range(40))
    assert {here for _, here in told["answers"]} == {True, False}
    assert (told["moved"], told["copies"], told["left"]) == (400, 2, False)


@pytest.mark.parametrize(
    ("trial", "words"), [("killed", "code -9"), ("left_early", "gave no answer"), ("stands_still", "stood still")]
)
def test_a_lost_copy_is_an_error(trial: str, words: str) -> None:
    told = tried(trial)
    assert (told["error"], told["left"], "answers" in told) == ("HelperEnded", False, False)
    assert words in told["detail"]


def test_what_fails_in_a_copy_is_done_here_and_what_fails_here_is_told() -> None:
    told = tried("fails_in_a_copy")
    assert [number for number, _ in told["answers"]] == list(range(40))
    told = tried("fails_everywhere")
    assert (told["error"], told["left"]) == ("ZeroDivisionError", False)


def test_a_process_with_a_thread_beside_makes_no_copies() -> None:
    assert tried("beside_a_thread") == {"alone": [True, False]}


def test_a_copy_that_dies_while_it_reads_a_bag_leaves_no_verdict(tmp_path: Path) -> None:
    assert tried("lost", make_bag(tmp_path / "bag", FILES)) == {"valid": None, "left": False}

"""A draw of the hostile packages through ingest: half of them always the same, half of them drawn anew.

`make hostile` takes all. A failure names the seed; HOSTILE_SEED repeats it.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Iterator

import pytest

from tests.hostile import judge
from tests.hostile.case import VERDICTS, Case, case, folder

FRESH = int(os.environ.get("HOSTILE_SEED", random.SystemRandom().randrange(1 << 16)))
FIXED_DRAW, FRESH_DRAW = 100, 40

ALL = [(family, one) for family, found in judge.all_cases().items() for one in found]


def draw() -> list[tuple[str, Case]]:
    """Some of each family."""
    fixed = random.Random(20261122).sample(ALL, FIXED_DRAW)
    return [*fixed, *random.Random(FRESH).sample([each for each in ALL if each not in fixed], FRESH_DRAW)]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[tuple[str, Case]], judge.Judged]]:
    root, drawn = tmp_path_factory.mktemp("hostile"), draw()
    try:
        yield drawn, judge.run(drawn, root / "run")
    finally:
        judge.clear(root)


def test_there_are_enough_of_every_verdict():
    assert len(ALL) >= 300
    assert {one.verdict for _, one in ALL} == set(VERDICTS)


@pytest.mark.xdist_group("hostile")
def test_every_package_of_the_draw_ends_as_its_name_says(judged):
    drawn, done = judged
    missing = {f"{family} {one.name}" for family, one in drawn} - set(done.answers) - set(done.cannot)
    assert not missing
    problems = {
        one.name: why
        for family, one in drawn
        if (answer := done.answers.get(f"{family} {one.name}")) and (why := judge.problem(one, answer))
    }
    assert problems == {}, f"HOSTILE_SEED={FRESH}"


@pytest.mark.xdist_group("hostile")
def test_sources_and_surroundings_are_untouched_and_the_good_packages_carry_on(judged):
    assert judged[1].wrong == [], f"HOSTILE_SEED={FRESH}"


def test_the_checks_see_what_they_are_for(tmp_path):
    """A connection is heard, a touched file is seen, and an answer other than the name's is a problem."""
    with judge._listener() as (port, heard):
        socket.create_connection(("127.0.0.1", port)).close()
        for _ in range(100):
            if heard:
                break
            time.sleep(0.05)
        assert heard
    package = folder({"a": b"1"}, "b")(tmp_path)
    before = judge.footprint(tmp_path)
    os.utime(package / "a", ns=(0, 0))
    assert judge.footprint(tmp_path) != before

    one = case("rejected--x", folder({}), "package-empty")
    good = {
        "findings": [("package-empty", "error", "x")], "outcome": "rejected", "recorded": ["package-empty"], "seconds": 1,
        "clock": 1, "mebibytes": 200, "network": [], "left": [], "lines": ["plain"], "json": "[]",
    }  # fmt: skip
    assert judge.problem(one, good) is None
    for wrong in (
        {"outcome": "accepted"}, {"outcome": "failed"}, {"findings": []}, {"recorded": []}, {"seconds": 11}, {"clock": 61},
        {"mebibytes": 513}, {"network": ["socket.connect"]}, {"left": ["staging/x"]}, {"lines": ["\x1b[2J"]},
    ):  # fmt: skip
        assert judge.problem(one, good | wrong) is not None, wrong

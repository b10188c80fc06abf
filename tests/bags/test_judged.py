"""What the checker says of every made bag is what it said before, word for word: no check, limit or gap goes unnoticed.

A difference is no mistake in itself. Read it, then write the golden file anew with `python -m tests.bags.judged`.
A family is one test, for mutation testing runs these thousands of times.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bags.cases import complaint
from tests.bags.judged import FILE, cases, judged, profile_judged, profiles
from tests.bags.more_bags import MORE

CASES = list(cases())
PROFILES = dict(profiles())
KNOWN = json.loads(FILE.read_text("utf-8"))


def test_the_golden_file_has_every_case_and_no_other() -> None:
    assert {*map(str, CASES), *PROFILES} == set(KNOWN)


@pytest.mark.parametrize("family", sorted({case.family for case in CASES}))
def test_the_whole_answer(family: str, tmp_path: Path) -> None:
    for number, case in enumerate(case for case in CASES if case.family == family):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert (str(case), judged(case, folder)) == (str(case), KNOWN[str(case)])


def test_a_profile_is_understood_or_refused_as_a_whole() -> None:
    for name, content in PROFILES.items():
        assert (name, profile_judged(content)) == (name, KNOWN[name])


def test_what_was_made_for_mutants_is_judged_by_its_name(tmp_path: Path) -> None:
    for number, case in enumerate(MORE):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert (str(case), complaint(case, folder)) == (str(case), None)

"""What the checker says of every made bag is what it said before, word for word: no check, limit or gap goes unnoticed.

A difference is no mistake in itself. Read it, then write the golden file anew with `python -m tests.bags.judged`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bags.cases import Case, complaint
from tests.bags.judged import FILE, cases, judged, profile_judged, profiles
from tests.bags.more_bags import MORE

CASES = list(cases())
PROFILES = dict(profiles())
KNOWN = json.loads(FILE.read_text("utf-8"))


def test_the_golden_file_has_every_case_and_no_other() -> None:
    assert {*map(str, CASES), *PROFILES} == set(KNOWN)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_whole_answer(case: Case, tmp_path: Path) -> None:
    assert judged(case, tmp_path) == KNOWN[str(case)]


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_understood_or_refused_as_a_whole(name: str) -> None:
    assert profile_judged(PROFILES[name]) == KNOWN[name]


@pytest.mark.parametrize("case", MORE, ids=str)
def test_what_was_made_for_mutants_is_judged_by_its_name(case: Case, tmp_path: Path) -> None:
    assert complaint(case, tmp_path) is None

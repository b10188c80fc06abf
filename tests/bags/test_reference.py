"""docs/reference/bagit.md against the code and the tests: every rule has a number, a finding and a bag that breaks it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from preservation.bags import write
from preservation.bags.plan import POLICYS_LABELS, WRITERS_LABELS
from tests.bags import test_adversarial, test_golden, test_second_opinion
from tests.bags.adversarial_forms import FORMS
from tests.bags.adversarial_text import TEXT
from tests.bags.golden import GOLDEN

ROOT = Path(write.__file__).parent
DOC = (ROOT.parents[1] / "docs" / "reference" / "bagit.md").read_text(encoding="utf-8")
ROWS = [line for line in DOC.splitlines() if re.match(r"\| *\d+ *\|", line)]
RULES = {re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)` \|$", row)[0]: int(row.split("|")[1]) for row in ROWS}

# Rules that no bag alone can break: the tests that do.
ELSEWHERE = {
    "folder-unreadable": test_golden.test_what_may_not_be_read_is_not_called_damaged,
    "profile-malformed": test_adversarial.test_a_profile_in_which_anything_is_wrong_is_not_used,
    "second-opinion-differs": test_second_opinion.test_where_they_disagree_both_answers_stand,
}


def codes_of(source: str) -> set[str]:
    """The literal codes given to `error`, `warning`, `remark` and `rule`, and to Finding itself."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("error", "warning", "remark", "rule", "Finding"):
                found |= {
                    part.value
                    for arg in node.args[:2]
                    for part in ast.walk(arg)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                    if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", part.value)
                }
    return found


def tagged() -> dict[int, list[str]]:
    """The numbers of the rules, each with the bags that break it (the codes of a case are what it must answer)."""
    cases = [(name, codes) for name, (_, codes) in GOLDEN.items()] + [(str(c), c.codes) for c in (*TEXT, *FORMS)]
    found: dict[int, list[str]] = {}
    for name, codes in cases:
        for code in codes:
            found.setdefault(RULES[code], []).append(name)
    for code, test in ELSEWHERE.items():
        found.setdefault(RULES[code], []).append(test.__name__)
    return found


def test_every_finding_is_documented_and_none_is_invented():
    in_code = set().union(*(codes_of(path.read_text(encoding="utf-8")) for path in ROOT.glob("*.py")))
    assert in_code == set(RULES)
    assert list(RULES.values()) == list(range(1, len(ROWS) + 1))


def test_every_number_has_a_bag_that_breaks_it_and_every_bag_a_number():
    assert sorted(tagged()) == list(RULES.values())


def test_every_rule_names_its_section_or_says_that_it_is_ours():
    for row in ROWS:
        section = row.split("|")[3].strip()
        assert section in ("–", "profiles") or re.fullmatch(r"\d(\.\d)*(, \d(\.\d)*)*", section), row


def test_every_element_of_ours_is_documented():
    labels = {label.lower() for label in re.findall(r"^\| `([A-Z][A-Za-z-]+)` \|", DOC, re.MULTILINE | re.IGNORECASE)}
    assert labels >= WRITERS_LABELS | POLICYS_LABELS

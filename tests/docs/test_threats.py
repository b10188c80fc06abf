"""The page of threats: every test that it names is there and holds tests, and no threat of the list is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "threats.md"
TEXT = PAGE.read_text("utf-8")
NAMED = sorted(set(re.findall(r"\]\(\.\./\.\./(tests/[^)]+)\)", TEXT)))
THIRTEEN = (
    "Media failure", "Hardware failure", "Software failure", "Communication errors", "Failure of network services",
    "Media and hardware become obsolete", "Software becomes obsolete", "Operator error", "Natural disaster",
    "External attack", "Internal attack", "Economic failure", "Organisational failure",
)  # fmt: skip
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith("| Threat")
]


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_holds_tests(name: str) -> None:
    path = ROOT / name
    files = [path] if path.is_file() else sorted(path.rglob("*.py"))
    assert any("def test_" in file.read_text("utf-8") or file.name == "table.py" for file in files), name


def test_a_name_and_its_link_are_the_same() -> None:
    for shown, link in re.findall(r"\[`(tests/[^`]+)`\]\(\.\./\.\./(tests/[^)]+)\)", TEXT):
        assert shown == link


def test_none_of_the_thirteen_is_left_out() -> None:
    first = [row[0].partition(":")[0] for row in ROWS[:13]]
    assert first == list(THIRTEEN)


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:40] for row in ROWS])
def test_every_threat_has_an_answer_and_a_test(row: list[str]) -> None:
    _threat, answer, shown = row
    assert len(answer) > 20
    assert "tests/" in shown


def test_what_is_not_protected_is_said() -> None:
    _, _, rest = TEXT.partition("## What Vankho does not protect against")
    assert len(re.findall(r"^\*\*[^*]+\*\*", rest, re.MULTILINE)) >= 10


def test_what_is_installed_is_pinned_with_hashes() -> None:
    for name in ("constraints.txt", "constraints-dev.txt", "tests/mutation/constraints.txt"):
        entries = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / name).read_text("utf-8").strip())
        assert entries
        for entry in entries:
            assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+", entry), entry[:80]
            assert "--hash=sha256:" in entry, entry[:80]
    assert "--require-hashes" in (ROOT / "Makefile").read_text("utf-8")

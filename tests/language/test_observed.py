"""Words among what was expected and seen are shown in the reader's language; facts stay as they are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.cli.screen import show_error
from apps.cli.shapes import finding_lines
from flows.watching.outcome_files import _finding as beside_the_package
from preservation.findings import Finding, Severity, as_json
from preservation.observed import FACTS, in_sentence
from wording import Explained, Message, say

ROOT = Path(__file__).parents[2]
ROOMS = ("apps", "flows", "policies", "preservation", "storage_adapters")
WORDS = re.compile(r"[a-z]+(,? [a-z]+)*")


def literals() -> Iterator[tuple[str, str]]:
    for room in ROOMS:
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.keyword) and node.arg in ("expected", "seen"):
                    either = (
                        [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
                    )
                    for value in either:
                        if isinstance(value, ast.Constant) and isinstance(value.value, str):
                            yield value.value, f"{file.relative_to(ROOT)}:{value.lineno}"


def test_every_word_in_the_code_has_its_sentence() -> None:
    words = [(word, where) for word, where in literals() if WORDS.fullmatch(word)]
    assert len(words) > 8
    assert [each for each in words if each[0] not in FACTS and not isinstance(in_sentence(each[0]), Message)] == []


@pytest.mark.parametrize("fact", ["P90D", "data/…", "Ảnh chụp.tif", "true", None])
def test_facts_stay_as_they_are(fact: str | None) -> None:
    assert in_sentence(fact) == fact


def test_screens_and_the_answer_beside_the_package_show_the_sentence() -> None:
    finding = Finding("x", Severity.ERROR, say("Odd."), "a", expected="regular file", seen="special file")
    shown = (*(str(line) for line in finding_lines([finding], "en")), *beside_the_package(finding, "en"))
    assert sum("a regular file" in line for line in shown) == 2
    assert sum("a special file (a pipe or a device)" in line for line in shown) == 2
    assert as_json(finding)["seen"] == "special file"  # evidence keeps the word


def test_an_error_shows_the_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(Explained(say("Odd."), expected="regular file", seen="folder"), language="en", as_json=False)
    shown = capsys.readouterr().err
    assert "expected: a regular file" in shown
    assert "seen: a folder" in shown

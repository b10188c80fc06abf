"""The command with hostile packages: what it prints can act on no terminal and forge no row, and its JSON is JSON."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from tests.cli.commands import Ran, vankho, workspace_in
from tests.hostile import judge, makers_folders, makers_supplied, makers_zips
from tests.hostile.case import Case

ACTS = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}

NAMES = [
    one
    for one in [*makers_folders.CASES, *makers_zips.CASES, *makers_supplied.CASES]
    if any(
        word in one.name
        for word in ("escape", "newline", "c1-control", "right-to-left", "html", "formula", "forged", "no-encoding",
                     "not-utf-8", "line-separator", "template")
    )
]  # fmt: skip


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Case, Path]]:
    root = tmp_path_factory.mktemp("given")
    made = []
    for number, one in enumerate(NAMES):
        room = root / "given" / str(number)
        room.mkdir(parents=True)
        made.append((one, one.make(room)))
    return made


def harmless(ran: Ran) -> list[str]:
    """What stands in the answer that acts on a terminal; line ends are ours."""
    return sorted({repr(c) for c in ran.out + ran.err if c != "\n" and unicodedata.category(c) in ACTS})


@pytest.mark.xdist_group("hostile")
@pytest.mark.parametrize("words", [[], ["--json"]], ids=["for a person", "for a program"])
def test_nothing_printed_acts_on_a_terminal(given: list[tuple[Case, Path]], tmp_path: Path, words: list[str]):
    assert len(given) > 15
    workspace = workspace_in(tmp_path / "kho")
    before = judge.footprint(given[0][1].parents[1])
    ran = vankho("ingest", "-w", workspace, *words, "--", *(path for _, path in given))
    assert (ran.code, harmless(ran)) == (1, [])
    if words:
        outcomes = [each["outcome"] for each in ran.data]
        assert outcomes == ["rejected" if one.verdict == "rejected" else "accepted" for one, _ in given]
    else:
        rows = [line for line in ran.out.splitlines() if line.startswith("error: ")]
        assert rows == [], "a name with a line end has forged a row"
    shown = vankho("show", "--standing", "all", "--json", "-w", workspace)
    assert isinstance(shown.data["versions"], list)
    first = shown.data["versions"][0]["identifier"]
    for more in (["show"], ["show", first], ["events", first], ["events", first, "--json"]):
        seen = vankho(*more, "-w", workspace)
        assert (seen.code, harmless(seen)) == (0, []), more
    assert harmless(shown) == []
    assert judge.footprint(given[0][1].parents[1]) == before
    for file in (workspace / "quarantine").glob("*.json"):
        text = file.read_text("utf-8")
        assert not [c for c in text if c != "\n" and unicodedata.category(c) in ACTS]
        json.loads(text)

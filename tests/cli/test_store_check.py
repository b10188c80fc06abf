"""`vankho store check`: the clauses as sentences with the outcome of each, and 1 when one is broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.workspace import Workspace
from storage_adapters.conformance_clauses import CLAUSES
from tests.cli.commands import Ran, workspace_in
from tests.conformance.broken_stores import Broken, LosesLater, Overwrites

Here = Callable[..., Ran]


def test_a_sound_store(here: Here, tmp_path: Path) -> None:
    kho = workspace_in(tmp_path / "kho")
    (kho / "stores" / "primary").mkdir(parents=True)
    done = here("store", "check", "primary", "-w", kho)
    assert done.code == 0
    assert sum(line.startswith("holds: ") for line in done.out.splitlines()) == len(CLAUSES)
    assert f"Clauses: {len(CLAUSES)}; {len(CLAUSES)} hold, 0 are not promised, 0 are broken." in done.out
    assert list((kho / "stores" / "primary").iterdir()) == []


@pytest.mark.parametrize(
    ("broken", "clause"), [(Overwrites, "never-replaces"), (LosesLater, "keeps-what-it-took")], ids=["lies", "loses"]
)
def test_a_store_that_lies_ends_with_1_and_is_told_by_what(
    here: Here, tmp_path: Path, monkeypatch, broken: type[Broken], clause: str
) -> None:
    kho = workspace_in(tmp_path / "kho")
    monkeypatch.setattr(Workspace, "store_for_check", lambda _self, name: broken(name))
    sentence = next(str(each.sentence) for each in CLAUSES if each.name == clause)
    done = here("store", "check", "primary", "-w", kho)
    assert done.code == 1
    [line] = [line for line in done.out.splitlines() if sentence in line]
    assert line.startswith("BROKEN: ")
    assert "(" in line.removeprefix("BROKEN: " + sentence)
    asked = here("store", "check", "primary", "-w", kho, "--json")
    told = {each["name"]: each for each in asked.data["clauses"]}
    assert (asked.code, told[clause]["outcome"]) == (1, "broken")
    assert told[clause]["detail"]
    assert here("store", "check", "primary", "-w", kho, "--lang", "vi").code == 1

"""`vankho formats show`, `update`, `drift`, and `identify` with a second opinion: shapes, exit codes, sentences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from preservation.formats import opinions
from tests.cli.commands import Ran
from tests.cli.conftest import Held
from tests.formats.releases_maker import CONTAINER, DROID, release_in

Here = Callable[..., Ran]
RELEASE = {
    "signatures", "pronom", "containers_dated", "dated", "formats", "byte_signatures", "container_signatures", "origin",
    "kept_at", "files",
}  # fmt: skip


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return release_in(tmp_path / "USB")


def _shown(here: Here, held: Held) -> dict[str, Any]:
    ran = here("formats", "show", "-w", held.workspace, "--json")
    assert (ran.code, ran.err) == (0, "")
    data: dict[str, Any] = ran.data
    assert set(data) == RELEASE | {"chosen", "days", "old", "kept", "history"}
    return data


def test_show_update_and_back(here: Here, held: Held, release: Path) -> None:
    assert (_shown(here, held)["chosen"], _shown(here, held)["old"]) == (False, True)
    done = here("formats", "update", "-w", held.workspace, "--from-folder", release, "--json")
    assert done.code == 0
    assert set(done.data) == RELEASE | {"changed", "before"}
    shown = _shown(here, held)
    assert (shown["pronom"], shown["chosen"], shown["kept"]) == ("118", True, ["fido", "118-2024-05-01"])
    assert set(shown["history"][0]) == {"at", "agent", "signatures", "before", "by", "dated", "origin", "files"}
    again = here(
        "formats", "update", "-w", held.workspace, "--droid", release / DROID, "--container", release / CONTAINER
    )
    assert (again.code, "in use already" in again.out) == (0, True)
    assert here("formats", "update", "-w", held.workspace, "--use", "fido").code == 0
    said = here("formats", "show", "-w", held.workspace).out
    assert "older than a year" in said
    assert "PRONOM v118, containers 2024-05-01" in said


@pytest.mark.parametrize(
    "words",
    [
        ("--droid", "a.xml"),
        ("--container", "a.xml"),
        ("--use", "118", "--url", "https://pronom.example/"),
        ("--use", "999"),
        ("--from-folder", "/nowhere"),
        ("--url", "file:///etc/passwd"),
        ("--droid", "/nowhere.xml", "--container", "/nowhere.xml"),
    ],
)
def test_what_cannot_be_done_as_asked(here: Here, held: Held, words: tuple[str, ...]) -> None:
    ran = here("formats", "update", "-w", held.workspace, *words, "--json")
    assert (ran.code, set(ran.data)) == (2, {"error"})


def test_without_a_network_it_is_the_systems_fault(here: Here, held: Held) -> None:
    ran = here("formats", "update", "-w", held.workspace, "--url", "http://127.0.0.1:9/")
    assert (ran.code, "--droid" in ran.err) == (3, True)


def test_drift_of_what_is_held(here: Here, held: Held, release: Path, tmp_path: Path) -> None:
    given = ("--droid", release / DROID, "--container", release / CONTAINER)
    listed = tmp_path / "khác.jsonl"
    ran = here("formats", "drift", "-w", held.workspace, *given, "--list", listed, "--json")
    assert {"signatures", "at", "looked_at", "changed", "same", "turns", "not_looked_at"} <= set(ran.data)
    assert ran.data["looked_at"] == 2
    assert ran.code == (1 if ran.data["changed"] else 0)
    assert len(listed.read_text("ascii").splitlines()) == 2 - ran.data["same"]
    assert here("formats", "drift", "-w", held.workspace, *given, "--list", listed).code == 2
    assert here("formats", "drift", "-w", held.workspace).out.startswith("With PRONOM v109")
    quick = here("formats", "drift", "-w", held.workspace, *given, "--quick", "--json").data
    assert set(quick) == {"signatures", "files", "differing", "unnamed", "not_compared"}
    assert here("formats", "drift", "-w", held.workspace, *given, "--to", "fido").code == 2
    assert here("formats", "drift", "-w", held.workspace, "--sample", "1", "--collection", "không có").code == 0


@pytest.mark.skipif(not opinions.installed(), reason="pygfried is not installed")
def test_both_answers_side_by_side(here: Here, tmp_path: Path) -> None:
    (tmp_path / "sách.pdf").write_bytes(b"%PDF-1.4\nx\n%%EOF\n")
    [both] = here("formats", "identify", "--second-opinion", tmp_path / "sách.pdf", "--json").data
    assert (both["puid"], both["second_opinion"]["puid"], both["disagree"]) == ("fmt/18", "fmt/18", False)
    assert set(both["second_opinion"]) == set(both) - {"second_opinion", "disagree"}


def test_without_siegfried_it_says_what_to_install(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opinions, "installed", lambda: False)
    ran = here("formats", "identify", "--second-opinion", tmp_path)
    assert (ran.code, "vankho[siegfried]" in ran.err) == (2, True)

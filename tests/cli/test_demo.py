"""`vankho demo`: exit code 0 when all of it was so, and not otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import examples.servers
from tests.cli.commands import Ran, package_in, vankho

Here = Callable[..., Ran]

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("demo")]


def test_the_demonstration_holds(tmp_path: Path) -> None:
    """As `make demo PACKAGE=...` runs it; what it tells to look at next can be looked at."""
    package = package_in(tmp_path / "Gói của tôi")
    done = vankho("demo", tmp_path / "demo", "--package", package, timeout=240)
    assert (done.code, done.err) == (0, ""), done
    assert "NOT SO" not in done.out
    assert "Gói của tôi is accepted" in done.out
    assert "All of this was so." in done.out
    shown = vankho("--workspace", tmp_path / "demo", "show", "--standing", "all", "--json")
    assert shown.code == 0
    assert [each["standing"] for each in shown.data["versions"]] == ["safe"] * 5
    for each in shown.data["versions"]:
        assert len(each["replicas"]) == 3
    kept = [file for file in (tmp_path / "demo" / "evidence").rglob("*") if file.is_file()]
    assert len(kept) == 1  # the damaged bytes, as they were found


@contextmanager
def _no_prefect(_folder: Path) -> Iterator[str]:
    yield "http://127.0.0.1:9/api"


def test_a_damage_that_is_not_found_ends_with_1(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demonstration can fail: when no byte is changed, it must not say that one was found. In JSON, as a whole."""
    monkeypatch.setattr(examples.servers, "flip_byte", lambda path: 0)
    monkeypatch.setattr(examples.servers, "prefect_server", _no_prefect)
    monkeypatch.setattr(examples.servers, "wait_for_prefect", lambda *_: None)
    done = here("demo", tmp_path / "demo", "--json")
    assert (done.code, done.err) == (1, "")
    assert list(done.data) == ["ingested", "damaged", "found", "repaired", "held", "broken", "seconds"]
    assert done.data["held"] is False
    assert done.data["found"] == done.data["repaired"] == []
    assert len(done.data["broken"]) == 2
    assert [each["outcome"] for each in done.data["ingested"]] == ["accepted"] * 4 + ["rejected"]


def test_a_folder_that_holds_something_else_is_left_alone(here: Here, tmp_path: Path) -> None:
    """Nothing is removed, nothing started."""
    (tmp_path / "mine").write_text("mine")
    done = here("demo", tmp_path)
    assert done.code == 2
    assert "vankho demo DIR" in done.err
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]

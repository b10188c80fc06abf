"""Ctrl-C in the middle of an ingest: one sentence, exit code 130, nothing half visible; running again finishes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.servers import prefect_server, wait_for_prefect
from tests.cli.commands import PROGRAM, environment, vankho, workspace_in


def _large(folder: Path) -> Path:
    """Enough files that every stage takes a while."""
    folder.mkdir()
    for number in range(300):
        (folder / f"Trang {number:03}.xml").write_text(f"<trang số='{number}'>{'Trăm năm ' * 1000}</trang>", "utf-8")
    return folder


def _received(kho: Path) -> bool:
    return len(list(kho.glob("staging/*/received/*"))) > 20


def _identifying(kho: Path) -> bool:
    """All files are there: what the last of them are is still being asked, and nothing is in the catalog yet."""
    return len(list(kho.glob("staging/*/received/*"))) == 300


def _copying(kho: Path) -> bool:
    return len(list(kho.glob("stores/second/aip/*/v1/data/*"))) > 20


def _interrupted(kho: Path, package: Path, moment: Callable[[Path], bool], **env: str) -> float:
    """Ingest, and Ctrl-C at the moment, as a terminal sends it: to the command and to all that it started.

    Gives the seconds until it had ended.
    """
    process = subprocess.Popen(
        [PROGRAM, "ingest", "-w", kho, package],
        env=environment(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not moment(kho) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert process.poll() is None, process.communicate()
    os.killpg(process.pid, signal.SIGINT)
    asked = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.count("\n")) == (130, "", 1)
    assert "run the same command again" in err
    assert [folder for folder in (kho / "staging").glob("*") if folder.is_dir()] == []
    return time.monotonic() - asked


@pytest.mark.parametrize(
    ("moment", "admitted"),
    [(_received, False), (_identifying, False), (_copying, True)],
    ids=["receiving", "identifying", "copying"],
)
def test_ctrl_c_leaves_nothing_half_visible(tmp_path: Path, moment: Callable[[Path], bool], admitted: bool) -> None:
    """Before the catalog knows of it, nothing is left; after, only copies are wanting."""
    kho, package = workspace_in(tmp_path / "kho"), _large(tmp_path / "lớn")
    _interrupted(kho, package, moment)
    shown = vankho("show", "--standing", "all", "-w", kho, "--json").data["versions"]
    assert len(shown) == int(admitted)
    assert len(list(kho.glob("bags/*"))) == len(shown)  # a bag is kept for as long as copies are wanting, no longer
    for each in shown:
        assert each["standing"] != "safe"

    again = vankho("ingest", "-w", kho, package, "--json")
    assert again.code == 0
    assert again.data[0]["outcome"] == ("already-here" if shown else "accepted")
    [one] = vankho("show", "--standing", "all", "-w", kho, "--json").data["versions"]
    assert (one["standing"], one["files"]) == ("safe", 300)
    assert list(kho.glob("bags/*")) == []


@pytest.mark.live
@pytest.mark.xdist_group("demo")
def test_ctrl_c_is_as_quick_in_sight_of_a_prefect_server(tmp_path: Path) -> None:
    """Prefect's loop must not keep it back until the whole flow is over: that can be hours."""
    kho, package = workspace_in(tmp_path / "kho"), _large(tmp_path / "lớn")
    with prefect_server(tmp_path / "prefect") as address:
        wait_for_prefect(address, tmp_path / "prefect")
        env = {"PREFECT_API_URL": address, "PREFECT_HOME": str(tmp_path / "prefect")}
        assert _interrupted(kho, package, _received, **env) < 10
        assert vankho("show", "--standing", "all", "-w", kho, "--json").data["versions"] == []
        assert vankho("ingest", "-w", kho, package, env=env).code == 0

"""Large files are read side by side, small ones between them: the answers are the same, and in the same order."""

from __future__ import annotations

import io
import tarfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from preservation.bags import check
from preservation.bags.bag_view import BagView, folder_view
from preservation.bags.check import check_bag
from preservation.bags.report import Notes
from tests.bags.bag_maker import make_bag

LARGE = 3 << 18  # three buffers
PAYLOAD = {f"data/{n:02}": bytes([n]) * (LARGE if n % 2 else 10) for n in range(12)}


def watched(monkeypatch: pytest.MonkeyPatch, unreadable: str = "", takes: float = 0) -> list[tuple[str, int]]:
    """Every file that is opened in a folder, and by which thread."""
    opened: list[tuple[str, int]] = []

    def view_of(path: Path, notes: Notes) -> BagView:
        view = folder_view(path, notes)

        def opens(inside: str) -> BinaryIO:
            opened.append((inside, threading.get_ident()))
            time.sleep(takes if inside in PAYLOAD else 0)
            return io.BytesIO(b"short") if inside == unreadable else view.open(inside)

        return replace(view, open=opens, whole=None)

    monkeypatch.setattr(check, "folder_view", view_of)
    return opened


def test_every_altered_file_is_told_in_the_order_of_the_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_bag(tmp_path / "bag", PAYLOAD, algorithms=("sha256", "md5"))
    for name, place in (("data/04", 0), ("data/05", LARGE - 1), ("data/09", 1 << 18)):
        content = bytearray((made / name).read_bytes())
        content[place] ^= 1
        (made / name).write_bytes(content)
    watched(monkeypatch, unreadable="data/07")
    report = check_bag(made)
    assert [(f.code, f.path) for f in report.findings if f.path and f.path.startswith("data/")] == [
        ("digest-differs", "data/04"), ("digest-differs", "data/04"),
        ("digest-differs", "data/05"), ("digest-differs", "data/05"),
        ("file-unreadable", "data/07"),
        ("digest-differs", "data/09"), ("digest-differs", "data/09"),
    ]  # fmt: skip
    assert (report.checked, report.matched) == (11, 8)


def test_large_files_of_a_folder_have_two_threads_and_small_ones_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = watched(monkeypatch)
    assert check_bag(make_bag(tmp_path / "bag", PAYLOAD)).valid
    here = threading.get_ident()
    by = {name: thread for name, thread in opened if name.startswith("data/")}
    assert len(by) == len(PAYLOAD)
    assert all((thread == here) == (len(PAYLOAD[name]) < LARGE) for name, thread in by.items())
    assert 1 <= len({thread for thread in by.values() if thread != here}) <= 2


def test_an_archive_is_read_by_one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_bag(tmp_path / "bag", PAYLOAD)
    with tarfile.open(tmp_path / "bag.tar", "w") as packed:
        packed.add(made, "bag")
    readers: set[int] = set()
    read = tarfile.ExFileObject.readinto

    def told(self: Any, buffer: memoryview) -> int:
        readers.add(threading.get_ident())
        return read(self, buffer)

    monkeypatch.setattr(tarfile.ExFileObject, "readinto", told, raising=False)
    assert check_bag(tmp_path / "bag.tar").valid
    assert readers == {threading.get_ident()}


def test_an_interrupted_check_begins_no_further_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = {name: bytes(LARGE) for name in PAYLOAD}
    opened = watched(monkeypatch, takes=0.1)

    class Interrupted:
        def begin(self, step: str, total: int | None) -> None: ...

        def advance(self, amount: int) -> None:
            raise KeyboardInterrupt

    made = make_bag(tmp_path / "bag", payload)
    with pytest.raises(KeyboardInterrupt):
        check_bag(made, progress=Interrupted())
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]
    assert sum(name.startswith("data/") for name, _ in opened) < len(payload)

"""What mutation testing found unguarded in looking at bags: entries in any order, the exact limit, what cannot be read."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from preservation.bags import archives
from preservation.bags.archives import GZIP, TAR, ZIP, archive_view, form_of
from preservation.bags.bag_view import folder_view
from preservation.bags.report import Notes
from tests.bags.bag_maker import make_bag


def seen(path: Path) -> dict[str, Any]:
    """All that is seen of an archive."""
    notes = Notes()
    with archive_view(path, notes) as view:
        found = [(f.severity.value, f.code, f.path, f.expected, f.seen) for f in notes.findings()]
        if view is None:
            return {"findings": found}
        contents = {name: view.open(name).read() for name in view.files}
        return {"files": contents, "folders": sorted(view.folders), "form": view.form, "findings": found}


def tar(path: Path, *names: str | bytes, mode: str = "w", empty: tuple[str, ...] = ()) -> Path:
    """A tar with these entries in this order; a name that ends in / is a folder."""
    with tarfile.open(path, mode, format=tarfile.GNU_FORMAT, encoding="utf-8") as out:
        for name in names:
            text = os.fsdecode(name) if isinstance(name, bytes) else name
            member = tarfile.TarInfo(text)
            member.type = tarfile.DIRTYPE if text.endswith("/") else tarfile.REGTYPE
            member.size = 0 if member.isdir() else 1
            out.addfile(member, io.BytesIO(b"x"))
    return path


def packed_zip(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as out:
        for name in names:
            info = zipfile.ZipInfo(name)  # no attributes: a folder is one by its name alone
            info.external_attr = 0
            out.writestr(info, b"" if name.endswith("/") else b"x")
    return path


WITH_TROUBLE_FIRST = (
    "./",
    "túi/",
    "/etc/passwd",
    "beside.txt",
    "túi/bagit.txt",
    "túi/trống/",
    "túi/data/a",
    "túi/data/a",
)
SEEN = {
    "files": {"bagit.txt": b"x", "data/a": b"x"},
    "findings": [
        ("error", "archive-path-unsafe", "/etc/passwd", "data/…", "/etc/passwd"),
        ("warning", "archive-outside-bag", "beside.txt", "túi/…", "beside.txt"),
        ("error", "archive-duplicate", "data/a", "1", "2"),
    ],
}


@pytest.mark.parametrize("form", [ZIP, TAR, GZIP])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_wrong_hides_nothing_that_follows(tmp_path: Path, form: str) -> None:
    if form == ZIP:
        path = packed_zip(tmp_path / "b.zip", *WITH_TROUBLE_FIRST)
    else:
        path = tar(tmp_path / "b", *WITH_TROUBLE_FIRST, mode="w:gz" if form == GZIP else "w")
    assert form_of(path) == form
    assert seen(path) == {**SEEN, "folders": ["", "data", "trống"], "form": form}


def test_a_name_that_is_not_utf8_hides_nothing_that_follows(tmp_path: Path) -> None:
    found = seen(tar(tmp_path / "b.tar", b"b/\xff", "b/bagit.txt", "b/data/a"))
    assert sorted(found["files"]) == ["bagit.txt", "data/a"]
    assert [each[1] for each in found["findings"]] == ["name-not-utf8"]


def test_a_bag_at_the_root_is_the_bag_though_another_lies_in_it(tmp_path: Path) -> None:
    found = seen(tar(tmp_path / "b.tar", "bagit.txt", "sub/bagit.txt", "data/a"))
    assert sorted(found["files"]) == ["bagit.txt", "data/a", "sub/bagit.txt"]
    assert found["findings"] == []


@pytest.mark.parametrize("first", [".", "./", "./."])
def test_the_folder_itself_is_no_entry_of_its_own(tmp_path: Path, first: str) -> None:
    found = seen(tar(tmp_path / "b.tar", f"{first}/", "./bagit.txt", "./data/X/"))
    assert sorted(found["files"]) == ["bagit.txt"]
    assert found["folders"] == ["data/X"]
    assert [each[1] for each in found["findings"]] == (["archive-path-unsafe"] if first == "./." else [])


@pytest.mark.parametrize(("more", "found"), [(0, []), (1, ["archive-path-unsafe"])])
def test_the_longest_path(tmp_path: Path, more: int, found: list[str]) -> None:
    name = "b" * (archives._LONGEST_PATH + more)
    answer = seen(tar(tmp_path / "b.tar", "bagit.txt", name))
    assert [each[1] for each in answer["findings"]] == found


def test_an_empty_zip_is_a_zip(tmp_path: Path) -> None:
    path = packed_zip(tmp_path / "b.zip")
    assert form_of(path) == ZIP
    assert seen(path) == {"files": {}, "folders": [], "form": ZIP, "findings": []}


def test_a_name_of_an_old_zip_that_is_no_utf8_is_left_as_it_is(tmp_path: Path) -> None:
    path = packed_zip(tmp_path / "b.zip", "bagit.txt", "data/x?")
    path.write_bytes(path.read_bytes().replace(b"data/x?", b"data/x\x82"))  # é in code page 437
    found = seen(path)
    assert sorted(found["files"]) == ["bagit.txt", "data/xé"]
    assert found["findings"] == []


FINE, TIMES = archives._ALWAYS_FINE, archives._SWELLING


@pytest.mark.parametrize(
    ("total", "packed", "refused"),
    [
        (FINE, 0, False),
        (FINE + 1, 0, True),
        (TIMES * FINE, FINE, False),
        (TIMES * FINE + 1, FINE, True),
        (FINE - 1, 1, False),
        (FINE * 2, FINE * 2, False),
    ],
)
def test_where_a_bomb_begins(total: int, packed: int, refused: bool) -> None:
    if not refused:
        archives._refuse_swelling(total, packed)
        return
    with pytest.raises(OSError, match=f"^{packed} bytes would become {total} or more: refused as a bomb$"):
        archives._refuse_swelling(total, packed)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_is_added_up_while_it_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    path = tar(tmp_path / "b.tar", "bagit.txt", "data/", "data/a", "data/b", mode=mode)
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(archives, "_refuse_swelling", lambda total, packed: asked.append((total, packed)))
    seen(path)
    size = path.stat().st_size
    header = asked[0][0] - 1
    assert header in (0, tarfile.BLOCKSIZE)
    assert asked[:4] == [(content + number * header, size) for number, content in enumerate((1, 1, 2, 3), 1)]
    assert asked[4:] == [(3, size)]


def test_a_tar_without_an_end_mark_says_where(tmp_path: Path) -> None:
    path = tar(tmp_path / "b.tar", "bagit.txt")
    path.write_bytes(path.read_bytes()[:1024])
    assert seen(path)["findings"][0][4] == "ReadError: no end mark at byte 1024"


def told(notes: Notes) -> list[tuple[str, str, str | None, str | None, str | None, str]]:
    return [(f.severity.value, f.code, f.path, f.expected, f.seen, str(f.message)) for f in notes.findings()]


@pytest.mark.parametrize(("locked", "shown"), [("data/sub", "data/sub"), ("", ".")])
def test_a_folder_that_cannot_be_listed_is_told_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: str, shown: str
) -> None:
    made = make_bag(tmp_path / "bag", {"data/a/a": b"x", "data/sub/a": b"x", "data/b": b"y"})
    scan = os.scandir

    def locked_scan(folder: Path) -> Any:
        if Path(folder) == made / locked:
            raise PermissionError("no entry")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", locked_scan)
    notes = Notes()
    view = folder_view(made, notes)
    assert told(notes) == [("error", "folder-unreadable", shown, "r-x", "no entry", "This folder cannot be read.")]
    assert view.refused == {locked}
    assert ({"data/a/a", "data/b"} <= set(view.files)) is bool(locked)
    assert view.workers == 2


def test_a_file_that_cannot_be_looked_at_is_told_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_bag(tmp_path / "bag", {"data/a": b"x", "data/b": b"y"})
    look = os.lstat

    def unseen(path: Any) -> os.stat_result:
        if Path(path) == made / "data/a":
            raise PermissionError("no look")
        return look(path)

    monkeypatch.setattr(os, "lstat", unseen)
    notes = Notes()
    view = folder_view(made, notes)
    assert told(notes) == [("error", "file-unreadable", "data/a", "r--", "no look", "This file cannot be read.")]
    assert view.refused == {"data/a"}
    assert "data/b" in view.files


@pytest.mark.timeout(20)
def test_what_took_the_place_of_a_file_since_is_not_opened(tmp_path: Path) -> None:
    made = make_bag(tmp_path / "bag", {"data/a": b"x", "data/b": b"y"})
    view = folder_view(made, Notes())
    for name in ("a", "b"):
        (made / "data" / name).unlink()
    os.mkfifo(made / "data" / "a")
    (made / "data" / "b").symlink_to(made / "bagit.txt")
    with pytest.raises(OSError, match=r"^not a regular file any more$"):
        view.open("data/a")
    with pytest.raises(OSError, match="symbolic links"):
        view.open("data/b")
    with view.open("bagit.txt") as opened:
        assert stat.S_ISREG(os.fstat(opened.fileno()).st_mode)

"""What mutation testing found unguarded in single functions of the bags; whole answers are in test_judged."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from preservation.bags import check, report, tag_grammar
from preservation.bags.bag_view import BagView, folder_view, is_plain
from preservation.bags.check import check_bag
from preservation.bags.profile import read_profile
from preservation.bags.report import Notes
from preservation.bags.tag_files import bag_info_lines, encoded, human_size, one_line, sync_folder
from preservation.bags.tag_grammar import read_bounded
from tests.bags.bag_maker import make_bag
from tests.bags.profiles import INFO, a_profile
from wording import say


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("data/a%b", "data/a%25b"),
        ("data/a\rb", "data/a%0Db"),
        ("data/a\nb", "data/a%0Ab"),
        ("data/%0A", "data/%250A"),
    ],
)
def test_three_characters_of_a_path_are_encoded(path: str, written: str) -> None:
    assert encoded(path) == written


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("plain", "plain"),
        ("  before and after  ", "before and after  "),
        ("two \r\n\t lines", "two lines"),
        ("a\tb", "a b"),
        ("XX", "XX"),
        ("bell\x07", "bell\\x07"),
        ("line\u2028end", "line\\u2028end"),
        ("paragraph\u2029end", "paragraph\\u2029end"),
        ("half\udc80", "half\\udc80"),
        ("Nguyễn Đình Chiểu", "Nguyễn Đình Chiểu"),
    ],
)
def test_a_value_of_bag_info_is_one_line(value: str, line: str) -> None:
    assert one_line(value) == line


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (999_949, "999.9 KB"), (1_500_000, "1.5 MB"),
        (2_000_000_000, "2.0 GB"), (3_100_000_000_000, "3.1 TB"), (4_000_000_000_000_000, "4000.0 TB"),
    ],
)  # fmt: skip
def test_sizes_for_people(size: int, shown: str) -> None:
    assert human_size(size) == shown


def test_a_label_that_cannot_be_one_is_named() -> None:
    with pytest.raises(ValueError, match=r"not a label for bag-info\.txt: 'A: B'"):
        list(bag_info_lines({"A: B": "c"}))


def test_only_a_folder_is_synced_as_one(tmp_path: Path) -> None:
    sync_folder(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "file")


@pytest.mark.parametrize("name", ["bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"])
def test_a_tag_file_that_cannot_be_read_is_told_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def view_of(path: Path, notes: Notes) -> BagView:
        view = folder_view(path, notes)

        def opened(inside: str) -> BinaryIO:
            if inside == name:
                raise OSError("the disk says no")
            return view.open(inside)

        return replace(view, open=opened, whole=None)

    monkeypatch.setattr(check, "folder_view", view_of)
    made = make_bag(tmp_path / "bag")
    told = [each for each in check_bag(made).findings if each.code == "file-unreadable" and each.path == name]
    size = (made / name).stat().st_size
    assert [(f.severity, f.expected, f.seen, str(f.message)) for f in told][:1] == [
        ("error", f"{size} bytes", "the disk says no", "This file cannot be read.")
    ]


class Heard:
    """How far a check has come, by its own words."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int | None]] = []
        self.amounts: list[int] = []

    def begin(self, step: str, total: int | None) -> None:
        self.begun.append((step, total))

    def advance(self, amount: int) -> None:
        self.amounts.append(amount)


@pytest.mark.parametrize("harm", ["none", "cannot be opened", "shorter than announced"])
def test_progress_counts_the_bytes_that_were_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str) -> None:
    made = make_bag(tmp_path / "bag", {"data/a": b"12345", "data/b": b"1234567"})
    tags = sum(path.stat().st_size for path in made.glob("*.txt") if not path.name.startswith("tagmanifest"))

    def view_of(path: Path, notes: Notes) -> BagView:
        view = folder_view(path, notes)

        def opened(inside: str) -> BinaryIO:
            if inside == "data/a" and harm == "cannot be opened":
                raise OSError("the disk says no")
            if inside == "data/a" and harm == "shorter than announced":
                return io.BytesIO(b"12")
            return view.open(inside)

        return replace(view, open=opened, whole=None)

    monkeypatch.setattr(check, "folder_view", view_of)
    heard = Heard()
    answer = check_bag(made, progress=heard)
    read = {"none": 12, "cannot be opened": 7, "shorter than announced": 9}[harm]
    assert sum(heard.amounts) == read + tags
    seen = {
        "none": [],
        "cannot be opened": ["OSError: the disk says no"],
        "shorter than announced": ["2 bytes read, 5 announced"],
    }[harm]
    assert [f.seen for f in answer.findings if f.code == "file-unreadable"] == seen
    assert answer.matched == (2 if harm == "none" else 1)


@pytest.mark.parametrize("more", [0, 1])
def test_what_was_seen_is_cut_to_what_can_be_quoted(more: int) -> None:
    text = "x" * (report._LONGEST_SEEN + more)
    assert report.shown(text) == (text if not more else text[: report._LONGEST_SEEN - 1] + "…")
    assert report.shown("") == report.NOTHING


def test_the_report_names_the_bag_and_what_it_declares(tmp_path: Path) -> None:
    made = make_bag(tmp_path / "bag", tags={"bag-info.txt": b"A: 1\nB: 2\nA: 3\n"})
    heard = Heard()
    answer = check_bag(made, progress=heard)
    assert (answer.path, answer.version) == (made, "1.0")
    assert list(answer.bag_info) == [("A", "1"), ("B", "2"), ("A", "3")]
    assert heard.begun == [("check the bag", sum(path.stat().st_size for path in made.rglob("*") if path.is_file()))]
    packed = tmp_path / "bag.tar"
    with tarfile.open(packed, "w") as out:
        out.add(made, "bag")
    assert check_bag(packed).path == packed


def test_the_report_of_what_cannot_be_opened_is_a_report_too(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"PK\x03\x04")
    profile = read_profile(json.dumps(a_profile()).encode(), file="p.json")
    answer = check_bag(tmp_path / "no.zip", profile=profile)
    assert (answer.path, answer.version, answer.bag_info) == (tmp_path / "no.zip", None, ())
    assert (answer.valid, answer.conforms) == (False, False)


@pytest.mark.parametrize(("form", "conforms"), [(None, True), ("application/zip", False)])
def test_a_folder_that_came_packed_is_judged_as_it_came(tmp_path: Path, form: str | None, conforms: bool) -> None:
    made = make_bag(tmp_path / "bag", tags={"bag-info.txt": INFO.encode()})
    profile = read_profile(json.dumps(a_profile(Serialization="forbidden")).encode(), file="p.json")
    answer = check_bag(made, profile=profile, form=form)
    assert (answer.valid, answer.conforms) == (True, conforms)


def test_a_file_that_two_of_three_manifests_list_names_both(tmp_path: Path) -> None:
    made = make_bag(tmp_path / "bag", algorithms=("md5", "sha1", "sha256"))
    (made / "manifest-sha256.txt").write_bytes(b"")
    found = [each for each in check_bag(made).findings if each.code == "file-unlisted"]
    assert {each.seen for each in found} == {"manifest-md5.txt, manifest-sha1.txt"}


@pytest.mark.parametrize(("size", "codes"), [(10, []), (11, ["tag-file-too-long"])])
def test_a_tag_file_is_read_up_to_its_limit(tmp_path: Path, size: int, codes: list[str]) -> None:
    asked: list[int] = []

    class Asked(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(-1 if size is None else size)
            return super().read(size)

    (tmp_path / "t.txt").write_bytes(b"x" * size)
    notes = Notes()
    view = replace(folder_view(tmp_path, notes), open=lambda _path: Asked(b"x" * size))
    raw = read_bounded(view, "t.txt", 10, notes)
    assert raw == (None if codes else b"x" * size)
    assert [each.code for each in notes.findings()] == codes
    assert asked == [11]  # one byte more tells that it is too long; nothing is read for nothing


def lines_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> tuple[list[str], list[Any]]:
    """The lines of a tag file, in a view of two files, and what was found; at most 7 lines, of at most 10 characters."""
    monkeypatch.setattr(tag_grammar, "_MOST_LINES", 3)
    monkeypatch.setattr(tag_grammar, "_LINES_PER_FILE", 2)
    monkeypatch.setattr(tag_grammar, "LONGEST_LINE", 10)
    (tmp_path / "t.txt").write_text(text, "utf-8")
    (tmp_path / "other").touch()
    notes = Notes()
    declared = tag_grammar.Declaration("1.0", "utf-8")
    seen = [line for _, line in tag_grammar.lines_of(folder_view(tmp_path, notes), "t.txt", declared, notes)]
    return seen, [(f.severity, f.code, f.path, f.expected, f.seen, str(f.message)) for f in notes.findings()]


def test_a_tag_file_has_as_many_lines_as_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lines_seen(tmp_path, monkeypatch, "x\n" * 7) == (["x"] * 7, [])
    seen, found = lines_seen(tmp_path, monkeypatch, "x\n" * 8)
    assert seen == ["x"] * 7
    words = "This tag file has far more lines than the bag has files; the rest was not read."
    assert found == [("error", "tag-file-too-long", "t.txt", "≤ 7", "> 7", words)]


def test_a_line_is_as_long_as_it_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fits = "x" * 9 + "\n"  # with its end
    assert lines_seen(tmp_path, monkeypatch, fits) == (["x" * 9], [])
    seen, found = lines_seen(tmp_path, monkeypatch, "x" * 20 + "\n")
    assert seen == []
    assert found == [("error", "tag-file-malformed", "t.txt", "≤ 10", "x" * 11, "Line 1 is far too long.")]


def test_a_special_file_of_no_known_kind_is_called_so() -> None:
    notes, view = Notes(), BagView(lambda _path: io.BytesIO())
    assert not is_plain(0o030000, "data/x", view, notes)
    (found,) = notes.findings()
    assert (found.code, found.seen) == ("special-file", "special file")


def test_only_the_first_line_may_begin_with_a_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, _ = lines_seen(tmp_path, monkeypatch, "x\n\ufeffy\n")
    assert seen == ["x", "\ufeffy"]


@pytest.mark.parametrize(("more", "codes"), [(0, ["a"]), (1, ["a", "findings-not-shown"])])
def test_findings_of_a_kind_are_kept_up_to_a_number(more: int, codes: list[str]) -> None:
    notes = Notes()
    for number in range(report.KEPT_PER_CODE + more):
        notes.warning("a", say("x"), str(number), expected="1", seen="2")
    assert list(dict.fromkeys(each.code for each in notes.findings())) == codes
    assert len(notes.findings()) == report.KEPT_PER_CODE + more

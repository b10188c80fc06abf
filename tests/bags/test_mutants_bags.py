"""What mutation testing found unguarded in single functions of the bags; whole answers are in test_judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from preservation.bags.tag_files import bag_info_lines, encoded, human_size, one_line, sync_folder


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

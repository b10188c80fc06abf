"""What the producer supplied, checked: each promise kept, broken, absent or unreadable is told apart."""

from __future__ import annotations

import hashlib

import pytest

from preservation.findings import Severity
from preservation.packages import Supplied, check_supplied
from preservation.progress import Silent


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


FILES = {"scan/0001.tif": b"one", "scan/0002.tif": b"two"}


@pytest.fixture
def check(deliver, make_folder):
    def _check(files, **more) -> Supplied:
        delivery = deliver(make_folder(files, **more))
        return check_supplied(delivery.received, progress=Silent())

    return _check


def found(supplied: Supplied) -> list[tuple[str, str | None]]:
    return [(finding.code, finding.path) for finding in supplied.findings]


def a_list(*lines: tuple[str, bytes], style: str = "{digest}  {name}\n") -> bytes:
    return "".join(style.format(digest=md5(content), name=name) for name, content in lines).encode()


def test_none_supplied_means_fixity_starts_here(check):
    supplied = check(FILES)
    assert (supplied.kind, supplied.checked, supplied.lists) == ("none", 0, ())
    assert [(f.code, f.severity) for f in supplied.findings] == [("fixity-starts-here", Severity.INFO)]


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("scan/md5sums.txt", ["0001.tif", "0002.tif"]),  # relative to the list
        ("md5sums.txt", ["scan/0001.tif", "scan/0002.tif"]),
        ("doc/list.md5", ["../scan/0001.tif", "../scan/0002.tif"]),
        ("doc/list.md5", ["scan/0001.tif", "scan/0002.tif"]),  # relative to the package
        ("md5sums.txt", ["./scan/0001.tif", ".\\scan\\0002.tif"]),
        ("md5sums.txt", ["scan\\0001.tif", "scan/./0002.tif"]),
        ("md5sums.txt", ["book/scan/0001.tif", "book\\scan\\0002.tif"]),  # from above the delivered folder
        ("md5sums.txt", ["D:\\Jobs\\17\\book\\scan\\0001.tif", "/mnt/usb/scan/0002.tif"]),  # the vendor's own disk
    ],
)
def test_however_the_list_writes_the_paths(check, place, names):
    supplied = check(FILES | {place: a_list((names[0], b"one"), (names[1], b"two"))})
    assert found(supplied) == []
    assert (supplied.kind, supplied.algorithms, supplied.lists) == ("checksum-list", ("md5",), (place,))
    assert (supplied.checked, supplied.matched, supplied.absent) == (2, 2, ())


def test_a_file_that_differs(check):
    supplied = check(FILES | {"a.md5": a_list(("scan/0001.tif", b"one"), ("scan/0002.tif", b"before"))})
    (finding,) = supplied.findings
    assert (finding.code, finding.severity, finding.path) == (
        "supplied-digest-differs",
        Severity.ERROR,
        "scan/0002.tif",
    )
    assert (finding.expected, finding.seen) == (md5(b"before"), md5(b"two"))
    assert (supplied.checked, supplied.matched) == (2, 1)


def test_a_file_that_is_absent_is_named(check):
    names = ("scan/0001.tif", b"one"), ("scan/0002.tif", b"two"), ("scan\\0003.tif", b"three"), ("../../x", b"")
    supplied = check(FILES | {"a.md5": a_list(*names)})
    assert found(supplied) == [("supplied-file-missing", "scan/0003.tif"), ("supplied-file-missing", "../../x")]
    assert supplied.absent == ("../../x", "scan/0003.tif")
    assert (supplied.checked, supplied.matched) == (2, 2)


def test_a_file_that_no_list_names(check):
    supplied = check(FILES | {"a.md5": a_list(("scan/0001.tif", b"one")), "Thumbs.db": b""})
    assert [(f.code, f.severity, f.path) for f in supplied.findings] == [
        ("supplied-file-unlisted", Severity.WARNING, "scan/0002.tif")
    ]


def test_litter_counts_neither_as_missing_nor_as_unlisted(check):
    files = {"a.md5": a_list(("0001.tif", b"1"), ("Thumbs.db", b"t"), ("gone/.DS_Store", b"")), "0001.tif": b"1"}
    assert found(check(files | {"Thumbs.db": b"t", "._0001.tif": b"x"})) == []


def test_a_list_that_cannot_be_read_is_a_finding(check):
    supplied = check(
        {"0001.tif": b"1", "a.md5": b"not a digest  0001.tif\n", "b.md5": b"", "c.md5": b"\n# nothing\n"}
    )
    assert found(supplied)[:3] == [
        ("supplied-list-unreadable", "a.md5"),
        ("supplied-list-unreadable", "b.md5"),
        ("supplied-list-unreadable", "c.md5"),
    ]
    assert "Line 1" in str(supplied.findings[0].message)
    assert supplied.kind == "checksum-list"


def test_several_lists_and_one_digest_for_each_file(check):
    files = {
        "0001.tif": b"1",
        "0001.tif.md5": md5(b"1").encode(),
        "0001.tif.sha1": hashlib.sha1(b"x").hexdigest().encode(),
    }
    supplied = check(files)
    assert found(supplied) == [("supplied-digest-differs", "0001.tif")]
    assert supplied.algorithms == ("md5", "sha1")
    assert (supplied.checked, supplied.matched) == (1, 0)


def test_two_promises_for_one_file_cannot_both_hold(check):
    assert found(check({"a": b"1", "x.md5": a_list(("a", b"1"), ("a", b"2"))})) == [("supplied-digest-differs", "a")]


def test_a_list_that_names_itself(check):
    assert found(check({"a": b"1", "x.md5": a_list(("a", b"1"), ("x.md5", b""))})) == []


@pytest.mark.parametrize("listed", ["A\u0309nh.tif", "ẢNH.TIF"])
def test_a_name_written_another_way_is_tolerated_and_told(check, listed):
    supplied = check({"Ảnh.tif": b"1", "x.md5": a_list((listed, b"1"))})
    assert [(f.code, f.severity) for f in supplied.findings] == [("supplied-name-differs", Severity.WARNING)]
    assert supplied.matched == 1


def test_a_name_that_could_be_two_files_is_neither(check):
    files = {"Page.tif": b"1", "page.tif": b"2", "x.md5": a_list(("PAGE.TIF", b"1"))}
    assert ("supplied-file-missing", "PAGE.TIF") in found(check(files))


def test_digests_asked_for_are_taken_in_the_one_pass(deliver, make_folder, make_zip):
    files = FILES | {"zz.csv.md5": a_list(("scan/0001.tif", b"one"), ("scan/0002.tif", b"two"))}
    for source in (make_folder(files), make_zip(files)):
        delivery = deliver(source)
        assert all("md5" in fact.digests for fact in delivery.received.inventory if fact.path.startswith("scan/"))


def test_a_list_in_a_tar_is_checked_too(deliver, make_tar):
    delivery = deliver(make_tar(FILES | {"x.md5": a_list(("scan/0001.tif", b"one"), ("scan/0002.tif", b"changed"))}))
    assert found(check_supplied(delivery.received, progress=Silent())) == [
        ("supplied-digest-differs", "scan/0002.tif")
    ]


def test_a_bsd_list_in_utf16_with_back_slashes_and_upper_case(check):
    lines = f"MD5 (scan\\0001.tif) = {md5(b'one').upper()}\r\nMD5 (scan\\0002.tif) = {md5(b'two').upper()}\r\n"
    assert found(check(FILES | {"BOX.MD5": lines.encode("utf-16")})) == []


def test_names_no_disk_could_hold_are_missing_not_a_crash(check):
    supplied = check({"a": b"1", "x.md5": a_list(("a", b"1"), ("x" * 5000, b""), ("nul\0", b""))})
    assert [code for code, _ in found(supplied)] == ["supplied-file-missing"] * 2

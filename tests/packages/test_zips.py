"""A delivered ZIP: crafted byte by byte where a library would refuse to write it."""

from __future__ import annotations

import stat
import struct
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from preservation.packages import Limits

PAGES = {"book/0001.tif": b"page one" * 1000, "book/ocr/0001.xml": b"<alto/>", "book/empty.txt": b""}


@dataclass(frozen=True)
class Raw:
    """One entry as it shall stand in the archive, true or not."""

    name: bytes
    content: bytes = b"content"
    flags: int = 0
    method: int = 0
    system: int = 3
    mode: int = stat.S_IFREG | 0o644
    local_name: bytes | None = None
    size: int | None = None
    crc: int | None = None
    at: int | None = None
    extra: bytes = b""


def raw_zip(path: Path, *entries: Raw) -> Path:
    body, directory = b"", b""
    for entry in entries:
        packed = entry.content
        if entry.method == 8:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            packed = packer.compress(entry.content) + packer.flush()
        size = len(entry.content) if entry.size is None else entry.size
        crc = zlib.crc32(entry.content) if entry.crc is None else entry.crc
        name = entry.name if entry.local_name is None else entry.local_name
        at = len(body) if entry.at is None else entry.at
        numbers = (entry.flags, entry.method, 0, 0, crc, len(packed), size)
        body += struct.pack("<4s5H3L2H", b"PK\3\4", 20, *numbers, len(name), 0) + name + packed
        directory += struct.pack(
            "<4s2B5H3L5H2L", b"PK\1\2", 20, entry.system, 20, *numbers, len(entry.name), len(entry.extra), 0, 0, 0,
            entry.mode << 16, at,
        )  # fmt: skip
        directory += entry.name + entry.extra
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(entries), len(entries), len(directory), len(body), 0)
    path.write_bytes(body + directory + end)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_names_and_bytes_come_out_as_delivered(deliver, make_zip, method):
    delivery = deliver(make_zip(PAGES, method=method))
    assert delivery.files == PAGES
    assert delivery.findings == ()


def test_the_same_content_has_the_same_digest_in_every_form(deliver, make_zip, make_tar, make_folder):
    digests = {
        deliver(make(PAGES, **more)).received.content_digest
        for make, more in [
            (make_zip, {}),
            (make_tar, {}),
            (make_tar, {"name": "b.tgz"}),
            (make_folder, {"name": "x"}),
        ]
    }
    assert len(digests) == 1


def test_a_zip64_archive(deliver, tmp_path):
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w") as archive, archive.open("a.tif", "w", force_zip64=True) as entry:
        entry.write(b"as if it were large")
    assert deliver(path).files == {"a.tif": b"as if it were large"}


@pytest.mark.parametrize(
    ("count", "code"), [(1, None), (2, "archive-damaged"), (1 << 40, "archive-too-many-entries")]
)
def test_an_end_record_for_more_entries_than_16_bits_count(deliver, tmp_path, count, code):
    path = raw_zip(tmp_path / "a.zip", Raw(b"a"))
    body, end = path.read_bytes()[:-22], path.read_bytes()[-22:]
    length, at = struct.unpack_from("<2L", end, 12)
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, at)
    place = struct.pack("<4sLQL", b"PK\6\7", 0, len(body), 1)
    path.write_bytes(body + record + place + end[:8] + b"\xff" * 12 + b"\0\0")
    delivery = deliver(path)
    assert delivery.errors == ([] if code is None else [(code, "a.zip")])


def test_an_archive_with_a_comment_and_data_written_as_a_stream(deliver, tmp_path):
    path = tmp_path / "stream.zip"
    with path.open("wb") as file:
        out = SimpleNamespace(write=file.write, flush=file.flush)  # it cannot go back, so sizes follow the data
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.tif", b"x" * 5000)
            archive.comment = b"PK\5\6 is not the end, nor is " + b"PK\5\6" * 20
    assert path.read_bytes()[6] & 8
    assert deliver(path).files == {"a.tif": b"x" * 5000}


VIETNAMESE = "Ảnh_Nguyễn_Đình_Chiểu.tif"


def cp1258(text: str) -> bytes:
    """As old Vietnamese Windows writes it: letters with their vowel marks, the tone behind."""
    tones, out = "\u0300\u0301\u0303\u0309\u0323", b""
    for char in text:
        parts = unicodedata.normalize("NFD", char)
        letter = unicodedata.normalize("NFC", "".join(part for part in parts if part not in tones))
        out += (letter + "".join(part for part in parts if part in tones)).encode("cp1258")
    return out


OLD = cp1258(VIETNAMESE)


@pytest.mark.parametrize(
    ("raw", "flags", "original"),
    [
        (VIETNAMESE.encode(), 0x800, False),
        (VIETNAMESE.encode(), 0, False),  # as macOS writes it: UTF-8 without the flag
        (OLD, 0, True),
        (OLD, 0x800, True),  # the flag lies
    ],
)
def test_vietnamese_names(deliver, tmp_path, raw, flags, original):
    delivery = deliver(raw_zip(tmp_path / "a.zip", Raw(raw, flags=flags)))
    assert delivery.files == {VIETNAMESE: b"content"}
    (fact,) = delivery.received.inventory
    assert fact.original_name == (raw if original else None)
    assert delivery.codes == (["name-decoded"] if original else [])


def test_one_archive_with_names_in_several_encodings(deliver, tmp_path):
    names = [VIETNAMESE.encode(), cp1258(VIETNAMESE.replace(".tif", "2.tif")), b"caf\x8e.txt"]
    delivery = deliver(raw_zip(tmp_path / "a.zip", *(Raw(name) for name in names)))
    assert set(delivery.files) == {VIETNAMESE, VIETNAMESE.replace(".tif", "2.tif"), "cafÄ.txt"}


def test_an_nfd_name_stays_nfd(deliver, tmp_path):
    name = "e\u0301.tif"
    assert deliver(raw_zip(tmp_path / "a.zip", Raw(name.encode()))).files == {name: b"content"}


def test_the_name_in_the_unicode_field_is_taken(deliver, tmp_path):
    data = b"\1" + struct.pack("<L", zlib.crc32(b"?.tif")) + VIETNAMESE.encode()
    extra = struct.pack("<2H", 0x7075, len(data)) + data
    delivery = deliver(raw_zip(tmp_path / "a.zip", Raw(b"?.tif", extra=extra)))
    assert delivery.files == {VIETNAMESE: b"content"}
    assert [fact.original_name for fact in delivery.received.inventory] == [b"?.tif"]


def test_back_slashes_of_old_windows_tools_are_folders(deliver, tmp_path):
    path = raw_zip(tmp_path / "a.zip", Raw(rb"book\0001.tif", system=0), Raw(b"book\\ocr\\", b"", system=0))
    delivery = deliver(path)
    assert delivery.files == {"book/0001.tif": b"content"}
    assert delivery.received.empty_folders == ("book/ocr",)
    assert [fact.original_name for fact in delivery.received.inventory] == [rb"book\0001.tif"]


@pytest.mark.parametrize(
    "name",
    [b"../evil", b"/etc/evil", b"a/../../evil", b"C:/evil", rb"C:\evil", rb"\\server\evil", rb"..\evil", b"a//b",
     b"./a", b"a/./b", b"nul\0.tif", b"~/../../x"],
)  # fmt: skip
@pytest.mark.parametrize("system", [0, 3])
def test_names_that_leave_the_package_are_refused_and_nothing_is_written(deliver, tmp_path, name, system):
    delivery = deliver(raw_zip(tmp_path / "a.zip", Raw(name, system=system), Raw(b"ok")))
    assert [code for code, _ in delivery.errors] == ["name-unsafe"]
    assert delivery.files == {"ok": b"content"}
    written = [p for p in tmp_path.rglob("*") if p.is_file() and p.name not in ("lock", ".claims", "a.zip")]
    assert sorted(p.name for p in written) == ["ok"]


@pytest.mark.parametrize("name", [b"a\nb", b"\x1b[31m", b"x" * 256])
def test_names_no_store_can_hold(deliver, tmp_path, name):
    assert deliver(raw_zip(tmp_path / "a.zip", Raw(name), Raw(b"ok"))).errors == [
        ("name-not-storable", name.decode())
    ]


def test_two_entries_of_one_name(deliver, tmp_path):
    path = raw_zip(tmp_path / "a.zip", Raw(b"a", b"first"), Raw(b"a", b"second"), Raw(b"a/b"), Raw(b"ok"))
    delivery = deliver(path)
    assert delivery.errors == [("entry-repeated", "a")]
    assert delivery.files == {"a": b"first", "ok": b"content"}


def test_links_and_special_files(deliver, tmp_path):
    path = raw_zip(
        tmp_path / "a.zip",
        Raw(b"out", b"/etc/passwd", mode=stat.S_IFLNK | 0o777),
        Raw(b"d/in", b"../ok", mode=stat.S_IFLNK | 0o777),
        Raw(b"pipe", mode=stat.S_IFIFO),
        Raw(b"ok"),
    )
    delivery = deliver(path)
    assert delivery.errors == [
        ("link-leaves-package", "out"),
        ("link-not-followed", "d/in"),
        ("special-file", "pipe"),
    ]
    assert delivery.files == {"ok": b"content"}


def test_an_archive_with_a_password(deliver, tmp_path):
    for number, entry in enumerate([Raw(b"a", flags=1), Raw(b"a", method=99), Raw(b"a", flags=0x2000)]):
        delivery = deliver(raw_zip(tmp_path / f"{number}.zip", Raw(b"open"), entry))
        assert delivery.errors == [("archive-encrypted", f"{number}.zip")]


def test_an_archive_cut_short_anywhere(deliver, make_zip):
    path = make_zip(PAGES)
    whole = path.read_bytes()
    for length in range(4, len(whole), 37):
        path.write_bytes(whole[:length])
        delivery = deliver(path)
        assert [code for code, _ in delivery.errors] == ["archive-cut-short"], length


def test_bytes_missing_from_the_middle(deliver, make_zip):
    path = make_zip(PAGES)
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + whole[150:])
    assert deliver(path).errors == [("archive-cut-short", "book.zip")]


def test_a_damaged_entry_is_named_and_the_others_come_in(deliver, make_zip):
    path = make_zip({"a": b"x" * 100, "b": b"good"}, method=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"x" * 100, b"x" * 50 + b"y" + b"x" * 49))
    delivery = deliver(path)
    assert delivery.errors == [("archive-entry-damaged", "a")]
    assert delivery.files == {"b": b"good"}


def test_a_broken_table_of_contents(deliver, make_zip):
    path = make_zip(PAGES)
    path.write_bytes(path.read_bytes().replace(b"PK\1\2", b"PK\1\3", 1))
    assert deliver(path).errors == [("archive-damaged", "book.zip")]


@pytest.mark.parametrize("size", [0, 3, 8, 1 << 27])
@pytest.mark.parametrize("method", [0, 8])
def test_an_announced_size_that_is_not_true(deliver, tmp_path, size, method):
    delivery = deliver(raw_zip(tmp_path / "a.zip", Raw(b"a", size=size, method=method), Raw(b"ok")))
    assert delivery.errors == [("archive-size-lies", "a")]
    assert delivery.files == {"ok": b"content"}


def test_headers_that_disagree(deliver, tmp_path):
    delivery = deliver(raw_zip(tmp_path / "a.zip", Raw(b"shown.tif", local_name=b"other.exe"), Raw(b"ok")))
    assert delivery.errors == [("archive-headers-disagree", "shown.tif")]


def test_entries_that_share_bytes(deliver, tmp_path):
    same = Raw(b"a" * 5, b"x" * 100)
    delivery = deliver(raw_zip(tmp_path / "a.zip", same, replace(same, at=0)))
    assert delivery.errors == [("archive-entries-overlap", "a.zip")]


def test_an_entry_outside_the_archive(deliver, tmp_path):
    assert deliver(raw_zip(tmp_path / "a.zip", Raw(b"a", at=1 << 20))).errors == [("archive-damaged", "a.zip")]


def test_an_entry_that_the_end_record_does_not_count(deliver, tmp_path):
    path = raw_zip(tmp_path / "a.zip", Raw(b"a"), Raw(b"b"))
    whole = bytearray(path.read_bytes())
    whole[-14:-10] = struct.pack("<2H", 1, 1)
    path.write_bytes(whole)
    assert deliver(path).errors == [("archive-damaged", "a.zip")]


def test_a_packing_we_do_not_read(deliver, make_zip):
    delivery = deliver(make_zip({"a": b"a"}, method=zipfile.ZIP_BZIP2))
    assert delivery.errors == [("archive-method-unknown", "a"), ("package-empty", "book.zip")]


def test_one_part_of_several(deliver, make_zip):
    path = make_zip(PAGES)
    whole = bytearray(path.read_bytes())
    whole[-18:-16] = b"\1\0"
    path.write_bytes(whole)
    assert deliver(path).errors == [("archive-in-parts", "book.zip")]


def test_a_bomb_is_stopped_at_the_limit(deliver, make_zip, tmp_path):
    delivery = deliver(make_zip({"zeros": bytes(8 << 20)}), limits=Limits(ratio_from=1 << 20))
    assert delivery.errors == [("package-too-large", "book.zip")]
    assert sum(p.stat().st_size for p in (tmp_path / "staging").rglob("zeros")) == 0  # what was begun is gone


def test_more_bytes_than_a_package_may_hold(deliver, make_zip, make_tar, make_folder):
    files = {"a": b"x" * 3000}
    for source in (make_zip(files), make_tar(files), make_folder(files)):
        assert deliver(source, limits=Limits(total_bytes=2999)).errors == [("package-too-large", source.name)]
    assert deliver(make_zip(files), limits=Limits(total_bytes=3000)).errors == []


def test_too_many_entries(deliver, make_zip):
    delivery = deliver(make_zip({str(n): b"" for n in range(10)}), limits=Limits(entries=9))
    assert delivery.errors == [("archive-too-many-entries", "book.zip")]


def test_an_empty_archive(deliver, make_zip):
    assert deliver(make_zip({})).errors == [("package-empty", "book.zip")]


def test_a_bag_in_a_zip(deliver, make_zip):
    delivery = deliver(make_zip({"x/bagit.txt": b"BagIt", "x/data/a": b"a", "x/meta/t": b"t", "__MACOSX/x/._a": b""}))
    assert delivery.received.is_bag
    assert delivery.files == {"a": b"a"}
    assert [fact.path for fact in delivery.received.given_tag_files] == ["bagit.txt", "meta/t"]

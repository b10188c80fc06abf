"""A delivered tar or tar.gz: read in one pass, and never taken for whole when it is not."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from preservation.packages import Limits

PAGES = {"book/0001.tif": b"page one" * 1000, "book/ocr/0001.xml": b"<alto/>", "book/empty.txt": b""}
LONG = "/".join(["thư mục dài" * 5, "đ" * 100, "tên.tif"])


@pytest.mark.parametrize("name", ["book.tar", "book.tar.gz", "book.tgz"])
@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_names_and_bytes_come_out_as_delivered(deliver, make_tar, name, format):
    files = PAGES | {LONG: b"long", "Ảnh.tif": b"viet"}
    delivery = deliver(make_tar(files, name=name, format=format))
    assert delivery.files == files
    assert delivery.findings == ()


def test_ustar_prefixes_and_leading_dots(deliver, make_tar):
    long = "a" * 60 + "/" + "b" * 60
    delivery = deliver(make_tar({long: b"1", "./dot": b"2", ".//dots": b"3"}, format=tarfile.USTAR_FORMAT))
    assert delivery.files == {long: b"1", "dot": b"2", "dots": b"3"}


def test_the_packed_folder_itself_and_empty_folders(deliver, make_tar):
    folders = {}
    for name in (".", "./empty"):
        folders[name] = tarfile.TarInfo(name)
        folders[name].type = tarfile.DIRTYPE
    delivery = deliver(make_tar(folders | {"./a": b"a"}))
    assert delivery.files == {"a": b"a"}
    assert delivery.received.empty_folders == ("empty",)


def test_a_name_in_cp1258(deliver, tmp_path):
    name = "Tiê\u0301ng.tif".encode("cp1258")
    info = tarfile.TarInfo(name.decode("latin-1"))
    info.size = 3
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT, "latin-1") + b"abc" + bytes(509 + 1024))
    delivery = deliver(path)
    assert delivery.files == {"Tiếng.tif": b"abc"}
    assert [fact.original_name for fact in delivery.received.inventory] == [name]


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "C:\\evil", "a//b"])
def test_names_that_leave_the_package(deliver, make_tar, name):
    delivery = deliver(make_tar({name: b"evil", "ok": b"ok"}))
    assert delivery.errors == [("name-unsafe", name)]
    assert delivery.files == {"ok": b"ok"}


@pytest.mark.parametrize(
    ("type", "target", "code"),
    [
        (tarfile.SYMTYPE, "/etc/passwd", "link-leaves-package"),
        (tarfile.SYMTYPE, "ok", "link-not-followed"),
        (tarfile.LNKTYPE, "ok", "link-not-followed"),
        (tarfile.LNKTYPE, "../../x", "link-leaves-package"),
        (tarfile.FIFOTYPE, "", "special-file"),
        (tarfile.CHRTYPE, "", "special-file"),
        (tarfile.BLKTYPE, "", "special-file"),
    ],
)
def test_links_and_special_files(deliver, make_tar, type, target, code):
    info = tarfile.TarInfo("strange")
    info.type, info.linkname = type, target
    delivery = deliver(make_tar({"ok": b"ok", "strange": info, "after": b"after"}))
    assert delivery.errors == [(code, "strange")]
    assert delivery.files == {"ok": b"ok", "after": b"after"}


def test_a_link_made_first_is_not_written_through(deliver, make_tar, tmp_path):
    info = tarfile.TarInfo("dir")
    info.type, info.linkname = tarfile.SYMTYPE, str(tmp_path)
    delivery = deliver(make_tar({"dir": info, "dir/evil": b"evil"}))
    assert delivery.errors == [("link-leaves-package", "dir")]
    assert not (tmp_path / "evil").exists()


def test_two_entries_of_one_name(deliver, tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name, content in [("a", b"first"), ("a", b"second"), ("a/b", b"below a file"), ("ok", b"ok")]:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    delivery = deliver(path)
    assert delivery.errors == [("entry-repeated", "a")]
    assert delivery.files == {"a": b"first", "ok": b"ok"}


@pytest.mark.parametrize("name", ["book.tar", "book.tgz"])
def test_an_archive_cut_short_anywhere(deliver, make_tar, name):
    path = make_tar(PAGES, name=name)
    whole = path.read_bytes()
    lengths = list(range(20, len(whole), 97))
    if name.endswith(".tar"):  # after the two blocks of zeros that end it only padding goes missing
        content = -(-len(whole.rstrip(b"\0")) // 512) * 512
        lengths = [*range(520, content, 97), content, content + 511, content + 512, content + 1023]
    for length in lengths:
        path.write_bytes(whole[:length])
        assert deliver(path).errors[0] == ("archive-cut-short", name), length


def test_damage_in_a_header_in_the_middle_is_not_the_end(deliver, make_tar):
    path = make_tar({"a": b"a", "b": b"b", "c": b"c"})
    whole = bytearray(path.read_bytes())
    whole[1024 + 5] ^= 1
    path.write_bytes(whole)
    with tarfile.open(path) as archive:
        assert archive.getnames() == ["a"]  # what the standard library makes of it, silently
    assert deliver(path).errors == [("archive-damaged", "book.tar")]


def test_damage_in_a_gzip(deliver, make_tar):
    path = make_tar(PAGES, name="book.tgz")
    whole = path.read_bytes()
    for at, code in [(len(whole) // 2, "archive-damaged"), (len(whole) - 6, "archive-damaged")]:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        assert deliver(path).errors[0] == (code, "book.tgz")


def test_what_stands_after_the_end(deliver, make_tar):
    path = make_tar({"a": b"a"})
    path.write_bytes(path.read_bytes() * 2)
    assert deliver(path).errors == [("archive-data-after-end", "book.tar")]


def test_a_gzip_that_holds_no_tar(deliver, tmp_path):
    path = tmp_path / "letter.txt.gz"
    path.write_bytes(gzip.compress(b"Dear librarian, " * 100))
    assert deliver(path).errors == [("archive-damaged", "letter.txt.gz")]


def test_a_sparse_file(deliver, make_tar):
    info = tarfile.TarInfo("holes")
    info.pax_headers = {"GNU.sparse.map": "0,1"}
    delivery = deliver(make_tar({"holes": info, "ok": b"ok"}))
    assert delivery.errors == [("archive-method-unknown", "holes")]


@pytest.mark.parametrize("header", [b"99 path=x\n", b"x path=x\n", b"6 path", b"9 size=x\n"])
def test_a_broken_extended_header(deliver, tmp_path, header):
    extended, plain = tarfile.TarInfo("pax"), tarfile.TarInfo("a")
    extended.type, extended.size = tarfile.XHDTYPE, len(header)
    path = tmp_path / "a.tar"
    path.write_bytes(extended.tobuf() + header.ljust(512, b"\0") + plain.tobuf() + bytes(1024))
    assert deliver(path).errors == [("archive-damaged", "a.tar")]


def test_an_extended_header_too_large_to_be_one(deliver, tmp_path):
    extended = tarfile.TarInfo("pax")
    extended.type, extended.size = tarfile.XHDTYPE, 2 << 20
    path = tmp_path / "a.tar"
    path.write_bytes(extended.tobuf() + bytes(4 << 20))
    assert deliver(path).errors == [("archive-damaged", "a.tar")]


@pytest.mark.parametrize("name", ["bomb.tgz", "bomb.tar.gz"])
def test_a_bomb_is_stopped_at_the_limit(deliver, make_tar, name, tmp_path):
    delivery = deliver(make_tar({"zeros": bytes(8 << 20)}, name=name), limits=Limits(ratio_from=1 << 20))
    assert delivery.errors == [("package-too-large", name)]
    assert not list((tmp_path / "staging").rglob("zeros"))


def test_an_extended_header_without_its_entry(deliver, tmp_path):
    extended = tarfile.TarInfo("pax")
    extended.type, extended.size = tarfile.XHDTYPE, 10
    path = tmp_path / "a.tar"
    path.write_bytes(extended.tobuf() + b"10 path=x\n".ljust(512, b"\0") + bytes(1024))
    assert deliver(path).errors == [("archive-damaged", "a.tar")]


def test_a_bomb_of_refused_entries_is_stopped_too(deliver, make_tar):
    delivery = deliver(make_tar({"../zeros": bytes(8 << 20)}, name="b.tgz"), limits=Limits(ratio_from=1 << 20))
    assert delivery.errors == [("name-unsafe", "../zeros"), ("package-too-large", "b.tgz")]


def test_too_many_entries(deliver, make_tar):
    delivery = deliver(make_tar({str(n): b"" for n in range(10)}), limits=Limits(entries=9))
    assert delivery.errors == [("archive-too-many-entries", "book.tar")]


def test_an_empty_archive(deliver, make_tar):
    assert deliver(make_tar({})).errors == [("package-empty", "book.tar")]


def test_a_bag_in_a_tar_and_names_all_stand_in_the_end(deliver, make_tar):
    delivery = deliver(make_tar({"x/bagit.txt": b"BagIt", "x/data/é": b"1", "x/data/e\u0301": b"2"}, name="b.tar.gz"))
    assert delivery.received.is_bag
    assert delivery.files == {"é": b"1", "e\u0301": b"2"}
    assert [code for code, _ in delivery.errors] == ["names-collide"]

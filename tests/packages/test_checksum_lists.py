"""Checksum lists in every dialect that vendors were seen to deliver, each read to the same promises."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preservation.packages.checksum_lists import (
    Listed,
    Unreadable,
    algorithms_in,
    is_a_list,
    perhaps_a_list,
    read_list,
    surely_a_list,
)

MD5 = hashlib.md5(b"page").hexdigest()
SHA = hashlib.sha256(b"page").hexdigest()
SHA512 = hashlib.sha512(b"page").hexdigest()


def read(tmp_path, content: bytes | str) -> list[Listed | Unreadable]:
    path = tmp_path / "list"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_list(path))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (f"{MD5}  a/0001.tif", "a/0001.tif"),
        (f"{MD5} *a/0001.tif", "a/0001.tif"),
        (f"{MD5} a/0001.tif", "a/0001.tif"),
        (f"{MD5}\ta/0001.tif", "a/0001.tif"),
        (f"{MD5}\t*a/0001.tif", "a/0001.tif"),
        (f"{MD5.upper()}  a\\0001.tif", "a\\0001.tif"),
        (f"{MD5}  ./a/0001.tif", "./a/0001.tif"),
        (f"{MD5}   leading blank", " leading blank"),
        (f"{MD5}  with  two blanks, and a comma.tif", "with  two blanks, and a comma.tif"),
        (f"{MD5}  Unit.tif", "Unit.tif"),
        (f"{MD5} Unit.tif", "Unit.tif"),
        (f"\\{MD5}  new\\nline\\\\back", "new\nline\\back"),
        (f"{MD5}  Ảnh đẹp.tif", "Ảnh đẹp.tif"),
        (f"MD5 (a/0001.tif) = {MD5}", "a/0001.tif"),
        (f"md5 (a/0001.tif) = {MD5.upper()}", "a/0001.tif"),
        (f"MD5(a (copy).tif)= {MD5}", "a (copy).tif"),
        (f"\\MD5 (new\\nline) = {MD5}", "new\nline"),
        (f"a/0001.tif  {MD5}", "a/0001.tif"),
        (f"a/0001.tif *{MD5}", "a/0001.tif"),
        (f"a/0001.tif: {MD5}", "a/0001.tif"),
        (f"a/0001.tif = {MD5}", "a/0001.tif"),
        (f"MD5             {MD5.upper()}       D:\\Scan\\0001.tif   ", "D:\\Scan\\0001.tif"),
        (f"a/0001.tif,{MD5}", "a/0001.tif"),
        (f"{MD5},a/0001.tif", "a/0001.tif"),
        (f'"a, b.tif";"{MD5}"', "a, b.tif"),
        (f"a/0001.tif\t123456\t{MD5}\t2026-11-22", "a/0001.tif"),
        (f"12345,a/0001.tif,{MD5}", "a/0001.tif"),
        (f"2026-11-22 10:00;12345;a/0001.tif;{MD5}", "a/0001.tif"),
        (MD5, None),
        (MD5 + "  ", None),
    ],
)
def test_one_line_of_each_style(tmp_path, line, name):
    assert read(tmp_path, line + "\n") == [Listed(name, "md5", MD5)]
    assert read(tmp_path, line) == [Listed(name, "md5", MD5)]


@pytest.mark.parametrize("word", ["SHA256", "SHA-256", "sha256", "sha-256"])
def test_bsd_style_names_its_algorithm(tmp_path, word):
    assert read(tmp_path, f"{word} (x) = {SHA}\n") == [Listed("x", "sha256", SHA)]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-16-le-mark", "utf-16-be-mark"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("style", ["{digest}  {name}", "{name};{digest}", "MD5 ({name}) = {digest}"])
def test_every_style_in_every_encoding_and_line_end(tmp_path, encoding, end, style):
    names = ["a/0001.tif", "Ảnh Nguyễn Đình Chiểu.tif"]
    text = "".join(style.format(name=name, digest=MD5) + end for name in names)
    if encoding.endswith("-mark"):
        encoding, text = encoding.removesuffix("-mark"), "\ufeff" + text
    assert read(tmp_path, text.encode(encoding)) == [Listed(name, "md5", MD5) for name in names]


def test_names_in_cp1258(tmp_path):
    half_composed = "Tiê\u0301ng Viê\u0323t.tif"
    assert read(tmp_path, f"{MD5}  {half_composed}\r\n".encode("cp1258")) == [Listed("Tiếng Việt.tif", "md5", MD5)]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("File,MD5", "a.tif,{md5}"),
        ("Filename;Size;Checksum", "a.tif;123;{md5}"),
        ("md5\tpath", "{md5}\ta.tif"),
        ('"Algorithm","Hash","Path"', '"MD5","{md5}","a.tif"'),
        ("STT;Tên tệp;Mã băm", "1;a.tif;{md5}"),
        ("Folder,File name,Md5 hash", ",a.tif,{md5}"),
    ],
)
def test_tables_with_a_header(tmp_path, header, row):
    assert read(tmp_path, f"{header}\n{row.format(md5=MD5.upper())}\n") == [Listed("a.tif", "md5", MD5)]


def test_a_table_with_folders_and_two_digests(tmp_path):
    text = f"Folder,File,MD5,SHA-256\nbook\\,a.tif,{MD5},{SHA}\n"
    assert read(tmp_path, text) == [Listed("book/a.tif", "md5", MD5), Listed("book/a.tif", "sha256", SHA)]


def test_a_digest_of_another_length_than_its_header_says_is_unreadable(tmp_path):
    assert read(tmp_path, f"file,sha256\na.tif,{MD5}\n") == [Unreadable(2, f"a.tif,{MD5}")]


def test_comments_and_blank_lines_are_passed_over_but_never_a_digest(tmp_path):
    text = f"# made by a tool\n\n; 22/11/2026\n// x\n%%% y\n{MD5}  a\n#1.tif;{MD5}\n"
    assert read(tmp_path, text) == [Listed("a", "md5", MD5), Listed("#1.tif", "md5", MD5)]


def test_powershell(tmp_path):
    text = f"\r\nAlgorithm       Hash        Path\r\n---------       ----        ----\r\nSHA256          {SHA}       a\r\n"
    assert read(tmp_path, text.encode("utf-16")) == [Listed("a", "sha256", SHA)]


@pytest.mark.parametrize(
    "line",
    ["hello", MD5[:-1] + "  a.tif", MD5 + "a  a.tif", f"SHA256 (a) = {MD5}", f"MD6 (a) = {MD5}", "a,b,c"],
)
def test_what_cannot_be_read_is_said_with_its_line(tmp_path, line):
    assert read(tmp_path, f"{SHA512}  good\n{line}\n") == [Listed("good", "sha512", SHA512), Unreadable(2, line)]


def test_an_endless_line_does_not_fill_the_memory(tmp_path):
    lines = read(tmp_path, b"x" * (1 << 20))
    assert all(isinstance(line, Unreadable) and len(line.text) == 200 for line in lines)


@pytest.mark.parametrize(
    "name",
    ["book.md5", "BOOK.MD5", "a/x.sha256", "x.sha-512", "MD5SUMS", "md5sum.txt", "SHA256SUMS", "sha1sums.csv", "x.md5sum",
     "checksum.txt", "checksums.md5", "Checksums-box3.csv", "checksum_2026.tsv", "check_sums.txt", "md5.txt"],
)  # fmt: skip
def test_names_that_say_it(name):
    assert surely_a_list(name)


@pytest.mark.parametrize(
    "name",
    [
        "0001_manifest.txt",
        "hashes.csv",
        "Mã băm.csv",
        "Ma\u0303 ba\u0306m.csv",
        "delivery-md5-list.txt",
        "fixity.txt",
    ],
)
def test_names_that_may_say_it(tmp_path, name):
    assert perhaps_a_list(name) and not surely_a_list(name)
    path = tmp_path / name
    path.write_text(f"{MD5}  a\n")
    assert is_a_list(path, name=name)
    path.write_text("Everything in this box was scanned in 2026.\n")
    assert not is_a_list(path, name=name)
    path.write_text(f"The disk has the digest\n{MD5}\nand was packed in Huế.\n")
    assert not is_a_list(path, name=name)


@pytest.mark.parametrize("name", ["SHA256SUMS.asc", "book.tif", "manifesto.pdf", "md5/0001.tif", "readme.txt"])
def test_names_of_other_files(name):
    assert not perhaps_a_list(name)


def test_the_algorithms_a_list_asks_for(tmp_path):
    path = tmp_path / "list.md5"
    path.write_text(f"{MD5}  a\n{SHA}  b\nrubbish\n")
    assert algorithms_in(path) == {"md5", "sha256"}


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: not name.isspace() and "\r" not in name and not name.startswith("*")
)


@given(st.lists(NAMES, min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_whatever_sha256sum_writes_is_read_back(tmp_path_factory, names):
    path = tmp_path_factory.getbasetemp() / "property-list"
    lines = []
    for name in names:
        escaped = name.replace("\\", "\\\\").replace("\n", "\\n")
        lines.append(("\\" if escaped != name else "") + f"{SHA}  {escaped}\n")
    path.write_bytes("".join(lines).encode())
    assert list(read_list(path)) == [Listed(name, "sha256", SHA) for name in names]

"""Bags in ZIP and tar: judged without unpacking, whatever the archive tries."""

from __future__ import annotations

import io
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from preservation.bags import check
from preservation.bags.check import check_bag
from preservation.errors import PackageUnreadable
from tests.bags.bag_maker import make_bag

PAYLOAD = {"data/Ảnh/Nguyễn.tif": b"II*\x00" * 3000, "data/b.txt": b"hai"}
FORMS = ("zip", "tar", "tar.gz")


def pack(folder: Path, form: str, *, top: str = "bag-1/") -> Path:
    archive = folder.with_suffix(f".{form}")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if form == "zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
            for path in files:
                out.write(path, top + path.relative_to(folder).as_posix())
    else:
        with tarfile.open(archive, "w:gz" if form == "tar.gz" else "w") as out:
            for path in files:
                out.add(path, top + path.relative_to(folder).as_posix())
    return archive


def codes(path: Path) -> set[str]:
    return {finding.code for finding in check_bag(path).findings if finding.severity == "error"}


@pytest.mark.parametrize("top", ["", "bag-1/", "./", "Túi số 1/"])
@pytest.mark.parametrize("form", FORMS)
def test_a_packed_bag_is_judged_like_a_folder(form, top, tmp_path):
    report = check_bag(pack(make_bag(tmp_path / "bag", PAYLOAD), form, top=top))
    assert report.valid, report.findings
    assert (report.checked, report.matched, report.payload_bytes) == (2, 2, 12003)


@pytest.mark.parametrize("form", FORMS)
def test_damage_inside_is_found(form, tmp_path):
    bag = make_bag(tmp_path / "bag", PAYLOAD)
    (bag / "data/b.txt").write_bytes(b"ha1")
    assert [(f.code, f.path) for f in check_bag(pack(bag, form)).findings] == [("digest-differs", "data/b.txt")]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cut", [0.1, 0.5, 0.8, 0.999])
def test_cut_short(form, cut, tmp_path):
    archive = pack(make_bag(tmp_path / "bag", {"data/x": os.urandom(50_000), **PAYLOAD}), form)
    os.truncate(archive, int(archive.stat().st_size * cut))
    if form == "tar" and cut > 0.9:
        assert check_bag(archive).valid  # only some of the zeros after the end are gone
    else:
        assert codes(archive) == {"archive-unreadable"}


def test_a_tar_cut_between_two_members(tmp_path):
    """Python's tarfile would take it for the end, and the bag without its tag manifest would be valid."""
    archive = pack(make_bag(tmp_path / "bag", PAYLOAD), "tar", top="")
    with tarfile.open(archive) as members:
        last = max(members, key=lambda member: member.offset)
    assert last.name == "tagmanifest-sha256.txt"
    os.truncate(archive, last.offset)
    assert codes(archive) == {"archive-unreadable"}


@pytest.mark.parametrize("form", FORMS)
def test_every_flipped_byte_is_noticed_or_harmless(form, tmp_path):
    """Flipping any one byte never crashes, and never gives a valid bag with other content."""
    archive = pack(make_bag(tmp_path / "bag", {"data/x": b"abc" * 50}), form)
    original = archive.read_bytes()
    for position in range(0, len(original), max(1, len(original) // 150)):
        changed = bytearray(original)
        changed[position] ^= 0x41
        archive.write_bytes(changed)
        report = check_bag(archive)
        assert not report.valid or (report.payload_files, report.payload_bytes) == (1, 150)


def test_zip_without_the_utf8_flag(tmp_path):
    """macOS and many tools write UTF-8 names without saying so."""
    archive = pack(make_bag(tmp_path / "bag", PAYLOAD), "zip")
    raw = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := raw.find(signature, start + 1)) >= 0:
            flags = struct.unpack_from("<H", raw, start + offset)[0]
            struct.pack_into("<H", raw, start + offset, flags & ~0x800)
    archive.write_bytes(raw)
    assert check_bag(archive).valid


def zip_with(tmp_path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    archive = pack(make_bag(tmp_path / "bag", PAYLOAD), "zip", top="")
    with zipfile.ZipFile(archive, "a") as out:
        for name, content in entries:
            out.writestr(name, content)
    return archive


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "data/../../evil", "C:\\evil", "\\\\server\\evil", "data//x"]
)
def test_entries_that_would_leave_the_bag(name, tmp_path):
    info = zipfile.ZipInfo("x")
    info.filename = name
    assert "archive-path-unsafe" in codes(zip_with(tmp_path, (info, b"x")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_entries(tmp_path):
    assert codes(zip_with(tmp_path, ("data/b.txt", b"hai"))) == {"archive-duplicate"}


def test_zip_link_and_encrypted(tmp_path):
    link = zipfile.ZipInfo("data/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert codes(zip_with(tmp_path, (link, b"b.txt"))) == {"link-in-bag"}
    archive = pack(make_bag(tmp_path / "bag2", PAYLOAD), "zip", top="")
    raw = bytearray(archive.read_bytes())
    raw[raw.find(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(raw)
    assert "archive-encrypted" in codes(archive)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (tarfile.SYMTYPE, "link-in-bag"),
        (tarfile.LNKTYPE, "link-in-bag"),
        (tarfile.FIFOTYPE, "special-file"),
        (tarfile.CHRTYPE, "special-file"),
    ],
)
def test_tar_members_that_are_no_files(kind, code, tmp_path):
    archive = pack(make_bag(tmp_path / "bag", PAYLOAD), "tar", top="")
    with tarfile.open(archive, "a") as out:
        member = tarfile.TarInfo("data/special")
        member.type, member.linkname = kind, "data/b.txt"
        out.addfile(member)
    assert codes(archive) == {code}


def test_two_bags_in_one_archive_are_none(tmp_path):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as out:
        for top in ("one", "two"):
            out.writestr(f"{top}/bagit.txt", "x")
    assert "bagit-txt-missing" in codes(tmp_path / "two.zip")


def test_what_lies_beside_the_bag_is_named(tmp_path):
    archive = pack(make_bag(tmp_path / "bag", PAYLOAD), "zip")
    with zipfile.ZipFile(archive, "a") as out:
        out.writestr("__MACOSX/bag-1/._b.txt", b"x")
    report = check_bag(archive)
    assert report.valid
    assert [(f.code, f.path) for f in report.findings] == [("archive-outside-bag", "__MACOSX/bag-1/._b.txt")]


@pytest.mark.timeout(30)
def test_bombs_are_refused_at_once(tmp_path):
    archive = zip_with(tmp_path, ("data/zeros", bytes(1000)))
    raw = bytearray(archive.read_bytes())
    struct.pack_into("<I", raw, raw.rfind(b"PK\x01\x02") + 24, 3 << 30)  # its size, as the directory promises it
    archive.write_bytes(raw)
    assert codes(archive) == {"archive-unreadable"}
    member = tarfile.TarInfo("data/zeros")
    member.size = 1 << 60
    (tmp_path / "bomb.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    assert codes(tmp_path / "bomb.tar") == {"archive-unreadable"}


@pytest.mark.timeout(20)
def test_what_is_no_bag_at_all(tmp_path):
    (tmp_path / "text").write_text("xin chào")
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text.zip").write_bytes(b"PK\x03\x04 but no more")
    (tmp_path / "text.tar.gz").write_bytes(b"\x1f\x8b but no more")
    assert codes(tmp_path / "text") == codes(tmp_path / "empty") == codes(tmp_path / "pipe") == {"not-a-bag"}
    assert codes(tmp_path / "text.zip") == codes(tmp_path / "text.tar.gz") == {"archive-unreadable"}
    assert "bagit-txt-missing" in codes(tmp_path / "folder")
    with pytest.raises(PackageUnreadable) as caught:
        check_bag(tmp_path / "nowhere")
    assert caught.value.findings[0].code == "source-not-found"


def test_nothing_is_left_open(tmp_path):
    archive = pack(make_bag(tmp_path / "bag", PAYLOAD), "tar.gz")
    before = len(list(Path("/proc/self/fd").iterdir()))
    check_bag(archive)
    check_bag(tmp_path / "bag")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_tar_of_tars_is_just_payload(tmp_path):
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as out:
        out.addfile(tarfile.TarInfo("bagit.txt"))
    assert check_bag(pack(make_bag(tmp_path / "bag", {"data/in.tar": inner.getvalue()}), "tar")).valid


@pytest.mark.timeout(20)
def test_a_name_of_ten_thousand_folders(tmp_path):
    assert codes(zip_with(tmp_path, ("data/" + "a/" * 30_000 + "x", b"x"))) == {"archive-path-unsafe"}


def test_unreadable_is_not_damaged(tmp_path):
    """The ZIP's own checksum stops the reading: nothing is said about the bytes of the file itself."""
    bag = make_bag(tmp_path / "bag", PAYLOAD)
    with zipfile.ZipFile(tmp_path / "bag.zip", "w", zipfile.ZIP_STORED) as out:
        for path in sorted(p for p in bag.rglob("*") if p.is_file()):
            out.write(path, path.relative_to(bag).as_posix())
    raw = bytearray((tmp_path / "bag.zip").read_bytes())
    raw[raw.find(b"II*\x00") + 4] ^= 1
    (tmp_path / "bag.zip").write_bytes(raw)
    assert [(f.code, f.path) for f in check_bag(tmp_path / "bag.zip").findings] == [
        ("file-unreadable", "data/Ảnh/Nguyễn.tif")
    ]


def test_a_file_that_shrinks_after_the_look_is_unreadable_too(tmp_path, monkeypatch):
    bag = make_bag(tmp_path / "bag", PAYLOAD)
    real = check.read_manifests

    def meanwhile(*args):
        os.truncate(bag / "data/b.txt", 1)
        return real(*args)

    monkeypatch.setattr(check, "read_manifests", meanwhile)
    assert [(f.code, f.path) for f in check_bag(bag).findings] == [("file-unreadable", "data/b.txt")]

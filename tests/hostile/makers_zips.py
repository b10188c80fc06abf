"""Hostile ZIP files: bombs, lies about sizes and names, entries that overlap, repeat, hide or lead out."""

from __future__ import annotations

import stat
import struct
import unicodedata
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.hostile.case import Case, a_file, case
from tests.hostile.raw_zip import FOLDER, Raw, central, cp1258, overlapping, raw_zip, unicode_name, zeros

MIB = 1 << 20
OK = Raw(b"ok")
VIET = "Ảnh_Nguyễn_Đình_Chiểu.tif"
LINK = stat.S_IFLNK | 0o777


def zipped(*entries: Raw, **how: object) -> partial[bytes]:
    return a_file("gói.zip", lambda _: raw_zip(entries, **how))  # type: ignore[return-value,arg-type]


def bombs() -> Iterator[Case]:
    yield case("rejected--zip-bomb-of-zeros", a_file("bomb.zip", lambda _: bomb(1024)), "package-too-large")
    yield case(
        "rejected--zip-bomb-announced-small",
        a_file("bomb.zip", lambda _: bomb(512, size=1000)),
        "archive-size-lies",
        "package-empty",
    )
    yield case(
        "rejected--zip-bomb-of-many-entries",
        a_file("bomb.zip", lambda _: bomb(4, entries=300)),
        "package-too-large",
    )
    yield case(
        "rejected--zip-bomb-overlapping",
        a_file("bomb.zip", lambda _: overlapping(2000, kernel=8 * MIB)),
        "archive-entries-overlap",
    )
    yield case(
        "rejected--zip-announces-16-exabytes", a_file("b.zip", lambda _: zip64(size=1 << 63)), "package-too-large"
    )
    yield case(
        "rejected--zip-of-two-million-entries-announced",
        a_file("b.zip", lambda _: counted(2_000_000)),
        "archive-too-many-entries",
    )
    yield case("accepted--zip-bomb-inside-a-zip-stays-packed", a_file("p.zip", lambda _: stored(inner=bomb(300))))
    yield case("accepted--zip-in-zip-in-zip-30-deep", a_file("p.zip", lambda _: matryoshka(30)))


def lies() -> Iterator[Case]:
    yield case("rejected--zip-announces-more-than-comes", zipped(Raw(b"a", size=1000), OK), "archive-size-lies")
    yield case("rejected--zip-announces-less-than-comes", zipped(Raw(b"a", size=3), OK), "archive-size-lies")
    yield case(
        "rejected--zip-deflated-announces-nothing", zipped(Raw(b"a", method=8, size=0), OK), "archive-size-lies"
    )
    yield case(
        "rejected--zip-deflated-announces-a-gibibyte",
        zipped(Raw(b"a", method=8, size=1 << 30), OK),
        "package-too-large",
    )
    yield case("rejected--zip-local-size-differs", zipped(Raw(b"a", local_size=8), OK), "archive-headers-disagree")
    yield case("rejected--zip-local-crc-differs", zipped(Raw(b"a", local_crc=1), OK), "archive-headers-disagree")
    yield case(
        "rejected--zip-local-name-differs",
        zipped(Raw(b"shown.tif", local_name=b"other.exe"), OK),
        "archive-headers-disagree",
    )
    yield case(
        "rejected--zip-local-method-differs", zipped(Raw(b"a", local_method=8), OK), "archive-headers-disagree"
    )
    yield case("rejected--zip-wrong-crc", zipped(Raw(b"a", crc=7), OK), "archive-entry-damaged")
    yield case(
        "rejected--zip-packed-size-runs-into-the-next",
        zipped(Raw(b"a", packed=30, size=30), OK),
        "archive-entries-overlap",
    )
    yield case("rejected--zip-entry-outside-the-archive", zipped(Raw(b"a", at=1 << 20)), "archive-damaged")
    yield case("rejected--zip-entry-in-the-directory", zipped(Raw(b"a" * 90, at=140)), "archive-damaged")
    yield case("rejected--zip-says-fewer-entries", zipped(OK, Raw(b"b"), count=1), "archive-damaged")
    yield case("rejected--zip-says-more-entries", zipped(OK, count=2), "archive-damaged")
    yield case("rejected--zip64-field-too-short", a_file("z.zip", lambda _: zip64(field=b"")), "archive-damaged")
    yield case("rejected--zip64-end-record-missing", a_file("z.zip", lambda _: counted(0xFFFF)), "archive-damaged")
    yield case(
        "rejected--zip-deflated-stream-cut-short",
        zipped(Raw(b"a", b"x" * 5000, method=8, written=Raw(b"", b"x" * 5000, method=8).data[:9]), OK),
        "archive-entry-damaged",
    )
    yield case(
        "rejected--zip-deflated-stream-is-noise",
        zipped(Raw(b"a", method=8, written=b"\xff" * 40), OK),
        "archive-entry-damaged",
    )
    yield case(
        "rejected--zip-100000-entries-that-all-lie",
        a_file("b.zip", lambda _: raw_zip_many(100_000, local_size=2)),
        "archive-headers-disagree",
    )
    yield case(
        "accepted--zip-data-descriptor-lies",
        zipped(Raw(b"a", flags=8, local_size=0, local_crc=0, after=struct.pack("<4s3L", b"PK\7\10", 1, 2, 3)), OK),
        files={"a": b"content", "ok": b"content"},
    )


def hiding() -> Iterator[Case]:
    yield case("rejected--zip-entry-twice", zipped(Raw(b"a", b"1"), Raw(b"a", b"2")), "entry-repeated")
    yield case(
        "rejected--zip-entry-twice-by-two-encodings",
        zipped(Raw(cp1258(VIET), b"1"), Raw(VIET.encode(), b"2")),
        "entry-repeated",
    )
    yield case(
        "rejected--zip-file-and-folder-of-one-name",
        zipped(Raw(b"a", b"1"), Raw(b"a/b", b"2")),
        "entry-repeated",
    )
    yield case(
        "rejected--zip-second-directory-in-the-comment",
        a_file("two.zip", two_directories),
        "archive-ambiguous",
    )
    yield case(
        "rejected--zip-entry-that-is-not-listed",
        zipped(OK, Raw(b"hidden", listed=False), Raw(b"b")),
        "archive-ambiguous",
    )
    yield case("rejected--zip-first-entry-not-listed", zipped(Raw(b"hidden", listed=False), OK), "archive-ambiguous")
    yield case(
        "accepted-with-event--zip-bytes-between-entries",
        zipped(Raw(b"a", b"gap", after=b"what is this? " * 9), OK),
        "archive-bytes-unlisted",
        files={"a": b"gap", "ok": b"content"},
    )
    yield case(
        "rejected--zip-program-before-it", a_file("setup.zip", lambda _: b"MZ" + raw_zip([OK])), "not-a-package"
    )
    yield case(
        "rejected--zip-garbage-before-it",
        zipped(OK, before=b"PK\3\4 not an entry", shift=-19),
        "archive-cut-short",
    )
    yield case(
        "rejected--zip-garbage-behind-it",
        a_file("z.zip", lambda _: raw_zip([OK]) + b"more"),
        "archive-cut-short",
    )
    yield case(
        "accepted--zip-comment-full-of-signatures",
        zipped(OK, comment=b"PK\5\6" * 400 + b"\x1b[2J PK\1\2 PK\3\4"),
        files={"ok": b"content"},
    )
    yield case("rejected--zip-one-part-of-several", zipped(OK, disk=1), "archive-in-parts")
    yield case("rejected--zip-with-a-password", zipped(OK, Raw(b"a", flags=1)), "archive-encrypted")
    yield case("rejected--zip-with-aes", zipped(OK, Raw(b"a", method=99, flags=1)), "archive-encrypted")
    yield case("rejected--zip-directory-encrypted", zipped(OK, Raw(b"a", flags=0x2000)), "archive-encrypted")
    yield case("rejected--zip-bzip2", zipped(Raw(b"a", method=12), OK), "archive-method-unknown")
    yield case("rejected--zip-deflate64", zipped(Raw(b"a", method=9), OK), "archive-method-unknown")
    yield case("rejected--zip-method-65535", zipped(Raw(b"a", method=0xFFFF), OK), "archive-method-unknown")
    yield case("rejected--zip-empty", zipped(), "package-empty")
    yield case("rejected--zip-cut-short", a_file("z.zip", lambda _: raw_zip([OK, OK])[:-30]), "archive-cut-short")
    yield case("rejected--zip-one-signature-and-nothing", a_file("z.zip", b"PK\3\4"), "archive-cut-short")


def leading_out() -> Iterator[Case]:
    for word, name in {
        "dots": b"../evil", "dots-inside": b"a/../../evil", "absolute": b"/etc/vankho-evil", "drive": b"C:/evil",
        "drive-back-slash": rb"C:\evil", "drive-relative": b"C:evil", "unc": rb"\\server\share\evil",
        "unc-slashes": b"//server/evil", "device": rb"\\?\C:\evil", "back-slash-dots": rb"..\..\evil",
        "nul": b"page.tif\0.exe", "empty-part": b"a//b", "dot-part": b"a/./b", "nothing": b"",
    }.items():  # fmt: skip
        yield case(f"rejected--zip-name-{word}", zipped(Raw(name, b"evil"), OK), "name-unsafe")
    yield case("rejected--zip-name-absolute-to-a-folder-nearby", a_file("z.zip", into_the_canary), "name-unsafe")
    yield case(
        "rejected--zip-name-dots-in-the-unicode-field",
        zipped(Raw(b"plain", extra=unicode_name(b"plain", "../../evil")), OK),
        "name-unsafe",
    )
    yield case(
        "accepted--zip-name-tilde",
        zipped(Raw(b"~/page.tif"), Raw(b"~root")),
        files={"~/page.tif": b"content", "~root": b"content"},
    )
    yield case("rejected--zip-link-out", zipped(Raw(b"l", b"/etc/passwd", mode=LINK), OK), "link-leaves-package")
    yield case("rejected--zip-link-inside", zipped(Raw(b"l", b"ok", mode=LINK), OK), "link-not-followed")
    yield case("rejected--zip-link-to-itself", zipped(Raw(b"l", b"l", mode=LINK), OK), "link-not-followed")
    yield case(
        "rejected--zip-link-then-a-file-below-it",
        a_file("z.zip", through_a_link),
        "link-leaves-package",
    )
    yield case(
        "rejected--zip-link-with-a-target-of-a-mebibyte",
        zipped(Raw(b"l", b"../" * 300_000, mode=LINK, method=8), OK),
        "link-leaves-package",
    )
    for word, mode in {"fifo": stat.S_IFIFO, "device": stat.S_IFCHR, "socket": stat.S_IFSOCK}.items():
        yield case(f"rejected--zip-{word}", zipped(Raw(b"s", mode=mode | 0o600), OK), "special-file")


def names() -> Iterator[Case]:
    old = cp1258(VIET)
    yield case("accepted--zip-name-utf-8-without-its-flag", zipped(Raw(VIET.encode())), files={VIET: b"content"})
    yield case("accepted-with-event--zip-name-cp1258", zipped(Raw(old, b"old")), "name-decoded", files={VIET: b"old"})
    yield case(
        "accepted-with-event--zip-name-cp1258-and-a-flag-that-lies",
        zipped(Raw(old, b"flagged", flags=0x800)),
        "name-decoded",
        files={VIET: b"flagged"},
    )
    yield case(
        "accepted-with-event--zip-names-cp1258-cp437-and-utf-8-mixed",
        zipped(Raw(old), Raw(b"caf\x8e.txt"), Raw("Huế.txt".encode())),
        "name-decoded",
        files={VIET: b"content", "cafÄ.txt": b"content", "Huế.txt": b"content"},
    )
    yield case(
        "accepted-with-event--zip-name-tcvn3",
        zipped(Raw(b"V\xa8n b\xb6n.txt")),  # "Văn bản" in a TCVN3 font: cannot be told from Western text
        "name-decoded",
    )
    yield case(
        "accepted-with-event--zip-name-in-the-unicode-field",
        zipped(Raw(b"?.tif", b"stated", extra=unicode_name(b"?.tif", VIET))),
        "name-decoded",
        files={VIET: b"stated"},
    )
    yield case(
        "accepted-with-event--zip-back-slashes-of-windows",
        zipped(Raw(rb"book\1.tif", system=0), Raw(b"book\\ocr\\", b"", system=0, mode=0)),
        "name-decoded",
        "folder-empty",
        files={"book/1.tif": b"content"},
    )
    yield case("accepted--zip-name-nfd", zipped(Raw(unicodedata.normalize("NFD", VIET).encode())))
    yield case(
        "rejected--zip-names-nfc-and-nfd",
        zipped(Raw(VIET.encode()), Raw(unicodedata.normalize("NFD", VIET).encode())),
        "names-collide",
    )
    yield case("rejected--zip-name-256-bytes", zipped(Raw(b"x" * 256), OK), "name-not-storable")
    yield case("rejected--zip-name-65535-bytes", zipped(Raw(b"x" * 0xFFFF), OK), "name-not-storable")
    yield case(
        "rejected--zip-900-names-of-65000-bytes",
        a_file("z.zip", lambda _: raw_zip([Raw(b"%05d" % n + b"x" * 65_000) for n in range(900)])),
        "name-not-storable",
        "package-empty",
    )
    yield case("rejected--zip-name-newline", zipped(Raw(b"a\nerror: b"), OK), "name-not-storable")
    yield case("rejected--zip-name-escape", zipped(Raw(b"\x1b]0;owned\x07\x1b[2J"), OK), "name-not-storable")
    yield case("rejected--zip-name-c1-control", zipped(Raw("\x9b31mred".encode()), OK), "name-not-storable")
    yield case("rejected--zip-10000-folders-deep", zipped(Raw(b"d/" * 10_000 + b"f"), OK), "name-not-storable")
    yield case(
        "accepted-with-event--zip-folders-with-nothing-in-them",
        zipped(Raw(b"ok", b"beside folders"), Raw(b"empty/", b"", mode=FOLDER), Raw(b"e/f/g/", b"", mode=FOLDER)),
        "folder-empty",
    )
    yield case(
        "accepted-with-event--zip-files-of-no-bytes",
        zipped(OK, Raw(b"zero", b"")),
        "format-empty",
        files={"ok": b"content", "zero": b""},
    )


def bomb(mebibytes: int, *, entries: int = 1, **lies: int) -> bytes:
    """Zeros, as many in each entry."""
    data, crc = zeros(mebibytes)
    told = {"size": mebibytes * MIB, "crc": crc, **lies}
    return raw_zip([Raw(b"%d" % number, method=8, written=data, **told) for number in range(entries)])


def zip64(*, size: int = 7, field: bytes | None = None) -> bytes:
    numbers = struct.pack("<Q", size) if field is None else field
    extra = struct.pack("<2H", 1, len(numbers)) + numbers
    return raw_zip([Raw(b"a", size=0xFFFFFFFF, extra=extra), OK])


def counted(count: int) -> bytes:
    if count <= 0xFFFF:
        return raw_zip([OK], count=count)
    whole = raw_zip([OK])
    body, end = whole[:-22], whole[-22:]
    length, at = struct.unpack_from("<2L", end, 12)
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, at)
    return body + record + struct.pack("<4sLQL", b"PK\6\7", 0, len(body), 1) + end[:8] + b"\xff" * 12 + b"\0\0"


def stored(*, inner: bytes) -> bytes:
    return raw_zip([Raw(b"box/inner.zip", inner), OK])


def matryoshka(depth: int) -> bytes:
    whole = b"the smallest"
    for number in range(depth):
        whole = raw_zip([Raw(b"%d.zip" % number, whole, method=8)])
    return whole


def raw_zip_many(count: int, *, local_size: int = 1) -> bytes:
    """So many entries of one byte, written in one go; with another `local_size` the two headers of each disagree."""
    body, directory, crc = bytearray(), bytearray(), zlib.crc32(b"x")
    for number in range(count):
        name, at = b"%06d" % number, len(body)
        body += struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, crc, 1, local_size, 6, 0) + name + b"x"
        directory += central(Raw(name), crc=crc, packed=1, size=1, at=at)
    low = min(count, 0xFFFF)
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), len(body))
    place = struct.pack("<4sLQL", b"PK\6\7", 0, len(body) + len(directory), 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, low, low, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return bytes(body + directory) + record + place + end


def two_directories(_: Path) -> bytes:
    """Both ends reach to the last byte: one reader finds a page, another one a program."""
    first = raw_zip([Raw(b"page.tif")])
    entry = Raw(b"program.exe", b"evil")
    at = len(first)
    second = raw_zip([Raw(b"program.exe", b"evil", at=at)])
    local, rest = second[: second.index(b"PK\1\2")], second[second.index(b"PK\1\2") :]
    rest = bytearray(rest)
    struct.pack_into("<L", rest, len(rest) - 6, at + len(local))
    comment = local + bytes(rest)
    assert entry.name in comment
    whole = bytearray(first + comment)
    struct.pack_into("<H", whole, at - 2, len(comment))
    return bytes(whole)


def into_the_canary(room: Path) -> bytes:
    return raw_zip([Raw(str(room.parents[1] / "canary" / "evil").encode(), b"evil"), OK])


def through_a_link(room: Path) -> bytes:
    target = str(room.parents[1] / "canary").encode()
    return raw_zip([Raw(b"d", target, mode=LINK), Raw(b"d/evil", b"evil"), OK])


CASES = [*bombs(), *lies(), *hiding(), *leading_out(), *names()]

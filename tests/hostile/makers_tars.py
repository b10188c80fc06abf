"""Hostile tars: bombs, headers that lie, entries that repeat, lead out, or are no files at all."""

from __future__ import annotations

import gzip
import io
import tarfile
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.case import Case, Make, a_file, case
from tests.hostile.raw_zip import cp1258, zeros

MIB = 1 << 20
END = bytes(1024)
VIET = "Ảnh_Nguyễn_Đình_Chiểu.tif"


def entry(
    name: str | bytes, content: bytes = b"content", *, type: bytes = tarfile.REGTYPE, **header: object
) -> bytes:
    """Header and content of one entry; `size` in the header may lie."""
    info = tarfile.TarInfo(name if isinstance(name, str) else name.decode("latin-1"))
    info.type, info.size = type, len(content)
    for field, value in header.items():
        setattr(info, field, value)
    written = info.tobuf(tarfile.GNU_FORMAT, "utf-8" if isinstance(name, str) else "latin-1")
    return written + content + bytes(-len(content) % 512)


def pax(*records: tuple[bytes, bytes], type: bytes = tarfile.XHDTYPE) -> bytes:
    """An extended header of these records."""
    return entry("pax", b"".join(record(key, value) for key, value in records), type=type)


def record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    while len(str(length)) + len(key) + len(value) + 3 != length:
        length = len(str(length)) + len(key) + len(value) + 3
    return b"%d %s=%s\n" % (length, key, value)


OK = entry("ok")


def tarred(*parts: bytes, end: bytes = END) -> Make:
    return a_file("gói.tar", b"".join(parts) + end)


def zipped(*parts: bytes, end: bytes = END) -> Make:
    return a_file("gói.tar.gz", lambda _: gzip.compress(b"".join(parts) + end))


def bombs() -> Iterator[Case]:
    yield case("rejected--tar-gz-bomb-of-zeros", a_file("b.tgz", lambda _: bomb(2048)), "package-too-large")
    yield case(
        "rejected--tar-gz-bomb-of-refused-entries",
        a_file("b.tgz", lambda _: bomb(1024, name="../zeros")),
        "package-too-large",
        "name-unsafe",
    )
    yield case("rejected--tar-gz-bomb-behind-the-end", a_file("b.tgz", bomb_behind_the_end), "package-too-large")
    yield case("rejected--tar-gz-bomb-of-extended-headers", a_file("b.tgz", lambda _: pax_bomb(4)), "archive-damaged")
    yield case(
        "rejected--tar-gz-bomb-of-empty-extended-headers",
        a_file("b.tgz", lambda _: gzip.compress(entry("pax", b"", type=tarfile.XHDTYPE) * 100_000 + OK + END)),
        "archive-damaged",
    )
    yield case(
        "accepted--tar-one-extended-header-of-200000-records",
        a_file(
            "p.tar",
            lambda _: entry("pax", b"5 a=\n" * 200_000, type=tarfile.XHDTYPE) + entry("after", b"records") + END,
        ),
        files={"after": b"records"},
    )
    yield case(
        "rejected--tar-extended-header-of-a-gibibyte",
        tarred(entry("pax", b"", type=tarfile.XHDTYPE, size=1 << 30)),
        "archive-damaged",
    )
    yield case(
        "rejected--tar-gnu-name-of-a-gibibyte",
        tarred(entry("././@LongLink", b"", type=tarfile.GNUTYPE_LONGNAME, size=1 << 30)),
        "archive-damaged",
    )
    yield case(
        "rejected--tar-gz-200-gnu-names-of-900-kilobytes",
        a_file("b.tgz", lambda _: long_names(200, 900_000)),
        "name-not-storable",
        "package-empty",
    )
    yield case("accepted--tar-bomb-inside-a-tar-stays-packed", a_file("p.tar", lambda _: nested()))


def lies() -> Iterator[Case]:
    yield case("rejected--tar-announces-exabytes", tarred(entry("a", size=1 << 62)), "archive-cut-short")
    yield case("rejected--tar-announces-more-than-comes", tarred(entry("a", size=5000)), "archive-cut-short")
    yield case("rejected--tar-announces-less-than-comes", tarred(entry("a", b"x" * 3000, size=3)), "archive-damaged")
    yield case("rejected--tar-negative-size", tarred(negative()), "archive-damaged")
    yield case("rejected--tar-pax-size-of-5000-digits", tarred(pax((b"size", b"9" * 5000)), OK), "archive-damaged")
    yield case("rejected--tar-pax-size-is-a-word", tarred(pax((b"size", b"many")), OK), "archive-damaged")
    yield case("rejected--tar-pax-size-negative", tarred(pax((b"size", b"-1")), OK), "archive-damaged")
    yield case(
        "rejected--tar-pax-length-of-5000-digits",
        tarred(entry("pax", b"9" * 5000 + b" path=x\n", type=tarfile.XHDTYPE), OK),
        "archive-damaged",
    )
    yield case(
        "rejected--tar-pax-length-lies",
        tarred(entry("pax", b"999 path=x\n", type=tarfile.XHDTYPE), OK),
        "archive-damaged",
    )
    yield case(
        "rejected--tar-pax-length-zero",
        tarred(entry("pax", b"0 path=x\n", type=tarfile.XHDTYPE), OK),
        "archive-damaged",
    )
    yield case("rejected--tar-pax-without-entry", tarred(pax((b"path", b"x"))), "archive-damaged")
    yield case("rejected--tar-checksum-of-header-wrong", tarred(OK, b"?" + OK[1:]), "archive-damaged")
    yield case("rejected--tar-cut-short", tarred(OK, end=b""), "archive-cut-short")
    yield case("rejected--tar-cut-in-the-content", tarred(entry("a", b"x" * 600)[:800], end=b""), "archive-cut-short")
    yield case("rejected--tar-one-end-block", tarred(OK, end=bytes(512)), "archive-cut-short")
    yield case("rejected--tar-goes-on-after-its-end", tarred(OK, END, entry("hidden")), "archive-data-after-end")
    yield case("rejected--tar-gz-cut-short", a_file("p.tgz", gzip.compress(OK + END)[:-6]), "archive-cut-short")
    yield case("rejected--tar-gz-wrong-crc", a_file("p.tgz", wrong_crc()), "archive-damaged")
    yield case(
        "rejected--tar-gz-garbage-behind-it", a_file("p.tgz", gzip.compress(OK + END) + b"more"), "archive-damaged"
    )
    yield case(
        "accepted--tar-gz-in-two-members",
        a_file("p.tgz", gzip.compress(entry("two", b"two members")) + gzip.compress(END)),
    )
    yield case("rejected--gz-that-is-no-tar", a_file("p.gz", gzip.compress(b"only text " * 200)), "archive-damaged")
    yield case("rejected--gz-in-gz", a_file("p.gz", gzip.compress(gzip.compress(OK + END))), "archive-cut-short")
    yield case("rejected--gz-name-without-end", a_file("p.gz", b"\x1f\x8b\x08\x08" + b"\0" * 6 + b"n" * MIB), "archive-cut-short")  # fmt: skip
    yield case("rejected--tar-empty", tarred(), "package-empty")
    yield case("rejected--tar-of-zeros-only", a_file("z.tar", bytes(10240)), "package-empty")
    yield case("rejected--tar-sparse-gnu-of-exabytes", tarred(sparse(), OK), "archive-method-unknown")
    yield case(
        "rejected--tar-sparse-pax",
        tarred(pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.realsize", b"9" * 18)), entry("s", bytes(512)), OK),
        "archive-method-unknown",
    )


def leading_out() -> Iterator[Case]:
    for word, name in {
        "dots": "../evil", "dots-inside": "a/../../evil", "absolute": "/etc/vankho-evil", "drive": "C:\\evil",
        "unc": "\\\\server\\share\\evil", "empty-part": "a//b", "back-slash-dots": "..\\evil",
    }.items():  # fmt: skip
        yield case(f"rejected--tar-name-{word}", tarred(entry(name, b"evil"), OK), "name-unsafe")
    yield case("rejected--tar-pax-path-dots", tarred(pax((b"path", b"../evil")), entry("ok2"), OK), "name-unsafe")
    yield case("rejected--tar-pax-path-nul", tarred(pax((b"path", b"a\0b")), entry("x"), OK), "name-unsafe")
    yield case("rejected--tar-pax-path-empty", tarred(pax((b"path", b"")), entry("x"), OK), "name-unsafe")
    yield case(
        "accepted--tar-global-header-with-a-path",
        tarred(pax((b"path", b"../evil"), type=tarfile.XGLTYPE), entry("global", b"header")),
        files={"global": b"header"},
    )
    for word, kind in {"link": tarfile.SYMTYPE, "hard-link": tarfile.LNKTYPE}.items():
        yield case(
            f"rejected--tar-{word}-out",
            tarred(entry("l", b"", type=kind, linkname="/etc/passwd"), OK),
            "link-leaves-package",
        )
        yield case(
            f"rejected--tar-{word}-inside", tarred(OK, entry("l", b"", type=kind, linkname="ok")), "link-not-followed"
        )
    yield case("rejected--tar-links-in-a-loop", tarred(*loop(), OK), "link-not-followed")
    yield case("rejected--tar-link-then-a-file-below-it", a_file("t.tar", through_a_link), "link-leaves-package")
    yield case(
        "rejected--tar-link-target-of-a-mebibyte",
        tarred(pax((b"linkpath", b"../" * 300_000)), entry("l", b"", type=tarfile.SYMTYPE), OK),
        "link-leaves-package",
    )
    for word, kind in {
        "fifo": tarfile.FIFOTYPE, "character-device": tarfile.CHRTYPE, "block-device": tarfile.BLKTYPE,
        "multi-volume": b"M", "volume-label": b"V", "unheard-of-type": b"Z",
    }.items():  # fmt: skip
        yield case(f"rejected--tar-{word}", tarred(entry("s", b"", type=kind), OK), "special-file")
    yield case("rejected--tar-entry-twice", tarred(entry("a", b"1"), entry("a", b"2")), "entry-repeated")
    yield case("rejected--tar-file-and-folder-of-one-name", tarred(entry("a"), entry("a/b")), "entry-repeated")


def names() -> Iterator[Case]:
    old = cp1258(VIET)
    yield case(
        "accepted-with-event--tar-name-cp1258",
        tarred(entry(old, b"in a tar")),
        "name-decoded",
        files={VIET: b"in a tar"},
    )
    yield case(
        "accepted-with-event--tar-name-not-utf-8-in-pax",
        tarred(pax((b"hdrcharset", b"BINARY"), (b"path", b"caf\x8e.txt")), entry("x")),
        "name-decoded",
        files={"cafÄ.txt": b"content"},
    )
    yield case(
        "rejected--tar-names-nfc-and-nfd",
        tarred(entry(VIET), entry(unicodedata.normalize("NFD", VIET))),
        "names-collide",
    )
    yield case("rejected--tar-name-newline", tarred(entry("a\nb"), OK), "name-not-storable")
    yield case("rejected--tar-name-256-bytes", tarred(entry("x" * 256), OK), "name-not-storable")
    yield case("rejected--tar-10000-folders-deep", tarred(entry("d/" * 10_000 + "f"), OK), "name-not-storable")
    yield case(
        "rejected--tar-600-nested-folders",
        a_file("t.tgz", lambda _: nested_folders(600)),
        "name-not-storable",
    )
    yield case(
        "accepted-with-event--tar-files-of-no-bytes",
        tarred(entry("one", b"1"), entry("zero", b"")),
        "format-empty",
        files={"one": b"1", "zero": b""},
    )


def bomb(mebibytes: int, *, name: str = "zeros") -> bytes:
    """A gzipped tar of one entry of zeros. Its own checksum is wrong: nobody gets that far."""
    info = tarfile.TarInfo(name)
    info.size = mebibytes * MIB
    return gzipped_zeros(info.tobuf(), mebibytes)


def gzipped_zeros(first: bytes, mebibytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(first) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\2\3" + head + zeros(mebibytes)[0] + bytes(8)


def packed(pieces: list[bytes]) -> bytes:
    return gzip.compress(b"".join(pieces))


def bomb_behind_the_end(_: Path) -> bytes:
    return gzipped_zeros(OK + END, 1024)


def pax_bomb(headers: int) -> bytes:
    """Every key of every header is another one, and no entry ever comes."""
    whole = io.BytesIO()
    with gzip.GzipFile(fileobj=whole, mode="wb", compresslevel=1) as out:
        for number in range(headers):
            out.write(pax(*((b"%d.%d" % (number, key), b"") for key in range(40_000))))
    return whole.getvalue()


def long_names(count: int, length: int) -> bytes:
    packer, whole = zlib.compressobj(1, zlib.DEFLATED, 31), b""
    for number in range(count):
        name = b"%04d" % number + b"x" * (length - 5) + b"\0"
        whole += packer.compress(entry("././@LongLink", name, type=tarfile.GNUTYPE_LONGNAME) + entry("short"))
    return whole + packer.compress(END) + packer.flush()


def nested() -> bytes:
    return entry("inner.tar.gz", bomb(1024)) + OK + END


def negative() -> bytes:
    info = bytearray(entry("a"))
    info[124:136] = b"\xff" * 12  # base-256: minus one
    info[148:156] = b" " * 8
    info[148:156] = b"%06o\0 " % sum(info[:512])
    return bytes(info)


def wrong_crc() -> bytes:
    whole = bytearray(gzip.compress(OK + END))
    whole[-8] ^= 1
    return bytes(whole)


def sparse() -> bytes:
    return entry("s", bytes(512), type=tarfile.GNUTYPE_SPARSE)


def loop() -> list[bytes]:
    names = ["a", "b", "c"]
    return [
        entry(name, b"", type=tarfile.SYMTYPE, linkname=after)
        for name, after in zip(names, [*names[1:], names[0]], strict=True)
    ]


def through_a_link(room: Path) -> bytes:
    target = str(room.parents[1] / "canary")
    return entry("d", b"", type=tarfile.SYMTYPE, linkname=target) + entry("d/evil", b"evil") + OK + END


def nested_folders(depth: int) -> bytes:
    whole, path = [], ""
    for _ in range(depth):
        path += "d/"
        whole.append(entry(path, b"", type=tarfile.DIRTYPE))
    return packed([*whole, OK, END])


CASES = [*bombs(), *lies(), *leading_out(), *names()]

"""Hostile files in harmless packages: XML, images, office documents, PDF. They are kept, never opened by a viewer."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.case import Case, Make, case, folder, lazy
from tests.hostile.makers_zips import raw_zip_many
from tests.hostile.raw_zip import Raw, raw_zip, zeros

MIB = 1 << 20
METS = "http://www.loc.gov/METS/"
PDF = b"%PDF-1.4\n1 0 obj\n<</Type/Catalog>>\nendobj\n"
TIFF_ENDLESS = struct.pack("<2sHL", b"II", 42, 8) + struct.pack("<H", 1) + struct.pack("<2H2L", 254, 4, 1, 0)


def one(name: str, content: bytes) -> Make:
    return folder({name: content})


def xml() -> Iterator[Case]:
    yield case("accepted--xml-billion-laughs", lazy(lambda: one("mets.xml", laughs())))
    yield case("accepted--xml-quadratic-entity", lazy(lambda: one("mets.xml", quadratic())))
    yield case(
        "accepted--xml-entity-to-a-local-file",
        lazy(lambda: one("mets.xml", doctype(b'<!ENTITY x SYSTEM "file:///etc/passwd">'))),
    )
    yield case("accepted--xml-external-dtd-over-http", dtd_over_http)
    yield case("accepted--xml-parameter-entity-over-http", parameter_over_http)
    yield case("accepted--xml-schema-and-stylesheet-over-http", schema_over_http)
    yield case("accepted--xml-xinclude-of-a-local-file", lazy(lambda: one("mets.xml", xinclude())))
    yield case("accepted--xml-100000-elements-deep", lazy(lambda: one("page.xml", declared() + b"<a>" * 100_000)))
    yield case("accepted--xml-100000-attributes", lazy(lambda: one("page.xml", attributes(100_000))))
    yield case(
        "accepted--xml-attribute-of-10-mebibytes",
        lazy(lambda: one("page.xml", declared() + b'<a b="' + b"x" * (10 * MIB) + b'"/>')),
    )
    yield case(
        "accepted--xml-utf-16",
        lazy(
            lambda: one("mets.xml", f'<?xml version="1.0" encoding="UTF-16"?><mets xmlns="{METS}"/>'.encode("utf-16"))
        ),
    )
    yield case(
        "accepted--xml-utf-7",
        lazy(lambda: one("page.xml", b'<?xml version="1.0" encoding="UTF-7"?>+ADw-mets/+AD4-')),
    )
    yield case(
        "accepted--xml-name-of-a-namespace-without-end",
        lazy(lambda: one("m.xml", declared() + b'<m xmlns="' + b"http://x" * MIB)),
    )
    yield case("accepted--xml-comment-without-end", lazy(lambda: one("m.xml", declared() + b"<!--" + b"- " * MIB)))
    yield case(
        "accepted--xml-cut-short",
        lazy(lambda: one("mets.xml", declared() + f'<mets xmlns="{METS}"><dmdSec'.encode())),
    )
    yield case(
        "accepted--html-with-script",
        lazy(lambda: one("x.html", b"<!DOCTYPE html><html><script>alert(document.cookie)</script></html>")),
    )
    yield case(
        "accepted-with-event--svg-with-script",
        lazy(
            lambda: one(
                "x.svg",
                b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)" version="1.1"/>',
            )
        ),
        "format-mismatch",
    )


def images() -> Iterator[Case]:
    yield case("accepted--png-of-144-megapixels-in-17-kilobytes", lazy(lambda: one("bomb.png", png(12_000, 12_000))))
    yield case(
        "accepted--png-announces-4-gigapixels-squared",
        lazy(lambda: one("huge.png", png(0x7FFFFFFF, 0x7FFFFFFF, rows=1))),
    )
    yield case(
        "accepted--png-chunk-longer-than-the-file",
        lazy(lambda: one("x.png", png(1, 1)[:33] + b"\x7f\xff\xff\xffIDAT")),
    )
    yield case("accepted--png-text-bomb", lazy(lambda: one("x.png", png_text())))
    yield case(
        "accepted--gif-announces-65535-squared",
        lazy(lambda: one("x.gif", b"GIF89a\xff\xff\xff\xff\x80\0\0" + b"\0" * 6 + b";")),
    )
    yield case(
        "accepted--jpeg-cut-short",
        lazy(lambda: one("x.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xdb\0\x43")),
    )
    yield case("accepted--jpeg-announces-65535-squared", lazy(lambda: one("x.jpg", jpeg())))
    yield case(
        "accepted--jp2-cut-short",
        lazy(lambda: one("x.jp2", bytes.fromhex("0000000c6a5020200d0a870a00000014667479706a703220000000006a703220"))),
    )
    yield case(
        "accepted--jp2-box-of-exabytes",
        lazy(
            lambda: one(
                "x.jp2",
                bytes.fromhex(
                    "0000000c6a5020200d0a870a00000014667479706a703220000000006a703220000000016a7032637fffffffffffffff"
                ),
            )
        ),
    )
    yield case("accepted--tiff-cut-short", lazy(lambda: one("x.tif", b"II*\0\x08\0\0\0\xff\xff")))
    yield case(
        "accepted--tiff-directories-in-a-loop", lazy(lambda: one("x.tif", TIFF_ENDLESS + struct.pack("<L", 8)))
    )
    yield case(
        "accepted--tiff-directory-outside-the-file",
        lazy(lambda: one("x.tif", struct.pack("<2sHL", b"MM", 42, 0x7FFFFFFF)[:8].replace(b"*\0", b"\0*"))),
    )
    yield case(
        "accepted--bmp-announces-2-gigapixels",
        lazy(
            lambda: one(
                "x.bmp",
                b"BM"
                + struct.pack("<3L", 54, 0, 54)
                + struct.pack("<Lll2H6L", 40, 0x7FFFFFFF, 0x7FFFFFFF, 1, 24, 0, 0, 0, 0, 0, 0),
            )
        ),
    )


def documents() -> Iterator[Case]:
    yield case(
        "accepted-with-event--docx-bomb",
        lazy(lambda: one("bomb.docx", office("[Content_Types].xml", 200))),
        "format-failed",
    )
    yield case(
        "accepted-with-event--xlsx-bomb",
        lazy(lambda: one("bomb.xlsx", office("xl/workbook.xml", 200))),
        "format-mismatch",
    )
    yield case(
        "accepted-with-event--odt-bomb", lazy(lambda: one("bomb.odt", office("content.xml", 200))), "format-mismatch"
    )
    yield case(
        "accepted-with-event--docx-with-a-lying-directory",
        lazy(lambda: one("x.docx", raw_zip([Raw(b"[Content_Types].xml", size=1 << 31)]))),
        "format-mismatch",
    )
    yield case(
        "accepted-with-event--docx-entity-bomb", lazy(lambda: one("x.docx", docx(laughs()))), "format-mismatch"
    )
    yield case("accepted--zip-of-200000-entries-as-a-file", lazy(lambda: one("many.zip", raw_zip_many(200_000))))
    yield case("accepted--ole2-sectors-in-a-loop", lazy(lambda: one("x.doc", ole_loop())))
    yield case("accepted--ole2-lying-directory", lazy(lambda: one("x.doc", ole_loop(first=0x7FFFFFF0))))
    yield case("accepted--ole2-header-only", lazy(lambda: one("x.doc", bytes.fromhex("d0cf11e0a1b11ae1"))))
    yield case(
        "accepted-with-event--zip-with-a-password-as-a-file",
        lazy(lambda: one("x.zip", raw_zip([Raw(b"a", flags=1)]))),
        "file-encrypted",
    )
    yield case(
        "accepted-with-event--pdf-with-a-password",
        lazy(lambda: one("x.pdf", pdf(b"/Encrypt 5 0 R"))),
        "file-encrypted",
    )
    yield case(
        "accepted--pdf-with-javascript",
        lazy(lambda: one("x.pdf", pdf(b"/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>"))),
    )
    yield case(
        "accepted--pdf-that-starts-a-program", lazy(lambda: one("x.pdf", pdf(b"/OpenAction<</S/Launch/F(cmd.exe)>>")))
    )
    yield case(
        "accepted--pdf-stream-bomb",
        lazy(lambda: one("x.pdf", PDF + zlib.compress(zlib.compress(bytes(200 * MIB), 9), 9) + b"\n%%EOF\n")),
    )
    yield case("accepted--pdf-nested-300000-deep", lazy(lambda: one("x.pdf", PDF + b"[" * 300_000 + b"\n%%EOF\n")))
    yield case(
        "accepted-with-event--program-called-tif",
        lazy(lambda: one("x.tif", b"MZ" + b"\0" * 58 + struct.pack("<L", 64) + b"PE\0\0" + b"\0" * 200)),
        "format-mismatch",
    )
    yield case(
        "accepted--eicar",
        lazy(lambda: one("x.com", rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-" + rb"ANTIVIRUS-TEST-FILE!$H+H*")),
    )
    yield case(
        "accepted--polyglot-pdf-zip",
        lazy(lambda: one("x.pdf", PDF + raw_zip([Raw(b"a")], before=b""))),
    )
    yield case(
        "accepted-with-event--noise-of-8-mebibytes",
        lazy(lambda: one("x", random.Random(1).randbytes(8 * MIB))),
        "format-unknown",
    )
    yield case("accepted--line-of-16-mebibytes", lazy(lambda: one("x.txt", b"a" * (16 * MIB))))
    yield case(
        "accepted--python-module-called-like-ours",
        lazy(
            lambda: folder(
                {"preservation/formats/worker.py": b"raise SystemExit", "fido.py": b"1/0", "sitecustomize.py": b"1/0"}
            )
        ),
    )
    yield case(
        "accepted--file-that-slows-regular-expressions",
        lazy(lambda: one("x.pdf", b"%PDF-1.4\n" + b"/OutputIntent<<" * 8000 + b"GTS_PDFX" * 3000)),
    )


def declared() -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8"?>'


def doctype(inside: bytes) -> bytes:
    return declared() + b"<!DOCTYPE mets [" + inside + b']><mets xmlns="' + METS.encode() + b'">&x;</mets>'


def laughs() -> bytes:
    lines = b'<!ENTITY l0 "ha">' + b"".join(
        b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 30)
    )
    return doctype(lines + b'<!ENTITY x "&l29;">')


def quadratic() -> bytes:
    return doctype(b'<!ENTITY y "' + b"a" * 50_000 + b'"><!ENTITY x "' + b"&y;" * 50_000 + b'">')


def port(room: Path) -> int:
    """Where somebody listens who must hear nothing."""
    return int((room.parents[1] / "port").read_text())


def dtd_over_http(room: Path) -> Path:
    text = declared() + b'<!DOCTYPE mets SYSTEM "http://127.0.0.1:%d/x.dtd"><mets xmlns="%s"/>' % (
        port(room),
        METS.encode(),
    )
    return folder({"mets.xml": text})(room)


def parameter_over_http(room: Path) -> Path:
    text = doctype(b'<!ENTITY %% p SYSTEM "http://127.0.0.1:%d/p">%%p;<!ENTITY x "y">' % port(room))
    return folder({"mets.xml": text})(room)


def schema_over_http(room: Path) -> Path:
    where = b"http://127.0.0.1:%d" % port(room)
    text = declared() + b'<?xml-stylesheet type="text/xsl" href="%s/x.xsl"?>' % where
    text += b'<mets xmlns="%s" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="%s %s/x.xsd"/>' % (
        METS.encode(), METS.encode(), where,
    )  # fmt: skip
    return folder({"mets.xml": text})(room)


def xinclude() -> bytes:
    inside = b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'
    return declared() + b'<mets xmlns="' + METS.encode() + b'">' + inside + b"</mets>"


def attributes(count: int) -> bytes:
    return declared() + b"<a " + b" ".join(b'a%d=""' % n for n in range(count)) + b"/>"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def png(width: int, height: int, *, rows: int | None = None) -> bytes:
    """A white picture of so many pixels, one bit each."""
    row = bytes(1 + (width + 7) // 8) if rows is None else bytes(100)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(rows or height)) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">2L5B", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def png_text() -> bytes:
    whole = png(1, 1)
    return whole[:33] + chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(64 * MIB), 9)) + whole[33:]


def jpeg() -> bytes:
    frame = b"\xff\xc0\0\x0b\x08\xff\xff\xff\xff\1\1\x11\0"
    return b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + frame + b"\xff\xd9"


def office(part: str, mebibytes: int) -> bytes:
    data, crc = zeros(mebibytes)
    return raw_zip([Raw(part.encode(), method=8, written=data, size=mebibytes * MIB, crc=crc)])


def docx(part: bytes) -> bytes:
    return raw_zip([Raw(b"[Content_Types].xml", part, method=8), Raw(b"word/document.xml", part, method=8)])


def ole_loop(*, first: int = 0) -> bytes:
    """A compound file whose table of sectors, and whose directory, refer to themselves."""
    head = bytearray(512)
    head[:8] = bytes.fromhex("d0cf11e0a1b11ae1")
    struct.pack_into("<5H", head, 24, 0x3E, 3, 0xFFFE, 9, 6)
    struct.pack_into("<9L", head, 40, 0, 1, first, 0, 4096, first, 0x7FFFFFFF, first, 0x7FFFFFFF)
    struct.pack_into("<109L", head, 76, *([0] * 109))
    return bytes(head) + struct.pack("<128L", *([0] * 128)) * 4


def pdf(more: bytes) -> bytes:
    return PDF + b"trailer\n<</Root 1 0 R " + more + b">>\n%%EOF\n"


CASES = [*xml(), *images(), *documents()]

"""Makes the sample packages: what libraries and scanning vendors deliver, good and bad, from code and seeds alone.

Promises: the same names and bytes on every run; Vietnamese names and contents; a few megabytes in all.
"""

from __future__ import annotations

import hashlib
import io
import time
import unicodedata
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from examples.book import write_book
from examples.pages import PPI, draw_page
from examples.texts import BANH_TROI_NUOC, CHINH_PHU_NGAM, KIEU, LUC_VAN_TIEN, QUA_DEO_NGANG, Work
from wording import Message, say

_DATE = (2026, 1, 15, 8, 0, 0)
_THUMBS = bytes.fromhex("d0cf11e0a1b11ae1").ljust(2048, b"\0")  # what Windows leaves behind: an OLE 2 file


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample package: where it is, what must become of it, and the findings that must be its only errors."""

    name: str
    path: Path
    expected: Literal["accepted", "rejected"]
    about: Message
    reasons: tuple[str, ...] = ()


def make_samples(folder: Path) -> list[Sample]:
    """Write the five sample packages into `folder`. FileExistsError when one of them is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_book(folder), _vendor_delivery(folder), _old_zip(folder), _bag(folder), _bad_delivery(folder)]


def _book(folder: Path) -> Sample:
    path = folder / "Truyện Kiều - bản quét"
    write_book(path, KIEU, identifier="MAU-0001", date="1925", seed=100)
    return Sample(
        "book",
        path,
        "accepted",
        say("A book: page scans in TIFF, the text of each page in ALTO, METS over all, and a descriptor."),
    )


def _vendor_delivery(folder: Path) -> Sample:
    path = folder / "Lục Vân Tiên - Nguyễn Đình Chiểu"
    (path / "Ảnh").mkdir(parents=True)
    files = {f"Ảnh/{name}": content for name, content in _jpegs(LUC_VAN_TIEN, seed=200).items()}
    files["Lục Vân Tiên.pdf"] = _pdf(LUC_VAN_TIEN, seed=200)
    _write(path, files)
    (path / "checksum.md5").write_bytes(windows_md5_list(files))
    (path / "Ảnh" / "Thumbs.db").write_bytes(_THUMBS)
    return Sample(
        "vendor-delivery",
        path,
        "accepted",
        say("Scans from a vendor: JPEG pages, a PDF, an MD5 list written by Windows, and a leftover Thumbs.db."),
    )


def _old_zip(folder: Path) -> Sample:
    path = folder / "Thơ Hồ Xuân Hương.zip"
    names = {f"Bánh trôi nước/Ảnh số {name}": data for name, data in _jpegs(BANH_TROI_NUOC, seed=300).items()}
    with path.open("xb") as out:
        out.write(cp1258_zip(names))
    return Sample(
        "old-zip",
        path,
        "accepted",
        say("A ZIP file from an old Windows program: its Vietnamese names are in code page 1258."),
    )


def _bag(folder: Path) -> Sample:
    path = folder / "Chinh phụ ngâm khúc"
    payload = {f"data/Trang {name}": content for name, content in _tiffs(CHINH_PHU_NGAM, seed=400).items()}
    size = sum(map(len, payload.values()))
    info = {
        "Source-Organization": "Thư viện mẫu",
        "External-Identifier": "MAU-0004",
        "External-Description": CHINH_PHU_NGAM.title,
        "Bagging-Date": "2026-01-15",
        "Payload-Oxum": f"{size}.{len(payload)}",
    }
    tags = {
        "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": "".join(f"{label}: {value}\n" for label, value in info.items()).encode(),
        "manifest-sha512.txt": _manifest(payload),
    }
    (path / "data").mkdir(parents=True)
    _write(path, payload | tags | {"tagmanifest-sha512.txt": _manifest(tags)})
    return Sample("bag", path, "accepted", say("A bag made elsewhere, with SHA-512 manifests of its own."))


def _bad_delivery(folder: Path) -> Sample:
    path = folder / "Qua Đèo Ngang - giao thiếu"
    path.mkdir()
    files = _jpegs(QUA_DEO_NGANG, seed=500)
    listed = files | {"0003.jpg": b"a page that was never delivered"}
    lines = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(listed.items()))
    (path / "SHA256SUMS").write_text("".join(lines), "utf-8")
    _write(path, files | {"0002.jpg": _spoilt(files["0002.jpg"])})
    return Sample(
        "bad-delivery",
        path,
        "rejected",
        say(
            "A delivery that must be rejected: one page differs from the vendor's list, another was never delivered."
        ),
        reasons=("supplied-digest-differs", "supplied-file-missing"),
    )


def windows_md5_list(files: Mapping[str, bytes]) -> bytes:
    """An MD5 list as a Windows tool writes it: UTF-16 with a byte order mark, CRLF, upper case, back-slashes."""
    lines = (
        f"{hashlib.md5(content, usedforsecurity=False).hexdigest().upper()} *{name.replace('/', chr(92))}\r\n"
        for name, content in sorted(files.items())
    )
    return "\ufeff".encode("utf-16-le") + "".join(lines).encode("utf-16-le")


def cp1258(text: str) -> bytes:
    """The text in code page 1258, which knows tones only as marks after the letter. UnicodeEncodeError otherwise."""
    encoded = bytearray()
    for letter in unicodedata.normalize("NFC", text):
        try:
            encoded += letter.encode("cp1258")
        except UnicodeEncodeError:
            parts = unicodedata.normalize("NFD", letter)
            tone = next(part for part in parts if part in "\u0300\u0301\u0303\u0309\u0323")
            encoded += unicodedata.normalize("NFC", parts.replace(tone, "")).encode("cp1258")
            encoded += tone.encode("cp1258")
    return bytes(encoded)


def cp1258_zip(files: Mapping[str, bytes]) -> bytes:
    """A ZIP whose names are raw code page 1258 bytes, UTF-8 flag (bit 11) off.

    `zipfile` writes names as ASCII or UTF-8 only, so it is given ASCII names of the same
    length, which are then replaced.
    """
    out = io.BytesIO()
    names: dict[bytes, bytes] = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for index, (name, content) in enumerate(files.items()):
            raw = cp1258(name)
            stand_in = f"~{index:03}".ljust(len(raw), "~")
            names[stand_in.encode()] = raw
            entry = zipfile.ZipInfo(stand_in, date_time=_DATE)
            entry.create_system = 0  # MS-DOS and Windows
            archive.writestr(entry, content)
    data = out.getvalue()
    for stand_in_bytes, raw in names.items():
        if data.count(stand_in_bytes) != 2:  # its header and the central directory
            raise AssertionError("a stand-in name occurs elsewhere in the sample's bytes; choose another")
        data = data.replace(stand_in_bytes, raw)
    return data


def _jpegs(work: Work, *, seed: int) -> dict[str, bytes]:
    return {f"{n:04}.jpg": _encoded(image, "JPEG", quality=80) for n, image in _images(work, seed=seed)}


def _tiffs(work: Work, *, seed: int) -> dict[str, bytes]:
    return {f"{n:04}.tif": _encoded(image, "TIFF", compression="tiff_lzw") for n, image in _images(work, seed=seed)}


def _images(work: Work, *, seed: int) -> list[tuple[int, Image.Image]]:
    return [(n, draw_page(lines, number=n, seed=seed + n).image) for n, lines in enumerate(work.pages, start=1)]


def _encoded(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, dpi=(PPI, PPI), **options)
    return out.getvalue()


def _pdf(work: Work, *, seed: int) -> bytes:
    first, *rest = (image for _, image in _images(work, seed=seed))
    when = time.struct_time((*_DATE, 3, 15, 0))
    out = io.BytesIO()
    first.save(
        out,
        "PDF",
        save_all=True,
        append_images=rest,
        resolution=PPI,
        title=work.title,
        author=work.author,
        creationDate=when,
        modDate=when,
    )
    return out.getvalue()


def _manifest(files: Mapping[str, bytes]) -> bytes:
    lines = (f"{hashlib.sha512(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    return "".join(lines).encode()


def _spoilt(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        with (folder / name).open("xb") as out:
            out.write(content)

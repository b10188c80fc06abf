"""The sets that are measured, made here with fixed seeds: masters, scans, tiny files, diverse files.

    L  one package of large TIFFs, half LZW, half uncompressed, 28 to 60 MB each
    S  packages of 30 files: ALTO, JPEG, JPEG 2000, PDF, text
    M  one package of files of about 4 KB
    D  one package of files of many formats; with VANKHO_CORPORA, PRONOM's skeleton files among them

Real encoders write the pictures, and no two files of a set are alike. Sets are kept in the user's cache folder
(XDG_CACHE_HOME) and made once; a set half made is never taken for a whole one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

SEED = 20261122
FULL = {"L": 40, "S": 200, "M": 20_000, "D": 3_000}  # files; of S: packages
QUICK = {"L": 6, "S": 12, "M": 1_500, "D": 400}
MASTER = (28, 60)  # MB of one TIFF
_RECIPE = "2"  # to be raised when a set comes out different, so that no old one is found in the cache
_WAVE = b"RIFF\x24\x10\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x44\xac\0\0\x88\x58\x01\0\x02\0\x10\0data\0\x10\0\0"
_VERSE = "trăm năm trong cõi người ta chữ tài chữ mệnh khéo là ghét nhau trải qua một cuộc bể dâu"
_WORDS = _VERSE.split()


@dataclass(frozen=True, slots=True)
class Set:
    """One set on disk: the folders of its packages, how many files and bytes they hold."""

    name: str
    packages: tuple[Path, ...]
    files: int
    size: int


def cache_folder() -> Path:
    """Where sets are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vankho-bench"


def make(name: str, count: int, *, cache: Path | None = None, scale: float = 1.0) -> Set:
    """The set of this name with `count` members (S: packages), made unless it is there; `scale` shrinks L's files."""
    corpora = os.environ.get("VANKHO_CORPORA", "") if name == "D" else ""
    variant = f"{name}-{count}-{scale:g}-{_RECIPE}" + ("-skeletons" if corpora else "")
    place = (cache or cache_folder()) / variant
    if not place.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=place.parent))
        drawn = random.Random(f"{SEED} {name}")
        for path, content in _contents(name, count, scale, corpora, drawn):
            file = making / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        making.rename(place)
    packages = tuple(sorted(folder for folder in place.iterdir() if folder.is_dir()))
    sizes = [file.stat().st_size for file in place.rglob("*") if file.is_file()]
    return Set(name, packages, len(sizes), sum(sizes))


def _contents(name: str, count: int, scale: float, corpora: str, drawn: random.Random) -> Iterator[tuple[str, bytes]]:
    if name == "L":
        return _masters(count, scale, drawn)
    if name == "S":
        return _scans(count, drawn)
    if name == "M":
        return _tiny(count, drawn)
    if name == "D":
        return _diverse(count, corpora, drawn)
    raise ValueError(name)


def _masters(count: int, scale: float, drawn: random.Random) -> Iterator[tuple[str, bytes]]:
    levels = bytes(96 + 8 * (value % 16) for value in range(256))  # few greys: LZW has something to find
    for number in range(count):
        packed = number % 2 == 1
        size = int(drawn.uniform(*MASTER) * 1_000_000 * scale * (1.45 if packed else 1))
        width = 4000 if scale == 1 else 400
        pixels = drawn.randbytes(width * (size // width)).translate(levels)
        image = Image.frombytes("L", (width, size // width), pixels)
        content = io.BytesIO()
        image.save(content, "TIFF", dpi=(400, 400), **({"compression": "tiff_lzw"} if packed else {}))
        yield f"masters/{number // 20 + 1:02}/trang-{number:04}.tif", content.getvalue()


def _scans(count: int, drawn: random.Random) -> Iterator[tuple[str, bytes]]:
    jpegs = [_picture("JPEG", (920, 1280), drawn, quality=85) for _ in range(8)]
    jp2s = [_picture("JPEG2000", (420, 600), drawn) for _ in range(4)]
    for number in range(count):
        place = f"tap-{number:04}"
        for page in range(8):
            yield f"{place}/jpeg/{page:04}.jpg", _numbered_jpeg(jpegs[page], drawn)
            yield f"{place}/alto/{page:04}.xml", _alto(drawn, 700)
        for page in range(4):
            yield f"{place}/jp2/{page:04}.jp2", _numbered_jp2(jp2s[page], drawn)
            yield f"{place}/pdf/{page:04}.pdf", _pdf(drawn, 40_000)
        for page in range(6):
            yield f"{place}/van-ban/trang {page}.txt", _prose(drawn, 2_000).encode()


def _tiny(count: int, drawn: random.Random) -> Iterator[tuple[str, bytes]]:
    jpeg = _picture("JPEG", (64, 64), drawn, quality=80)
    kinds = {
        "xml": lambda: _alto(drawn, 40),
        "txt": lambda: _prose(drawn, 4_000).encode(),
        "json": lambda: json.dumps({"trang": drawn.choices(_WORDS, k=300)}, ensure_ascii=False).encode(),
        "csv": lambda: "\n".join(",".join(drawn.choices(_WORDS, k=6)) for _ in range(120)).encode(),
        "jpg": lambda: _numbered_jpeg(jpeg, drawn),
        "pdf": lambda: _pdf(drawn, 3_000),
        "html": lambda: b"<!DOCTYPE html><html><body><p>" + _prose(drawn, 3_500).encode() + b"</p></body></html>",
        "tif": lambda: _tiff(drawn),
    }
    for number in range(count):
        kind = list(kinds)[number % len(kinds)]
        yield f"tep/{number // 500:04}/{number:06}.{kind}", kinds[kind]()


def _diverse(count: int, corpora: str, drawn: random.Random) -> Iterator[tuple[str, bytes]]:
    made = 0
    if corpora:
        with tarfile.open(Path(corpora) / "pronom-skeletons.tar.xz") as packed:
            for member in packed:
                stream = packed.extractfile(member) if member.isfile() else None
                if stream is not None and made < count // 2:
                    yield f"tep/khung/{member.name}", stream.read()
                    made += 1
    kinds = {
        "docx": lambda: _zipped("word/document.xml", drawn),
        "xlsx": lambda: _zipped("xl/workbook.xml", drawn),
        "odt": lambda: _zipped("content.xml", drawn, first="application/vnd.oasis.opendocument.text"),
        "epub": lambda: _zipped("OEBPS/content.opf", drawn, first="application/epub+zip"),
        "zip": lambda: _zipped("ghi-chu.txt", drawn),
        "png": lambda: _picture("PNG", (40, 40), drawn),
        "gif": lambda: _picture("GIF", (60, 60), drawn),
        "bmp": lambda: _picture("BMP", (40, 40), drawn),
        "webp": lambda: _picture("WEBP", (60, 60), drawn),
        "jp2": lambda: _picture("JPEG2000", (60, 60), drawn),
        "jpg": lambda: _picture("JPEG", (200, 200), drawn),
        "tif": lambda: _tiff(drawn),
        "xml": lambda: _alto(drawn, 60),
        "pdf": lambda: _pdf(drawn, 9_000),
        "txt": lambda: _prose(drawn, 5_000).encode(),
        "md": lambda: b"# " + _prose(drawn, 2_000).encode(),
        "wav": lambda: (
            b"RIFF\x24\x10\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x44\xac\0\0\x88\x58\x01\0\x02\0\x10\0data\0\x10\0\0"
            + drawn.randbytes(4096)
        ),
        "bin": lambda: drawn.randbytes(drawn.randrange(1, 20_000)),
        "": lambda: drawn.randbytes(3_000),
    }
    for number in range(made, count):
        kind = list(kinds)[number % len(kinds)]
        yield f"tep/lam/{number:06}{'.' if kind else ''}{kind}", kinds[kind]()


def _picture(form: str, size: tuple[int, int], drawn: random.Random, **options: int) -> bytes:
    coarse = Image.frombytes(
        "RGB", (size[0] // 4, size[1] // 4), drawn.randbytes(3 * (size[0] // 4) * (size[1] // 4))
    )
    content = io.BytesIO()
    coarse.resize(size, Image.Resampling.BILINEAR).save(content, form, **options)
    return content.getvalue()


def _tiff(drawn: random.Random) -> bytes:
    content = io.BytesIO()
    Image.frombytes("L", (60, 60), drawn.randbytes(3600)).save(content, "TIFF")
    return content.getvalue()


def _numbered_jpeg(picture: bytes, drawn: random.Random) -> bytes:
    """The picture with a comment of its own before its end mark."""
    return picture[:-2] + b"\xff\xfe\x00\x22" + drawn.randbytes(16).hex().encode() + picture[-2:]


def _numbered_jp2(picture: bytes, drawn: random.Random) -> bytes:
    """The picture with a box of free space of its own."""
    return picture + (24).to_bytes(4) + b"free" + drawn.randbytes(16)


def _prose(drawn: random.Random, size: int) -> str:
    return " ".join(drawn.choices(_WORDS, k=size // 5))


def _alto(drawn: random.Random, words: int) -> bytes:
    strings = "\n".join(
        f'<String HPOS="{drawn.randrange(3000)}" VPOS="{drawn.randrange(4000)}" WIDTH="90" CONTENT="{word}"/>'
        for word in drawn.choices(_WORDS, k=words)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"><Layout>'
        f'<Page ID="P1"><PrintSpace><TextBlock ID="B1"><TextLine>\n{strings}\n</TextLine></TextBlock></PrintSpace>'
        "</Page></Layout></alto>\n"
    ).encode()


def _pdf(drawn: random.Random, size: int) -> bytes:
    body = drawn.randbytes(size // 2).hex().encode()
    return (
        b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
        b"2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\nendobj\n3 0 obj\n<< /Length "
        + str(len(body)).encode()
        + b" >>\nstream\n"
        + body
        + b"\nendstream\nendobj\n"
        b"trailer\n<< /Root 1 0 R >>\n%%EOF\n"
    )


def _zipped(name: str, drawn: random.Random, *, first: str = "") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        if first:
            packed.writestr(zipfile.ZipInfo("mimetype"), first)
        packed.writestr(zipfile.ZipInfo(name), f"<document>{_prose(drawn, 2_000)}</document>")
    return content.getvalue()


def fingerprint(made: Set) -> str:
    """One digest over all names and bytes of the set: two machines can see whether they measured the same."""
    running = hashlib.sha256()
    for package in made.packages:
        for file in sorted(path for path in package.rglob("*") if path.is_file()):
            running.update(file.relative_to(package.parent).as_posix().encode() + b"\0")
            running.update(hashlib.sha256(file.read_bytes()).digest())
    return running.hexdigest()


def forget(made: Set) -> None:
    """Remove the set from the cache."""
    shutil.rmtree(made.packages[0].parent)

"""Files drawn by seed: what signatures ask for, real encoders' work, containers; then spoilt, cut, grown, renamed.

One number makes one file, the same on every machine that has the same libraries.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import wave
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from preservation.formats.pronom.facts import WINDOW, ContainerSignature, Release, Signature
from tests.formats.ole_maker import ole_file

EXTENSIONS = (
    *("tif", "tiff", "jpg", "jp2", "pdf", "xml", "txt", "csv", "json", "zip", "docx", "doc", "xls", "odt", "epub"),
    *("wav", "mp3", "html", "svg", "gif", "png", "bin", "dat", "TIF", "Pdf"),
)
OFFICE = ("[Content_Types].xml", "mimetype", "META-INF/manifest.xml", "word/document.xml", "_rels/.rels")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A file and the family it is of."""

    family: str
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Sources:
    """What files are drawn from: releases by name, and files that real programs wrote."""

    releases: Mapping[str, Release]
    encoded: Sequence[tuple[str, bytes]]


def draw(seed: int, number: int, sources: Sources) -> Drawn:
    """The file of that number."""
    drawn = random.Random(f"{seed} {number}")
    made = drawn.choices((_signed, _contained, _encoded, _named), (58, 17, 15, 10))[0](drawn, sources)
    name = (
        made.name
        if drawn.random() < 0.6
        else f"{number}.{drawn.choice(EXTENSIONS)}"
        if drawn.random() < 0.8
        else "name"
    )
    return Drawn(made.family, name, _mutated(made.content, drawn))


def _signed(drawn: random.Random, sources: Sources) -> Drawn:
    release = drawn.choice(sorted(sources.releases))
    known = drawn.choice([each for each in sources.releases[release].formats if each.signatures])
    content = from_signature(drawn.choice(known.signatures), drawn)
    if drawn.random() < 0.05:  # two formats in one file
        other = drawn.choice([each for each in sources.releases[release].formats if each.signatures])
        content += from_signature(drawn.choice(other.signatures), drawn)
    return Drawn(f"byte signatures of {release}", f"a.{drawn.choice(known.extensions or ('x',))}", content)


def _contained(drawn: random.Random, sources: Sources) -> Drawn:
    release = drawn.choice(sorted(sources.releases))
    kind = drawn.choice(("ZIP", "OLE2"))
    signature = drawn.choice(sources.releases[release].containers[kind])
    listed = {known.puid: known.extensions for known in sources.releases[release].formats}
    make = _zip if kind == "ZIP" else _ole
    content = make(signature, drawn)
    name = f"a.{drawn.choice(listed.get(signature.puid) or ('x',))}"
    return Drawn(f"{kind} containers of {release}", name, content)


def _encoded(drawn: random.Random, sources: Sources) -> Drawn:
    name, content = drawn.choice(sources.encoded)
    return Drawn("real encoders", name, content)


def _named(drawn: random.Random, sources: Sources) -> Drawn:
    known = [each for each in sources.releases[min(sources.releases)].formats if each.extensions]
    extension = drawn.choice(drawn.choice(known).extensions)
    text = drawn.random() < 0.5
    content = (
        "Trăm năm trong cõi người ta\n".encode() * drawn.randrange(200)
        if text
        else drawn.randbytes(drawn.randrange(9000))
    )
    return Drawn("no signature, a name", f"a.{extension}", content)


def from_signature(signature: Signature, drawn: random.Random) -> bytes:
    """Bytes that all its patterns match, one after the other, with whatever between them."""
    head = b"".join(matching(pattern.regex, drawn) for pattern in signature.patterns if pattern.anchored)
    inside = b"".join(
        drawn.randbytes(drawn.randrange(40)) + matching(pattern.regex, drawn)
        for pattern in signature.patterns
        if not (pattern.anchored or pattern.tail)
    )
    tails = [matching(pattern.regex, drawn) for pattern in signature.patterns if pattern.tail]
    return head + inside + drawn.randbytes(drawn.choice((0, 3, 400, 5000))) + b"".join(tails)


def matching(regex: bytes, drawn: random.Random) -> bytes:
    """Bytes that the expression matches (lookarounds aside)."""
    return b"".join(_piece(code, argument, drawn) for code, argument in parser.parse(regex))


def _piece(code: object, argument: Any, drawn: random.Random) -> bytes:
    if code is codes.LITERAL:
        return bytes([argument])
    if code is codes.ANY:
        return drawn.randbytes(1)
    if code is codes.NOT_LITERAL:
        return bytes([(argument + drawn.randrange(1, 256)) % 256])
    if code is codes.IN:
        return bytes([drawn.choice(_listed(argument))])
    if code is codes.BRANCH:
        return b"".join(_piece(*each, drawn) for each in drawn.choice(argument[1]))
    if code is codes.SUBPATTERN:
        return b"".join(_piece(*each, drawn) for each in argument[3])
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
        low, high, inner = argument
        most = drawn.choices((0, 1, 7, 300, WINDOW), (40, 15, 15, 29, 1))[0]  # FIDO may need seconds for a large one
        high = min(int(high), low + most)
        times = drawn.choice((low, high, drawn.randint(low, high)))
        if list(inner) == [(codes.ANY, None)]:
            return drawn.randbytes(times)
        return b"".join(_piece(*each, drawn) for _ in range(times) for each in inner)
    return b""


def _listed(items: Iterable[tuple[Any, Any]]) -> list[int]:
    listed: set[int] = set()
    negated = False
    for code, argument in items:
        if code is codes.NEGATE:
            negated = True
        elif code is codes.RANGE:
            listed.update(range(argument[0], argument[1] + 1))
        else:
            listed.add(argument)
    return sorted(set(range(256)) - listed if negated else listed)


def _parts(signature: ContainerSignature, drawn: random.Random) -> dict[str, bytes]:
    parts = {
        part.path: b"".join(matching(pattern.regex, drawn) for pattern in part.patterns) for part in signature.parts
    }
    if drawn.random() < 0.2:
        parts.pop(drawn.choice(sorted(parts)))
    return parts


def _zip(signature: ContainerSignature, drawn: random.Random) -> bytes:
    made = io.BytesIO()
    parts = {path: content for path, content in _parts(signature, drawn).items() if path}
    parts |= {drawn.choice(OFFICE): drawn.randbytes(20)} if drawn.random() < 0.3 else {}
    method = drawn.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(made, "w", method) as container:
        for path, content in parts.items():
            container.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), content, method)
    return made.getvalue()


def _ole(signature: ContainerSignature, drawn: random.Random) -> bytes:
    return ole_file(_parts(signature, drawn))


def _mutated(content: bytes, drawn: random.Random) -> bytes:
    if not content:
        return content
    place = drawn.randrange(len(content))
    changes: dict[str, Callable[[], bytes]] = {
        "as it is": lambda: content,
        "a bit": lambda: content[:place] + bytes([content[place] ^ 1 << drawn.randrange(8)]) + content[place + 1 :],
        "early bit": lambda: bytes([content[0] ^ 1 << drawn.randrange(8)]) + content[1:],
        "cut": lambda: content[:place],
        "begins later": lambda: content[place:],
        "pushed": lambda: drawn.randbytes(drawn.choice((1, 3, 4, 1024))) + content,
        "grown": lambda: content + drawn.randbytes(drawn.choice((1, 2, 1025, 70_000, 140_000, 300_000))),
        "in the middle": lambda: content[:place] + drawn.randbytes(drawn.choice((1, 500, 200_000))) + content[place:],
    }
    return drawn.choices([*changes.values()], (50, 14, 6, 8, 3, 5, 9, 5))[0]()


def encoded_files() -> list[tuple[str, bytes]]:
    """What programs write: pictures by Pillow, sound, archives, documents, text."""
    from lxml import etree
    from PIL import Image, features

    drawn = random.Random(118)
    files: list[tuple[str, bytes]] = []
    for mode, size in (
        ("RGB", (40, 30)),
        ("L", (31, 64)),
        ("1", (64, 64)),
        ("RGBA", (20, 20)),
        ("P", (33, 17)),
        ("CMYK", (16, 16)),
    ):
        picture = Image.frombytes(
            mode,
            size,
            drawn.randbytes(size[0] * size[1] * {"RGB": 3, "RGBA": 4, "CMYK": 4}.get(mode, 1))[
                : len(Image.new(mode, size).tobytes())
            ],
        )
        for extension in sorted(Image.registered_extensions()):
            made = io.BytesIO()
            try:
                picture.save(made, Image.registered_extensions()[extension])
            except (OSError, KeyError, ValueError, TypeError, AttributeError):
                continue  # not every kind of picture goes into every format
            files.append((f"a{extension}", made.getvalue()))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4"):
        if features.check("libtiff"):
            made = io.BytesIO()
            Image.new("1" if compression == "group4" else "RGB", (50, 50)).save(made, "TIFF", compression=compression)
            files.append(("a.tif", made.getvalue()))
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(44100)
        sound.writeframes(bytes(4000))
    files.append(("a.wav", made.getvalue()))
    root = etree.Element("{http://www.loc.gov/METS/}mets", nsmap={None: "http://www.loc.gov/METS/"})
    for encoding in ("UTF-8", "UTF-16", "ISO-8859-1", "ASCII"):
        files.append(("a.xml", etree.tostring(root, xml_declaration=True, encoding=encoding)))
    files.append(("a.svg", b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" version="1.1"/>'))
    files.append(("a.html", b"<!DOCTYPE html><html><body>" + "<p>chữ".encode() * 300 + b"</body></html>"))
    files.append(("a.gz", gzip.compress(b"text" * 500, mtime=0)))
    files.append(("a.json", json.dumps({"a": list(range(300))}).encode()))
    files.append(("a.csv", b"a;b;c\n" * 200))
    return files

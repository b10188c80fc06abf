"""A handful of files whose format is beyond doubt: a new release must name them before it may be used."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from preservation.facts import Basis
from preservation.formats.identify import Identifier
from preservation.formats.pronom.facts import SignatureFiles


def _zip(parts: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


_EPUB = {
    "mimetype": b"application/epub+zip",
    "META-INF/container.xml": b'<?xml version="1.0"?><container version="1.0" '
    b'xmlns="urn:oasis:names:tc:opendocument:xmlns:container"/>',
}

# File name, its bytes, its PUID in every release since 109.
SAMPLES: tuple[tuple[str, bytes, str], ...] = (
    ("trang.tif", b"II*\x00\x08\x00\x00\x00" + bytes(64), "fmt/353"),
    ("bìa.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(32) + b"IEND\xaeB`\x82", "fmt/11"),
    ("sách.pdf", b"%PDF-1.4\n1 0 obj\nendobj\n%%EOF\n", "fmt/18"),
    ("ảnh.gif", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "fmt/4"),
    ("mets.xml", b'<?xml version="1.0" encoding="UTF-8"?>\n<a/>\n', "fmt/101"),
    ("sách.epub", _zip(_EPUB), "fmt/483"),
)


def misnamed(files: SignatureFiles | None, *, scratch: Path) -> list[tuple[str, str, str | None]]:
    """The samples that the release names otherwise: (file name, its PUID, answer). `scratch` is an empty folder.

    The files are identified in a process of their own, under the usual limits. Raises IdentifierUnavailable when
    the signatures cannot even be loaded there.
    """
    for name, data, _ in SAMPLES:
        (scratch / name).write_bytes(data)
    with Identifier(workers=1, signatures=files) as identifier:
        answers = list(identifier.identify_paths([scratch / name for name, _, _ in SAMPLES]))
    return [
        (name, puid, answer.puid or answer.note)
        for (name, _, puid), answer in zip(SAMPLES, answers, strict=True)
        if answer.puid != puid or answer.basis is Basis.EXTENSION  # the name alone proves no signature
    ]

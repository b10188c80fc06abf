"""A digitised book as a careful library delivers it: page TIFFs, ALTO 4 for each page, METS over all, a descriptor.

METS follows its schema 1.12.1 and ALTO its schema 4.4 (Library of Congress); every file is referenced with its size
and SHA-256.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from lxml import etree
from lxml.builder import ElementMaker  # type: ignore[import-not-found]  # the stubs lack it

from examples.pages import MARGIN, PPI, SIZE, Page, Word, draw_page
from examples.texts import Work

_METS, _XLINK, _DC = "http://www.loc.gov/METS/", "http://www.w3.org/1999/xlink", "http://purl.org/dc/elements/1.1/"
_ALTO = "http://www.loc.gov/standards/alto/ns-v4#"
_MADE = "2026-01-15T08:00:00+07:00"
IMAGES, TEXTS = "ảnh quét", "văn bản ALTO"


@dataclass(frozen=True, slots=True)
class _Listed:
    """A written file as METS lists it."""

    id: str
    path: str
    mime: str
    size: int
    sha256: str


def write_book(folder: Path, work: Work, *, identifier: str, date: str, seed: int) -> None:
    """Write the book into `folder`, which must not exist yet."""
    (folder / IMAGES).mkdir(parents=True)
    (folder / TEXTS).mkdir()
    images, texts = [], []
    for number, lines in enumerate(work.pages, start=1):
        page = draw_page(lines, number=number, seed=seed + number)
        image, text = f"{IMAGES}/{number:04}.tif", f"{TEXTS}/{number:04}.xml"
        page.image.save(folder / image, compression="tiff_lzw", dpi=(PPI, PPI))
        (folder / text).write_bytes(alto(page, image=f"{number:04}.tif", number=number))
        images.append(_listed(folder, image, id_=f"IMG_{number:04}", mime="image/tiff"))
        texts.append(_listed(folder, text, id_=f"TXT_{number:04}", mime="application/xml"))
    (folder / "mets.xml").write_bytes(mets(work, images, texts, identifier=identifier))
    (folder / "metadata.json").write_text(
        json.dumps(descriptor(work, identifier=identifier, date=date), ensure_ascii=False, indent=2) + "\n", "utf-8"
    )


def descriptor(work: Work, *, identifier: str, date: str) -> dict[str, object]:
    """The descriptor of the work: Dublin Core fields, the page count and how it was scanned."""
    return {
        "identifier": identifier,
        "title": work.title,
        "creator": work.author,
        "date": date,
        "language": "vi",
        "rights": "Thuộc phạm vi công cộng",
        "pages": len(work.pages),
        "scan": {"date": "2026-01-15", "resolution_ppi": PPI, "bit_depth": 8, "colour": "colour"},
    }


def alto(page: Page, *, image: str, number: int) -> bytes:
    """ALTO 4.4 of one page: every word with its box, in pixels."""
    a = ElementMaker(namespace=_ALTO, nsmap={None: _ALTO})
    width, height = map(str, SIZE)
    lines = [
        a.TextLine(
            *_words(a, line, line_id=f"L{number}_{index}"),
            ID=f"L{number}_{index}",
            **_box(line[0].x, line[0].y, line[-1].x + line[-1].width - line[0].x, line[0].height),
        )
        for index, line in enumerate(page.lines, start=1)
    ]
    block = a.TextBlock(*lines, ID=f"B{number}", LANG="vi", **_box(*MARGIN, SIZE[0] - 2 * MARGIN[0], 760))
    return _bytes(
        a.alto(
            a.Description(a.MeasurementUnit("pixel"), a.sourceImageInformation(a.fileName(image))),
            a.Layout(
                a.Page(
                    a.PrintSpace(block, **_box(0, 0, *SIZE)),
                    ID=f"P{number}",
                    PHYSICAL_IMG_NR=str(number),
                    WIDTH=width,
                    HEIGHT=height,
                )
            ),
        )
    )


def mets(work: Work, images: Sequence[_Listed], texts: Sequence[_Listed], *, identifier: str) -> bytes:
    """METS: Dublin Core, both file groups with SHA-256, and the pages in order."""
    m = ElementMaker(namespace=_METS, nsmap={"mets": _METS, "xlink": _XLINK})
    dc = ElementMaker(namespace=_DC, nsmap={"dc": _DC})
    about = (dc.identifier(identifier), dc.title(work.title), dc.creator(work.author), dc.language("vi"))
    pages = [
        m.div(m.fptr(FILEID=image.id), m.fptr(FILEID=text.id), TYPE="page", ORDER=str(order))
        for order, (image, text) in enumerate(zip(images, texts, strict=True), start=1)
    ]
    return _bytes(
        m.mets(
            m.metsHdr(CREATEDATE=_MADE),
            m.dmdSec(m.mdWrap(m.xmlData(*about), MDTYPE="DC"), ID="DMD_1"),
            m.fileSec(
                m.fileGrp(*(_file(m, listed) for listed in images), USE="MASTER"),
                m.fileGrp(*(_file(m, listed) for listed in texts), USE="FULLTEXT"),
            ),
            m.structMap(m.div(*pages, TYPE="book", DMDID="DMD_1", LABEL=work.title), TYPE="PHYSICAL"),
            OBJID=identifier,
        )
    )


def _words(a: ElementMaker, line: Sequence[Word], *, line_id: str) -> Iterator[etree._Element]:
    for index, word in enumerate(line, start=1):
        if index > 1:
            yield a.SP()
        yield a.String(ID=f"{line_id}_{index}", CONTENT=word.text, **_box(word.x, word.y, word.width, word.height))


def _box(x: int, y: int, width: int, height: int) -> dict[str, str]:
    return {"HPOS": str(x), "VPOS": str(y), "WIDTH": str(width), "HEIGHT": str(height)}


def _file(m: ElementMaker, listed: _Listed) -> etree._Element:
    place = m.FLocat({f"{{{_XLINK}}}type": "simple", f"{{{_XLINK}}}href": quote(listed.path)}, LOCTYPE="URL")
    element: etree._Element = m.file(
        place,
        ID=listed.id,
        MIMETYPE=listed.mime,
        SIZE=str(listed.size),
        CHECKSUM=listed.sha256,
        CHECKSUMTYPE="SHA-256",
    )
    return element


def _listed(folder: Path, path: str, *, id_: str, mime: str) -> _Listed:
    content = (folder / path).read_bytes()
    return _Listed(id_, path, mime, len(content), hashlib.sha256(content).hexdigest())


def _bytes(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)

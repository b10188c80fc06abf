"""The XML formats of scanned packages, told by the namespace of the root element.

PRONOM calls METS, ALTO, PAGE, MODS, PREMIS and EAD alike "XML". Only the start of a file is looked at, up to
its root element; no DTD is loaded, no entity resolved, nothing fetched. It names formats; it validates nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

# Namespaces that are one format whatever the version; each ends where the version begins.
_FAMILIES = (
    ("http://www.loc.gov/METS/", "METS"),
    ("http://www.loc.gov/standards/alto/", "ALTO"),
    ("http://schema.ccs-gmbh.com/ALTO", "ALTO"),
    ("http://schema.primaresearch.org/PAGE/gts/pagecontent/", "PAGE"),
    ("http://www.loc.gov/mods/", "MODS"),
    ("http://www.loc.gov/premis/", "PREMIS"),
    ("http://www.loc.gov/standards/premis", "PREMIS"),
    ("info:lc/xmlns/premis-v2", "PREMIS"),
    ("urn:isbn:1-931666-22-9", "EAD"),
    ("http://ead3.archivists.org/schema/", "EAD"),
)
# Roots that real producers write without any namespace: ALTO of older OCR engines, EAD by its DTD.
_BARE_ROOTS = {"alto": "ALTO", "ead": "EAD"}

_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_BLANK = b" \t\r\n\0"  # the zero byte: half of a blank or of "<" in UTF-16


@dataclass(frozen=True, slots=True)
class XmlRoot:
    """The root element: `format` ("METS", …) is None for XML that is none of ours, `namespace` when it has none."""

    format: str | None
    namespace: str | None


def sniff(head: bytes) -> XmlRoot | None:
    """The root element that the first bytes of a file open with; None when they are not XML up to there.

    A file cut short after its root element began is still named: the head proves what it was meant to be.
    """
    if not _starts_like_xml(head):
        return None
    parser: etree.XMLPullParser = etree.XMLPullParser(
        events=("start",), resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False
    )
    for start in range(0, len(head), 4096):
        try:
            parser.feed(head[start : start + 4096])
        except etree.XMLSyntaxError:
            # what came before the error may hold the root element
            return _first_root(parser)
        if root := _first_root(parser):
            return root
    return None


def _starts_like_xml(head: bytes) -> bool:
    for mark in _MARKS:
        head = head.removeprefix(mark)
    return head[:1024].lstrip(_BLANK).startswith(b"<")


def _first_root(parser: etree.XMLPullParser) -> XmlRoot | None:
    try:
        _, element = next(iter(parser.read_events()))
    except (StopIteration, etree.XMLSyntaxError):
        return None
    assert isinstance(element, etree._Element)  # what a start event carries
    name = etree.QName(element)
    namespace = name.namespace
    if namespace is None:
        return XmlRoot(_BARE_ROOTS.get(name.localname), None)
    family = (word for prefix, word in _FAMILIES if namespace.startswith(prefix))
    return XmlRoot(next(family, None), namespace)

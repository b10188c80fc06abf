"""The XML formats of scanned packages, told by the namespace of the root element.

PRONOM calls METS, ALTO, PAGE, MODS, PREMIS and EAD alike "XML". Only the start of a file is looked at, up to
its root element; no DTD is loaded, no entity resolved, nothing fetched. It names formats; it validates nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

# How the namespaces of one format begin; the version follows.
_FAMILIES = (
    ("http://www.loc.gov/METS/", "METS"),
    ("http://www.loc.gov/standards/alto/", "ALTO"),
    ("http://schema.ccs-gmbh.com/ALTO", "ALTO"),
    ("http://schema.primaresearch.org/PAGE/gts/pagecontent/", "PAGE"),
    ("http://www.loc.gov/mods/v", "MODS"),
    ("http://www.loc.gov/premis/v", "PREMIS"),
    ("info:lc/xmlns/premis-v2", "PREMIS"),
    ("http://www.loc.gov/standards/premis", "PREMIS"),
    ("http://ead3.archivists.org/schema/", "EAD"),
    ("urn:isbn:1-931666-22-9", "EAD"),
)
_LONGEST_NAMESPACE = 200  # characters; real ones have at most some 70
# Roots that real producers write without any namespace: ALTO of older OCR engines, EAD by its DTD.
_BARE_ROOTS = {"alto": "ALTO", "ead": "EAD"}

# A document up to its root element, where all of it is plain; and one attribute.
_PLAIN = re.compile(
    rb"""(?:\xef\xbb\xbf)?
    (?:<\?xml\x20version=(?P<q>["'])1\.0(?P=q)(?:\x20encoding=(?P<r>["'])(?:UTF|utf)-8(?P=r))?[\x20]?\?>)?
    (?:[ \t\r\n]+|<!--(?:-?[\t\r\n\x20-,.-~])*-->)*
    (?:<!DOCTYPE\x20[A-Za-z_][\w.:-]*
       (?:[ ](?:PUBLIC[ ]"[\w /.:+-]*"|SYSTEM)[ \t\r\n]+"[\w/.:%-]*")?>)?
    (?:[ \t\r\n]+|<!--(?:-?[\t\r\n\x20-,.-~])*-->)*
    <(?P<name>(?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*)
    (?P<attributes>(?:[ \t\r\n]+(?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*=(?:"[ !#-%'-;=-~]*"|'[ -%(-;=-~]*'))*)
    [ \t\r\n]*/?>""",
    re.VERBOSE,
)
_ATTRIBUTE = re.compile(rb"""([\w.:-]+)=("[^"]*"|'[^']*')""")

_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_BLANK = b" \t\r\n\0"  # the zero byte: half of a blank or of "<" in UTF-16


@dataclass(frozen=True, slots=True)
class XmlRoot:
    """The root element of a format we know ("METS", …); `namespace` is None when it has none."""

    format: str
    namespace: str | None


def sniff(head: bytes) -> XmlRoot | None:
    """The root element that the first bytes of a file open with; None when it is none of ours, or no XML.

    A file cut short after its root element began is still named: the head proves what it was meant to be.
    """
    if not _starts_like_xml(head):
        return None
    name, namespace = _plain_root(head) or _parsed_root(head) or ("", None)
    if namespace is None:
        bare = _BARE_ROOTS.get(name)
        return XmlRoot(bare, None) if bare else None
    if len(namespace) > _LONGEST_NAMESPACE:
        return None
    family = next((word for prefix, word in _FAMILIES if namespace.startswith(prefix)), None)
    return XmlRoot(family, namespace) if family else None


def _starts_like_xml(head: bytes) -> bool:
    start = head[:1024]
    for mark in _MARKS:
        start = start.removeprefix(mark)
    return start.lstrip(_BLANK).startswith(b"<")


def _plain_root(head: bytes) -> tuple[str, str | None] | None:
    """Name and namespace of a root that is written as nearly all are: ASCII, right after the declaration, without
    entities. None when it takes a parser to be sure, which is ten times slower.
    """
    found = _PLAIN.match(head)
    if found is None:
        return None
    written = _ATTRIBUTE.findall(found["attributes"])
    values = {name: value[1:-1] for name, value in written}
    spaces = {name.removeprefix(b"xmlns:"): value for name, value in values.items() if name.startswith(b"xmlns:")}
    prefixes = {name.partition(b":")[0] for name in values if b":" in name} - {b"xmlns", b"xml"}
    prefix, _, local = found["name"].rpartition(b":")
    doubtful = b"xml" in spaces or not all(spaces.values()) or len(set(spaces.values())) < len(spaces)
    if doubtful or len(values) < len(written) or not prefixes | {prefix} <= spaces.keys() | {b""}:
        return None
    namespace = spaces[prefix] if prefix else values.get(b"xmlns")
    return local.decode("ascii"), namespace.decode("ascii") if namespace else None


def _parsed_root(head: bytes) -> tuple[str, str | None] | None:
    element = _root_element(head)
    if element is None:
        return None
    name = etree.QName(element)
    return name.localname, name.namespace


def _root_element(head: bytes) -> etree._Element | None:
    parser: etree.XMLPullParser = etree.XMLPullParser(
        events=("start",), resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False
    )
    for start in range(0, len(head), 4096):
        try:
            parser.feed(head[start : start + 4096])
            broken = False
        except etree.XMLSyntaxError:
            broken = True  # what came before the error may hold the root element
        try:
            for _, element in parser.read_events():
                return element if isinstance(element, etree._Element) else None
        except etree.XMLSyntaxError:
            broken = True
        if broken:
            return None
    return None

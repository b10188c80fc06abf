"""Reading a release: the one that FIDO brings along, or the two files that The National Archives publish.

FIDO's format file holds PRONOM as FIDO converted it; a DROID signature file holds PRONOM itself. Container
signatures come in the same form for both. Raises ReleaseUnreadable with the file and the reason; fetches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from xml.etree.ElementTree import Element

from lxml import etree

from preservation.errors import PreservationError
from preservation.formats.pronom.demands import demands, opening, reach
from preservation.formats.pronom.facts import NO_END, ContainerSignature, Format, Part, Pattern, Release, Signature
from preservation.formats.pronom.sequences import byte_sequence
from wording import say

_LARGEST = 64 << 20  # bytes of a release file; today's have four million


class ReleaseUnreadable(PreservationError):
    """A signature file is not what it should be."""


def fido_files() -> tuple[Path, ...]:
    """FIDO's format file, its extensions and its container signatures, as its own versions.xml names them."""
    folder = Path(str(files("fido"))) / "conf"
    versions = _xml(folder / "versions.xml")
    names = ("pronomSignature", "fidoExtensionSignature", "pronomContainerSignature")
    return tuple(folder / (versions.findtext(name) or "") for name in names)


def fido_release() -> Release:
    """The release that FIDO brings along."""
    formats_file, more_file, container_file = fido_files()
    by_puid: dict[str, Format] = {}
    for file in (formats_file, more_file):
        for element in _xml(file).findall("format"):
            known = _fido_format(element)
            by_puid[known.puid] = known  # a later one takes the place of an earlier one, as in FIDO
    found = re.search(r"v(\d+)", formats_file.name)
    containers, triggers = _containers(container_file)
    return Release(
        pronom=found[1] if found else formats_file.stem,
        container_date=_date_in(container_file),
        dated=None,
        formats=tuple(by_puid.values()),
        containers=containers,
        triggers=triggers,
    )


def pronom_release(signatures: Path, containers: Path) -> Release:
    """The release in a DROID signature file and a container signature file."""
    root = _xml(signatures)
    if root.tag != "FFSignatureFile":
        raise _unreadable(signatures, f"<{root.tag}>", expected="<FFSignatureFile>")
    try:
        formats = tuple(_droid_formats(root))
        container_signatures, triggers = _containers(containers)
    except (ValueError, KeyError, re.error, OverflowError) as error:
        raise _unreadable(signatures, f"{type(error).__name__}: {error}") from error
    if not formats or not container_signatures:
        raise _unreadable(signatures if not formats else containers, "no signatures")
    return Release(
        pronom=root.get("Version") or "?",
        container_date=_date_in(containers),
        dated=(root.get("DateCreated") or "")[:10] or None,
        formats=formats,
        containers=container_signatures,
        triggers=triggers,
    )


def _fido_format(element: Element) -> Format:
    return Format(
        puid=element.findtext("puid") or "",
        name=element.findtext("name") or "",
        version=element.findtext("version") or None,
        mime=element.findtext("mime") or None,
        extensions=tuple(each.text or "" for each in element.findall("extension")),
        better_than=frozenset(each.text or "" for each in element.findall("has_priority_over")),
        signatures=tuple(
            Signature(each.findtext("name") or "", tuple(map(_fido_pattern, each.findall("pattern"))))
            for each in element.findall("signature")
        ),
    )


def _fido_pattern(element: Element) -> Pattern:
    position = element.findtext("position")
    regex = (element.findtext("regex") or "").encode()
    return _pattern(regex, tail=position == "EOF", anchored=position == "BOF")


def _pattern(regex: bytes, *, tail: bool, anchored: bool) -> Pattern:
    most, first = (reach(regex), opening(regex)) if anchored else (NO_END, b"")
    return Pattern(regex, tail, anchored, most, demands(regex, anchored=anchored), first)


def _droid_formats(root: Element) -> Iterator[Format]:
    signatures = {
        each.get("ID"): Signature(
            each.get("ID") or "", tuple(_droid_pattern(sequence) for sequence in each.findall("ByteSequence"))
        )
        for each in root.iter("InternalSignature")
    }
    puids = {each.get("ID"): each.get("PUID") or "" for each in root.iter("FileFormat")}
    for element in root.iter("FileFormat"):
        yield Format(
            puid=element.get("PUID") or "",
            name=element.get("Name") or "",
            version=element.get("Version") or None,
            mime=(element.get("MIMEType") or "").split(",")[0].strip() or None,
            extensions=tuple((each.text or "").lower() for each in element.findall("Extension")),
            better_than=frozenset(
                puids[each.text] for each in element.findall("HasPriorityOverFileFormatID") if each.text in puids
            ),
            signatures=tuple(signatures[each.text] for each in element.findall("InternalSignatureID")),
        )


def _droid_pattern(element: Element) -> Pattern:
    regex, tail, anchored = byte_sequence(element)
    return _pattern(regex, tail=tail, anchored=anchored)


def _containers(file: Path) -> tuple[Mapping[str, tuple[ContainerSignature, ...]], Mapping[str, str]]:
    root = _xml(file)
    puids = {each.get("signatureId"): each.get("Puid") or "" for each in root.iter("FileFormatMapping")}
    by_kind: dict[str, list[ContainerSignature]] = {}
    for element in root.iter("ContainerSignature"):
        parts = tuple(_part(each) for each in element.findall("Files/File"))
        signature = ContainerSignature(puids[element.get("Id")], parts)
        by_kind.setdefault(element.get("ContainerType") or "", []).append(signature)
    triggers = {each.get("Puid") or "": each.get("ContainerType") or "" for each in root.iter("TriggerPuid")}
    return {kind: tuple(signatures) for kind, signatures in by_kind.items()}, triggers


def _part(element: Element) -> Part:
    sequences = element.findall("BinarySignatures/InternalSignatureCollection/InternalSignature/ByteSequence")
    return Part((element.findtext("Path") or "").strip(), tuple(_droid_pattern(each) for each in sequences))


def _xml(file: Path) -> Element:
    """The root element, without namespaces. No DTD, no entity, no network, no file larger than any release."""
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        if file.stat().st_size > _LARGEST:
            raise _unreadable(file, f"{file.stat().st_size} B", expected=f"<= {_LARGEST} B")
        document = etree.parse(str(file), parser)
    except (OSError, etree.XMLSyntaxError) as error:
        raise _unreadable(file, str(error)) from error
    doctype: str = document.docinfo.doctype  # type: ignore[union-attr]
    if doctype:
        raise _unreadable(file, doctype)
    root = document.getroot()
    for element in root.iter("*"):
        element.tag = etree.QName(element).localname
    return root  # type: ignore[return-value]  # lxml's elements answer to the same methods


def _date_in(file: Path) -> str:
    """`container-signature-20200121.xml` as `2020-01-21`; the name itself when it holds no date."""
    found = re.search(r"(\d{4})(\d\d)(\d\d)", file.name)
    return "-".join(found.groups()) if found else file.stem


def _unreadable(file: Path, seen: str, *, expected: str | None = None) -> ReleaseUnreadable:
    return ReleaseUnreadable(
        say("{file} is no signature file that can be used.", file=file.name),
        where=str(file),
        expected=expected,
        seen=seen[:300],
        next_step=say("Fetch DROID's signature file and container signature file anew, and name both."),
    )

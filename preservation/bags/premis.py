"""PREMIS 3 XML of one AIP version: its files, its events, their agents. Streamed; memory stays flat.

Valid against premis-v3-0.xsd. Objects: the AIP version as intellectual entity, then one file object each.
Every event is linked to its agent and to the AIP version.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from lxml import etree

from preservation.facts import Event, FileFact, FormatFact

if TYPE_CHECKING:
    from lxml.etree import _IncrementalFileWriter

PREMIS = "http://www.loc.gov/premis/v3"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_TYPE = f"{{{_XSI}}}type"
_NSMAP: Any = {None: PREMIS, "xsi": _XSI}  # the stubs know no default namespace
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Described = tuple[FileFact, FormatFact | None]


def write_premis(
    out: BinaryIO, *, identifier: str, version: int, files: Iterable[Described], events: Iterable[Event]
) -> None:
    """Write the document. `files` paths are relative to the payload folder; digests name their algorithm
    as hashlib does. Raises OSError when the disk is full.
    """
    aip = f"{identifier}/v{version}"
    agents: set[str] = set()
    with etree.xmlfile(out, encoding="UTF-8") as xml, _document(xml):
        _write(xml, _entity(aip))
        for file, known in files:
            _write(xml, _file(aip, file, known))
        for event in events:
            agents.add(event.agent)
            _write(xml, _event(aip, event))
        for agent in sorted(agents):
            _write(xml, _agent(agent))


@contextmanager
def _document(xml: _IncrementalFileWriter) -> Iterator[None]:
    xml.write_declaration()
    with xml.element(f"{{{PREMIS}}}premis", nsmap=_NSMAP, version="3.0"):
        yield


def _write(xml: _IncrementalFileWriter, element: etree._Element) -> None:
    xml.write("\n", element)


def _entity(aip: str) -> etree._Element:
    node = _top("object", {_TYPE: "intellectualEntity"})
    _identifier(node, "objectIdentifier", "Vankho AIP version", aip)
    return node


def _file(aip: str, file: FileFact, known: FormatFact | None) -> etree._Element:
    node = _top("object", {_TYPE: "file"})
    _identifier(node, "objectIdentifier", "Vankho object", f"{aip}/data/{file.path}")
    traits = _add(node, "objectCharacteristics")
    _add(traits, "compositionLevel", "0")
    for algorithm, digest in sorted(file.digests.items()):
        fixity = _add(traits, "fixity")
        _add(fixity, "messageDigestAlgorithm", _PREMIS_NAMES.get(algorithm, algorithm))
        _add(fixity, "messageDigest", digest)
    _add(traits, "size", str(file.size))
    _format(traits, known)
    delivered = file.original_name
    _add(node, "originalName", file.path if delivered is None else delivered.decode("utf-8", "backslashreplace"))
    return node


# Library of Congress, cryptographic hash functions vocabulary
_PREMIS_NAMES = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}


def _format(traits: etree._Element, known: FormatFact | None) -> None:
    node = _add(traits, "format")
    designation = _add(node, "formatDesignation")
    _add(designation, "formatName", (known.name if known else None) or "unknown")
    if known and known.version:
        _add(designation, "formatVersion", known.version)
    if known and known.puid:
        registry = _add(node, "formatRegistry")
        _add(registry, "formatRegistryName", "PRONOM")
        _add(registry, "formatRegistryKey", known.puid)
        _add(registry, "formatRegistryRole", "specification")
    if known:
        _add(node, "formatNote", f"Identified by {known.tool} ({known.signatures}); basis: {known.basis.value}.")
    if known and known.xml_format:
        _add(node, "formatNote", f"XML format: {known.xml_format} ({known.xml_namespace or 'no namespace'}).")


def _event(aip: str, event: Event) -> etree._Element:
    node = _top("event")
    _identifier(node, "eventIdentifier", "UUID", event.id)
    _add(node, "eventType", event.type.value)
    _add(node, "eventDateTime", event.at.isoformat())
    detail = json.dumps(event.detail, ensure_ascii=False, sort_keys=True, default=str)
    _add(_add(node, "eventDetailInformation"), "eventDetail", detail)
    _add(_add(node, "eventOutcomeInformation"), "eventOutcome", event.outcome.value)
    _identifier(node, "linkingAgentIdentifier", "name", event.agent)
    _identifier(node, "linkingObjectIdentifier", "Vankho AIP version", aip)
    return node


def _agent(agent: str) -> etree._Element:
    node = _top("agent")
    name, _, version = agent.rpartition(" ")
    is_software = bool(name) and version[:1].isdigit()
    _identifier(node, "agentIdentifier", "name", agent)
    _add(node, "agentName", name if is_software else agent)
    _add(node, "agentType", "software" if is_software else "person or organization")
    if is_software:
        _add(node, "agentVersion", version)
    return node


def _top(name: str, attributes: Mapping[str, str] | None = None) -> etree._Element:
    return etree.Element(f"{{{PREMIS}}}{name}", dict(attributes or {}), nsmap=_NSMAP)


def _identifier(parent: etree._Element, kind: str, of: str, value: str) -> None:
    node = _add(parent, kind)
    _add(node, f"{kind}Type", of)
    _add(node, f"{kind}Value", value)


def _add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    node = etree.SubElement(parent, f"{{{PREMIS}}}{name}")
    if text is not None:
        node.text = _NOT_XML.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)
    return node

"""PREMIS 3 XML of one AIP version: its files, its events, their agents. Streamed; memory stays flat.

Valid against premis-v3-0.xsd. Objects: the AIP version as intellectual entity, then one file object each.
Every event is linked to its agent and to the AIP version.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, BinaryIO

from lxml import etree

from preservation.facts import Event, FileFact, FormatFact

PREMIS = "http://www.loc.gov/premis/v3"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_TYPE = f"{{{_XSI}}}type"
_NSMAP: Any = {None: PREMIS, "xsi": _XSI}  # the stubs know no default namespace
_BEGIN = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<premis xmlns="{PREMIS}" xmlns:xsi="{_XSI}" version="3.0">'
).encode()
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
    out.write(_BEGIN)
    out.write(_xml(_entity(aip)))
    out.writelines(_file(aip, file, known) for file, known in files)
    for event in events:
        agents.add(event.agent)
        out.write(_xml(_event(aip, event)))
    out.writelines(_xml(_agent(agent)) for agent in sorted(agents))
    out.write(b"</premis>")


def _xml(element: etree._Element) -> bytes:
    return b"\n" + etree.tostring(element, encoding="UTF-8", xml_declaration=False)


def _entity(aip: str) -> etree._Element:
    node = _top("object", {_TYPE: "intellectualEntity"})
    _identifier(node, "objectIdentifier", "Vankho AIP version", aip)
    return node


def _file(aip: str, file: FileFact, known: FormatFact | None) -> bytes:
    """One file object, written as text: a tree of elements for each would take ten times as long."""
    path = _text(file.path)
    delivered = file.original_name
    name = path if delivered is None else _text(delivered.decode("utf-8", "backslashreplace"))
    fixity = "".join(
        f"<fixity><messageDigestAlgorithm>{_PREMIS_NAMES.get(algorithm, algorithm)}</messageDigestAlgorithm>"
        f"<messageDigest>{digest}</messageDigest></fixity>"
        for algorithm, digest in sorted(file.digests.items())
    )
    return (
        '\n<object xsi:type="file"><objectIdentifier><objectIdentifierType>Vankho object</objectIdentifierType>'
        f"<objectIdentifierValue>{aip}/data/{path}</objectIdentifierValue></objectIdentifier>"
        f"<objectCharacteristics><compositionLevel>0</compositionLevel>{fixity}<size>{file.size}</size>"
        f"{_format_of(known)}</objectCharacteristics><originalName>{name}</originalName></object>"
    ).encode()


def _text(text: str) -> str:
    """The text between two tags."""
    return _written(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _written(text: str) -> str:
    """What XML cannot hold is written as Python would."""
    return _NOT_XML.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


# Library of Congress, cryptographic hash functions vocabulary
_PREMIS_NAMES = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}


def _format_of(known: FormatFact | None) -> str:
    if known is None:
        return _format(None, None, None, ())
    notes = [f"Identified by {known.tool} ({known.signatures}); basis: {known.basis.value}."]
    if known.xml_format:
        notes.append(f"XML format: {known.xml_format} ({known.xml_namespace or 'no namespace'}).")
    return _format(known.name, known.version, known.puid, tuple(notes))


@lru_cache(maxsize=1024)
def _format(name: str | None, version: str | None, puid: str | None, notes: tuple[str, ...]) -> str:
    """Few formats differ: nearly every page of a book has the same."""
    version = f"<formatVersion>{_text(version)}</formatVersion>" if version else ""
    registry = (
        f"<formatRegistry><formatRegistryName>PRONOM</formatRegistryName><formatRegistryKey>{_text(puid)}"
        "</formatRegistryKey><formatRegistryRole>specification</formatRegistryRole></formatRegistry>"
        if puid
        else ""
    )
    said = "".join(f"<formatNote>{_text(note)}</formatNote>" for note in notes)
    return (
        f"<format><formatDesignation><formatName>{_text(name or 'unknown')}</formatName>{version}"
        f"</formatDesignation>{registry}{said}</format>"
    )


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
        node.text = _written(text)
    return node

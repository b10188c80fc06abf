"""PREMIS 3 XML: valid against the schema, whatever names, formats and details come in."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from lxml import etree

from preservation.bags.premis import PREMIS, write_premis
from preservation.facts import Basis, Event, EventOutcome, EventType, FileFact, FormatFact

NS = {"p": PREMIS}
NOW = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)


def document(files=(), events=()):
    out = io.BytesIO()
    write_premis(out, identifier="01jd7q3v", version=2, files=files, events=events)
    return etree.fromstring(out.getvalue())


def file(path="a", original=None):
    return FileFact(path, 3, {"sha256": "0" * 64, "md5": "0" * 32}, original)


def known(**facts):
    return FormatFact(
        **{"path": "a", "puid": None, "name": None, "basis": Basis.NONE, "tool": "fido 1.6.1", "signatures": "v109"}
        | facts
    )


FILES = [
    (file(), None),
    (file("rỗng"), known(basis=Basis.EMPTY)),
    (
        file("mets.xml"),
        known(
            puid="fmt/101",
            name="XML",
            version="1.0",
            basis=Basis.NAMESPACE,
            xml_format="METS",
            xml_namespace="http://www.loc.gov/METS/",
        ),
    ),
    (file("alto.xml"), known(puid="fmt/101", xml_format="ALTO")),
    (file("Nguyễn <&>\x1b\ufffe.tif", b"Nguy\xea\xded.tif"), known()),
]
EVENTS = [
    Event(f"id-{n}", kind, NOW, agent, outcome, detail={"câu": "<b>&\x00\ud800", "n": n})
    for n, (kind, agent, outcome) in enumerate(
        [
            (EventType.FIXITY_CHECK, "vankho 0.1.0", EventOutcome.FAIL),
            (EventType.FORMAT_IDENTIFICATION, "fido 1.6.1", EventOutcome.WARNING),
            (EventType.RECOVERY, "Nguyễn Thị Lan", EventOutcome.SUCCESS),
            (EventType.RECOVERY, "vankho 0.1.0", EventOutcome.SUCCESS),
        ]
    )
]


@pytest.mark.corpora
@pytest.mark.parametrize(("files", "events"), [(FILES, EVENTS), ([], EVENTS), (FILES, []), ([], [])])
def test_it_is_valid(files, events, corpora):
    schema = etree.XMLSchema(etree.parse(corpora("schemas") / "premis-v3-0.xsd"))
    schema.assertValid(document(files, events))


def test_it_says_what_was_given():
    root = document(FILES, EVENTS)
    assert len(root.findall("p:object", NS)) == 1 + len(FILES)
    assert root.findtext("p:object/p:objectIdentifier/p:objectIdentifierValue", namespaces=NS) == "01jd7q3v/v2"
    names = [e.text for e in root.findall("p:object/p:originalName", NS)]
    assert names[-1] == "Nguy\\xea\\xded.tif"
    assert [e.text for e in root.findall(".//p:formatName", NS)] == [
        "unknown",
        "unknown",
        "XML",
        "unknown",
        "unknown",
    ]
    assert [e.text for e in root.findall(".//p:messageDigestAlgorithm", NS)][:2] == ["MD5", "SHA-256"]
    assert [e.text for e in root.findall("p:event/p:eventType", NS)] == [
        "fixity check",
        "format identification",
        "recovery",
        "recovery",
    ]
    assert [e.text for e in root.findall(".//p:eventOutcome", NS)] == ["fail", "warning", "success", "success"]
    agents = {
        e.findtext("p:agentName", namespaces=NS): e.findtext("p:agentType", namespaces=NS)
        for e in root.findall("p:agent", NS)
    }
    assert agents == {"vankho": "software", "fido": "software", "Nguyễn Thị Lan": "person or organization"}
    assert {e.text for e in root.findall(".//p:linkingObjectIdentifierValue", NS)} == {"01jd7q3v/v2"}

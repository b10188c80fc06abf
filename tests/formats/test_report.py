"""The counts of a report, against facts counted by hand."""

from __future__ import annotations

import json

from preservation.facts import Basis, FormatFact
from preservation.formats import format_report

TOOL = {"tool": "fido 1.6.1", "signatures": "PRONOM v109, containers 2020-01-21"}


def fact(path: str, puid: str | None, basis: Basis, **known) -> FormatFact:
    name = {"fmt/353": "Tagged Image File Format", "fmt/101": "Extensible Markup Language"}.get(puid or "")
    return FormatFact(path, puid, name, basis, **TOOL, **known)


FACTS = [
    fact("1.tif", "fmt/353", Basis.SIGNATURE),
    fact("2.tif", "fmt/353", Basis.SIGNATURE),
    fact("3.jpg", "fmt/353", Basis.SIGNATURE, extension_mismatch=True),
    fact("4.tif", "fmt/353", Basis.EXTENSION),
    fact("mets.xml", "fmt/101", Basis.NAMESPACE, version="1.0", xml_format="METS"),
    fact("a.xml", "fmt/101", Basis.NAMESPACE, version="1.0", xml_format="ALTO"),
    fact("b.xml", "fmt/101", Basis.NAMESPACE, version="1.0", xml_format="ALTO"),
    fact("empty.txt", None, Basis.EMPTY),
    fact("odd", None, Basis.NONE),
    fact("bomb.docx", None, Basis.FAILED, note="not finished within 10 seconds"),
]


def test_a_report_counts_formats_with_bytes():
    report = format_report(iter(FACTS), sizes=iter(range(1, 11))).as_json()
    assert report == json.loads(json.dumps(report)), "plain JSON"
    assert report == {
        "files": 10,
        "bytes": 55,
        "formats": [
            {"puid": "fmt/101", "name": "Extensible Markup Language", "version": "1.0", "basis": "namespace",
             "files": 3, "bytes": 18},
            {"puid": "fmt/353", "name": "Tagged Image File Format", "version": None, "basis": "signature",
             "files": 3, "bytes": 6},
            {"puid": "fmt/353", "name": "Tagged Image File Format", "version": None, "basis": "extension",
             "files": 1, "bytes": 4},
            {"puid": None, "name": None, "version": None, "basis": "empty", "files": 1, "bytes": 8},
            {"puid": None, "name": None, "version": None, "basis": "failed", "files": 1, "bytes": 10},
            {"puid": None, "name": None, "version": None, "basis": "none", "files": 1, "bytes": 9},
        ],
        "xml_formats": [
            {"xml_format": "ALTO", "files": 2, "bytes": 13},
            {"xml_format": "METS", "files": 1, "bytes": 5},
        ],
        "basis": {"signature": 3, "container": 0, "namespace": 3, "extension": 1, "empty": 1, "none": 1, "failed": 1},
        "extension_mismatch": 1,
        "unknown": 1,
        "empty": 1,
        "failed": 1,
        "tools": [TOOL],
    }  # fmt: skip


def test_without_sizes_the_bytes_are_unknown_not_zero():
    report = format_report(FACTS).as_json()
    assert report["files"] == 10
    assert report["bytes"] is None
    assert {each["bytes"] for each in report["formats"] + report["xml_formats"]} == {None}


def test_an_empty_package_has_an_empty_report():
    report = format_report([])
    assert (report.files, report.formats, report.tools) == (0, (), ())

"""The formats of scanned packages told by their root element, in every spelling real producers and attackers use."""

from __future__ import annotations

import os
import time

import pytest

from preservation.facts import Basis
from preservation.formats import Limits, identify_paths
from preservation.formats.namespaces import XmlRoot, sniff

METS = "http://www.loc.gov/METS/"
ALTO = "http://www.loc.gov/standards/alto/ns-v4#"


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (f'<mets xmlns="{METS}">', ("METS", METS)),
        (f'<m:mets xmlns:m="{METS}">', ("METS", METS)),
        ('<mets xmlns="http://www.loc.gov/METS/v2"/>', ("METS", "http://www.loc.gov/METS/v2")),
        (f'<alto xmlns="{ALTO}">', ("ALTO", ALTO)),
        ('<alto xmlns="http://www.loc.gov/standards/alto/ns-v2#">', ("ALTO", "http://www.loc.gov/standards/alto/ns-v2#")),
        ('<alto xmlns="http://schema.ccs-gmbh.com/ALTO">', ("ALTO", "http://schema.ccs-gmbh.com/ALTO")),
        ("<alto>", ("ALTO", None)),
        ('<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">',
         ("PAGE", "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15")),
        ('<modsCollection xmlns="http://www.loc.gov/mods/v3">', ("MODS", "http://www.loc.gov/mods/v3")),
        ('<premis xmlns="http://www.loc.gov/premis/v3">', ("PREMIS", "http://www.loc.gov/premis/v3")),
        ('<premis xmlns="info:lc/xmlns/premis-v2">', ("PREMIS", "info:lc/xmlns/premis-v2")),
        ('<p:object xmlns:p="http://www.loc.gov/standards/premis/v1">',
         ("PREMIS", "http://www.loc.gov/standards/premis/v1")),
        ('<ead xmlns="urn:isbn:1-931666-22-9">', ("EAD", "urn:isbn:1-931666-22-9")),
        ('<ead xmlns="http://ead3.archivists.org/schema/">', ("EAD", "http://ead3.archivists.org/schema/")),
        ("<ead>", ("EAD", None)),
        # not ours
        ("<mets>", None),
        ("<html>", None),
        (f'<records><mets xmlns="{METS}"/></records>', None),
        ('<mets xmlns="http://www.loc.gov/METS_Profile/">', None),
        (f'<mets xmlns="{METS}{"x" * 300}">', None),
        ("alto", None),
        ("<", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_root_element_names_the_format(text, known):
    expected = XmlRoot(*known) if known else None
    assert sniff(text.encode()) == expected
    assert sniff(b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- page 1 -->\n' + text.encode()) == expected
    assert sniff(b"\xef\xbb\xbf" + text.encode()) == expected


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "iso-8859-1", "windows-1252"])
def test_other_encodings_are_read(encoding):
    declared = encoding if encoding.startswith(("iso", "win")) else "UTF-16"
    text = f'<?xml version="1.0" encoding="{declared}"?><mets xmlns="{METS}" LABEL="Sách"></mets>'
    assert sniff(text.encode(encoding)) == XmlRoot("METS", METS)


def test_a_big_endian_mark_is_read():
    text = f'<?xml version="1.0"?><alto xmlns="{ALTO}"/>'
    assert sniff(b"\xfe\xff" + text.encode("utf-16-be")) == XmlRoot("ALTO", ALTO)


def test_a_file_cut_short_is_named_if_its_root_is_whole():
    assert sniff(f'<mets xmlns="{METS}"><dmdSec><mdWrap'.encode()) == XmlRoot("METS", METS)
    assert sniff(f'<mets xmlns="{METS}"></wrong>'.encode()) == XmlRoot("METS", METS)
    assert sniff(f'<mets xmlns="{METS}'.encode()) is None


def test_a_root_behind_a_long_comment_is_found():
    assert sniff(b"<!--" + b" " * 100_000 + f'--><mets xmlns="{METS}"/>'.encode()) == XmlRoot("METS", METS)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "format"),
    [
        (f'<!DOCTYPE mets [<!ENTITY l0 "ha">{LAUGHS}]><mets xmlns="{METS}">&l11;</mets>', "METS"),
        (f'<!DOCTYPE mets [<!ENTITY l0 "ha">{LAUGHS}]><mets xmlns="{METS}" LABEL="&l11;"></mets>', None),
        (f'<!DOCTYPE mets [<!ENTITY l0 "ha">{LAUGHS}]><mets xmlns="&l11;"></mets>', None),
        (f'<!DOCTYPE mets [<!ENTITY ns "{METS}">]><mets xmlns="&ns;"/>', "METS"),
        (f'<mets xmlns="{METS}">' + "<div>" * 20_000, "METS"),
        ("<div>" * 20_000, None),
        (f'<mets xmlns="{METS}" ' + " ".join(f'a{n}="{n}"' for n in range(9_000)) + ">", "METS"),
        ("<!--" * 30_000, None),
        ("<![CDATA[" * 10_000, None),
    ],
)
def test_hostile_xml_is_answered_at_once(text, format):
    started = time.monotonic()
    root = sniff(text.encode()[: 128 * 1024])
    assert (root.format if root else None) == format
    assert time.monotonic() - started < 1


def test_nothing_outside_the_file_is_opened(tmp_path):
    """The DTD and the entity are pipes: whoever opens one waits for ever."""
    os.mkfifo(tmp_path / "pipe")
    text = (
        f'<!DOCTYPE mets SYSTEM "{tmp_path}/pipe" [<!ENTITY e SYSTEM "{tmp_path}/pipe"> <!ENTITY % p SYSTEM '
        f'"{tmp_path}/pipe"> %p;]><mets xmlns="{METS}">&e;</mets>'
    )
    (tmp_path / "mets.xml").write_text(text)
    (fact,) = identify_paths([tmp_path / "mets.xml"], limits=Limits(seconds=5))
    assert (fact.basis, fact.xml_format) == (Basis.NAMESPACE, "METS")


def test_the_namespace_stands_on_top_of_what_pronom_says(tmp_path):
    declaration = '<?xml version="1.0" encoding="UTF-8"?>'
    (tmp_path / "1-declared.xml").write_text(f'{declaration}<mets xmlns="{METS}"/>')
    (tmp_path / "2-undeclared.xml").write_text(f'<mets xmlns="{METS}"/>')
    (tmp_path / "3-no-extension").write_text(f'<mets xmlns="{METS}"/>')
    (tmp_path / "4-wrong.tif").write_text(f'<mets xmlns="{METS}"/>')
    (tmp_path / "5-other.xml").write_text(f"{declaration}<TEI/>")
    assert [
        (fact.puid, fact.basis, fact.xml_format, fact.candidates, fact.extension_mismatch)
        for fact in identify_paths([tmp_path])
    ] == [
        ("fmt/101", Basis.NAMESPACE, "METS", (), False),
        ("fmt/101", Basis.NAMESPACE, "METS", (), False),
        ("fmt/101", Basis.NAMESPACE, "METS", (), False),
        ("fmt/101", Basis.NAMESPACE, "METS", (), True),
        ("fmt/101", Basis.SIGNATURE, None, (), False),
    ]

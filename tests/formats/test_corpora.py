"""Real scanned packages, and PRONOM's skeleton files against FIDO's own class."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from preservation.facts import Basis
from preservation.formats import format_report, identify_paths
from tests.formats.stock import difference, stock_fido

pytestmark = pytest.mark.corpora


def test_the_xml_of_real_scanned_packages_is_recognised(corpora):
    packages = corpora("scanned-packages")
    facts = list(identify_paths([packages]))
    seen = Counter(
        (Path(fact.path).relative_to(packages).parts[0], fact.xml_format) for fact in facts if fact.xml_format
    )
    assert seen == {
        ("1497608_newspaper_armeteufel_1904-01-17", "METS"): 1,
        ("1497608_newspaper_armeteufel_1904-01-17", "ALTO"): 4,
        ("BLIP_20190920_01", "METS"): 1,
        ("BLIP_20190920_01", "ALTO"): 8,  # without any namespace
        ("SBB0000F29300010000", "METS"): 2,
        ("SBB0000F29300010000", "PAGE"): 2,
        ("indian-ferns", "METS"): 1,
        ("kant_aufklaerung_1784", "METS"): 1,
        ("kant_aufklaerung_1784", "ALTO"): 2,
        ("kant_aufklaerung_1784", "PAGE"): 2,
        ("kant_aufklaerung_1784-complex", "METS"): 1,
        ("kant_aufklaerung_1784-complex", "ALTO"): 2,
        ("kant_aufklaerung_1784-complex", "PAGE"): 42,
        ("kant_aufklaerung_1784-jp2", "METS"): 1,
        ("kant_aufklaerung_1784-jp2", "PAGE"): 1,
        ("pembroke_werke_1766", "METS"): 1,
    }
    assert {fact.puid for fact in facts if fact.xml_format} == {"fmt/101"}
    report = format_report(facts)
    assert {each.puid: each.files for each in report.formats if each.basis is Basis.SIGNATURE} == {
        "fmt/11": 73, "fmt/353": 10, "x-fmt/392": 1,
    }  # fmt: skip
    assert (report.files, report.basis["empty"], report.basis["none"], report.basis["failed"]) == (187, 6, 0, 0)


def test_the_answers_are_those_of_the_class_of_fido(corpora):
    """Every tenth skeleton file, and every container. Where a container signature taken in full tells more than
    FIDO's first part of it, that is counted apart.
    """
    skeletons = sorted(path for path in corpora("pronom-skeletons").rglob("*") if path.is_file())
    skeletons = [path for n, path in enumerate(skeletons) if n % 10 == 0 or "container" in path.name]
    fido = stock_fido()
    seen, bases = Counter(), Counter()
    for path, fact in zip(skeletons, identify_paths(skeletons), strict=True):
        basis, named = fido(path)
        theirs = {puid for puid, _ in named}
        ours = {fact.puid, *fact.candidates} - {None}
        told = difference(basis, theirs, fact.basis, ours)
        assert told is not None, (path, basis, theirs, fact.basis, ours)
        seen[told] += 1
        bases[fact.basis] += 1
    assert min(bases[basis] for basis in (Basis.SIGNATURE, Basis.CONTAINER, Basis.EXTENSION, Basis.NONE)) > 3
    assert seen["the same"] > 280
    assert (seen["more"], seen["priorities applied"], seen["FIDO asked for less"]) == (34, 29, 2)

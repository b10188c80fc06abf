"""The Library of Congress conformance suite and real scanned packages: the folder name, or the bag, is the verdict."""

from __future__ import annotations

import pytest

from preservation.bags.check import check_bag
from tests.bags.second_opinions import compared
from tests.bags.suite import BAGS, DISPUTED, NAME, bags_in, judged

pytestmark = pytest.mark.corpora


def test_conformance_suite(corpora):
    bags = bags_in(corpora(NAME))
    assert len(bags) == BAGS
    wrong = {name: why for name, bag in bags.items() if (why := judged(name, bag)) is not None}
    assert wrong == {}
    assert set(DISPUTED) <= set(bags)


@pytest.mark.timeout(300)
def test_the_library_is_compared_with_ours_on_the_suite(corpora):
    for name, bag in list(bags_in(corpora(NAME)).items())[::6]:
        assert compared(bag)[1] is None, name


# For which reason each one fails, so that none is refused by accident.
REASONS = {
    "v0.97/invalid/baginfo-missing-encoding": {"bagit-txt-malformed", "tag-digest-differs"},
    "v0.97/invalid/bom-in-bagit.txt": {"bagit-txt-malformed"},
    "v0.97/invalid/corrupt-data-file": {"digest-differs"},
    "v0.97/invalid/corrupt-tag-file": {"tag-digest-differs"},
    "v0.97/invalid/extra-file-in-bag": {"file-unexpected"},
    "v0.97/invalid/invalid-version-number": {"bagit-txt-malformed"},
    "v0.97/invalid/missing-baginfo": {"tag-file-missing"},
    "v0.97/invalid/missing-bagit.txt": {"bagit-txt-missing"},
    "v0.97/invalid/out-of-scope-file-paths-using-dot-notation": {"manifest-path-unsafe"},
    "v0.97/invalid/out-of-scope-file-paths-using-dot-notation-for-fetch": {"fetch-path-unsafe"},
    "v0.97/invalid/same-filename-listed-twice-with-different-hashes": {"manifest-lists-twice"},
    "v0.97/linux-only/out-of-scope-file-paths-using-absolute-path": {"manifest-path-unsafe"},
    "v0.97/linux-only/out-of-scope-file-paths-using-shortcut": {"manifest-path-unsafe"},
    "v0.97/linux-only/out-of-scope-file-paths-using-shortcut-username-for-fetch": {"fetch-path-unsafe"},
    "v0.97/windows-only/out-of-scope-file-paths-using-absolute-path": {"manifest-path-unsafe"},
    "v0.97/windows-only/out-of-scope-file-paths-using-shortcut-for-fetch": {"fetch-path-unsafe"},
    "v0.97/windows-only/out-of-scope-file-paths-using-unc": {"manifest-path-unsafe"},
    "v0.97/windows-only/out-of-scope-file-paths-using-unc-for-fetch": {"fetch-path-unsafe"},
    "v1.0/invalid/bagit-with-invalid-whitespace": {"bagit-txt-malformed"},
    "v1.0/invalid/notAllManifestsListAllFiles": {"file-unexpected"},
    "v1.0/invalid/same-filename-listed-twice-with-the-same-hash": {"manifest-lists-twice"},
}


@pytest.mark.parametrize("name", REASONS)
def test_refused_for_the_right_reason(name, corpora):
    report = check_bag(corpora("bagit-conformance-suite") / name)
    assert REASONS[name] <= {f.code for f in report.findings if f.severity == "error"}


SCANNED = {
    "SBB0000F29300010000": (14, ["data/OCR-D-IMG/FILE_0001_IMAGE.tif"]),
    "indian-ferns": (2, []),
    "kant_aufklaerung_1784": (7, []),
    "kant_aufklaerung_1784-complex": (120, []),
    "kant_aufklaerung_1784-jp2": (3, []),
    "pembroke_werke_1766": (2, []),
}


@pytest.mark.parametrize("name", SCANNED)
def test_scanned_packages(name, corpora):
    files, missing = SCANNED[name]
    report = check_bag(corpora("scanned-packages") / name)
    assert report.version == "1.0"
    assert (report.checked, report.matched, report.payload_files) == (files, files, files)
    assert list(report.missing) == missing
    assert report.valid is report.complete is (not missing)
    # This producer's dates carry a time of day, its bagit.txt ends without a line end, some of its lines are long; an
    # absent file also breaks the Oxum; nothing else is wrong.
    expected = {"bagging-date-malformed", "tag-file-open-end", "bag-info-line-long"}
    expected |= {"file-missing", "oxum-differs"} if missing else set()
    assert {f.code for f in report.findings} == expected


@pytest.mark.parametrize("name", ["1497608_newspaper_armeteufel_1904-01-17", "BLIP_20190920_01"])
def test_newspapers_are_no_bags(name, corpora):
    report = check_bag(corpora("scanned-packages") / name)
    assert not report.valid
    assert "bagit-txt-missing" in {f.code for f in report.findings}

"""Bags made to deceive, to crash or to hang a checker: no crash, no hang, no false accept, no false reject.

Each finding has a code, a path, what was expected and what was seen; the judge of a case (cases.complaint) holds that.
"""

from __future__ import annotations

import gzip
import json
import tarfile
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from preservation.bags.check import check_bag
from preservation.bags.profile import ProfileInvalid, read_profile
from tests.bags.adversarial_forms import FORMS
from tests.bags.adversarial_text import TEXT
from tests.bags.cases import Case, complaint
from tests.bags.golden import GOLDEN
from tests.bags.profiles import a_profile

CASES = [*TEXT, *FORMS]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_name_is_the_verdict(case: Case, tmp_path: Path) -> None:
    assert complaint(case, tmp_path) is None


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", GOLDEN)
def test_every_finding_of_a_golden_bag_is_whole(name: str, tmp_path: Path) -> None:
    make, codes = GOLDEN[name]
    case = Case("golden", name.replace("valid", "warning", 1) if codes else name, make, frozenset(codes))
    case = case if name.split()[0] != "invalid" else Case("golden", name, make, frozenset(codes))
    assert complaint(case, tmp_path) is None


def test_enough_of_them_in_every_family() -> None:
    families = Counter(case.family for case in CASES)
    assert set(families) == {
        "names", "encodings", "declaration", "manifests", "oxum", "tag files", "fetch", "normalisation", "links",
        "archives", "profiles",
    }  # fmt: skip
    assert min(families.values()) >= 15
    assert len(CASES) == len({str(case) for case in CASES}) >= 300
    assert {case.verdict for case in CASES} == {"valid", "warning", "remark", "invalid"}


@pytest.mark.parametrize(
    "kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE]
)
def test_an_extended_header_is_not_taken_into_memory_whatever_its_length(kind: bytes, tmp_path: Path) -> None:
    """A few kilobytes of a gzipped tar may be one name of many gigabytes."""
    header = tarfile.TarInfo("bomb")
    header.type, header.size = kind, 256 << 20
    with gzip.open(tmp_path / "bag.tar.gz", "wb", compresslevel=1) as out:
        out.write(header.tobuf(tarfile.GNU_FORMAT))
        for _ in range(256):
            out.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        report = check_bag(tmp_path / "bag.tar.gz")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [finding.code for finding in report.findings] == ["archive-unreadable"]
    assert not report.valid
    assert peak < 32 << 20


WRONG = {
    "not JSON": b"{",
    "not UTF-8": b'{"a": "\xff"}',
    "a list": b"[]",
    "nothing": b"",
    "a field twice": b'{"Bag-Info": {}, "Bag-Info": {}}',
    "nested for ever": b'{"Bag-Info":' * 100_000,
    "too long": b" " * (2 << 20),
    **{
        name: json.dumps(profile).encode()
        for name, profile in {
            "no info": {"Accept-BagIt-Version": ["1.0"]},
            "no identifier": a_profile(info={"BagIt-Profile-Identifier": None}),
            "identifier not absolute": a_profile(info={"BagIt-Profile-Identifier": "profile.json"}),
            "no version of its own": a_profile(info={"Version": None}),
            "specification 2.0": a_profile(info={"BagIt-Profile-Version": "2.0"}),
            "specification a number": a_profile(info={"BagIt-Profile-Version": 1.4}),
            "no version of BagIt": a_profile(**{"Accept-BagIt-Version": None}),
            "no version of BagIt accepted": a_profile(**{"Accept-BagIt-Version": []}),
            "versions as numbers": a_profile(**{"Accept-BagIt-Version": [1.0]}),
            "an unknown field": a_profile(**{"Virus-Check": True}),
            "an unknown demand on a label": a_profile(labels={"X": {"regex": "a"}}),
            "a label that is a list": a_profile(labels={"X": []}),
            "required perhaps": a_profile(labels={"X": {"required": "perhaps"}}),
            "values as text": a_profile(labels={"X": {"values": "a"}}),
            "a manifest nobody can check": a_profile(Manifests_Required=["crc32"]),
            "demands what it does not allow": a_profile(Manifests_Allowed=["sha512"]),
            "demands a tag file that it does not allow": a_profile(
                **{"Tag-Files-Required": ["a"], "Tag-Files-Allowed": ["b"]}
            ),
            "demands and forbids fetch.txt": a_profile(**{"Allow-Fetch.txt": False, "Fetch.txt-Required": True}),
            "an unknown serialization": a_profile(Serialization="sometimes"),
            "packed, and no kind of archive": a_profile(Serialization="required"),
        }.items()
    },
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", WRONG)
def test_a_profile_in_which_anything_is_wrong_is_not_used(name: str) -> None:
    with pytest.raises(ProfileInvalid) as refused:
        read_profile(WRONG[name], file="p.json")
    for finding in refused.value.findings:
        assert finding.code == "profile-malformed"
        assert str(finding.path).startswith("p.json")
        assert finding.expected
        assert finding.seen is not None


def test_profiles_of_other_houses_are_read() -> None:
    """As the specification's own examples have it: no version of the specification, booleans, no lists."""
    profile = read_profile(
        json.dumps(
            {
                "BagIt-Profile-Info": {
                    "BagIt-Profile-Identifier": "http://example.org/p.json",
                    "Source-Organization": "X",
                    "Contact-Name": "Y",
                    "External-Description": "Z",
                    "Version": "0.3",
                },
                "Bag-Info": {"Bagging-Date": {"required": True}, "Bag-Count": {"required": False}},
                "Manifests-Required": ["md5"],
                "Allow-Fetch.txt": False,
                "Serialization": "required",
                "Accept-Serialization": ["application/zip", "application/tar"],
                "Accept-BagIt-Version": ["0.96", "0.97"],
            }
        ).encode(),
        file="p.json",
    )
    assert profile.labels["Bagging-Date"].required
    assert not profile.allow_fetch
    assert profile.tag_files_allowed is None

"""The real scanned packages: every file comes in as it is, and what their lists promise is told as it is."""

from __future__ import annotations

import hashlib

import pytest

from preservation.bags.check import check_bag
from preservation.findings import Severity
from preservation.packages import check_supplied, supplied_from_bag
from preservation.progress import Silent

pytestmark = pytest.mark.corpora


def test_all_of_them_are_received_byte_for_byte(corpora, deliver):
    packages = sorted(path for path in corpora("scanned-packages").iterdir() if path.is_dir())
    assert len(packages) == 8
    for package in packages:
        delivery = deliver(package, algorithms=frozenset({"sha256", "sha512"}))
        received = delivery.received
        assert delivery.errors == []
        given = {
            str(path.relative_to(package)): hashlib.sha512(path.read_bytes()).hexdigest()
            for path in package.rglob("*")
            if path.is_file()
        }
        prefix = "data/" if received.is_bag else ""
        taken = {prefix + fact.path: fact.digests["sha512"] for fact in received.inventory}
        taken |= {fact.path: fact.digests["sha512"] for fact in received.given_tag_files}
        assert taken == given
        assert received.is_bag == (package / "bagit.txt").exists()
        for fact in received.inventory:
            content = (received.payload / fact.path).read_bytes()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (fact.size, fact.digests["sha256"])


def test_the_newspaper_whose_list_names_absent_images(corpora, deliver):
    received = deliver(corpora("scanned-packages") / "BLIP_20190920_01").received
    supplied = check_supplied(received, progress=Silent())
    images = [f"0002088/1832/1123/0002088_18321123_000{n}.jp2" for n in range(1, 9)]
    assert list(supplied.absent) == images
    assert [(f.code, f.path) for f in supplied.findings if f.severity is Severity.ERROR] == [
        ("supplied-file-missing", path) for path in images
    ]
    assert (supplied.kind, supplied.algorithms, supplied.checked, supplied.matched) == (
        "checksum-list",
        ("sha256",),
        9,
        9,
    )


def test_the_newspaper_without_a_list(corpora, deliver):
    received = deliver(corpora("scanned-packages") / "1497608_newspaper_armeteufel_1904-01-17").received
    assert check_supplied(received, progress=Silent()).kind == "none"


def test_what_the_given_bags_supplied(corpora, deliver):
    absent = {}
    for bag in sorted(path.parent for path in corpora("scanned-packages").glob("*/bagit.txt")):
        supplied = supplied_from_bag(check_bag(deliver(bag).received.given_tags))
        assert (supplied.kind, supplied.algorithms, supplied.lists) == ("bag", ("sha512",), ("manifest-sha512.txt",))
        assert supplied.checked == supplied.matched > 0
        absent[bag.name] = supplied.absent
    assert len(absent) == 6
    assert {name: files for name, files in absent.items() if files} == {
        "SBB0000F29300010000": ("data/OCR-D-IMG/FILE_0001_IMAGE.tif",)
    }

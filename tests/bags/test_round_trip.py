"""What our writer writes, our checker and the bagit library call valid; what is damaged afterwards is found."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from preservation.bags.check import check_bag
from preservation.bags.second_opinion import second_opinion
from preservation.bags.write import write_bag
from preservation.errors import FixityError
from preservation.facts import Role

PAGES = {
    "trang 0001.tif": b"II*\x00" + bytes(range(256)) * 40,
    "Ảnh/Điện Biên Phủ.tif": b"II*\x00" + b"\x00" * 5000,
    "rỗng.txt": b"",
    "mets.xml": b"<mets/>",
}


def codes(report) -> set[tuple[str, str | None]]:
    return {(finding.code, finding.path) for finding in report.findings}


@pytest.fixture
def written(receive_files, plan_for, tmp_path):
    received = receive_files(PAGES)
    plan = plan_for(received, algorithms=("sha256", "sha512"), descriptor=b"{}", descriptor_name="descriptor.json")
    return write_bag(received, plan, destination=tmp_path / "bag-1")


def test_a_written_bag_is_valid_for_both(written):
    report = check_bag(written.path)
    assert report.findings == ()
    assert report.valid and report.complete
    assert (report.checked, report.matched, report.payload_files) == (4, 4, 4)
    assert report.algorithms == ("sha256", "sha512")
    assert second_opinion(written.path).valid is True


def test_payload_is_byte_for_byte_and_moved_not_copied(receive_files, plan_for, tmp_path):
    received = receive_files(PAGES)
    inodes = {path: (received.payload / path).stat().st_ino for path in PAGES}
    bag = write_bag(received, plan_for(received), destination=tmp_path / "b").path
    for path, content in PAGES.items():
        assert (bag / "data" / path).read_bytes() == content
        assert (bag / "data" / path).stat().st_ino == inodes[path]
    assert not received.payload.exists()


def test_objects_list_every_file_of_the_bag_in_byte_order(written):
    there = sorted(
        (p.relative_to(written.path).as_posix() for p in written.path.rglob("*") if p.is_file()), key=str.encode
    )
    objects = list(written.objects)
    assert [o.path for o in objects] == there
    assert written.object_count == len(there)
    assert written.object_bytes == sum((written.path / p).stat().st_size for p in there)
    import hashlib

    for o in objects:
        content = (written.path / o.path).read_bytes()
        assert (o.size, o.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert o.role is (Role.PAYLOAD if o.path.startswith("data/") else Role.TAG)
        assert (o.format is not None) is (o.role is Role.PAYLOAD)


def test_bag_info_is_as_documented(written):
    info = dict(check_bag(written.path).bag_info)
    assert info == {
        "Bag-Software-Agent": "vankho 0.1.0",
        "Bagging-Date": "2026-11-22",
        "External-Identifier": "01jd7q3v",
        "Vankho-AIP-Version": "1",
        "Vankho-Content-Digest": info["Vankho-Content-Digest"],
        "Vankho-Submission": info["Vankho-Submission"],
        "Payload-Oxum": f"{sum(map(len, PAGES.values()))}.4",
        "Bag-Size": "15.3 KB",
        "Source-Organization": "Thư viện tỉnh Điện Biên",
    }


AWKWARD = [
    "100%.tif",
    "a%0Ab.tif",
    "dòng\nmới.txt",
    "về\rđầu.txt",
    " trước và sau ",
    "tab\t",
    "x\u0085y",
    "u\u2028v",
    "*sao.txt",
]


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_names_survive(name, receive_files, plan_for, tmp_path):
    received = receive_files({name: b"x", f"sub{name}/{name}": b"y"})
    bag = write_bag(received, plan_for(received), destination=tmp_path / "b").path
    report = check_bag(bag)
    assert report.valid, report.findings
    assert report.matched == 2
    assert second_opinion(bag).valid is not False  # it misreads some of them, and its "invalid" must not stop us


@pytest.mark.corpora
def test_premis_is_valid_and_complete(written, corpora):
    schema = etree.XMLSchema(etree.parse(corpora("schemas") / "premis-v3-0.xsd"))
    document = etree.parse(written.path / "metadata" / "premis.xml")
    schema.assertValid(document)
    ns = {"p": "http://www.loc.gov/premis/v3"}
    assert len(document.findall("p:object", ns)) == 1 + len(PAGES)
    assert [e.text for e in document.findall("p:event/p:eventType", ns)] == [
        "ingestion start",
        "message digest calculation",
    ]
    assert [e.text for e in document.findall("p:agent/p:agentName", ns)] == ["vankho"]
    names = {e.text for e in document.findall("p:object/p:originalName", ns)}
    assert names == set(PAGES)
    assert {e.text for e in document.findall(".//p:formatRegistryKey", ns)} == {"fmt/353"}


def test_a_given_bag_keeps_its_tag_files_and_litter(receive_files, plan_for, tmp_path):
    tags = {"bagit.txt": b"BagIt-Version: 0.97\n", "manifest-md5.txt": b"...", "tags/x.xml": b"<x/>"}
    received = receive_files(PAGES, given_tags=tags, set_aside={"sub/Thumbs.db": b"litter"})
    bag = write_bag(received, plan_for(received), destination=tmp_path / "b").path
    assert check_bag(bag).findings == ()
    for path, content in tags.items():
        assert (bag / "metadata" / "submission" / path).read_bytes() == content
    assert (bag / "metadata" / "set-aside" / "sub" / "Thumbs.db").read_bytes() == b"litter"
    assert {p.name for p in (bag / "data").rglob("*") if p.is_file()} == {p.split("/")[-1] for p in PAGES}


def test_missing_digests_are_computed_and_known_ones_proved(receive_files, plan_for, tmp_path):
    received = receive_files(PAGES)
    bag = write_bag(received, plan_for(received, algorithms=("sha256", "md5")), destination=tmp_path / "b").path
    assert check_bag(bag).findings == ()
    assert (bag / "manifest-md5.txt").read_bytes().count(b"\n") == 4


def test_a_policy_without_sha256_still_gives_objects_their_sha256(receive_files, plan_for, tmp_path):
    received = receive_files(PAGES)
    written = write_bag(received, plan_for(received, algorithms=("sha512",)), destination=tmp_path / "b")
    assert check_bag(written.path).algorithms == ("sha512",)
    assert all(len(o.sha256) == 64 for o in written.objects)


def test_changed_bytes_are_refused(receive_files, plan_for, tmp_path):
    received = receive_files(PAGES)
    (received.payload / "mets.xml").write_bytes(b"<METS/>")  # same length: seen only because md5 must be computed
    with pytest.raises(FixityError) as caught:
        write_bag(received, plan_for(received, algorithms=("sha256", "md5")), destination=tmp_path / "b")
    assert caught.value.where == "mets.xml"
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("harm", [lambda p: p.write_bytes(b"longer than before"), os.unlink])
def test_changed_size_or_absence_is_refused(harm, receive_files, plan_for, tmp_path):
    received = receive_files(PAGES)
    harm(received.payload / "mets.xml")
    with pytest.raises(FixityError):
        write_bag(received, plan_for(received), destination=tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_changed_tag_file_of_a_given_bag_is_refused(receive_files, plan_for, tmp_path):
    received = receive_files(PAGES, given_tags={"bagit.txt": b"x"})
    (received.given_tags / "bagit.txt").write_bytes(b"y")
    with pytest.raises(FixityError):
        write_bag(received, plan_for(received), destination=tmp_path / "b")


@pytest.mark.parametrize("taken", ["file", "empty folder", "link"])
def test_a_taken_destination_is_never_replaced(taken, receive_files, plan_for, tmp_path):
    place = tmp_path / "b"
    {"file": place.touch, "empty folder": place.mkdir, "link": lambda: place.symlink_to("nowhere")}[taken]()
    received = receive_files(PAGES)
    with pytest.raises(FixityError):
        write_bag(received, plan_for(received), destination=place)
    assert (received.payload / "mets.xml").exists()


def test_values_are_one_line_and_cannot_forge_elements(receive_files, plan_for, tmp_path):
    received = receive_files(PAGES)
    plan = plan_for(
        received,
        bag_info={"External-Description": "một\r\nPayload-Oxum: 0.0\u2028\x1b[2J", "Contact-Name": ("A", "B")},
    )
    report = check_bag(write_bag(received, plan, destination=tmp_path / "b").path)
    assert report.valid
    assert ("External-Description", r"một Payload-Oxum: 0.0\u2028\x1b[2J") in report.bag_info
    assert [value for label, value in report.bag_info if label == "Contact-Name"] == ["A", "B"]


@pytest.mark.parametrize("label", ["Payload-Oxum", "payload-oxum", "A: B", "", "A\nB", " A", "Nhãn\r"])
def test_labels_that_cannot_be_written_are_refused(label, receive_files, plan_for, tmp_path):
    received = receive_files(PAGES)
    with pytest.raises(ValueError):
        write_bag(received, plan_for(received, bag_info={label: "x"}), destination=tmp_path / "b")
    assert not (tmp_path / "b").exists()


# --- damage -------------------------------------------------------------------------------------------------------


def flip(bag: Path) -> None:
    path = bag / "data" / "trang 0001.tif"
    content = bytearray(path.read_bytes())
    content[777] ^= 1
    path.write_bytes(content)


def swap_lines(bag: Path) -> None:
    path = bag / "manifest-sha256.txt"
    one, two, *rest = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text(one[:64] + two[64:] + two[:64] + one[64:] + "".join(rest), encoding="utf-8")


def drop_line(bag: Path) -> None:
    path = bag / "manifest-sha512.txt"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def append(path: str, content: bytes) -> Callable[[Path], None]:
    def harm(bag: Path) -> None:
        with (bag / path).open("ab") as out:
            out.write(content)

    return harm


FIRST, PHU = "data/mets.xml", "data/Ảnh/Điện Biên Phủ.tif"
DAMAGE: dict[str, tuple[Callable[[Path], object], set[tuple[str, str]]]] = {
    "flip a bit": (flip, {("digest-differs", "data/trang 0001.tif")}),
    "truncate": (lambda b: os.truncate(b / PHU, 4000), {("digest-differs", PHU), ("oxum-differs", "bag-info.txt")}),
    "empty": (lambda b: os.truncate(b / FIRST, 0), {("digest-differs", FIRST), ("oxum-differs", "bag-info.txt")}),
    "delete": (lambda b: (b / PHU).unlink(), {("file-missing", PHU), ("oxum-differs", "bag-info.txt")}),
    "add": (
        lambda b: (b / "data/thêm").write_bytes(b""),
        {("file-unexpected", "data/thêm"), ("oxum-differs", "bag-info.txt")},
    ),
    "rename": (
        lambda b: (b / FIRST).rename(b / "data/METS.xml"),
        {("file-missing", FIRST), ("file-unexpected", "data/METS.xml")},
    ),
    "swap manifest lines": (
        swap_lines,
        {
            ("digest-differs", FIRST),
            ("digest-differs", "data/rỗng.txt"),
            ("tag-digest-differs", "manifest-sha256.txt"),
        },
    ),
    "drop a line of one manifest": (
        drop_line,
        {("file-unlisted", PHU), ("tag-digest-differs", "manifest-sha512.txt")},
    ),
    "change bag-info": (append("bag-info.txt", b"Contact-Name: X\n"), {("tag-digest-differs", "bag-info.txt")}),
    "change premis": (append("metadata/premis.xml", b" "), {("tag-digest-differs", "metadata/premis.xml")}),
    "delete premis": (lambda b: (b / "metadata/premis.xml").unlink(), {("tag-file-missing", "metadata/premis.xml")}),
    "delete bagit.txt": (
        lambda b: (b / "bagit.txt").unlink(),
        {("bagit-txt-missing", "bagit.txt"), ("tag-file-missing", "bagit.txt")},
    ),
    "delete a manifest": (
        lambda b: (b / "manifest-sha256.txt").unlink(),
        {("tag-file-missing", "manifest-sha256.txt")},
    ),
    "delete the payload": (
        lambda b: shutil.rmtree(b / "data"),
        {("data-folder-missing", "data"), ("oxum-differs", "bag-info.txt")}
        | {("file-missing", f"data/{p}") for p in PAGES},
    ),
    "link in place of a file": (
        lambda b: ((b / FIRST).rename(b / "away"), (b / FIRST).symlink_to(b / "away")),
        {("link-in-bag", FIRST), ("oxum-differs", "bag-info.txt")},
    ),
    "nulls in bagit.txt": (
        lambda b: (b / "bagit.txt").write_bytes(bytes(55)),
        {("bagit-txt-malformed", "bagit.txt"), ("tag-digest-differs", "bagit.txt")},
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_found_with_its_exact_path(kind, written):
    harm, expected = DAMAGE[kind]
    harm(written.path)
    report = check_bag(written.path)
    assert not report.valid
    assert {(f.code, f.path) for f in report.findings if f.severity == "error"} == expected

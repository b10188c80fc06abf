"""Whatever bytes a tag file holds, the checker answers; and other bytes than the guarded ones are never valid."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from preservation.bags.check import check_bag
from preservation.bags.write import write_bag
from tests.bags.bag_maker import make_bag
from tests.bags.received_maker import a_plan, received_package
from tests.bags.test_archives import pack

TAGS = ("bagit.txt", "bag-info.txt", "fetch.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", "manifest-md5.txt")
PIECES = st.sampled_from(
    [b"\n", b"\r", b"\x00", b"\xef\xbb\xbf", b"\xff\xfe", b"%", b"%0A", b"..", b"/", b"data/", b"data/a.txt", b"  ",
     b"\t", b":", b"0" * 32, b"0" * 64, b"BagIt-Version: 1.0\n", b"Tag-File-Character-Encoding: UTF-16\n", b"http:x",
     b"Payload-Oxum: 9.2\n", b"\xed\xa0\x80", "ế".encode(), b"*", b"~", b"\\"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(path=st.sampled_from(TAGS), content=st.lists(PIECES | st.binary(max_size=8), max_size=12).map(b"".join))
def test_any_tag_file_gets_an_answer(path, content):
    with tempfile.TemporaryDirectory() as folder:
        bag = make_bag(Path(folder) / "bag")
        before = (bag / path).read_bytes() if (bag / path).exists() else None
        (bag / path).write_bytes(content)
        report = check_bag(bag)
        guarded = path not in ("tagmanifest-sha256.txt", "bag-info.txt", "fetch.txt", "manifest-md5.txt")
        assert not (report.valid and guarded and content != before)


@settings(max_examples=150, deadline=None)
@given(
    form=st.sampled_from(["zip", "tar", "tar.gz"]),
    edits=st.lists(st.tuples(st.floats(0, 0.9999), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_any_archive_gets_an_answer(form, edits):
    with tempfile.TemporaryDirectory() as folder:
        archive = pack(make_bag(Path(folder) / "bag", {"data/Ảnh/é.txt": b"abc" * 50}), form)
        content = bytearray(archive.read_bytes())
        for place, byte in edits:
            content[int(place * len(content))] = byte
        archive.write_bytes(content)
        report = check_bag(archive)
        assert not report.valid or (report.matched, report.payload_bytes) == (1, 150)


NAMES = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="/\x00"), min_size=1, max_size=30
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)


@settings(max_examples=60, deadline=None)
@given(names=st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_any_name_survives_writer_and_checker(names):
    with tempfile.TemporaryDirectory() as folder:
        received = received_package(Path(folder) / "s", {name: name.encode() for name in names})
        plan = a_plan(received)
        report = check_bag(write_bag(received, plan, destination=Path(folder) / "bag").path)
        assert report.valid, report.findings
        assert report.matched == len(names)

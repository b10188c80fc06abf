"""A delivered folder: what comes in, what is refused, and that the producer's bytes stay as they are."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest

from preservation.findings import Severity
from preservation.packages import Limits, Litter

PAGES = {"0001.tif": b"page one", "ocr/0001.xml": b"<alto/>", "0002.tif": b""}


def test_every_file_is_received_as_it_is_with_all_digests_asked_for(deliver, make_folder):
    delivery = deliver(make_folder(PAGES), algorithms=frozenset({"md5", "sha512"}))
    assert delivery.files == PAGES
    assert delivery.findings == ()
    for fact in delivery.received.inventory:
        content = PAGES[fact.path]
        assert fact.size == len(content)
        assert fact.digests == {a: hashlib.new(a, content).hexdigest() for a in ("md5", "sha256", "sha512")}
        assert fact.original_name is None
    assert (delivery.received.files, delivery.received.bytes) == (3, 15)


def test_the_inventory_is_sorted_by_bytes_and_the_content_digest_is_what_it_says(deliver, make_folder):
    names = ["b", "a/z", "a.txt", "é", "a-b", "Z"]
    delivery = deliver(make_folder({name: name.encode() for name in names}))
    facts = list(delivery.received.inventory)
    assert [fact.path for fact in facts] == sorted(names, key=str.encode)
    lines = "".join(f"{hashlib.sha256(f.path.encode()).hexdigest()} {f.size} {f.path}\n" for f in facts)
    assert delivery.received.content_digest == hashlib.sha256(lines.encode()).hexdigest()


def test_the_source_is_not_touched(deliver, make_folder):
    root = make_folder(PAGES | {"Thumbs.db": b"x"})
    for path in root.rglob("*"):
        os.utime(path, ns=(1_000_000_000, 1_000_000_000))
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in root.rglob("*")}
    assert deliver(root).received is not None
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in root.rglob("*")} == before


def test_an_empty_folder_is_refused_by_name(deliver, make_folder):
    assert deliver(make_folder({})).errors == [("package-empty", "book")]


def test_a_folder_with_nothing_but_litter_is_empty(deliver, make_folder):
    delivery = deliver(make_folder({"Thumbs.db": b"x"}))
    assert delivery.errors == [("package-empty", "book")]


def test_empty_folders_inside_are_listed(deliver, make_folder):
    root = make_folder(PAGES)
    (root / "blank/inner").mkdir(parents=True)
    delivery = deliver(root)
    assert delivery.received.empty_folders == ("blank/inner",)
    assert delivery.codes == ["folder-empty"]


@pytest.mark.parametrize("target", ["/etc/passwd", "../other", "ocr/../../x", "C:\\Windows"])
def test_a_link_that_leaves_the_package(deliver, make_folder, target):
    root = make_folder(PAGES)
    (root / "link").symlink_to(target)
    delivery = deliver(root)
    assert delivery.errors == [("link-leaves-package", "link")]
    assert delivery.files == PAGES


@pytest.mark.parametrize("target", ["0001.tif", "ocr", "nowhere", "ocr/../0001.tif"])
def test_a_link_inside_is_not_followed(deliver, make_folder, target):
    root = make_folder(PAGES)
    (root / "link").symlink_to(target)
    assert deliver(root).errors == [("link-not-followed", "link")]


def test_pipes_and_sockets_are_named_and_never_opened(deliver, make_folder, monkeypatch):
    root = make_folder(PAGES)
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)  # a socket's path may be 108 bytes long
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        delivery = deliver(root)
    assert delivery.errors == [("special-file", "pipe"), ("special-file", "socket")]


def test_all_offenders_are_listed_at_once(deliver, make_folder):
    root = make_folder(PAGES | {"a\nb": b"", "x" * 250: b"", "con.tif": b""})
    (root / "l1").symlink_to("/")
    (root / "l2").symlink_to("/")
    delivery = deliver(root)
    assert delivery.errors == [
        ("link-leaves-package", "l1"),
        ("link-leaves-package", "l2"),
        ("name-not-storable", "a\nb"),
    ]
    assert "name-not-portable" in delivery.codes


def test_a_path_too_long_for_any_store(deliver, make_folder):
    long = "/".join(["đ" * 100] * 5)  # 1004 bytes
    assert deliver(make_folder({long: b"", "ok": b""})).errors == [("name-not-storable", long)]


def test_a_folder_too_deep(deliver, make_folder):
    deep = "/".join("d" * 9)
    assert deliver(make_folder({deep: b"", "ok": b""}), limits=Limits(depth=8)).errors == [
        ("name-not-storable", deep)
    ]


def test_too_many_files_stop_before_copying(deliver, make_folder, tmp_path):
    delivery = deliver(make_folder({str(n): b"" for n in range(5)}), limits=Limits(entries=4))
    assert delivery.errors == [("package-too-large", "book")]
    assert list((tmp_path / "staging/s0/received").iterdir()) == []


def test_names_that_are_one_name_elsewhere(deliver, make_folder):
    nfc, nfd = "Ảnh.tif", "A\u0309nh.tif"
    delivery = deliver(make_folder({nfc: b"1", nfd: b"2", "a.tif": b"", "A.tif": b""}))
    assert delivery.errors == [("names-collide", max(nfc, nfd))]
    assert delivery.files == {nfc: b"1", nfd: b"2", "a.tif": b"", "A.tif": b""}  # nothing was normalised
    assert "names-differ-by-case" in delivery.codes


def test_folders_that_are_one_folder_elsewhere(deliver, make_folder):
    delivery = deliver(make_folder({"é/1": b"1", "e\u0301/2": b"2"}))
    assert [code for code, _ in delivery.errors] == ["names-collide"]


@pytest.mark.parametrize("name", ["con", "AUX.tif", "lpt1.txt", "a:b", "what?.tif", "end.", "end ", "a\\b", "dir./x"])
def test_names_windows_cannot_hold_are_a_warning(deliver, make_folder, name):
    delivery = deliver(make_folder({name: b"kept"}))
    assert [(f.code, f.severity, f.path) for f in delivery.findings] == [
        ("name-not-portable", Severity.WARNING, name)
    ]
    assert delivery.files == {name: b"kept"}


def test_a_name_that_reorders_text_is_a_warning(deliver, make_folder):
    assert deliver(make_folder({"gpj.\u202etif": b""})).codes == ["name-hides-characters"]


def test_a_name_in_cp1258_is_decoded_and_kept(deliver, make_folder):
    root = make_folder(PAGES)
    raw = "Tiê\u0301ng Viê\u0323t.tif".encode("cp1258")
    Path(os.fsdecode(os.fsencode(root) + b"/" + raw)).write_bytes(b"viet")
    delivery = deliver(root)
    assert delivery.files["Tiếng Việt.tif"] == b"viet"
    assert [f.original_name for f in delivery.received.inventory if f.original_name] == [raw]
    assert [(f.code, f.severity, f.path) for f in delivery.findings] == [
        ("name-decoded", Severity.INFO, "Tiếng Việt.tif")
    ]


def test_two_names_that_decode_to_one_are_repeated(deliver, make_folder):
    root = make_folder({"Âm.tif": b"utf-8"})
    Path(os.fsdecode(os.fsencode(root) + b"/" + "Âm.tif".encode("cp1258"))).write_bytes(b"cp1258")
    assert deliver(root).errors == [("entry-repeated", "Âm.tif")]


LITTER = {"Thumbs.db": b"1", "ocr/.DS_Store": b"2", "._0001.tif": b"3", "__MACOSX/x/y.tif": b"4", "DESKTOP.INI": b"5"}


def test_litter_is_set_aside_and_listed(deliver, make_folder):
    delivery = deliver(make_folder(PAGES | LITTER))
    assert delivery.files == PAGES
    aside = delivery.received.aside
    assert {f.path: (aside / f.path).read_bytes() for f in delivery.received.set_aside} == LITTER
    assert [(f.code, f.severity) for f in delivery.findings] == [("system-litter", Severity.WARNING)] * 5
    assert {f.path for f in delivery.findings} == LITTER.keys()
    assert not (delivery.received.payload / "__MACOSX").exists()


def test_litter_is_kept_or_refused_when_the_policy_says_so(deliver, make_folder):
    root = make_folder(PAGES | LITTER)
    kept = deliver(root, litter=Litter.KEEP)
    assert kept.files == PAGES | LITTER
    assert {f.severity for f in kept.findings} == {Severity.INFO}
    assert deliver(root, litter=Litter.REJECT).errors == sorted(("system-litter", path) for path in LITTER)


def test_litter_with_a_name_no_store_can_hold_does_not_keep_a_package_out(deliver, make_folder):
    delivery = deliver(make_folder(PAGES | {"ocr/Icon\r": b"icon"}))
    assert delivery.errors == []
    assert [(f.path, f.original_name) for f in delivery.received.set_aside] == [("ocr/Icon%0D", b"ocr/Icon\r")]
    assert delivery.files == PAGES


def test_a_folder_in_the_place_of_a_manifest(deliver, make_folder):
    assert deliver(make_folder(BAG | {"manifest-sha256.txt/x": b""})).received.is_bag


def test_many_findings_of_a_kind_are_counted(deliver, make_folder):
    delivery = deliver(make_folder({f"{n}?": b"" for n in range(1203)}))
    assert len(delivery.findings) == 1001
    assert delivery.findings[-1].message.values == {"count": 203, "code": "name-not-portable"}


BAG = {
    "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
    "manifest-md5.txt": b"0cc175b9c0f1b6a831c399e269772661  data/a\n92eb5ffee6ae2fec3ad71c777531578f  data/Thumbs.db\n",
    "data/a": b"a",
    "data/Thumbs.db": b"b",
}


@pytest.mark.parametrize("top", ["", "bag/"])
def test_a_given_bag_is_told_by_its_declaration(deliver, make_folder, top):
    delivery = deliver(make_folder({top + path: content for path, content in BAG.items()} | {"__MACOSX/._bag": b"m"}))
    received = delivery.received
    assert received.is_bag
    assert received.given_tags == received.payload.parent
    assert (received.given_tags / "bagit.txt").is_file()
    assert delivery.files == {"a": b"a", "Thumbs.db": b"b"}  # the bag lists it, so it is payload
    assert [fact.path for fact in received.given_tag_files] == ["bagit.txt", "manifest-md5.txt"]
    assert [fact.path for fact in received.set_aside] == ["__MACOSX/._bag"]


def test_litter_in_a_bag_that_no_manifest_lists_is_set_aside(deliver, make_folder):
    delivery = deliver(make_folder(BAG | {"data/.DS_Store": b"m"}))
    assert [fact.path for fact in delivery.received.set_aside] == ["data/.DS_Store"]


def test_a_bag_with_no_payload_is_empty(deliver, make_folder):
    assert deliver(make_folder({"bagit.txt": BAG["bagit.txt"]})).errors == [("package-empty", "book")]


def test_two_bags_side_by_side_are_no_bag(deliver, make_folder):
    delivery = deliver(make_folder({"one/bagit.txt": b"", "two/bagit.txt": b""}))
    assert not delivery.received.is_bag
    assert set(delivery.files) == {"one/bagit.txt", "two/bagit.txt"}

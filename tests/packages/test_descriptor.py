"""The producer's descriptor: found, read strictly, and held against a schema in our own sentences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from preservation.packages import Descriptor, descriptor_findings, read_descriptor

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["title", "date"],
    "additionalProperties": False,
    "properties": {
        "title": {"type": "string", "minLength": 1},
        "identifier": {"type": "string", "pattern": "^[A-Z]+-[0-9]+$", "description": "letters, a dash, digits"},
        "date": {"type": "string", "format": "date"},
        "language": {"enum": ["vi", "fr"]},
        "pages": {"type": "integer", "minimum": 1},
        "scan": {"type": "object", "required": ["device"], "properties": {"resolution_ppi": {"type": "number"}}},
    },
}
GOOD = {"title": "Truyện Kiều", "date": "1932-05-19", "scan": {"device": "Zeutschel", "resolution_ppi": 400}}


@pytest.fixture
def read(deliver, make_folder):
    def _read(files):
        return read_descriptor(deliver(make_folder({"0001.tif": b""} | files)).received)

    return _read


def as_yaml(**fields: str) -> bytes:
    return "".join(f"{key}: {value}\n" for key, value in fields.items()).encode()


def test_none(read):
    assert read({}) is None


@pytest.mark.parametrize("path", ["metadata.json", "metadata.yaml", "metadata.yml"])
def test_json_and_yaml_say_the_same(read, path):
    descriptor = read({path: json.dumps(GOOD).encode()})  # JSON is YAML
    assert (descriptor.path, descriptor.data, descriptor.findings) == (path, GOOD, ())
    assert descriptor_findings(descriptor, SCHEMA) == ()


def test_in_the_single_top_folder_and_beside_litter(deliver, make_folder):
    root = make_folder({"book/metadata.json": b"{}", "book/1.tif": b""})
    assert read_descriptor(deliver(root).received).path == "book/metadata.json"


def test_not_deeper_and_not_in_one_of_several_folders(deliver, make_folder):
    root = make_folder({"a/metadata.json": b"{}", "b/1.tif": b""})
    assert read_descriptor(deliver(root).received) is None


def test_in_the_payload_of_a_bag(deliver, make_folder):
    root = make_folder({"bagit.txt": b"", "data/metadata.yaml": b"title: x"})
    assert read_descriptor(deliver(root).received).data == {"title": "x"}


def test_in_an_archive(deliver, make_zip, make_tar):
    for source in (
        make_zip({"x/metadata.json": b'{"title": "x"}'}),
        make_tar({"x/metadata.json": b'{"title": "x"}'}),
    ):
        assert read_descriptor(deliver(source).received).data == {"title": "x"}


def test_more_than_one(read):
    (finding,) = read({"metadata.json": b"{}", "metadata.yml": b"{}"}).findings
    assert finding.code == "descriptor-ambiguous"


def test_yaml_keeps_what_was_written(read):
    text = b"date: 2026-11-22\nidentifier: 0012\nlanguage: no\npages: 120\nppi: 300.5\nok: true\nnone: null\n1: 12:30:00\n"
    assert read({"metadata.yaml": text}).data == {
        "date": "2026-11-22", "identifier": "0012", "language": "no", "pages": 120, "ppi": 300.5, "ok": True, "none": None,
        "1": "12:30:00",
    }  # fmt: skip


def test_a_byte_order_mark_is_no_fault(read):
    assert read({"metadata.json": b'\xef\xbb\xbf{"title": "x"}'}).data == {"title": "x"}


@pytest.mark.parametrize(
    ("path", "content", "word"),
    [
        ("metadata.json", b'{"title": "x",\n "date" "y"}', "line 2"),
        ("metadata.json", b'{"title": "x", "title": "y"}', "title twice"),
        ("metadata.json", b'{"a": {"b": 1, "b": 1}}', "b twice"),
        ("metadata.json", b'{"a": NaN}', "cannot be read"),
        ("metadata.json", b"[" * 100_000, "cannot be read"),
        ("metadata.json", b"[]", "fields with values"),
        ("metadata.json", b'"text"', "fields with values"),
        ("metadata.json", b"", "line 1"),
        ("metadata.json", '{"title": "Kiều"}'.encode("utf-16"), "UTF-8"),
        ("metadata.json", b'{"title": "' + b"x" * (1 << 20) + b'"}', "larger"),
        ("metadata.yaml", b"title: a\ntitle: b", "line 2"),
        ("metadata.yaml", b"title: a: b", "line 1"),
        ("metadata.yaml", b"a: &a [x]\nb: *a", "line 2"),
        ("metadata.yaml", b"a: !!python/object/apply:os.system [id]", "line 1"),
        ("metadata.yaml", b"a: b\n---\nc: d", "line 2"),
        ("metadata.yaml", b"? [a, b]\n: c", "line 1"),
        ("metadata.yaml", b"[" * 20_000, "cannot be read"),
        ("metadata.yaml", b"a: \x01", "cannot be read"),
        ("metadata.yaml", b"", "fields with values"),
    ],
)
def test_what_cannot_be_read_is_one_finding(read, path, content, word):
    descriptor = read({path: content})
    (finding,) = descriptor.findings
    assert finding.code == "descriptor-unreadable"
    assert finding.path == path
    assert word in str(finding.message)
    assert descriptor.data == {}
    assert descriptor_findings(descriptor, SCHEMA) == ()


def test_laughs_do_not_grow(read):
    laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert [f.code for f in read({"metadata.yaml": laughs.encode()}).findings] == ["descriptor-unreadable"]


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        ({"date": "2026-02-30"}, "descriptor-field-wrong", "The field date holds no date that exists: 2026-02-30."),
        ({"date": "22/11/2026"}, "descriptor-field-wrong", "Write it as 2026-11-22."),
        ({"date": None}, "descriptor-field-wrong", "The field date has a value of the wrong kind: null."),
        ({"title": ""}, "descriptor-field-wrong", "The field title is too short or too long"),
        ({"title": 1932}, "descriptor-field-wrong", "Put its value 1932 in quotes."),
        ({"identifier": "x"}, "descriptor-field-wrong", "The field identifier has a value that is not accepted: x."),
        ({"language": "en"}, "descriptor-field-wrong", "Accepted are: vi, fr."),
        ({"pages": 0}, "descriptor-field-wrong", "The field pages is too small or too large: 0."),
        ({"pages": "120"}, "descriptor-field-wrong", "The field pages has a value of the wrong kind: 120."),
        ({"scan": {"device": 1, "resolution_ppi": "300"}}, "descriptor-field-wrong", "The field scan.resolution_ppi"),
        ({"scan": {}}, "descriptor-field-missing", "The descriptor lacks the field scan.device."),
        ({"titel": "x"}, "descriptor-field-unknown", "unknown field titel. Is title meant?"),
        ({"zzz": "x"}, "descriptor-field-unknown", "unknown field zzz."),
    ],
)
def test_each_fault_has_its_sentence(read, change, code, sentence):
    (finding,) = descriptor_findings(read({"metadata.json": json.dumps(GOOD | change).encode()}), SCHEMA)
    assert (finding.code, finding.path) == (code, "metadata.json")
    assert sentence in str(finding.message)


def test_all_missing_fields_are_named(read):
    findings = descriptor_findings(read({"metadata.json": b"{}"}), SCHEMA)
    assert [(f.code, f.expected) for f in findings] == [
        ("descriptor-field-missing", "date"),
        ("descriptor-field-missing", "title"),
    ]


def test_the_schema_of_the_policies_refuses_a_wrong_date(read):
    schema = json.loads((Path(__file__).parents[2] / "policies/schemas/descriptor.schema.json").read_text())
    good, bad = {"title": "Kiều", "date": "1932-05-19"}, {"title": "Kiều", "date": "19/05/1932"}
    assert descriptor_findings(read({"metadata.json": json.dumps(good).encode()}), schema) == ()
    (finding,) = descriptor_findings(Descriptor("metadata.json", bad, ()), schema)
    assert "no date that exists" in str(finding.message)

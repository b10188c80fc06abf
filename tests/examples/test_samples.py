"""The samples are what they say: the same bytes every time, valid METS and ALTO, and the faults they should have."""

import hashlib
import json
import unicodedata
import zipfile
from urllib.parse import unquote

import pytest
from jsonschema import Draft202012Validator
from lxml import etree

from examples.samples import cp1258, make_samples

NS = {"mets": "http://www.loc.gov/METS/", "xlink": "http://www.w3.org/1999/xlink"}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return {sample.name: sample for sample in make_samples(tmp_path_factory.mktemp("samples"))}


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_names_and_expectations(samples):
    assert {name: sample.expected for name, sample in samples.items()} == {
        "book": "accepted",
        "vendor-delivery": "accepted",
        "old-zip": "accepted",
        "bag": "accepted",
        "bad-delivery": "rejected",
    }
    assert len(samples["bad-delivery"].reasons) == 2
    for sample in samples.values():
        assert unicodedata.is_normalized("NFC", sample.path.name)
        assert not sample.path.name.isascii()


def test_same_bytes_every_time(samples, tmp_path):
    make_samples(tmp_path)
    first = files_of(samples["book"].path.parent)
    assert files_of(tmp_path) == first
    assert 1_000_000 < sum(map(len, first.values())) < 5_000_000


def test_made_packages_are_never_overwritten(tmp_path):
    make_samples(tmp_path)
    with pytest.raises(FileExistsError):
        make_samples(tmp_path)


class Local(etree.Resolver):
    """Schemas import one another by web address; here they lie side by side."""

    def __init__(self, folder):
        self.folder = folder

    def resolve(self, url, _id, context):
        return self.resolve_filename(str(self.folder / url.rsplit("/", 1)[-1]), context)


def schema(folder, name):
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(Local(folder))
    return etree.XMLSchema(etree.parse(folder / name, parser))


@pytest.mark.corpora
def test_mets_and_alto_are_valid(samples, corpora):
    folder = corpora("schemas")
    book = samples["book"].path
    schema(folder, "mets.xsd").assertValid(etree.parse(book / "mets.xml"))
    alto = schema(folder, "alto-4-4.xsd")
    pages = sorted((book / "văn bản ALTO").iterdir())
    assert pages
    for page in pages:
        alto.assertValid(etree.parse(page))


def test_mets_lists_every_page_with_its_digest(samples):
    book = samples["book"].path
    listed = {
        unquote(file.find("mets:FLocat", NS).get(f"{{{NS['xlink']}}}href")): (file.get("SIZE"), file.get("CHECKSUM"))
        for file in etree.parse(book / "mets.xml").iterfind(".//mets:file", NS)
    }
    there = files_of(book)
    del there["mets.xml"], there["metadata.json"]
    assert listed == {path: (str(len(data)), hashlib.sha256(data).hexdigest()) for path, data in there.items()}


def test_alto_holds_the_text(samples):
    page = etree.parse(samples["book"].path / "văn bản ALTO" / "0001.xml")
    words = page.xpath("//*[local-name()='TextLine'][1]/*[local-name()='String']/@CONTENT")
    assert " ".join(words) == "Trăm năm trong cõi người ta,"


def test_descriptor_follows_its_schema(samples, pytestconfig):
    rules = json.loads((pytestconfig.rootpath / "policies/schemas/descriptor.schema.json").read_text("utf-8"))
    data = json.loads((samples["book"].path / "metadata.json").read_text("utf-8"))
    Draft202012Validator(rules, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(data)
    assert data["title"] == "Truyện Kiều"
    assert set(data) <= set(rules["properties"]), "a word of the sample that the schema does not know"


def test_vendor_list_as_windows_writes_it(samples):
    path = samples["vendor-delivery"].path
    raw = (path / "checksum.md5").read_bytes()
    assert raw.startswith(b"\xff\xfe")
    text = raw.decode("utf-16")
    assert text.count("\r\n") == text.count("\n") == 4
    listed = {}
    for line in text.splitlines():
        digest, name = line.split(" *")
        assert digest == digest.upper()
        listed[name.replace("\\", "/")] = digest.lower()
    there = files_of(path)
    assert there.pop("Ảnh/Thumbs.db").startswith(b"\xd0\xcf\x11\xe0")
    del there["checksum.md5"]
    assert listed == {name: hashlib.md5(data).hexdigest() for name, data in there.items()}


def test_zip_names_are_cp1258(samples):
    with zipfile.ZipFile(samples["old-zip"].path) as archive:
        assert archive.testzip() is None
        entries = archive.infolist()
    assert entries
    for entry in entries:
        assert not entry.flag_bits & 0x800
        raw = entry.filename.encode("cp437")
        with pytest.raises(UnicodeDecodeError):
            raw.decode("utf-8")
        assert unicodedata.normalize("NFC", raw.decode("cp1258")).startswith("Bánh trôi nước/Ảnh số 000")


@pytest.mark.parametrize("text", ["Ảnh Nguyễn Đình Chiểu", "ở ngã ba Đường Lộ", "ậ ẫ ẵ ữ ợ ỹ ỵ", "plain"])
def test_cp1258_comes_back(text):
    assert unicodedata.normalize("NFC", cp1258(text).decode("cp1258")) == text


def test_bag_is_valid_for_the_bagit_library(samples):
    import bagit

    bag = bagit.Bag(str(samples["bag"].path))
    assert bag.validate()
    assert bag.info["External-Identifier"] == "MAU-0004"


def test_bad_delivery_is_bad_for_two_reasons(samples):
    path = samples["bad-delivery"].path
    lines = (path / "SHA256SUMS").read_text("utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    there = {name: hashlib.sha256(data).hexdigest() for name, data in files_of(path).items() if name != "SHA256SUMS"}
    assert set(listed) - set(there) == {"0003.jpg"}
    assert not set(there) - set(listed)
    assert [name for name in there if there[name] != listed[name]] == ["0002.jpg"]

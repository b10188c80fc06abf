"""Real scanned packages, received for real and bagged: what was delivered is in the bag, byte for byte."""

from __future__ import annotations

import unicodedata
import zipfile

import pytest

from preservation.bags.check import check_bag
from preservation.bags.second_opinion import second_opinion
from preservation.bags.write import write_bag
from preservation.packages.litter import Litter
from preservation.packages.receive import receive
from preservation.packages.submission import claim
from preservation.progress import Silent


def bagged(source, plan_for, tmp_path, **changes):
    submission = claim(source, staging=tmp_path / "staging", submission_id="s-1")
    received = receive(submission, algorithms=frozenset({"sha256"}), litter=Litter.SET_ASIDE, progress=Silent())
    return received, write_bag(received, plan_for(received, **changes), destination=tmp_path / "bag-1")


def files_of(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.corpora
@pytest.mark.parametrize("name", ["kant_aufklaerung_1784-complex", "SBB0000F29300010000", "BLIP_20190920_01"])
def test_scanned_packages_become_bags(name, corpora, plan_for, tmp_path):
    source = corpora("scanned-packages") / name
    received, written = bagged(source, plan_for, tmp_path, algorithms=("sha256", "sha512"))
    report = check_bag(written.path)
    assert report.findings == ()
    assert (report.payload_files, report.payload_bytes) == (received.files, received.bytes)
    assert second_opinion(written.path).valid is True
    assert files_of(written.path / "data") == files_of(source / "data" if received.is_bag else source)
    if received.is_bag:
        given = {path: content for path, content in files_of(source).items() if not path.startswith("data/")}
        assert files_of(written.path / "metadata" / "submission") == given


def test_a_zip_with_awkward_names_and_litter(plan_for, tmp_path):
    names = {"Ảnh/100%.tif": b"1", unicodedata.normalize("NFD", "Nguyễn.tif"): b"2", "Ảnh/Thumbs.db": b"3"}
    with zipfile.ZipFile(tmp_path / "giao nộp.zip", "w") as out:
        for name, content in names.items():
            out.writestr(name, content)
    _, written = bagged(tmp_path / "giao nộp.zip", plan_for, tmp_path)
    assert check_bag(written.path).findings == ()
    assert files_of(written.path / "data") == {p: c for p, c in names.items() if not p.endswith("Thumbs.db")}
    assert files_of(written.path / "metadata" / "set-aside") == {"Ảnh/Thumbs.db": b"3"}


def test_empty_folders_are_recorded(plan_for, tmp_path):
    (tmp_path / "package" / "trống  100%").mkdir(parents=True)
    (tmp_path / "package" / "a.tif").write_bytes(b"x")
    _, written = bagged(tmp_path / "package", plan_for, tmp_path)
    report = check_bag(written.path)
    assert report.valid
    assert ("Vankho-Empty-Folder", "data/trống  100%25") in report.bag_info

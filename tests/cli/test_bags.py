"""`vankho bag check` in a folder that holds nothing of Vankho's: several bags, both languages, a profile, exit codes."""

from __future__ import annotations

import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bags.bag_maker import make_bag
from tests.bags.golden import GOLDEN
from tests.bags.profiles import IDENTIFIER, INFO, a_profile
from tests.cli.commands import Ran, vankho

Here = Callable[..., Ran]
SHAPE = {
    "path", "version", "complete", "valid", "profile", "conforms", "algorithms", "files", "bytes", "findings",
    "second_opinion",
}  # fmt: skip


def in_every_form(folder: Path) -> list[str]:
    """One bag with Vietnamese names: as a folder, packed in each way."""
    bag = make_bag(folder / "Túi số 1", {"data/Truyện Kiều — bìa.tif": b"II*\0"})
    with zipfile.ZipFile(folder / "túi.zip", "w") as out:
        for path in bag.rglob("*"):
            out.write(path, path.relative_to(folder).as_posix())
    for name, mode in (("túi.tar", "w"), ("túi.tar.gz", "w:gz")):
        with tarfile.open(folder / name, mode) as out:
            out.add(bag, bag.name)
    return ["Túi số 1", "túi.zip", "túi.tar", "túi.tar.gz"]


def test_in_an_empty_folder_without_a_workspace(tmp_path: Path) -> None:
    names = in_every_form(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    done = vankho("bag", "check", *names, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert [line.partition(":")[0] for line in done.out.splitlines()] == [*names, "Bags"]
    assert done.out.splitlines()[-1] == "Bags: 4; 4 valid, 0 not."
    asked = vankho("bag", "check", *names, "--json", cwd=tmp_path)
    assert [each["path"] for each in asked.data] == names
    assert all(set(each) == SHAPE and each["valid"] and each["files"] == 1 for each in asked.data)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_one_bad_bag_among_good_ones(here: Here, tmp_path: Path, monkeypatch, lang: str) -> None:
    monkeypatch.chdir(tmp_path)
    names = in_every_form(tmp_path)
    GOLDEN["invalid one bit"][0](tmp_path / "hỏng")
    done = here("bag", "check", names[0], "hỏng", names[1], "--lang", lang)
    assert done.code == 1
    assert "data/a.txt" in done.out
    assert ("The bytes of this file" in done.out) is (lang == "en")
    asked = here("bag", "check", "hỏng", "--lang", lang, "--json")
    [finding] = asked.data[0]["findings"]
    assert (asked.code, finding["code"], finding["path"]) == (1, "digest-differs", "data/a.txt")
    assert len(finding["expected"]) == len(finding["seen"]) == 64


def test_no_such_path(here: Here, tmp_path: Path) -> None:
    make_bag(tmp_path / "bag")
    for words in (["nowhere"], [tmp_path / "bag", "nowhere"]):
        done = here("bag", "check", *words)
        assert done.code == 2
        assert "nowhere" in done.err
    assert here("bag", "check", "nowhere", "--json").error


def test_a_profile_by_file_by_name_and_of_the_workspace(here: Here, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_bag(tmp_path / "good", tags={"bag-info.txt": INFO.encode()})
    make_bag(tmp_path / "bad")
    (tmp_path / "so-hoa.json").write_text(json.dumps(a_profile()), encoding="utf-8")
    done = here("bag", "check", "good", "bad", "--profile", "so-hoa.json", "--json")
    assert done.code == 1
    assert [(each["valid"], each["conforms"], each["profile"]) for each in done.data] == [
        (True, True, IDENTIFIER),
        (True, False, IDENTIFIER),
    ]
    assert here("bag", "check", "good", "--profile", "so-hoa.json").code == 0
    assert here("bag", "check", "good", "--profile", "vankho-aip").code == 1
    missing = here("bag", "check", "good", "--profile", "so-hoa")
    assert missing.code == 2
    assert "vankho-aip" in missing.err
    kho = tmp_path / "kho"
    (kho / "policies" / "profiles").mkdir(parents=True)
    (kho / "policies" / "profiles" / "so-hoa.json").write_text(json.dumps(a_profile()), encoding="utf-8")
    assert here("bag", "check", "good", "--profile", "so-hoa", "-w", kho).code == 0


def test_a_profile_that_is_not_whole_judges_nothing(here: Here, tmp_path: Path) -> None:
    make_bag(tmp_path / "bag")
    (tmp_path / "p.json").write_text(json.dumps(a_profile(Wish=1)), encoding="utf-8")
    done = here("bag", "check", tmp_path / "bag", "--profile", tmp_path / "p.json")
    assert (done.code, done.out) == (2, "")
    assert "Wish" in done.err


def test_the_second_opinion_stands_beside_ours(here: Here, tmp_path: Path) -> None:
    GOLDEN["invalid Oxum twice"][0](tmp_path / "twice")
    done = here("bag", "check", tmp_path / "twice", "--bagit", "--json")
    assert (done.code, done.data[0]["valid"]) == (1, False)
    opinion = done.data[0]["second_opinion"]
    assert (opinion["ours"], opinion["valid"], opinion["agrees"]) == (False, True, False)
    assert "second-opinion-differs" in {finding["code"] for finding in done.data[0]["findings"]}
    assert here("bag", "check", tmp_path / "twice", "--json").data[0]["second_opinion"] is None
    assert "Our answer counts" in here("bag", "check", tmp_path / "twice", "--bagit").out
    packed = shutil.make_archive(str(tmp_path / "gói"), "tar", tmp_path, "twice")
    said = here("bag", "check", packed, "--bagit", "--lang", "en")
    assert (said.code, "was not asked: it judges folders only" in said.out) == (1, True)

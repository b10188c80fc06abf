"""Bags at ingest: the same checker as `vankho bag check`, profiles from the policy, and the library's doubts beside it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from flows.ingest import ingest
from preservation.bags.check import check_bag
from preservation.bags.profile import read_profile
from preservation.errors import PolicyError
from preservation.facts import EventType
from tests.bags.bag_maker import make_bag
from tests.bags.golden import GOLDEN
from tests.bags.profiles import IDENTIFIER, INFO, a_profile
from tests.flows.houses import House

ASKS = "acceptance: {bag_profile: so-hoa}\n"
ROOT = Path(__file__).parents[2]


def with_policy(house: House, text: str, **profiles: dict) -> None:
    house.policy("own", text)
    folder = house.folder / "policies" / "profiles"
    folder.mkdir()
    for name, profile in profiles.items():
        (folder / f"{name}.json").write_text(json.dumps(profile), encoding="utf-8")


def history(house: House, kind: EventType) -> list[dict]:
    with house.open() as workspace:
        return [each.event.detail | {"outcome": each.event.outcome.value}
                for each in workspace.catalog.events() if each.event.type is kind]  # fmt: skip


def test_a_no_stays_a_no_whatever_the_library_says(house: House, tmp_path: Path) -> None:
    GOLDEN["invalid Oxum twice"][0](tmp_path / "bag")
    with house.open() as workspace:
        ended = ingest(workspace, str(tmp_path / "bag"))
    assert ended.outcome == "rejected"
    codes = {finding.code: finding.severity.value for finding in ended.findings}
    assert codes["oxum-repeated"] == "error"
    assert codes["second-opinion-differs"] == "warning"
    [kept] = history(house, EventType.QUARANTINE)
    assert "second-opinion-differs" in {finding["code"] for finding in kept["findings"]}


def test_about_a_very_large_bag_the_library_is_not_asked_and_the_event_says_so(
    house: House, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("flows.ingesting.packaging.MOST_FOR_THE_LIBRARY", 3)
    monkeypatch.setattr("flows.ingesting.packaging.second_opinion", None)  # asking it would fail
    make_bag(tmp_path / "bag", {f"data/{number}": b"%d" % number for number in range(5)})
    with house.open() as workspace:
        assert ingest(workspace, str(tmp_path / "bag")).outcome == "accepted"
    told = history(house, EventType.VALIDATION)[-1]["second_opinion"]
    assert (told["valid"], told["agrees"]) == (None, None)
    assert told["message"].startswith("not asked about a bag of ")


def test_a_yes_stays_a_yes_and_the_doubt_is_in_the_event(house: House, tmp_path: Path, monkeypatch) -> None:
    """The library's own "invalid" of a bag with a name in another normalisation, said of the bag we wrote."""
    import flows.ingesting.packaging as packaging

    GOLDEN["warning NFD manifest on an NFC disk"][0](tmp_path / "odd")
    real = packaging.second_opinion
    monkeypatch.setattr(packaging, "second_opinion", lambda _path, **_: real(tmp_path / "odd"))
    make_bag(tmp_path / "bag")
    with house.open() as workspace:
        ended = ingest(workspace, str(tmp_path / "bag"))
    assert ended.outcome == "accepted"
    judged = [each for each in history(house, EventType.VALIDATION) if "second_opinion" in each]
    assert judged[0]["outcome"] == "warning"
    assert [finding["code"] for finding in judged[0]["findings"]] == ["second-opinion-differs"]
    opinion = judged[0]["second_opinion"]
    assert (opinion["ours"], opinion["valid"], opinion["agrees"]) == (True, False, False)


def test_every_written_bag_keeps_to_the_profile_of_vankho(house: House, tmp_path: Path) -> None:
    profile = read_profile((ROOT / "policies/profiles/vankho-aip.json").read_bytes(), file="vankho-aip.json")
    with_policy(house, "packaging: {algorithms: [sha256, sha512, md5], contact_email: a@b.vn}\n")
    (tmp_path / "folder" / "Tập 1").mkdir(parents=True)
    (tmp_path / "folder" / "Tập 1" / "100%.tif").write_bytes(b"II*\0")
    (tmp_path / "folder" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "folder" / "metadata.json").write_text('{"title": "Truyện Kiều", "identifier": "TK-1"}')
    make_bag(tmp_path / "bag", tags={"mets.xml": b"<x/>"})
    with zipfile.ZipFile(tmp_path / "empty file.zip", "w") as out:
        out.writestr("trống.txt", b"")
    for policy in (None, "own"):
        for name in ("folder", "bag", "empty file.zip"):
            with house.open() as workspace:
                ended = ingest(workspace, str(tmp_path / name), policy=policy)
                assert ended.identifier is not None, ended
                bag = house.store_folder(next(iter(house.stores))) / "aip" / ended.identifier / f"v{ended.version}"
            report = check_bag(bag, profile=profile)
            assert (report.valid, report.conforms) == (True, True), report.findings
            assert ("BagIt-Profile-Identifier", profile.identifier) in report.bag_info


def test_what_a_profile_demands_can_be_supplied_and_is_not_admitted_without(house: House, tmp_path: Path) -> None:
    demanding = a_profile(labels={"Organization-Address": {"required": True}})
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("mot")
    with_policy(house, "packaging: {bag_profile: so-hoa}\n", **{"so-hoa": demanding})
    with house.open() as workspace:
        ended = ingest(workspace, str(tmp_path / "folder"), policy="own")
        assert ended.outcome == "failed"
        assert "Organization-Address" in str(ended.findings[0].expected)
    house.policy("own", 'packaging: {bag_profile: so-hoa, bag_info: {Organization-Address: "24 Tràng Thi"}}\n')
    with house.open() as workspace:
        ended = ingest(workspace, str(tmp_path / "folder"), policy="own")
    assert ended.outcome == "accepted", ended.findings
    bag = house.store_folder(next(iter(house.stores))) / "aip" / str(ended.identifier) / "v1"
    assert {("Organization-Address", "24 Tràng Thi"), ("BagIt-Profile-Identifier", IDENTIFIER)} <= set(
        check_bag(bag).bag_info
    )


@pytest.mark.parametrize(
    ("name", "info", "outcome", "code"),
    [
        ("bag", INFO, "accepted", None),
        ("bag", "A: b\n", "rejected", "profile-not-named"),
        ("bag.zip", INFO, "rejected", "profile-serialization"),
        ("folder", "", "rejected", "profile-no-bag"),
    ],
)
def test_only_bags_that_keep_to_the_profile_are_accepted(
    house: House, tmp_path: Path, name, info, outcome, code
) -> None:
    with_policy(house, ASKS, **{"so-hoa": a_profile(Serialization="forbidden")})
    bag = make_bag(tmp_path / "bag", tags={"bag-info.txt": info.encode()})
    with zipfile.ZipFile(tmp_path / "bag.zip", "w") as out:
        for path in bag.rglob("*"):
            out.write(path, path.relative_to(bag).as_posix())
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("mot")
    with house.open() as workspace:
        ended = ingest(workspace, str(tmp_path / name), policy="own")
    assert ended.outcome == outcome, ended.findings
    assert code is None or code in {finding.code for finding in ended.findings}


def test_a_missing_profile_stops_before_anything_is_begun(house: House, tmp_path: Path) -> None:
    with_policy(house, ASKS)
    make_bag(tmp_path / "bag")
    with house.open() as workspace:
        with pytest.raises(PolicyError) as refused:
            ingest(workspace, str(tmp_path / "bag"), policy="own")
        assert "own.yaml:1" in str(refused.value.where)
        assert list(workspace.catalog.events()) == []
    assert house.leftovers() == []

"""A policy that asks Siegfried as well: both answers in the bag, contradictions for review, refused without pygfried."""

from __future__ import annotations

import json
import os

import pytest

from flows.ingest import ingest, ingest_batch
from flows.ingesting import second_opinions
from preservation.errors import PolicyError
from preservation.facts import EventOutcome, EventType
from preservation.findings import Severity
from preservation.formats.opinions import installed
from preservation.replicas.adopt import read_bag
from preservation.replicas.layout import replica_prefix
from tests.flows.houses import package

POLICY = "extends: default\nacceptance:\n  second_opinion: siegfried\n"
# A Windows Cabinet to PRONOM 109, a PowerPoint package to later releases.
PACKAGED = bytes.fromhex(
    "4d5343460000000000000000000000000000000000000000030100000000000000000000000000000000000000002e505054"
)
FILES = {"Bài giảng.ppz": PACKAGED, "Trang 1.pdf": b"%PDF-1.4\nx\n%%EOF\n", "rỗng.txt": b""}

pytestmark = pytest.mark.skipif(
    not installed() and not os.environ.get("VANKHO_MUST_RUN"), reason="pygfried is not installed"
)


def test_both_answers_are_kept_and_a_contradiction_is_for_review(house, tmp_path):
    house.policy("hai", POLICY)
    with house.open() as workspace:
        done = ingest(workspace, str(package(tmp_path / "Bài giảng", FILES)), policy="hai")
        [event] = [
            each.event
            for each in workspace.catalog.events(identifier=done.identifier)
            if each.event.type is EventType.FORMAT_IDENTIFICATION and "second_opinion" in each.event.detail
        ]
        [version] = workspace.catalog.versions()
        held = list(workspace.catalog.objects(version.identifier, version.version))

    assert done.outcome == "accepted"
    [finding] = [each for each in done.findings if each.code == "format-disagreement"]
    assert (finding.path, finding.severity) == ("Bài giảng.ppz", Severity.WARNING)
    assert (finding.expected, finding.seen) == ("x-fmt/414", "x-fmt/216")
    assert event.agent.startswith("siegfried ")
    assert (event.outcome, event.detail["disagreements"]) == (EventOutcome.WARNING, 1)
    [file] = house.folder.glob("stores/a/aip/*/v1/metadata/formats.json")
    answers = {each["path"]: each for each in json.loads(file.read_text("utf-8"))["files"]}
    assert answers["data/Bài giảng.ppz"]["puid"] == "x-fmt/414", "ours counts"
    assert answers["data/Bài giảng.ppz"]["second_opinion"]["puid"] == "x-fmt/216"
    assert answers["data/Trang 1.pdf"]["second_opinion"]["puid"] == "fmt/18"
    assert answers["data/rỗng.txt"]["second_opinion"]["basis"] == "empty"
    assert {each.format.tool for each in held if each.format is not None} == {answers["data/Trang 1.pdf"]["tool"]}


def test_without_being_asked_for_it_is_not_asked(house, tmp_path):
    with house.open() as workspace:
        done = ingest(workspace, str(package(tmp_path / "Bài giảng", FILES)))
        assert "siegfried" not in workspace.__dict__
    assert done.outcome == "accepted"
    [file] = house.folder.glob("stores/a/aip/*/v1/metadata/formats.json")
    assert "second_opinion" not in file.read_text("utf-8")


@pytest.mark.parametrize("many", [False, True])
def test_what_is_not_installed_refuses_the_policy_before_anything(house, tmp_path, monkeypatch, many):
    monkeypatch.setattr(second_opinions, "installed", lambda: False)
    house.policy("hai", POLICY)
    source = str(package(tmp_path / "Bài giảng", FILES))
    with house.open() as workspace:
        with pytest.raises(PolicyError) as refused:
            ingest_batch(workspace, [source, source], policy="hai") if many else ingest(
                workspace, source, policy="hai"
            )
        assert list(workspace.catalog.events()) == []
    assert "vankho[siegfried]" in str(refused.value.next_step)
    assert house.leftovers() == []


def test_a_bag_with_both_answers_can_be_counted_again(house, tmp_path):
    """The AIP is made anew from the store alone; our answer is the one in the catalog."""
    house.policy("hai", POLICY)
    with house.open() as workspace:
        done = ingest(workspace, str(package(tmp_path / "Bài giảng", FILES)), policy="hai")
        prefix = replica_prefix(str(done.identifier), 1)
        again = read_bag(workspace.store("a"), prefix, now=workspace.clock(), spool=tmp_path)
        assert list(again.objects) == list(workspace.catalog.objects(str(done.identifier), 1))

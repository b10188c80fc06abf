"""Ingest from end to end: accepted, already here, rejected, failed; and what each leaves behind."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from flows.ingest import Ingested, ingest, ingest_batch
from flows.outcomes import Verdict
from flows.steps import STEPS_PER_RUN, plain_step
from flows.workspace import Workspace
from preservation.bags.check import check_bag
from preservation.errors import PolicyError
from preservation.facts import EventType
from tests.bags.bag_maker import lines, make_bag
from tests.flows.houses import PAGES, House, codes, contents, package, proofs, tree

WHOLE_HISTORY = [
    EventType.INGESTION_START,
    EventType.MESSAGE_DIGEST_CALCULATION,
    EventType.FIXITY_CHECK,
    EventType.FORMAT_IDENTIFICATION,
    EventType.VALIDATION,
    EventType.PACKAGE_CREATION,
    EventType.VALIDATION,
    EventType.POLICY_ASSIGNMENT,
    EventType.INGESTION_END,
    *([EventType.REPLICATION, EventType.FIXITY_CHECK] * 3),
]
INTACT = dict.fromkeys("abc", "intact")


def history(workspace: Workspace, done: Ingested) -> list[EventType]:
    return [recorded.event.type for recorded in workspace.catalog.events(identifier=done.identifier)]


def test_accepted(any_house: House, tmp_path: Path):
    source = package(tmp_path / "Truyện Kiều")
    before = tree(source)
    with any_house.open() as workspace:
        done = ingest(workspace, str(source))
        assert (done.outcome, done.verdict, done.version) == ("accepted", Verdict.WELL, 1)
        assert (done.files, done.bytes) == (len(PAGES), sum(map(len, PAGES.values())))
        assert proofs(done.replicas) == INTACT
        assert history(workspace, done) == WHOLE_HISTORY
        assert workspace.catalog.verify_chain().sound
        assert workspace.catalog.staged() == []
    for name in any_house.stores:
        bag = any_house.store_folder(name) / "aip" / str(done.identifier) / "v1"
        assert check_bag(bag).valid
        assert contents(bag / "data") == PAGES
    assert any_house.leftovers() == []
    assert tree(source) == before


def test_every_store_holds_the_same_bytes(house: House, tmp_path: Path):
    with house.open() as workspace:
        ingest(workspace, str(package(tmp_path / "p")))
    a, b, c = (contents(house.store_folder(name)) for name in "abc")
    assert a == b == c
    assert "README.txt" in a


def test_already_here(any_house: House, tmp_path: Path):
    first, again = package(tmp_path / "lần một"), package(tmp_path / "lần hai")
    with any_house.open() as workspace:
        one = ingest(workspace, str(first))
        two = ingest(workspace, str(again))
        assert (two.outcome, two.verdict) == ("already-here", Verdict.WELL)
        assert (two.identifier, two.version, two.files) == (one.identifier, 1, one.files)
        assert proofs(two.replicas) == INTACT
        assert len(list(workspace.catalog.versions())) == 1
        # The second delivery is part of the history, though it made nothing.
        *before, last = workspace.catalog.events(identifier=one.identifier)
        assert [recorded.event.type for recorded in before] == WHOLE_HISTORY
        assert last.event.type is EventType.INGESTION_START
        assert (last.event.detail["already_here"], last.event.detail["source"]) == (True, str(again))
        assert workspace.catalog.verify_chain().sound
    assert any_house.leftovers() == []


def test_what_was_kept_out_in_part_is_not_already_here(workspace: Workspace, house: House, tmp_path: Path):
    """What came in equals an AIP, but the delivery is not whole: a link was refused, a listed file never came."""
    ingest(workspace, str(package(tmp_path / "p")))
    linked = package(tmp_path / "linked")
    linked.joinpath("link").symlink_to("Trang 0001.txt")
    payload = {f"data/{path}": content for path, content in PAGES.items()}
    promised = lines(payload | {"data/Trang 0009.txt": b"never came"})
    incomplete = make_bag(tmp_path / "bag", payload, tags={"manifest-sha256.txt": promised})
    for source, code in ((linked, "link-not-followed"), (incomplete, "file-missing")):
        done = ingest(workspace, str(source))
        assert (done.outcome, done.verdict) == ("rejected", Verdict.FOUND)
        assert code in codes(done.findings)
    assert ingest(workspace, str(make_bag(tmp_path / "whole", payload))).outcome == "already-here"
    assert len(list(workspace.catalog.versions())) == 1
    assert house.leftovers() == []


def test_the_same_content_in_another_wrapping_is_already_here(workspace: Workspace, house: House, tmp_path: Path):
    folder = package(tmp_path / "p")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for path, content in PAGES.items():
            archive.writestr(path, content)
    with tarfile.open(tmp_path / "p.tar.gz", "w:gz") as archive:
        for path in PAGES:
            archive.add(folder / path, path)
    outcomes = [ingest(workspace, str(tmp_path / name)) for name in ("p.zip", "p.tar.gz", "p")]
    assert [done.outcome for done in outcomes] == ["accepted", "already-here", "already-here"]
    assert len({done.identifier for done in outcomes}) == 1
    assert EventType.UNPACKING in history(workspace, outcomes[0])
    assert house.leftovers() == []


def test_rejected_with_its_reasons(any_house: House, tmp_path: Path):
    source = package(tmp_path / "p", MD5SUMS=b"0" * 32 + b"  Trang 0001.txt\n" + b"1" * 32 + b"  Trang 0009.txt\n")
    source.joinpath("MD5SUMS").rename(source / "md5sums.txt")
    before = tree(source)
    with any_house.open() as workspace:
        done = ingest(workspace, str(source))
        assert (done.outcome, done.verdict, done.identifier, done.replicas) == ("rejected", Verdict.FOUND, None, ())
        errors = {finding.code: finding.path for finding in done.findings if finding.severity.value == "error"}
        assert errors == {"supplied-digest-differs": "Trang 0001.txt", "supplied-file-missing": "Trang 0009.txt"}
        assert list(workspace.catalog.versions()) == []
        (reasons,) = any_house.folder.joinpath("quarantine").iterdir()
        left = json.loads(reasons.read_text("utf-8"))
        assert (left["source"], left["submission"]) == (str(source), reasons.stem)
        assert [finding["code"] for finding in left["findings"]] == codes(done.findings)
        recorded = [each.event for each in workspace.catalog.events(submission=left["submission"])]
        assert [event.type for event in recorded] == [*WHOLE_HISTORY[:5], EventType.QUARANTINE]
        assert recorded[-1].outcome.value == "fail"
        assert workspace.catalog.verify_chain().sound
    assert any_house.leftovers() == []
    assert [name for name in any_house.stores if any_house.store_folder(name).exists()] == []
    assert tree(source) == before


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: path.mkdir(), "package-empty"),
        (lambda path: path.write_bytes(b"just a file"), "not-a-package"),
        (lambda path: path.write_bytes(b"PK\3\4 and then nothing"), None),
        (lambda path: package(path).joinpath("link").symlink_to("/etc/passwd"), "link-leaves-package"),
        (lambda path: package(path).joinpath("metadata.json").write_text('{"identifier": 7'), None),
    ],
)
def test_what_cannot_be_a_package_is_rejected(workspace: Workspace, house: House, tmp_path: Path, make, code):
    make(tmp_path / "p")
    done = ingest(workspace, str(tmp_path / "p"))
    assert (done.outcome, done.verdict) == ("rejected", Verdict.FOUND)
    assert code is None or code in codes(done.findings)
    assert len(list((house.folder / "quarantine").iterdir())) == 1
    assert workspace.catalog.verify_chain().sound
    assert house.leftovers() == []


def test_a_path_that_does_not_exist_is_wrong_usage(workspace: Workspace, house: House, tmp_path: Path):
    done = ingest(workspace, str(tmp_path / "nothing"))
    assert (done.outcome, done.verdict, codes(done.findings)) == ("failed", Verdict.USAGE, ["source-not-found"])
    assert house.leftovers() == []


def test_an_unknown_policy_is_raised_before_anything_is_begun(workspace: Workspace, house: House, tmp_path: Path):
    with pytest.raises(PolicyError):
        ingest(workspace, str(package(tmp_path / "p")), policy="defualt")
    with pytest.raises(PolicyError):
        ingest_batch(workspace, [str(tmp_path / "p")], policy="defualt")
    assert not (house.folder / "staging").exists()


def test_a_changed_package_with_the_same_identifier_is_version_2(any_house: House, tmp_path: Path):
    with any_house.open() as workspace:
        one = ingest(workspace, str(package(tmp_path / "1", identifier="TVQG-0042")))
        changed = {**PAGES, "Trang 0001.txt": b"corrected scan"}
        two = ingest(workspace, str(package(tmp_path / "2", changed, identifier="TVQG-0042")))
        assert (two.outcome, two.identifier, two.version) == ("accepted", one.identifier, 2)
        assert [v.version for v in workspace.catalog.find("TVQG-0042")] == [1, 2]
        assert proofs(workspace.catalog.replicas(str(one.identifier), 1)) == INTACT
        assert ingest(workspace, str(tmp_path / "1")).outcome == "already-here"
    kept = any_house.store_folder("a") / "aip" / str(one.identifier)
    assert (kept / "v1/data/Trang 0001.txt").read_bytes() == PAGES["Trang 0001.txt"]
    assert (kept / "v2/data/Trang 0001.txt").read_bytes() == b"corrected scan"


def test_the_same_identifier_in_another_collection_is_another_aip(workspace: Workspace, tmp_path: Path):
    one = ingest(workspace, str(package(tmp_path / "1", identifier="0001")), collection="Huế")
    two = ingest(workspace, str(package(tmp_path / "2", {"x": b"x"}, identifier="0001")), collection="Đà Nẵng")
    assert (two.version, two.identifier != one.identifier) == (1, True)


def test_the_same_folder_name_makes_no_version(workspace: Workspace, tmp_path: Path):
    """Two deliveries called 0001 are two packages, unless the policy says that names are identifiers."""
    one = ingest(workspace, str(package(tmp_path / "thứ hai" / "0001")))
    two = ingest(workspace, str(package(tmp_path / "thứ ba" / "0001", {"khác": b"other"})))
    assert (two.outcome, two.version) == ("accepted", 1)
    assert two.identifier != one.identifier


def test_a_policy_may_take_the_folder_name_as_identifier(house: House, tmp_path: Path):
    house.policy("by-name", "extends: default\npackaging:\n  identifier_from: [name]\n")
    with house.open() as workspace:
        one = ingest(workspace, str(package(tmp_path / "1" / "0001")), policy="by-name")
        two = ingest(workspace, str(package(tmp_path / "2" / "0001", {"x": b"x"})), policy="by-name")
    assert (two.identifier, two.version) == (one.identifier, 2)


def test_bytes_that_change_between_writing_and_checking_fail_and_are_not_admitted(house: House, tmp_path: Path):
    def spoil(name: str, work, /, *args, **kwargs):
        if name == "check the bag":
            page = next((house.folder / "bags").glob("*/data/Trang 0001.txt"))
            page.write_bytes(page.read_bytes()[:-1] + b"?")
        return plain_step(name, work, *args, **kwargs)

    with house.open() as workspace:
        done = ingest(workspace, str(package(tmp_path / "p")), step=spoil)
        assert (done.outcome, done.verdict, codes(done.findings)) == ("failed", Verdict.FAILED, ["bytes-changed"])
        assert list(workspace.catalog.versions()) == []
        assert house.leftovers() == []
        assert ingest(workspace, str(tmp_path / "p")).outcome == "accepted"


def test_a_bag_that_decays_after_admission_reaches_no_store(house: House, tmp_path: Path):
    def spoil(name: str, work, /, *args, **kwargs):
        if name == "copy to a":
            page = next((house.folder / "bags").glob("*/data/Trang 0001.txt"))
            page.write_bytes(page.read_bytes()[:-1] + b"?")
        return plain_step(name, work, *args, **kwargs)

    with house.open() as workspace:
        done = ingest(workspace, str(package(tmp_path / "p")), step=spoil)
        assert (done.outcome, done.verdict, done.replicas) == ("accepted", Verdict.FAILED, ())
        assert workspace.catalog.verify_chain().sound
    for name in house.stores:
        assert not list(house.store_folder(name).glob("aip/*/v1/bagit.txt"))


def test_ctrl_c_leaves_nothing_half_visible(house: House, tmp_path: Path):
    def interrupted(name: str, work, /, *args, **kwargs):
        if name == "check the bag":
            raise KeyboardInterrupt
        return plain_step(name, work, *args, **kwargs)

    with house.open() as workspace:
        with pytest.raises(KeyboardInterrupt):
            ingest(workspace, str(package(tmp_path / "p")), step=interrupted)
        assert list(workspace.catalog.versions()) == []
        assert house.leftovers() == []
        assert ingest(workspace, str(tmp_path / "p")).outcome == "accepted"


def test_one_bad_package_does_not_keep_the_others(workspace: Workspace, house: House, tmp_path: Path):
    (tmp_path / "rỗng").mkdir()
    sources = [package(tmp_path / "1", {"a": b"1"}), tmp_path / "rỗng", tmp_path / "không có", tmp_path / "1"]
    sources.append(package(tmp_path / "2", {"a": b"2"}))
    done = ingest_batch(workspace, [str(source) for source in sources])
    assert [each.outcome for each in done] == ["accepted", "rejected", "failed", "already-here", "accepted"]
    assert [each.source for each in done] == [str(source) for source in sources]
    assert house.leftovers() == []


def test_a_large_batch_stays_within_the_steps_that_prefect_can_carry(workspace: Workspace, tmp_path: Path):
    names = []

    def counted(name: str, work, /, *args, **kwargs):
        names.append(name)
        return plain_step(name, work, *args, **kwargs)

    sources = [str(tmp_path / str(number)) for number in range(130)]
    done = ingest_batch(workspace, sources, step=counted)
    assert [each.source for each in done] == sources
    assert 1 < len(names) <= STEPS_PER_RUN

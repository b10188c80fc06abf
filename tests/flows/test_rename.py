"""A store with another name in the settings: taken over only when it is the same place, and proved anew."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

import flows.storing.rename
from flows.audit import audit
from flows.ingest import ingest
from flows.ledger import in_ledger, verify
from flows.outcomes import Verdict
from flows.replicate import replicate
from flows.standing import settle
from flows.storing.rename import plan_rename, rename_store
from flows.storing.retire import StoreMissing
from preservation.catalog import incidents
from preservation.errors import UsageError
from preservation.facts import EventType, Grade
from preservation.formats.identify import Identifier
from preservation.ledger.guard import LedgerRefused
from tests.cli.commands import damage, vankho
from tests.flows.houses import House, local_stores, package, proofs

AIPS = 3
NOW = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("rename")
    house = House(folder / "house", local_stores(2)).settle()
    house.policy("default", "replication: {copies: 2, floor: 1, separation: {by: [], min: 1}}\n")
    with Identifier() as house.identifier, house.open() as workspace:
        for number in range(AIPS):
            given = package(folder / f"p{number}", {"t.txt": f"trang {number}".encode()})
            assert in_ledger(workspace, ingest, str(given)).verdict is Verdict.WELL
    house.identifier = None
    return house


@pytest.fixture
def house(filled: House, tmp_path: Path) -> House:
    """The store `b` is named `new` now; its folder is what it was."""
    shutil.copytree(filled.folder, tmp_path / "house")
    return House(tmp_path / "house", {"a": filled.stores["a"], "new": dict(filled.stores["b"])}).settle()


def test_the_copies_are_taken_over_and_due_again(house: House) -> None:
    damage(next((house.store_folder("new") / "aip").rglob("t.txt")))
    with House(house.folder, local_stores(2)).settle().open() as before:
        in_ledger(before, audit, [])
    house.settle()
    with house.open() as workspace:
        with pytest.raises(LedgerRefused, match="its ledger says so"):
            in_ledger(workspace, audit, [])
        seen = workspace.catalog.head()
        planned = plan_rename(workspace, "b", to="new")
        assert (planned.copies, planned.proof, planned.policies) == (AIPS, "ledger", ())
        assert workspace.catalog.head() == seen
        done = rename_store(workspace, "b", to="new", reason="tên mới")
        assert (done.copies, done.verdict) == (AIPS, Verdict.WELL)
        assert settle(workspace) == 0
        words = [proofs(workspace.catalog.replicas(each.identifier, 1)) for each in workspace.catalog.versions()]
        assert sorted(str(each["new"]) for each in words) == ["None", "None", "damaged"]
        assert all(each["a"] == "intact" and "b" not in each for each in words)
        assert len(list(workspace.catalog.due("new", Grade.BYTES, before=workspace.clock()))) == AIPS
        assert incidents.counts(workspace.catalog.database)
        for version in workspace.catalog.versions():
            told = [each.event for each in workspace.catalog.events(identifier=version.identifier)][-1]
            assert (told.type, told.store) == (EventType.REPLICATION, "new")
            assert told.detail["renamed"] == {"store": "b", "to": "new"}
        standing = workspace.catalog.standing(NOW)
        workspace.catalog.rebuild_projections()
        settle(workspace)
        assert workspace.catalog.standing(NOW) == standing
        assert workspace.catalog.verify_chain().sound
        assert verify(workspace, objects=True).verdict is Verdict.WELL
        assert {each.word for each in in_ledger(workspace, audit, [])} == {"intact", "damaged"}
        assert in_ledger(workspace, replicate, []) == []
        with pytest.raises(UsageError, match="No copy is on record"):
            rename_store(workspace, "b", to="new")
    rebuilt = house.folder.with_name("rebuilt")
    shutil.copytree(house.folder, rebuilt, ignore=shutil.ignore_patterns("catalog.db*"))
    again = vankho("catalog", "rebuild", "--from", "new", "-w", rebuilt, "--json")
    assert again.code == 0, again
    with House(rebuilt, house.stores).open() as workspace:
        assert workspace.catalog.stores_with_copies() == ["a", "new"]


def test_interrupted_it_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, calls = flows.storing.rename._take_over, []

    def once(*args: object) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        whole(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(flows.storing.rename, "BATCH", 1)
    monkeypatch.setattr(flows.storing.rename, "_take_over", once)
    with house.open() as workspace, pytest.raises(KeyboardInterrupt):
        rename_store(workspace, "b", to="new")
    with house.open() as workspace:
        assert (workspace.catalog.count_copies("b"), workspace.catalog.count_copies("new")) == (AIPS - 1, 1)
        with pytest.raises(StoreMissing, match="does not name"):
            in_ledger(workspace, replicate, [])
        assert rename_store(workspace, "b", to="new").copies == AIPS - 1
        assert (workspace.catalog.count_copies("b"), workspace.catalog.count_copies("new")) == (0, AIPS)
        decided = [each for each in workspace.catalog.events(submission="ledger") if "renamed" in each.event.detail]
        assert len(decided) == 1


def test_without_a_ledger_a_sample_tells(house: House, tmp_path: Path) -> None:
    shutil.rmtree(house.store_folder("new") / "ledger")
    with house.open() as workspace:
        assert plan_rename(workspace, "b", to="new").proof == "sample"
    aips = house.store_folder("new") / "aip"
    aips.rename(tmp_path / "aside")
    (house.store_folder("new") / "README.txt").write_text("empty", "utf-8")
    with house.open() as workspace, pytest.raises(UsageError, match="does not lie there"):
        rename_store(workspace, "b", to="new")
    (tmp_path / "aside").rename(aips)
    with house.open() as workspace:
        assert rename_store(workspace, "b", to="new").copies == AIPS
        assert verify(workspace).verdict is Verdict.WELL


def test_what_is_not_the_same_place_is_refused(house: House) -> None:
    house.stores |= {"other": {"kind": "local", "path": "stores/other"}}
    house.settle()
    (house.store_folder("other")).mkdir()
    with house.open() as workspace:
        before = workspace.catalog.head()
        for old, new, words in (
            ("a", "new", "two stores"),
            ("b", "nowhere", "no store named"),
            ("b", "a", "another one in a"),
            ("b", "other", "tell|does not lie there|its ledger says so"),
            ("c", "other", "No copy is on record|its ledger says so"),
        ):
            with pytest.raises((UsageError, LedgerRefused), match=words):
                rename_store(workspace, old, to=new)
        assert workspace.catalog.head() == before


def test_the_command_says_what_it_did_and_which_policies_name_the_old_one(house: House) -> None:
    house.policy("two", "replication: {stores: [a, b], copies: 2, floor: 1, separation: {by: [], min: 1}}\n")
    asked = ("store", "rename", "b", "new", "-w", house.folder)
    first = vankho(*asked, "--dry-run", "--json")
    assert (first.code, first.data) == (
        0,
        {"store": "b", "to": "new", "copies": AIPS, "proof": "ledger", "policies": ["two"], "dry_run": True},
    )
    done = vankho(*asked)
    assert done.code == 0, done
    assert f"{AIPS} copies were taken over" in done.out
    assert "The policy two still names b" in done.out
    assert vankho(*asked).code == 2

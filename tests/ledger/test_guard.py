"""Before anything is written, catalog and stores must tell one history; a person says how to go on when they do not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flows.audit import audit
from flows.ingest import ingest, ingest_batch
from flows.ledger import accept, verify
from flows.outcomes import Verdict
from flows.reconcile import reconcile
from flows.running.run import carry_out
from flows.workspace import Workspace
from preservation.catalog import open_catalog
from preservation.errors import UsageError
from preservation.ledger import highest, read_events
from preservation.ledger.guard import LedgerRefused
from storage_adapters.errors import StorageError
from tests.flows.houses import House, codes, local_stores, package
from tests.ledger import history as hands
from wording import say


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house that took one package in; nobody touches it."""
    folder = tmp_path_factory.mktemp("house") / "kho"
    house = House(folder, local_stores(3)).settle()
    with house.open() as workspace:
        done = carry_out(workspace, ingest, source=str(package(folder.parent / "p")))
        assert (done.verdict, workspace.notices) == (Verdict.WELL, [])
    return folder


@pytest.fixture
def house(built: Path, tmp_path: Path) -> House:
    folder = tmp_path / "kho"
    shutil.copytree(built, folder)
    return House(folder, local_stores(3))


def look_again(workspace: Workspace) -> list[Any]:
    """The smallest run that writes."""
    return carry_out(workspace, audit, references=[], store=None, evidence="presence")


def ledger_files(house: House, store: str) -> dict[str, bytes]:
    folder = house.store_folder(store)
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("ledger/**/*") if path.is_file()
    }


def head(house: House) -> tuple[int, str]:
    with house.open() as workspace:
        return workspace.catalog.head()


@contextmanager
def refused(house: House, code: str, *words: str) -> Iterator[None]:
    """A run that writes is refused for this reason, and neither catalog nor stores change."""
    before, files = head(house), {store: ledger_files(house, store) for store in "abc"}
    yield
    with house.open() as workspace, pytest.raises(LedgerRefused) as error:
        look_again(workspace)
    assert error.value.finding.code == code
    for word in words:
        assert word in str(error.value.finding.message), word
    exchanged = code == "ledger-other-store"  # the disks are wrong then, and no store's history is to be taken
    for way_on in (
        "[stores] in vankho.toml" if exchanged else "vankho catalog rebuild --from",
        "vankho store rename" if exchanged else "vankho ledger accept",
    ):
        assert way_on in str(error.value.next_step)
    assert exchanged is not ("rebuild" in str(error.value.next_step))
    assert head(house) == before
    assert {store: ledger_files(house, store) for store in "abc"} == files


def stores_at(house: House) -> dict[str, tuple[int, int]]:
    """Store → (book, last event)."""
    with house.open() as workspace:
        found = {name: highest(workspace.store(name)) for name in "abc"}
        return {name: (book, point.last) for name, (book, point) in found.items()}  # type: ignore[misc]


def older_copy(house: House) -> bytes:
    return hands.copy_of_catalog(hands.History(house.folder, "sqlite:///"))


def bring_back(house: House, content: bytes) -> None:
    hands.bring_back(hands.History(house.folder, "sqlite:///"), content)


def test_every_run_leaves_the_stores_up_to_date(house: House) -> None:
    last, _ = head(house)
    assert stores_at(house) == dict.fromkeys("abc", (1, last))
    with house.open() as workspace:
        look_again(workspace)
        assert verify(workspace).verdict is Verdict.WELL
        now, _ = workspace.catalog.head()
        written = [(event.seq, event.digest) for event in read_events(workspace.store("b"), 1)]
        assert written == [(each.seq, each.digest) for each in workspace.catalog.events()]
    assert stores_at(house) == dict.fromkeys("abc", (1, now))
    assert now > last


def test_what_only_reads_writes_nothing_and_is_not_refused(house: House) -> None:
    older = older_copy(house)
    with house.open() as workspace:
        look_again(workspace)
    bring_back(house, older)
    before = ledger_files(house, "a")
    with house.open() as workspace:
        assert {each.word for each in carry_out(workspace, reconcile, store=None)} == {"agrees"}
    assert ledger_files(house, "a") == before


def test_an_older_catalog_is_refused_until_the_catalogs_history_is_accepted(house: House) -> None:
    older = older_copy(house)
    with house.open() as workspace:
        look_again(workspace)
    bring_back(house, older)
    with refused(house, "ledger-catalog-behind", "event 15"):
        pass
    with house.open() as workspace:
        with pytest.raises(UsageError):
            accept(workspace, "a", reason="  ")
        with pytest.raises(UsageError):
            accept(workspace, "nơi khác", reason="x")
        done = accept(workspace, "a", reason="the disk of the catalog died")
        assert (done.book, {each["store"] for each in done.refused}) == (2, set("abc"))
        assert [pushed.store for pushed in done.pushed] == list("abc")
        [told] = workspace.catalog.events(submission="ledger")
        said = told.event.detail["accepted"]
        assert (said["reason"], said["by"], len(said["refused"])) == (done.reason, done.by, 3)
        assert "@" in said["by"]
        assert told.event.store == "a"
        assert verify(workspace).verdict is Verdict.WELL
        assert [store.set_aside for store in verify(workspace).checked.stores] == [(1,)] * 3
        look_again(workspace)
        with pytest.raises(UsageError):  # they agree now
            accept(workspace, "a", reason="again")
    now, _ = head(house)
    assert stores_at(house) == dict.fromkeys("abc", (2, now))
    with house.open() as workspace:  # the new book is whole
        assert [event.seq for event in read_events(workspace.store("c"), 2)] == list(range(1, now + 1))


def test_a_catalog_from_before_the_decision_is_refused(house: House) -> None:
    """Though the book that it knows of holds its own history."""
    first = older_copy(house)
    with house.open() as workspace:
        look_again(workspace)
    bring_back(house, first)
    with house.open() as workspace:
        accept(workspace, "b", reason="x")
    bring_back(house, first)
    with refused(house, "ledger-newer-book", "book 2"):
        pass


def test_another_history_of_the_same_length(house: House) -> None:
    older = older_copy(house)
    with house.open() as workspace:
        look_again(workspace)
    bring_back(house, older)
    with house.open() as workspace:
        audit(workspace, [], evidence="presence")  # as by a release that asks no store
    with refused(house, "ledger-other-history", "different histories"):
        pass
    with house.open() as workspace:
        accept(workspace, "a", reason="x")
        look_again(workspace)
        assert verify(workspace).verdict is Verdict.WELL


def test_the_disks_of_two_stores_exchanged(house: House) -> None:
    house.stores["a"]["path"], house.stores["b"]["path"] = house.stores["b"]["path"], house.stores["a"]["path"]
    house.settle()
    with refused(house, "ledger-other-store", "a", "b"):
        pass


def test_the_stores_of_another_catalog(house: House, tmp_path: Path) -> None:
    """A new catalog, because the old one was lost, must not go on as if nothing had been."""
    for name in ("catalog.db", "catalog.db-wal", "catalog.db-shm"):
        (house.folder / name).unlink(missing_ok=True)
    with open_catalog("sqlite:///catalog.db", base=house.folder) as catalog:
        catalog.record([hands.event(detail={"n": 1})])
    with refused(house, "ledger-other-catalog", "was lost"):
        pass
    with house.open() as workspace:
        done = accept(workspace, "a", reason="a fresh start")
        assert done.book == 2
        assert carry_out(workspace, ingest, source=str(package(tmp_path / "q"))).outcome == "accepted"
        assert workspace.notices == []


def test_a_store_that_was_away_during_the_decision(house: House) -> None:
    """Its older book is on the catalog's chain, so it gets the new one when it comes back."""
    house.store_folder("c").rename(house.folder / "c away")
    older = older_copy(house)
    with house.open() as workspace:
        look_again(workspace)
    bring_back(house, older)
    with house.open() as workspace:
        accept(workspace, "a", reason="x")
        assert codes(workspace.notices) == ["ledger-not-compared"]
    shutil.rmtree(house.store_folder("c"), ignore_errors=True)
    (house.folder / "c away").rename(house.store_folder("c"))
    with house.open() as workspace:
        look_again(workspace)
        assert verify(workspace).verdict is Verdict.WELL
    now, _ = head(house)
    assert stores_at(house) == dict.fromkeys("abc", (2, now))


def test_a_store_with_its_own_history_that_was_away_during_the_decision(house: House) -> None:
    """Its history was never set aside by anybody, so it is refused in its turn."""
    older = older_copy(house)
    with house.open() as workspace:
        look_again(workspace)
    bring_back(house, older)
    house.store_folder("c").rename(house.folder / "c away")
    with house.open() as workspace:
        accept(workspace, "a", reason="x")
    shutil.rmtree(house.store_folder("c"), ignore_errors=True)
    (house.folder / "c away").rename(house.store_folder("c"))
    with refused(house, "ledger-catalog-behind", "store c"):
        pass
    with house.open() as workspace:
        assert accept(workspace, "c", reason="that one too").book == 3
        look_again(workspace)
        assert verify(workspace).verdict is Verdict.WELL


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"{}"])
def test_a_newest_checkpoint_that_cannot_be_read(house: House, content: bytes) -> None:
    last, _ = head(house)
    hands.overwrite(hands.checkpoint(house.store_folder("b"), last), content)
    with house.open() as workspace:
        audited = look_again(workspace)
        assert {each.word for each in audited} == {"intact"}, "one spoilt object keeps no audit and no repair away"
        assert [(notice.code, notice.path) for notice in workspace.notices] == [("ledger-damaged", "b")]
        assert verify(workspace).verdict is Verdict.FOUND
        assert accept(workspace, "b", reason="the disk has a bad sector").book == 2
        look_again(workspace)
        assert verify(workspace).verdict is Verdict.WELL


def test_an_empty_catalog_sets_no_history_aside(house: House) -> None:
    """Found by hand: a new workspace with an old store's disk, and a whole history put aside by one command."""
    empty = House(house.folder.parent / "new", {"a": {**house.stores["a"], "path": str(house.store_folder("a"))}})
    open_catalog("sqlite:///catalog.db", base=empty.settle().folder).close()  # as `vankho init` leaves it
    with empty.open() as workspace, pytest.raises(UsageError) as told:
        accept(workspace, "a", reason="x")
    assert "rebuild --from a" in str(told.value.next_step)


def test_where_no_ledger_can_be_read_nothing_answers_for_the_history(house: House) -> None:
    last, _ = head(house)
    for store in house.stores:
        hands.overwrite(hands.checkpoint(house.store_folder(store), last), b"{}")
    with refused(house, "ledger-checkpoint-altered", "store a"):
        pass


def test_a_store_without_a_ledger_answers_for_no_history(house: House) -> None:
    """A new disk beside two damaged checkpoints."""
    last, _ = head(house)
    shutil.rmtree(house.store_folder("c") / "ledger")
    for store in "ab":
        hands.overwrite(hands.checkpoint(house.store_folder(store), last), b"{}")
    with refused(house, "ledger-checkpoint-altered", "store a"):
        pass


def test_an_older_catalog_does_not_hide_behind_a_damaged_checkpoint(house: House) -> None:
    """The name of the checkpoint promises events that the catalog lacks; the other stores are away or made to agree."""
    older = older_copy(house)
    with house.open() as workspace:
        look_again(workspace)
    last, _ = head(house)
    bring_back(house, older)
    for store in "ac":
        hands.checkpoint(house.store_folder(store), last).unlink()
    hands.overwrite(hands.checkpoint(house.store_folder("b"), last), b"{}")
    with refused(house, "ledger-checkpoint-altered", "store b"):
        pass


def test_a_store_that_is_away_is_a_notice(house: House) -> None:
    """The run goes on; verify says which store could not be asked, and the next run completes it."""
    house.store_folder("b").rename(house.folder / "away")
    house.stores["b"]["path"] = str(house.folder / "b elsewhere")
    house.settle()
    with house.open() as workspace:
        carry_out(workspace, audit, references=[], store="a", evidence="presence")
        assert [(notice.code, notice.path) for notice in workspace.notices] == [("ledger-not-compared", "b")]
        done = verify(workspace)
        assert (done.verdict, [each.store for each in done.away]) == (Verdict.FAILED, ["b"])
        assert verify(workspace, store="a").verdict is Verdict.WELL
    (house.folder / "away").rename(house.folder / "b elsewhere")
    with house.open() as workspace:
        behind = verify(workspace)
        assert (behind.verdict, behind.checked.places) == (Verdict.FOUND, ("b",))
        carry_out(workspace, audit, references=[], store="a", evidence="presence")
        assert (workspace.notices, verify(workspace).verdict) == ([], Verdict.WELL)


def test_all_stores_away(house: House) -> None:
    for name in "abc":
        house.stores[name]["path"] = str(house.folder / f"{name} elsewhere")
    house.settle()
    with house.open() as workspace:
        look_again(workspace)
        assert codes(workspace.notices) == ["ledger-not-compared"] * 3


def test_a_run_that_raises_is_pushed_all_the_same(house: House) -> None:
    """What it did before it failed stands in the stores."""

    def body(workspace: Workspace, *, references: list[str]) -> None:
        audit(workspace, references, evidence="presence")
        raise StorageError(say("Not now."))

    with house.open() as workspace:
        with pytest.raises(StorageError):
            carry_out(workspace, body, references=[])
        now, _ = workspace.catalog.head()
    assert stores_at(house) == dict.fromkeys("abc", (1, now))


def test_a_batch_is_one_push(house: House, tmp_path: Path) -> None:
    """However many packages; each store gets one segment more."""
    before = {store: len(ledger_files(house, store)) for store in "abc"}
    sources = [str(package(tmp_path / f"p{n}", {f"{n}.txt": b"x" * n})) for n in range(1, 4)]
    with house.open() as workspace:
        assert {each.outcome for each in carry_out(workspace, ingest_batch, sources=sources)} == {"accepted"}
    assert {store: len(ledger_files(house, store)) - before[store] for store in "abc"} == dict.fromkeys("abc", 3)


def test_a_store_that_was_exchanged_for_an_empty_one(house: House) -> None:
    """The README that a person puts there says that its files are lost; the ledger is written there again, whole."""
    shutil.rmtree(house.store_folder("b"))
    house.store_folder("b").mkdir()
    with house.open() as workspace:
        look_again(workspace)
        assert codes(workspace.notices) == ["ledger-not-compared"]
    (house.store_folder("b") / "README.txt").write_text("lost", "utf-8")
    with house.open() as workspace:
        look_again(workspace)
        assert verify(workspace).verdict is Verdict.WELL
    now, _ = head(house)
    assert stores_at(house) == dict.fromkeys("abc", (1, now))

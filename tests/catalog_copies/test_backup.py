"""The catalog in a folder of one's own: written whole, only what is new the next time, and proved to fit the packages."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.audit import audit
from flows.ingest import ingest
from flows.outcomes import Verdict
from flows.rebuilding.catalog_backup import backup, restore_catalog
from flows.rebuilding.catalog_copies import rebuild
from flows.running.run import carry_out
from preservation.errors import CatalogError, UsageError
from preservation.ledger.guard import LedgerRefused
from preservation.ledger.reading import LedgerBroken
from tests.catalog_copies.losses import lose, same_but_the_last, told
from tests.flows.houses import House, contents, package

SECRET = "rất-bí-mật-4711"


def test_a_copy_of_all_and_then_only_what_is_new(lived: House, tmp_path: Path) -> None:
    """Each time read back whole."""
    copy = tmp_path / "USB" / "danh mục"
    with lived.open() as workspace:
        first = backup(workspace, to=str(copy))
        before = contents(copy)
        assert (first.written, first.versions, first.policies) == (first.events, 3, ("thu-vien",))
        again = backup(workspace, to=str(copy))
        assert (again.written, again.events) == (0, first.events)
        assert contents(copy) == before
        carry_out(workspace, ingest, source=str(package(tmp_path / "p", {"a.txt": b"a"})))
        more = backup(workspace, to=str(copy))
        assert (more.written, more.versions) == (more.events - first.events, 4)
    after = contents(copy)
    assert {name: after[name] for name in before if name != "vankho.toml"} == {
        name: text for name, text in before.items() if name != "vankho.toml"
    }
    checked = subprocess.run([sys.executable, "verify_ledger.py", "."], cwd=copy, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_no_secret_is_part_of_it(lived: House, tmp_path: Path) -> None:
    """Neither from the secrets file nor from settings where it does not belong."""
    file = lived.folder / "vankho.toml"
    file.write_text(
        file.read_text("utf-8").replace("[catalog]", f"# postgresql://user:{SECRET}@host/db\n[catalog]")
        + f'\n[stores.s]\nkind = "s3"\nbucket = "b"\n  secret_access_key= "{SECRET}"\n',
        "utf-8",
    )
    with lived.open() as workspace:
        backup(workspace, to=str(tmp_path / "copy"))
    assert all(SECRET.encode() not in content for content in contents(tmp_path / "copy").values())
    assert b"[stores.s]" in (tmp_path / "copy/vankho.toml").read_bytes()


def test_everything_lost_and_brought_back_from_the_folder(lived: House, tmp_path: Path) -> None:
    """Settings and policies lie beside it; every store then proves that it belongs to this catalog."""
    with lived.open() as workspace:
        before = told(workspace)
        backup(workspace, to=str(tmp_path / "copy"))
    lose(lived, keep=("stores",))
    shutil.copy(tmp_path / "copy/vankho.toml", lived.folder)
    with lived.open() as workspace:
        done = restore_catalog(workspace, source=str(tmp_path / "copy"))
        assert (done.word, done.verdict, done.older) == ("made-anew", Verdict.WELL, None)
        assert done.rebuilt.policies == ("thu-vien",)
        assert same_but_the_last(told(workspace), before) == ["recovery"]
        assert [(each.store, each.objection, each.ahead) for each in done.stores] == [
            (name, None, 0) for name in "abc"
        ]
        assert {each.word for each in carry_out(workspace, audit, references=[])} == {"intact"}
        again = restore_catalog(workspace, source=str(tmp_path / "copy"))
        assert (again.word, again.verdict) == ("whole-already", Verdict.WELL)


def test_an_older_copy_says_by_how_many_events_and_a_rebuild_goes_on_from_it(lived: House, tmp_path: Path) -> None:
    """Nothing is added to it, or the stores' later events could not follow."""
    with lived.open() as workspace:
        backup(workspace, to=str(tmp_path / "copy"))
        carry_out(workspace, ingest, source=str(package(tmp_path / "p", {"a.txt": b"a"})))
        before = told(workspace)
    lose(lived)
    with lived.open() as workspace:
        done = restore_catalog(workspace, source=str(tmp_path / "copy"))
        assert done.verdict is Verdict.FOUND
        assert done.older is not None
        assert done.older.ahead == len(before["events"]) - done.rebuilt.replayed.events > 0
        with pytest.raises(LedgerRefused):
            carry_out(workspace, audit, references=[])
        up_to_date = rebuild(workspace, source=done.older.store)
        assert (up_to_date.outcome, up_to_date.verdict) == ("brought-up-to-date", Verdict.WELL)
        assert same_but_the_last(told(workspace), before) == ["recovery"]


def test_packages_that_do_not_fit_are_found(lived: House, tmp_path: Path) -> None:
    """A page lost, a page cut short, a store of another catalog, a store away: each is told of its store."""
    with lived.open() as workspace:
        backup(workspace, to=str(tmp_path / "copy"))
    lose(lived)
    next(lived.store_folder("a").rglob("data/Trang 1.txt")).unlink()
    page = next(lived.store_folder("b").rglob("data/Trang 1.txt"))
    page.chmod(0o644)
    page.write_bytes(b"x")
    shutil.rmtree(lived.store_folder("c"))
    with lived.open() as workspace:
        done = restore_catalog(workspace, source=str(tmp_path / "copy"))
    seen = {each.store: each for each in done.stores}
    assert [finding.code for finding in seen["a"].packages.report.findings] == ["object-missing"]  # type: ignore[union-attr]
    assert [finding.code for finding in seen["b"].packages.report.findings] == ["object-size-differs"]  # type: ignore[union-attr]
    assert [each.verdict for each in done.stores] == [Verdict.FOUND, Verdict.FOUND, Verdict.FAILED]
    assert done.verdict is Verdict.FOUND


def test_a_store_of_another_catalog_does_not_belong(lived: House, house: House, tmp_path: Path) -> None:
    """By its first event, not by its name."""
    with house.open() as workspace:
        carry_out(workspace, ingest, source=str(package(tmp_path / "p", {"a.txt": b"a"})))
        backup(workspace, to=str(tmp_path / "copy"))
    lose(lived)
    with lived.open() as workspace:
        done = restore_catalog(workspace, source=str(tmp_path / "copy"))
        assert {each.objection.code for each in done.stores if each.objection} == {"ledger-other-catalog"}
        assert done.verdict is Verdict.FOUND
    with lived.open() as workspace, pytest.raises(LedgerRefused):
        backup(workspace, to=str(lived.folder / "copy-2"))
        backup_of_another = lived.folder / "copy-2"
        shutil.rmtree(backup_of_another)
        shutil.copytree(lived.store_folder("a") / "ledger", backup_of_another / "ledger")
        backup(workspace, to=str(backup_of_another))


def test_files_of_somebody_else_are_not_replaced(lived: House, tmp_path: Path) -> None:
    """The settings of the workspace itself, a README.txt of a person's, a file instead of a folder."""
    settings, theirs = lived.folder / "vankho.toml", tmp_path / "usb/README.txt"
    (lived.folder / "ledger").mkdir()  # as by an earlier release, which did write it there
    theirs.parent.mkdir()
    theirs.write_text("quan trọng", "utf-8")
    before = settings.read_bytes()
    with lived.open() as workspace:
        for place in (lived.folder, theirs.parent, theirs):
            with pytest.raises(UsageError, match="stands in the way"):
                backup(workspace, to=str(place))
        theirs.unlink()
        (theirs.parent / "sách.pdf").write_bytes(b"beside")  # in nobody's way
        assert backup(workspace, to=str(theirs.parent)).written
    assert (settings.read_bytes(), (theirs.parent / "sách.pdf").read_bytes()) == (before, b"beside")


def test_a_folder_that_will_not_do(lived: House, tmp_path: Path) -> None:
    """A store's own folder; a folder without a copy; a damaged copy; a catalog that is not there."""
    with lived.open() as workspace:
        for place in (lived.store_folder("a"), lived.store_folder("b") / "danh mục"):
            with pytest.raises(UsageError):
                backup(workspace, to=str(place))
        for nothing in (tmp_path, tmp_path / "not there"):
            with pytest.raises(UsageError):
                restore_catalog(workspace, source=str(nothing))
        backup(workspace, to=str(tmp_path / "copy"))
    segment = next((tmp_path / "copy").glob("ledger/*/events/*.jsonl"))
    segment.chmod(0o644)
    segment.write_bytes(segment.read_bytes().replace(b'"agent":"vankho', b'"agent":"Vankho', 1))
    with lived.open() as workspace, pytest.raises(LedgerBroken):
        backup(workspace, to=str(tmp_path / "copy"))
    lose(lived)
    with lived.open() as workspace:
        with pytest.raises(LedgerBroken):
            restore_catalog(workspace, source=str(tmp_path / "copy"))
        with pytest.raises(CatalogError):
            backup(workspace, to=str(tmp_path / "new"))
    assert not (lived.folder / "catalog.db").exists()
    assert not (tmp_path / "new").exists()

"""Which catalog may be gone on with, which is refused, what is kept aside; and a rebuild that is cut off."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.audit import audit
from flows.ingest import ingest
from flows.outcomes import Verdict
from flows.rebuilding.catalog_copies import Unequal, rebuild
from flows.running.run import carry_out
from flows.workspace import CatalogLost
from preservation.catalog import open_catalog
from preservation.catalog.renewal import UNFINISHED, in_place_of, stands
from preservation.catalog.replay import OtherHistory
from preservation.errors import CatalogError, UsageError
from preservation.ledger.guard import LedgerRefused
from preservation.ledger.reading import LedgerBroken
from tests.catalog_copies.losses import lose, same_but_the_last, told
from tests.flows.houses import House, package


def _older(house: House, place: Path) -> Path:
    """The catalog before one more package came."""
    older = place / "older.db"
    shutil.copy(house.folder / "catalog.db", older)
    with house.open() as workspace:
        assert carry_out(workspace, ingest, source=str(package(place / "mới", {"a.txt": b"a"}))).word == "accepted"
    return older


def test_an_older_copy_brought_back_is_refused_until_it_is_brought_up_to_date(lived: House, tmp_path: Path) -> None:
    """Nothing is written before; the missing events are entered, and nothing else changes."""
    older = _older(lived, tmp_path)
    with lived.open() as workspace:
        before = told(workspace)
    shutil.copy(older, lived.folder / "catalog.db")
    with lived.open() as workspace:
        with pytest.raises(LedgerRefused):
            carry_out(workspace, audit, references=[])
        done = rebuild(workspace, source="b")
        assert (done.outcome, done.replayed.versions, done.verdict) == ("brought-up-to-date", 1, Verdict.WELL)
        assert same_but_the_last(told(workspace), before) == ["recovery"]
        assert {each.word for each in carry_out(workspace, audit, references=[])} == {"intact"}


def test_another_history_is_refused_and_then_kept_aside(lived: House, tmp_path: Path) -> None:
    """With --replace the store's history takes the place; the other one is there still, whole."""
    older = _older(lived, tmp_path)
    with lived.open() as workspace:
        right = told(workspace)
    shutil.copy(older, lived.folder / "catalog.db")
    with lived.open() as workspace:
        audit(workspace, [], store="a")  # without the guard: the histories part here
        forked = told(workspace)
        with pytest.raises(OtherHistory):
            rebuild(workspace, source="a")
        assert told(workspace) == forked
    with lived.open() as workspace:
        done = rebuild(workspace, source="a", replace=True)
        assert (done.outcome, done.verdict) == ("made-anew", Verdict.WELL)
        assert same_but_the_last(told(workspace), right) == ["recovery"]
        assert done.aside is not None
        aside = workspace.with_catalog(f"sqlite:///{done.aside}")
        assert told(aside) == forked
        aside.close()


def test_a_catalog_open_elsewhere_is_not_set_aside(lived: House) -> None:
    """Whoever has it open would go on writing into a file that no longer counts."""
    with lived.open() as other:
        _ = told(other)
        with lived.open() as workspace, pytest.raises(CatalogError, match="open in another process"):
            rebuild(workspace, source="a", replace=True)
        assert other.catalog.verify_chain().sound
    assert not list(lived.folder.glob("*.aside-*"))


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to be taken for one" * 50])
def test_what_is_no_catalog_is_kept_aside_too(lived: House, content: bytes) -> None:
    """A damaged file is evidence."""
    (lived.folder / "catalog.db").write_bytes(content)
    with lived.open() as workspace:
        if content:
            with pytest.raises(CatalogError):
                rebuild(workspace, source="a")
        done = rebuild(workspace, source="a", replace=True)
        assert done.verdict is Verdict.WELL
        assert done.aside is not None
        assert Path(done.aside).read_bytes() == content


def test_the_log_of_a_lost_catalog_is_not_played_into_the_new_one(lived: House, tmp_path: Path) -> None:
    """A process was killed, then somebody removed catalog.db and overlooked what SQLite keeps beside it."""
    with lived.open() as workspace:
        before = told(workspace)
    file = lived.folder / "catalog.db"
    with closing(sqlite3.connect(file)) as killed:
        killed.execute("PRAGMA wal_autocheckpoint=0")
        killed.execute("DROP TABLE evidence")
        killed.commit()
        left = (lived.folder / "catalog.db-wal").read_bytes()
        killed.execute("PRAGMA wal_checkpoint")
    assert left
    lose(lived, keep=("vankho.toml", "vankho.secrets.toml", "stores", "policies"))
    (lived.folder / "catalog.db-wal").write_bytes(left)
    with lived.open() as workspace:
        done = rebuild(workspace, source="a")
        assert done.verdict is Verdict.WELL
        assert done.aside is not None
        assert Path(f"{done.aside}-wal").read_bytes() == left
        assert same_but_the_last(told(workspace), before) == ["recovery"]


def test_a_catalog_that_somebody_made_meanwhile_is_kept_aside(tmp_path: Path) -> None:
    with in_place_of("sqlite:///catalog.db", base=tmp_path, now=datetime.now(UTC)) as renewal:
        assert renewal.aside is None
        open_catalog("sqlite:///catalog.db", base=tmp_path).close()
        made = (tmp_path / "catalog.db").read_bytes()
    [aside] = tmp_path.glob("catalog.db.aside-*")
    assert aside.read_bytes()[100:] == made[100:]  # its header tells another mode of the journal


def test_no_catalog_is_made_of_nothing(lived: House) -> None:
    """A new disk under the name of a store: with --replace it would have set the catalog aside for an empty one."""
    shutil.rmtree(lived.store_folder("c"))
    lived.store_folder("c").mkdir()
    before = (lived.folder / "catalog.db").read_bytes()
    with lived.open() as workspace, pytest.raises(UsageError, match="no ledger and no AIP"):
        rebuild(workspace, source="c", replace=True, older=True)
    assert (lived.folder / "catalog.db").read_bytes() == before
    assert not list(lived.folder.glob("catalog.db.aside-*"))


def test_a_tampered_catalog_is_not_gone_on_with(lived: House) -> None:
    """Its end is the store's, what stands before it is not."""
    with closing(sqlite3.connect(lived.folder / "catalog.db")) as harmed:
        harmed.execute("DROP TRIGGER events_no_update")
        harmed.execute("UPDATE events SET agent = 'x' WHERE seq = 3")
        harmed.commit()
    with lived.open() as workspace, pytest.raises(CatalogError, match="Event 3 "):
        rebuild(workspace, source="a")
    with lived.open() as workspace:
        assert rebuild(workspace, source="a", replace=True).verdict is Verdict.WELL


def test_a_store_that_knows_less_is_not_taken_while_another_can_be_asked(lived: House, tmp_path: Path) -> None:
    """Else its AIPs would look like strangers; --older takes it, and says that the other one disagrees."""
    aside = tmp_path / "away"
    lived.store_folder("c").rename(aside)
    _older(lived, tmp_path)
    shutil.rmtree(lived.store_folder("c"), ignore_errors=True)
    aside.rename(lived.store_folder("c"))
    lose(lived)
    with lived.open() as workspace:
        with pytest.raises(CatalogError, match="keeps more"):
            rebuild(workspace, source="c")
        done = rebuild(workspace, source="c", older=True)
        assert "ledger-catalog-behind" in [finding.code for finding in done.findings] or "ledger-other-history" in [
            finding.code for finding in done.findings
        ]
        assert done.verdict is Verdict.FOUND


def test_a_damaged_ledger_leaves_the_catalog_as_it_was(lived: House) -> None:
    """All or nothing, also when the damage stands at its end; another store's ledger serves."""
    segment = next(lived.store_folder("a").glob("ledger/*/objects/*.gz"))
    segment.chmod(0o644)
    segment.write_bytes(segment.read_bytes()[:-20])
    with lived.open() as workspace:
        before = told(workspace)
    with lived.open() as workspace, pytest.raises((LedgerBroken, Unequal)):
        rebuild(workspace, source="a", replace=True)
    with lived.open() as workspace:
        assert told(workspace) == before
    assert [path.name for path in lived.folder.glob("catalog.db*")] == ["catalog.db"]
    lose(lived)
    with lived.open() as workspace:
        with pytest.raises((LedgerBroken, Unequal)):
            rebuild(workspace, source="a")
        assert not (lived.folder / "catalog.db").exists()
        assert rebuild(workspace, source="b").verdict is Verdict.WELL


def test_an_update_is_whole_or_not_at_all(lived: House, tmp_path: Path) -> None:
    """The missing events are entered in one transaction: damage at their end undoes all of it."""
    older = _older(lived, tmp_path)
    shutil.copy(older, lived.folder / "catalog.db")
    with lived.open() as workspace:
        before = told(workspace)
    segment = sorted(lived.store_folder("a").glob("ledger/*/events/*.jsonl"))[-1]
    segment.chmod(0o644)
    segment.write_bytes(segment.read_bytes()[:-2])
    with lived.open() as workspace, pytest.raises(LedgerBroken):
        rebuild(workspace, source="a")
    with lived.open() as workspace:
        assert told(workspace) == before
        assert rebuild(workspace, source="b").verdict is Verdict.WELL


FULL = """
import resource, sys
from pathlib import Path
from flows.rebuilding.catalog_copies import rebuild
from flows.workspace import open_workspace
from preservation.errors import CatalogError, UsageError

resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
with open_workspace(Path(sys.argv[1])) as workspace:
    try:
        rebuild(workspace, source="a")
    except CatalogError as error:
        print(error.what, error.next_step)
        sys.exit(3)
"""


def test_a_disk_that_is_full_leaves_no_catalog_and_the_next_try_succeeds(lived: House) -> None:
    """One clear error."""
    lose(lived)
    full = subprocess.run(
        [sys.executable, "-c", FULL, str(lived.folder)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        encoding="utf-8",
    )
    assert full.returncode == 3, full.stderr
    assert "disk" in full.stdout
    assert not (lived.folder / "catalog.db").exists()
    with lived.open() as workspace:
        assert rebuild(workspace, source="a").verdict is Verdict.WELL


def test_two_at_once_are_not_let_into_each_other(lived: House, elsewhere: Callable[[], str]) -> None:
    """The second one is told, and harms nothing."""
    lose(lived)
    with in_place_of(elsewhere(), base=lived.folder, now=datetime.now(UTC)) as renewal:
        with lived.open() as workspace, pytest.raises(CatalogError, match="Another process"):
            rebuild(workspace, source="a", to=elsewhere())
        assert renewal.catalog.head()[0] == 0
    assert stands(elsewhere(), base=lived.folder)


def test_the_disk_of_another_store_is_refused_by_name(lived: House) -> None:
    """Its copies would be claimed under the wrong name."""
    lose(lived)
    one, other = lived.store_folder("a"), lived.store_folder("b")
    one.rename(one.with_name("x"))
    other.rename(one)
    with lived.open() as workspace, pytest.raises(CatalogError, match="is the one of store b"):
        rebuild(workspace, source="a")


def test_sqlite_lost_and_made_again_elsewhere(lived: House, elsewhere: Callable[[], str]) -> None:
    """From SQLite to PostgreSQL too; work goes on there."""
    with lived.open() as workspace:
        before = told(workspace)
    lose(lived)
    lived.catalog = elsewhere()
    lived.settle()
    with lived.open() as workspace:
        assert rebuild(workspace, source="a").verdict is Verdict.WELL
        assert same_but_the_last(told(workspace), before) == ["recovery"]
        assert workspace.catalog.verify_chain().sound
        assert {each.word for each in carry_out(workspace, audit, references=[], store="b")} == {"intact"}


CUT = """
import sys
from pathlib import Path
from flows.rebuilding.catalog_copies import Kept, rebuild
from flows.workspace import open_workspace
import os, signal

events, at = Kept.events, int(sys.argv[2])

def dying(self):
    for number, event in enumerate(events(self)):
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)
        yield event

Kept.events = dying
with open_workspace(Path(sys.argv[1])) as workspace:
    rebuild(workspace, source="a", replace=sys.argv[3:] == ["replace"])
"""


@pytest.mark.parametrize("at", [0, 25])
def test_a_rebuild_that_is_killed_leaves_no_catalog_and_runs_again(
    lived: House, elsewhere: Callable[[], str], at: int
) -> None:
    """Nothing half-made is taken for a catalog, whatever the database."""
    lose(lived)
    lived.catalog = elsewhere()
    lived.settle()
    cut = subprocess.run([sys.executable, "-c", CUT, str(lived.folder), str(at)], cwd=Path(__file__).parents[2])
    assert cut.returncode == -signal.SIGKILL
    assert not (lived.folder / "catalog-2.db").exists()
    with lived.open() as workspace:
        with pytest.raises(CatalogLost):
            carry_out(workspace, audit, references=[])
        assert rebuild(workspace, source="a").verdict is Verdict.WELL
    assert not list(lived.folder.glob(f"*{UNFINISHED}*"))

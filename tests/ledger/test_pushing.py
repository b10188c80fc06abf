"""A push may be cut short anywhere, run beside another one or beside a writer; what it leaves, the next one completes."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.audit import audit
from flows.ingest import ingest
from flows.ledger import push, verify
from flows.outcomes import Verdict
from flows.reconcile import reconcile
from flows.running.run import carry_out
from preservation.catalog import Catalog, open_catalog
from preservation.errors import CatalogError
from preservation.facts import Grade
from preservation.ledger import books, newest, read_admissions, read_events, writing
from preservation.ledger import segments as making
from preservation.ledger.guard import LedgerRefused
from storage_adapters import conformance
from storage_adapters.errors import ObjectExists
from storage_adapters.local import LocalStore
from storage_adapters.memory import MemoryStore
from tests.catalog.samples import NOW, event
from tests.flows.houses import House, codes, local_stores, package
from tests.ledger import history as hands
from tests.ledger.history import POLICIES, History, admit
from tests.replicas.places import Through


class Killed(BaseException):
    """As SIGKILL would: nobody hears of it."""


def written(store: Any) -> dict[str, bytes]:
    found = {}
    for stat in store.list(""):
        with store.open(stat.key) as reader:
            found[stat.key] = b"".join(iter(lambda: reader.read(1 << 16), b""))
    return found


def one_push(catalog: Catalog, store: Any, folder: Path, **more: Any) -> writing.Pushed:
    told = {"now": NOW, "agent": "x", "spool": folder / "spool", "policies": POLICIES, **more}
    return writing.write_ledger(catalog, store, **told)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with open_catalog("sqlite:///catalog.db", base=tmp_path) as opened:
        opened.record([event(detail={"n": 1})])
        admit(opened, seed="x")
        yield opened


def sound(catalog: Catalog, store: Any) -> None:
    """What the store has is the catalog's history, with every object list."""
    assert [each.digest for each in read_events(store, 1)] == [each.digest for each in catalog.events()]
    admitted = [(version, list(objects)) for version, objects in read_admissions(store, 1)]
    assert [version for version, _ in admitted] == [hands.replace(each, staged=None) for each in catalog.versions()]
    for version, objects in admitted:
        assert objects == list(catalog.objects(version.identifier, version.version))


@pytest.mark.parametrize("before", [True, False], ids=["before the put", "after the put"])
def test_killed_at_every_put(catalog: Catalog, tmp_path: Path, before: bool) -> None:
    """Nothing counts that has no checkpoint, and the next push goes on, with what was recorded meanwhile."""
    puts = 0
    for fatal in range(1, 100):
        store = MemoryStore("m")
        real = store.put
        puts = 0

        def put(key: str, source: Any, *, size: int, sha256: str, fatal: int = fatal, real: Any = real) -> None:
            nonlocal puts
            puts += 1
            if before and puts == fatal:
                raise Killed
            real(key, source, size=size, sha256=sha256)
            if puts == fatal:
                raise Killed

        store.put = put  # type: ignore[method-assign]
        try:
            one_push(catalog, store, tmp_path)
        except Killed:
            pass
        else:
            break
        store.put = real  # type: ignore[method-assign]
        point = newest(store, 1)
        assert point is None or len(list(read_events(store, 1))) == point.last
        if fatal % 2:
            catalog.record([event(detail={"later": fatal})])
        one_push(catalog, store, tmp_path)
        sound(catalog, store)
        assert one_push(catalog, store, tmp_path).events == 0
    assert puts >= 6  # README, script, objects, events, policy, checkpoint


def test_long_histories_go_in_segments(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a push that was cut short does not begin at the beginning."""
    monkeypatch.setattr(writing, "SEGMENT", 4)
    catalog.record([event(detail={"n": n}) for n in range(20)])
    store, left = Through(MemoryStore("m")), [12]

    def no_more(_key: str) -> bool:
        left[0] -= 1
        return left[0] < 0

    store.refuse_put = no_more
    with pytest.raises(Exception, match="does not answer"):
        one_push(catalog, store, tmp_path)
    half = newest(store, 1)
    assert half is not None
    assert 4 <= half.last < 20
    store.refuse_put = lambda _key: False
    assert one_push(catalog, store, tmp_path).events == 22 - half.last
    sound(catalog, store)


def test_what_is_left_under_our_name_must_be_the_same(catalog: Catalog, tmp_path: Path) -> None:
    """A stranger's segment is not built upon; the next one has another name and goes round it."""
    store = MemoryStore("m")
    put(store, "ledger/9998-book-1/events/000000000001-000000000002.jsonl", b"x")
    with pytest.raises(ObjectExists):
        one_push(catalog, store, tmp_path)
    assert newest(store, 1) is None
    catalog.record([event(detail={"n": 3})])
    one_push(catalog, store, tmp_path)
    sound(catalog, store)


def test_the_same_list_packed_by_another_release(catalog: Catalog, tmp_path: Path) -> None:
    """What unpacks alike is the same."""
    first, second = MemoryStore("m"), MemoryStore("m")
    one_push(catalog, first, tmp_path)
    for key, content in written(first).items():
        if "/objects/" in key:
            put(second, key, gzip.compress(gzip.decompress(content), compresslevel=1, mtime=5))
    one_push(catalog, second, tmp_path)
    sound(catalog, second)


def put(store: Any, key: str, content: bytes) -> None:
    store.put(key, io.BytesIO(content), size=len(content), sha256=hashlib.sha256(content).hexdigest())


def test_a_full_disk_leaves_a_notice_and_nothing_half(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the workspace's own disk; the run's verdict stands."""

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with house.open() as workspace:
        monkeypatch.setattr(making.Spooled, "write", full)
        done = carry_out(workspace, ingest, source=str(package(tmp_path / "p")))
        assert (done.verdict, codes(workspace.notices)) == (Verdict.WELL, ["ledger-not-written"] * 3)
        assert list((house.folder / "spool").iterdir()) == []
        assert all(books(workspace.store(name)) == [] for name in "abc")
        monkeypatch.undo()
        monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
        carry_out(workspace, audit, references=[], store=None, evidence="presence")
        assert verify(workspace).verdict is Verdict.WELL


def test_a_store_that_takes_nothing_more_is_a_notice(house: House, tmp_path: Path) -> None:
    with house.open() as workspace:
        workspace.store("b")
        through = Through(workspace._stores["b"])
        through.refuse_put = lambda key: key.startswith("ledger/")
        workspace._stores["b"] = through
        done = carry_out(workspace, ingest, source=str(package(tmp_path / "p")))
        assert done.verdict is Verdict.WELL
        assert [(notice.code, notice.path) for notice in workspace.notices] == [("ledger-not-written", "b")]
    with house.open() as workspace:
        assert verify(workspace).checked.places == ("b",)
        carry_out(workspace, audit, references=[], store=None, evidence="presence")
        assert verify(workspace).verdict is Verdict.WELL


def test_a_catalog_whose_chain_does_not_hold_is_not_written_on(history: History) -> None:
    with history.open() as catalog:
        catalog.record([event(detail={"n": n}) for n in (17, 18)])
    hands.rewrite(
        history, lambda rows: [{**row, "agent": "x"} if row["seq"] == 17 else row for row in rows], skill="none"
    )
    with history.open() as catalog, pytest.raises(CatalogError, match="17"):
        history.push(catalog)
    assert all(newest(store, 1).last == 16 for store in history.stores)  # type: ignore[union-attr]


def test_a_push_asks_for_itself(history: History) -> None:
    """Whoever pushes without the guard is refused all the same, and nothing is put."""
    older = hands.copy_of_catalog(history)
    with history.open() as catalog:
        catalog.record([event(detail={"n": 17})])
        history.push(catalog)
    hands.bring_back(history, older)
    before = [written(store) for store in history.stores]
    with history.open() as catalog:
        catalog.record([event(detail={"n": n}) for n in range(5)])
        with pytest.raises(LedgerRefused):
            history.push(catalog)
    assert [written(store) for store in history.stores] == before


def test_objects_that_are_not_those_admitted_are_not_written(catalog: Catalog, tmp_path: Path) -> None:
    history = History(tmp_path, f"sqlite:///{tmp_path}/catalog.db")
    hands.sql(history, lambda raw: raw.execute("UPDATE objects SET size = 1001 WHERE role = 'tag'"))
    store = MemoryStore("m")
    with pytest.raises(CatalogError, match="not those that were admitted"):
        one_push(catalog, store, tmp_path)
    assert newest(store, 1) is None


def test_pushes_at_once_while_others_write(tmp_path: Path) -> None:
    """Processes that record and push as they like; at the end the stores have it all, once."""
    house = House(tmp_path / "kho", local_stores(2)).settle()
    program = (
        "import sys; from pathlib import Path; from flows.ledger import guard, push;"
        "from flows.workspace import open_workspace; from tests.catalog.samples import event\n"
        "with open_workspace(Path(sys.argv[1])) as w:\n"
        "    for n in range(6):\n"
        "        reached = guard(w)\n"
        "        w.catalog.record([event(detail={'n': n, 'of': sys.argv[2]})])\n"
        "        push(w, reached)\n"
        "    assert w.notices == [], w.notices\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, house.folder, str(number)], cwd=Path(__file__).parents[2])
        for number in range(3)
    ]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0]
    with house.open() as workspace:
        done = verify(workspace)
        assert (done.verdict, done.checked.events) == (Verdict.WELL, 18)


def test_pushes_at_once_without_the_lease(catalog: Catalog, tmp_path: Path) -> None:
    """Who was robbed of the lease while it slept writes segments that overlap; they agree, and all of it is read."""
    store, spool = LocalStore("m", tmp_path / "store"), tmp_path
    store.root.mkdir()
    one_push(catalog, store, spool)
    catalog.record([event(detail={"n": 3})])
    slow = Through(store)
    late = threading.Event()
    go_on = threading.Event()

    def pause(key: str) -> bool:
        if "/checkpoints/" in key:
            late.set()
            go_on.wait(10)
        return False

    slow.refuse_put = pause
    thread = threading.Thread(target=lambda: one_push(catalog, slow, spool))
    thread.start()
    assert late.wait(10)
    catalog.record([event(detail={"n": 4})])
    one_push(catalog, store, spool)
    go_on.set()
    thread.join()
    catalog.record([event(detail={"n": 5})])
    one_push(catalog, store, spool)
    sound(catalog, store)
    assert [each.seq for each in read_events(store, 1, after=3)] == [4, 5]


def test_few_requests(catalog: Catalog, tmp_path: Path) -> None:
    """One page of a list and one small read, for the guard and for a push; a push puts two objects, or three."""
    store = Counting()
    one_push(catalog, store, tmp_path)
    assert [key.split("/")[0] if "/" not in key else key.split("/")[2] for key in store.puts] == [
        *("README.txt", "verify_ledger.py", "objects", "events", "policies", "checkpoints")
    ]
    catalog.record([event(detail={"n": 3})])
    store.calls.clear()
    one_push(catalog, store, tmp_path)
    assert store.calls == ["list", "open", "put", "put"]
    store.calls.clear()
    one_push(catalog, store, tmp_path)
    assert store.calls == ["list", "open"]


class Counting(Through):
    def __init__(self) -> None:
        super().__init__(MemoryStore("m"))
        self.calls: list[str] = []

    def put(self, key: str, source: Any, *, size: int, sha256: str) -> None:
        self.calls.append("put")
        super().put(key, source, size=size, sha256=sha256)

    def open(self, key: str) -> Any:
        self.calls.append("open")
        return super().open(key)

    def list(self, prefix: str) -> Any:
        self.calls.append("list")
        return super().list(prefix)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    return House(tmp_path / "kho", local_stores(3)).settle()


def test_nothing_else_trips_over_the_ledger(house: House, tmp_path: Path) -> None:
    """Reconcile, the contract's check and an audit see no stranger in it, and it is not a copy's."""
    with house.open() as workspace:
        carry_out(workspace, ingest, source=str(package(tmp_path / "p")))
        push(workspace, ["a"])
        assert {each.word for each in carry_out(workspace, reconcile, store=None)} == {"agrees"}
        assert all(result.passed for result in conformance.run(workspace.erasable_store("a")))
        done = carry_out(workspace, audit, references=[], store=None, evidence=Grade.BYTES.value)
        assert {each.word for each in done} == {"intact"}
        assert verify(workspace).verdict is Verdict.WELL

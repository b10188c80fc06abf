"""`vankho tidy`: what dead runs left goes, what living ones work on stays, and other people's things are not ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.ingest import ingest
from flows.outcomes import Verdict
from flows.remains import PROBES, clear
from flows.settings import S3StoreSettings
from flows.watching import fetched
from preservation.packages.submission import claim
from storage_adapters import s3_probing
from storage_adapters.errors import StorageDenied, StorageUnavailable
from storage_adapters.local import LocalStore
from storage_adapters.settings import LocalSettings
from storage_adapters.store import Unfinished
from tests.flows.houses import House, codes, contents, package
from wording import say

ROOT = Path(__file__).resolve().parents[2]


def plant(house: House) -> dict[str, int]:
    """What runs that died could have left, by place and name."""
    left = {
        "staging/dead/files/x": b"abc",
        "bags/dead/data/x": b"defg",
        "spool/tmpabc": b"hi",
        "fetched/0dead/scan/x": b"jklmn",
        "stores/a/.vankho-unfinished-00": b"1",
        "stores/a/aip/someone/v1/data/.vankho-unfinished-01": b"22",
        "stores/b/ledger/1/events/.vankho-unfinished-02": b"333",
    }
    yesterday = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    for path, content in left.items():
        file = house.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (yesterday, yesterday))
    return {path: len(content) for path, content in left.items()}


@pytest.fixture
def taken(house: House, tmp_path: Path) -> House:
    with house.open() as workspace:
        assert ingest(workspace, str(package(tmp_path / "package"))).verdict is Verdict.WELL
    return house


def test_what_dead_runs_left_goes_and_nothing_else(taken: House):
    before = contents(taken.folder / "stores")
    plant(taken)
    with taken.open() as workspace:
        looked = clear(workspace, dry_run=True)
        assert len(contents(taken.folder / "stores")) == len(before) + 3
        done = clear(workspace)
        assert done.removed == looked.removed
        assert sorted((each.place, each.what, each.bytes) for each in done.removed) == [
            ("a", ".vankho-unfinished-00", 1),
            ("a", "aip/someone/v1/data/.vankho-unfinished-01", 2),
            ("b", "ledger/1/events/.vankho-unfinished-02", 3),
            ("workspace", "bags/dead", 4),
            ("workspace", "fetched/0dead", 5),
            ("workspace", "spool/tmpabc", 2),
            ("workspace", "staging/dead", 3),
        ]
        assert (done.verdict, done.findings) == (Verdict.WELL, [])
        assert contents(taken.folder / "stores") == before
        assert taken.leftovers() == []
        assert clear(workspace).removed == []


def test_what_a_living_run_works_on_stays(taken: House, tmp_path: Path):
    with taken.open() as workspace:
        submission = claim(package(tmp_path / "other"), staging=workspace.staging, submission_id="alive")
        (workspace.bags / "alive").mkdir(parents=True)
        (version,) = workspace.catalog.versions()
        unfinished = taken.folder / f"stores/a/aip/{version.identifier}/v1/.vankho-unfinished-03"
        unfinished.write_bytes(b"x")
        with taken.open() as elsewhere, elsewhere.lease(f"copies {version.identifier}/v1"):
            done = clear(workspace)
            # of this machine's disks a lock tells whose temporary file is alive: this one's writer is not
            assert [each.what for each in done.removed] == [f"aip/{version.identifier}/v1/.vankho-unfinished-03"]
            assert codes(done.findings) == ["in-use"]
            assert done.verdict is Verdict.WELL
        assert submission.folder.is_dir()
        assert (workspace.bags / "alive").is_dir()
        os.close(submission.lock)


def test_what_is_being_fetched_stays_while_whoever_fetched_lives(taken: House):
    folder, source = taken.folder, "s3://drop/scan 7"
    ours = fetched.enter(folder, source)
    place, _ = fetched.where(folder, source)
    place.write_bytes(b"half a package")
    with taken.open() as workspace:
        assert clear(workspace).removed == []
        assert place.exists()
        with pytest.raises(BlockingIOError):
            fetched.enter(folder, source)
        os.close(ours)  # as when it is killed
        assert [each.what for each in clear(workspace).removed] == [f"fetched/{place.parent.name}"]
    ours = fetched.enter(folder, source)
    place.mkdir()
    fetched.let_go(folder, source, ours)
    assert list((folder / fetched.FOLDER).iterdir()) == []


def test_a_put_on_its_way_keeps_its_temporary_file(tmp_path: Path):
    """Other processes tidy at any moment; the lock of the writer tells them."""
    store = LocalStore("a", tmp_path)
    begun, go_on = threading.Event(), threading.Event()

    class Slow:
        def read(self, size: int = -1, /) -> bytes:
            begun.set()
            assert go_on.wait(20)
            return b""

    failed: list[Exception] = []

    def put() -> None:
        try:
            store.put("k/x", Slow(), size=1, sha256="0" * 64)
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=put)
    thread.start()
    assert begun.wait(20)
    (unfinished,) = store.unfinished("")
    assert unfinished.key.startswith("k/.vankho-unfinished-")
    ever = datetime.max.replace(tzinfo=UTC)
    assert LocalStore("a", tmp_path).drop_unfinished("", started_before=ever) == 0
    assert len(list(store.unfinished(""))) == 1
    go_on.set()
    thread.join(20)
    assert failed and not list(store.unfinished(""))


def test_a_store_that_is_away_hinders_no_other(taken: House):
    plant(taken)
    (taken.folder / "stores/b").rename(taken.folder / "away")
    (taken.folder / "stores/b").mkdir()
    with taken.open() as workspace:
        done = clear(workspace)
    assert codes(done.findings) == ["store-denied"]
    assert done.verdict is Verdict.FAILED
    assert {each.place for each in done.removed} == {"a", "workspace"}


class Provider:
    """A bucket with somebody's uploads in it."""

    def __init__(self, store: LocalStore, *, lists: bool = True, answers: bool = True) -> None:
        self.name, self.store, self.lists, self.answers = store.name, store, lists, answers
        self.asked: list[str] = []

    def unfinished(self, prefix: str):
        self.asked.append(prefix)
        if not self.lists:
            raise StorageDenied(say("Not implemented."), where=self.name, next_step=say("Ask."))
        old = datetime.now(UTC) - timedelta(days=3)
        theirs = ("aip-of-others/big.iso", "backup/2026.tar", "aip/loose", "ledger-old/x")
        return iter([Unfinished(key, 5, old) for key in theirs if key.startswith(prefix)])

    def drop_unfinished(self, prefix: str, *, started_before: datetime) -> int:
        raise AssertionError(f"asked to drop below {prefix}")

    def list(self, prefix: str):
        if not self.answers:
            raise StorageUnavailable(say("Away."), where=self.name, next_step=say("Wait."))
        return iter(())


def in_a_bucket(house: House, workspace, **more: bool) -> Provider:
    provider = Provider(LocalStore("c", house.folder), **more)
    workspace._stores["c"] = provider
    stores = workspace.settings.stores
    stores["c"] = S3StoreSettings(kind="s3", bucket="theirs")
    return provider


def test_other_peoples_uploads_are_never_touched(taken: House):
    with taken.open() as workspace:
        provider = in_a_bucket(taken, workspace)
        done = clear(workspace)
        assert provider.asked == ["aip/", "ledger/", PROBES]
        assert (done.removed, done.verdict) == ([], Verdict.WELL)


def test_a_provider_that_does_not_tell_is_named(taken: House):
    with taken.open() as workspace:
        in_a_bucket(taken, workspace, lists=False)
        done = clear(workspace)
        assert (codes(done.findings), done.verdict) == (["uploads-not-listed"], Verdict.WELL)
        in_a_bucket(taken, workspace, lists=False, answers=False)
        done = clear(workspace)
        assert (codes(done.findings), done.verdict) == (["store-denied"], Verdict.FAILED)


def test_the_prefix_of_probes_is_that_of_the_probe():
    assert PROBES == s3_probing.PREFIX


def test_the_command_says_what_it_removed(taken: House):
    plant(taken)
    assert LocalSettings(path=taken.store_folder("a")).kind == "local"

    def vankho(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from apps.cli.main import run; run()", "-w", str(taken.folder), "tidy", *words],
            capture_output=True, text=True, timeout=120, cwd=ROOT, env={**os.environ, "VANKHO_LANG": "en"},
        )  # fmt: skip

    looked = vankho("--dry-run", "--json")
    assert looked.returncode == 0, looked.stderr
    told = json.loads(looked.stdout)
    assert (told["dry_run"], len(told["removed"]), told["findings"]) == (True, 7, [])
    assert {"place": "a", "what": ".vankho-unfinished-00", "bytes": 1} in told["removed"]
    done = vankho()
    assert done.returncode == 0
    assert "staging/dead" in done.stdout
    assert "7 remains removed, 20 B." in done.stdout
    assert "Dead runs left nothing behind." in vankho().stdout

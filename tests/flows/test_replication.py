"""Replication under watch: what is wanting is filled, a store that fails is left alone, one that is gone is missed."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import flows.replicate
from flows.audit import audit
from flows.ingest import ingest
from flows.ledger import in_ledger
from flows.replicate import plan_replicate, replicate
from flows.standing import settle
from flows.steps import plain_step
from flows.storing import circuits
from flows.storing.lag import lag
from flows.storing.retire import StoreMissing, retire
from flows.storing.separation import same_places
from flows.workspace import Workspace
from preservation.catalog import circuits as kept
from preservation.errors import UsageError
from preservation.formats.identify import Identifier
from storage_adapters.errors import StorageError
from tests.flows.houses import House, local_stores, package, proofs

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


@pytest.fixture
def house(tmp_path: Path, identifier: Identifier) -> House:
    stores = local_stores(2)
    stores["b"]["path"] = str(tmp_path / "disk")
    (tmp_path / "disk").mkdir()
    return House(tmp_path / "house", stores, identifier=identifier).settle()


def take_in(house: House, tmp_path: Path, count: int, *, first: int = 0) -> list[str]:
    with house.open() as workspace:
        return [
            str(ingest(workspace, str(package(tmp_path / f"p{n}", {"t.txt": f"trang {n}".encode()}))).identifier)
            for n in range(first, first + count)
        ]


def without_b(house: House) -> None:
    del house.stores["b"]
    house.settle()


def test_a_new_store_is_filled_the_most_endangered_first(house: House, tmp_path: Path) -> None:
    named = take_in(house, tmp_path, 3)
    house.stores |= {"c": {"kind": "local", "path": "stores/c"}}
    house.settle()
    shutil.rmtree(tmp_path / "disk")  # the last one lies in one place alone
    named += take_in(house, tmp_path, 1, first=3)
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/README.txt").write_text("x")
    with house.open() as workspace:
        planned = plan_replicate(workspace, store="c")
        assert [each.store for each in planned.stores] == ["c"]
        assert planned.stores[0].waiting == 3
        assert [each.identifier for each in planned.first] == named[:3]
        assert planned.stores[0].bytes == sum(each.object_bytes for each in planned.first) > 0
        first, *rest = replicate(workspace, [])
        assert first.version.identifier == named[0] or first.version.identifier == named[3]
        everything = [first, *rest]
        order = [len(each.replicas) - len(each.copies.reports) for each in everything]
        assert order == sorted(order)  # those with the fewest copies came first
        assert all(
            proofs(each.replicas).get("c") == "intact" for each in everything if each.version.identifier != named[3]
        )
        assert [each.waiting for each in lag(workspace)] == [0, 0, 0]
        assert replicate(workspace, []) == []


def test_many_go_in_few_steps_and_nothing_is_left_out(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows.replicate, "STEPS_PER_RUN", 3)
    take_in(house, tmp_path, 5)
    house.stores |= {"c": {"kind": "local", "path": "stores/c"}}
    house.settle()
    names: list[str] = []

    def counted(name: str, work, /, *args, **kwargs):
        names.append(name)
        return plain_step(name, work, *args, **kwargs)

    with house.open() as workspace:
        done = replicate(workspace, [], step=counted)
        assert (len(done), len(names)) == (5, 3)
        assert len({each.version.identifier for each in done}) == 5


def test_a_store_that_fails_is_left_alone_probed_and_catches_up(house: House, tmp_path: Path) -> None:
    (tmp_path / "disk").rename(tmp_path / "away")
    take_in(house, tmp_path, 3)
    with house.open() as workspace:
        now = datetime.now(UTC)
        workspace.clock = lambda: now
        for _ in range(3):
            circuits.failed(workspace, "b", _away(workspace))
        assert circuits.shut(workspace, "b") is not None
        (found,) = replicate(workspace, [])  # of many, one is told; none was tried
        assert [each.code for each in found.copies.failures] == [circuits.NOT_TRIED]
        told = str(found.copies.failures[0].message)
        assert "disk" in told  # the cause is not hidden by the wait
        assert re.search(r"after \d\d/\d\d/\d{4} \d\d:\d\d:\d\d", told)
        behind = {each.store: each for each in lag(workspace)}["b"]
        assert (behind.waiting, behind.open, behind.stuck) == (3, True, "refused")
        assert behind.next_try_at is not None and now < behind.next_try_at <= now + kept.LONGEST
        json.dumps(behind.as_json("vi"))
        (tmp_path / "away").rename(tmp_path / "disk")
        assert circuits.shut(workspace, "b") is not None  # it was not asked
        workspace.clock = lambda: now + timedelta(hours=1)
        assert [proofs(each.replicas) for each in replicate(workspace, [])] == [{"a": "intact", "b": "intact"}] * 3
        assert kept.every(workspace.catalog.database) == {}


def _away(workspace: Workspace):
    with pytest.raises(StorageError) as caught:
        workspace.store("b").stat("README.txt")
    return caught.value


@pytest.mark.parametrize("jump", [timedelta(days=4000), timedelta(days=-4000)])
def test_a_clock_that_jumps_keeps_no_store_away_for_long(house: House, jump: timedelta) -> None:
    with house.open() as workspace:
        database = workspace.catalog.database
        for tries in range(12):
            found = kept.failed(database, "b", code="store-full", reason={}, limit=1, now=NOW)
            assert found.next_try_at is not None
            assert found.next_try_at - NOW == min(kept.LONGEST, kept.FIRST * 2**tries)
        assert found.is_shut(NOW)
        assert not found.is_shut(NOW + jump)


def test_of_many_that_ask_at_once_one_probes(house: House) -> None:
    with house.open() as workspace:
        database = workspace.catalog.database
        seen = kept.failed(database, "b", code="store-full", reason={}, limit=1, now=NOW)
        later = NOW + timedelta(hours=1)
        assert [kept.take_probe(database, seen, now=later) for _ in range(3)] == [True, False, False]


def test_a_full_store_is_read_all_the_same(house: House) -> None:
    with house.open() as workspace:
        kept.failed(workspace.catalog.database, "b", code="store-full", reason={}, limit=1, now=workspace.clock())
        assert circuits.shut(workspace, "b") is not None
        assert circuits.shut(workspace, "b", to_read=True) is None
        circuits.worked(workspace, "b", read_only=True)
        assert circuits.left_alone(workspace, "b")
        assert circuits.probe(workspace, "b") is None
        assert not circuits.left_alone(workspace, "b")


def test_keys_that_were_mended_are_believed_once_something_was_written(house: House, tmp_path: Path) -> None:
    """A run that only reads writes the ledger at its end; nothing else may be left to write for weeks."""
    take_in(house, tmp_path, 1)
    before = datetime.now(UTC) - timedelta(hours=1)
    with house.open() as workspace:
        database = workspace.catalog.database
        for code, left in (("store-denied", False), ("store-full", True)):
            kept.failed(database, "b", code=code, reason={}, limit=3, now=before)
            in_ledger(workspace, audit, [])
            assert (kept.of(database, "b") is not None) == left, code
            kept.close(database, "b")
        kept.failed(database, "b", code="store-denied", reason={}, limit=1, now=workspace.clock())
        in_ledger(workspace, audit, [])
        assert circuits.left_alone(workspace, "b")


def test_a_store_that_the_settings_lost_is_refused_and_given_up(house: House, tmp_path: Path) -> None:
    (one, _) = take_in(house, tmp_path, 2)
    without_b(house)
    with house.open() as workspace:
        with pytest.raises(StoreMissing, match=r"b \(2\)"):
            in_ledger(workspace, replicate, [])
        with pytest.raises(UsageError):
            retire(workspace, "b", reason=" ")
        with pytest.raises(UsageError):
            retire(workspace, "a", reason="still in use")
        done = in_ledger(workspace, retire, "b", reason="đĩa hỏng")
        assert (done.copies, done.last) == (2, 0)
        assert settle(workspace) == 0
        assert proofs(workspace.catalog.replicas(one, 1)) == {"a": "intact"}
        assert {each.store for each in workspace.catalog.standing(workspace.clock()).coverage} == {"a"}
        before = workspace.catalog.standing(NOW)
        workspace.catalog.rebuild_projections()
        settle(workspace)
        assert workspace.catalog.standing(NOW) == before
        assert workspace.catalog.stores_with_copies() == ["a"]
        assert workspace.catalog.verify_chain().sound
        assert in_ledger(workspace, replicate, []) == []


def test_the_last_proved_copies_are_not_given_up_unsaid(house: House, tmp_path: Path) -> None:
    take_in(house, tmp_path, 1)
    with house.open() as workspace:
        (version,) = workspace.catalog.versions()
        place = house.folder / "stores/a/aip" / version.identifier / "v1/data/t.txt"
        place.chmod(0o600)
        place.write_bytes(b"trang X")
        from flows.audit import audit

        audit(workspace, [], store="a")
    without_b(house)
    with house.open() as workspace:
        with pytest.raises(UsageError, match=version.identifier):
            retire(workspace, "b", reason="lost")
        assert retire(workspace, "b", reason="lost", even_if_last=True).last == 1


def test_stores_that_are_no_two_places(tmp_path: Path) -> None:
    cloud = {
        "kind": "s3",
        "endpoint_url": "https://s3.example.org",
        "access_key_id": "KHOA",
        "secret_access_key": "x" * 9,
    }
    house = House(
        tmp_path / "house",
        {
            "a": {"kind": "local", "path": "stores/a"},
            "b": {"kind": "local", "path": "stores/a/inner"},
            "c": {**cloud, "bucket": "one"},
            "d": {**cloud, "bucket": "two", "endpoint_url": "https://S3.example.org:443/"},
            "e": {**cloud, "bucket": "three", "access_key_id": "KHAC"},
        },
    ).settle()
    (house.folder / "stores/a/inner").mkdir(parents=True)
    with house.open() as workspace:
        found = same_places(workspace)
        assert sorted((each.code, each.path) for each in found) == [
            ("stores-nested", "a, b"),
            ("stores-same-account", "c, d"),
            ("stores-same-disk", "a, b"),
        ]
        assert "KHOA" not in repr(found)
        places = {each.name: each.place for each in workspace.store_facts()}
        assert places == {"a": "a", "b": "a", "c": "c", "d": "c", "e": ""}


def test_throttled_is_told_as_the_reason(house: House, tmp_path: Path) -> None:
    (tmp_path / "disk").rename(tmp_path / "away")
    take_in(house, tmp_path, 1)
    with (house.folder / "vankho.toml").open("a") as out:
        out.write("\n[stores.b.bandwidth]\nupload = 65536\n")
    with house.open() as workspace:
        kept.close(workspace.catalog.database, "b")
        behind = {each.store: each for each in lag(workspace)}["b"]
        assert (behind.stuck, behind.upload_limit, behind.absent) == ("throttled", 65536, 1)

"""The S3 adapter against three real servers that can very different things."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from storage_adapters import conformance
from storage_adapters.conformance_trial import LARGE, Stream, large, read_all, sha256
from storage_adapters.errors import ObjectDamaged, ObjectExists, ObjectNotFound
from storage_adapters.opening import S3Settings, open_for_check, open_store
from storage_adapters.settings import MIB
from storage_adapters.store import together
from tests.faults.kinds import strike
from tests.servers.ceph import client
from tests.servers.fault_proxy import Call, Exchange, Rule, fault_proxy

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

SERVERS = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ("rclone", "ministack", "ceph")]

SEEN = {  # conditional create, conditional multipart, checksums
    "rclone": (False, False, ()),
    "ministack": (True, True, ("sha256",)),
    "ceph": (True, False, ()),
}


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> S3Settings:
    """One of the servers, with small parts so that a short test sends several."""
    return replace(request.getfixturevalue(request.param), part_size=8 * MIB)


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    return f"{request.node.originalname}-{os.getpid()}/"


every_server = pytest.mark.parametrize("settings", SERVERS, indirect=True)
with_conditions = pytest.mark.parametrize("settings", SERVERS[1:], indirect=True)


@pytest.mark.parametrize("server", SERVERS)
def test_every_clause_holds(server: str, request: pytest.FixtureRequest):
    settings = request.getfixturevalue(server)
    store = open_for_check(server, settings)
    can = store.capabilities()
    results = conformance.run(store)

    assert [(each.name, each.detail) for each in results if not each.passed] == []
    unpromised = {each.name for each in results if each.outcome is conformance.Outcome.NOT_PROMISED}
    assert unpromised == (set() if can.conditional_create else {"one-racer-wins"})
    assert [each.key for each in store.list(conformance.PREFIX)] == []


class Together:
    """The store, its puts together in one block; what is erased ends the block, as it is ours alone."""

    def __init__(self, store):
        self._store, self.name = store, store.name
        self._begin()

    def _begin(self):
        self._puts = together(self._store, conformance.PREFIX).__enter__()

    def put(self, key, source, *, size, sha256):
        self._puts.put(key, source, size=size, sha256=sha256)

    def erase(self, key):
        self._store.erase(key)
        self._begin()

    def __getattr__(self, name):
        return getattr(self._store, name)


@pytest.mark.parametrize("server", [SERVERS[0], SERVERS[2]])  # the other one needs no looks
def test_every_clause_holds_for_puts_together(server: str, request: pytest.FixtureRequest):
    store = open_for_check(server, request.getfixturevalue(server))
    results = conformance.run(Together(store))
    assert [(each.name, each.detail) for each in results if not each.passed] == []


@every_server
def test_many_objects_take_hardly_more_requests_than_puts(settings: S3Settings, prefix: str):
    """Only the first ones are looked at, where the service would replace; the MD5 it answers with does for the rest."""
    recorded = open_store("s", settings).capabilities()
    with fault_proxy(settings.endpoint_url, strike) as proxy:
        store = open_store("s", replace(settings, endpoint_url=proxy.url), capabilities=recorded)
        with together(store, prefix) as puts:
            for number in range(50):
                puts.put(f"{prefix}{number:03}", io.BytesIO(b"x"), size=1, sha256=sha256(b"x"))
            with pytest.raises(ObjectExists):
                puts.put(f"{prefix}007", io.BytesIO(b"y"), size=1, sha256=sha256(b"y"))
    asked = sum(proxy.seen.values()) - proxy.seen["put"]
    assert asked <= (3 if not recorded.conditional_create else 0), proxy.seen


@pytest.mark.parametrize("server", SERVERS)
def test_what_each_server_is_seen_to_do(server: str, request: pytest.FixtureRequest):
    can = open_store(server, request.getfixturevalue(server)).capabilities()
    assert (can.conditional_create, can.conditional_multipart, can.checksums) == SEEN[server]
    assert (can.versioning, can.object_lock) == (False, False)


@pytest.mark.parametrize("server", SERVERS[1:])
def test_versions_and_locks_are_seen_and_the_probe_leaves_no_version(server: str, request: pytest.FixtureRequest):
    settings = replace(request.getfixturevalue(server), bucket="locked")
    client(settings).create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    store = open_for_check(server, settings)
    can = store.capabilities()
    assert (can.versioning, can.object_lock) == (True, True)
    left = client(settings).list_object_versions(Bucket="locked")
    assert (left.get("Versions", []), left.get("DeleteMarkers", [])) == ([], [])
    assert [each.name for each in conformance.run(store) if not each.passed] == []


@every_server
def test_recorded_capabilities_are_not_probed_again(settings: S3Settings, prefix: str):
    recorded = open_store("s", settings).capabilities()
    with fault_proxy(settings.endpoint_url, strike) as proxy:
        store = open_store("s", replace(settings, endpoint_url=proxy.url), capabilities=recorded)
        put(store, prefix + "a", b"a")
        assert store.capabilities() == recorded
    assert (proxy.seen["put"], proxy.seen["create"]) == (1, 0)


@every_server
def test_a_large_object_goes_in_parts_and_nothing_is_left_unfinished(settings: S3Settings, prefix: str):
    recorded = open_store("s", settings).capabilities()
    with fault_proxy(settings.endpoint_url, strike) as proxy:
        put(
            open_store("s", replace(settings, endpoint_url=proxy.url), capabilities=recorded),
            prefix + "large",
            large(),
        )
    assert (proxy.seen["part"], proxy.seen["put"]) == (3, 0)
    store = open_store("s", settings)
    assert unfinished(settings, prefix) == []
    assert store.stat(prefix + "large").size == LARGE
    assert store.stat(prefix + "large").checksums == {}  # a digest of parts' digests is not the file's


@every_server
def test_a_small_object_has_the_providers_checksum_only_where_it_verifies_one(settings: S3Settings, prefix: str):
    store = open_store("s", settings)
    put(store, prefix + "small", b"small")
    expected = {"sha256": sha256(b"small")} if store.capabilities().checksums else {}
    assert store.stat(prefix + "small").checksums == expected


@every_server
def test_every_body_goes_with_a_check(settings: S3Settings, prefix: str):
    """Buckets that lock every object by default refuse a body without one, the first of a probe too."""
    sent: list[set[str]] = []

    def note(_kind: str, exchange: Exchange, received: Callable[[], Call], *_: object) -> None:
        call = received()
        sent.append({name.lower() for name, _ in call.headers})
        exchange.reply(exchange.forward(call))

    with fault_proxy(settings.endpoint_url, note) as proxy:
        proxy.script(Rule("noted", on="put|part", times=None))
        store = open_store("s", replace(settings, endpoint_url=proxy.url))
        put(store, prefix + "small", b"small")
        put(store, prefix + "large", large())
    assert len(sent) > 4
    assert all(names & {"content-md5", "x-amz-checksum-sha256"} for names in sent)


class Interrupts(Stream):
    def read(self, size=-1, /):
        if self._data.tell() > 9 * MIB:
            raise KeyboardInterrupt
        return super().read(size)


@every_server
def test_ctrl_c_in_the_middle_of_a_large_object_leaves_nothing(settings: S3Settings, prefix: str):
    store = open_store("s", settings)
    with pytest.raises(KeyboardInterrupt):
        store.put(prefix + "large", Interrupts(large()), size=LARGE, sha256=sha256(large()))
    assert unfinished(settings, prefix) == []
    assert list(store.list(prefix)) == []


@every_server
def test_a_wrong_digest_aborts_the_upload(settings: S3Settings, prefix: str):
    store = open_store("s", settings)
    with pytest.raises(ObjectDamaged):
        store.put(prefix + "large", Stream(large()), size=LARGE, sha256="0" * 64)
    assert unfinished(settings, prefix) == []
    with pytest.raises(ObjectNotFound):
        store.stat(prefix + "large")


@every_server
def test_an_object_that_appears_during_a_large_upload_is_not_replaced(settings: S3Settings, prefix: str):
    store = open_store("s", settings)
    key = prefix + "large"

    class Overtaken(Stream):
        def read(self, size=-1, /):
            if self._data.tell() > 9 * MIB and not list(store.list(prefix)):
                put(store, key, b"first")
            return super().read(size)

    with pytest.raises(ObjectExists):
        store.put(key, Overtaken(large()), size=LARGE, sha256=sha256(large()))
    assert get(store, key) == b"first"
    assert unfinished(settings, prefix) == []


@every_server
def test_unfinished_uploads_are_told_and_dropped(settings: S3Settings, prefix: str):
    store = open_store("s", settings)
    assert list(store.unfinished(prefix)) == []
    upload = client(settings).create_multipart_upload(Bucket=settings.bucket, Key=prefix + "a")["UploadId"]
    client(settings).upload_part(Bucket=settings.bucket, Key=prefix + "a", UploadId=upload, PartNumber=1, Body=b"abc")
    (left,) = store.unfinished(prefix)
    assert (left.key, left.size) == (prefix + "a", 3)
    assert abs(left.started - datetime.now(UTC)) < timedelta(minutes=5)
    assert store.drop_unfinished(prefix, started_before=datetime.now(UTC) + timedelta(days=1)) == 1
    assert list(store.unfinished(prefix)) == []


@with_conditions
def test_leftovers_of_a_killed_upload_are_dropped_by_age_and_prefix(settings: S3Settings, prefix: str):
    store = open_store("s", settings)
    for key in (prefix + "a", prefix + "b", "elsewhere-" + prefix + "c"):
        client(settings).create_multipart_upload(Bucket=settings.bucket, Key=key)
    assert store.drop_unfinished(prefix, started_before=datetime.now(UTC) - timedelta(days=1)) == 0
    assert store.drop_unfinished(prefix, started_before=datetime.now(UTC) + timedelta(days=1)) == 2
    assert unfinished(settings, prefix) == []
    assert len(unfinished(settings, "elsewhere-" + prefix)) == 1


@every_server
def test_more_than_a_thousand_objects_are_listed_over_all_pages(settings: S3Settings, prefix: str):
    store = open_store("s", settings)
    keys = [f"{prefix}trang {number:05} ắ.tif" for number in range(1005)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: put(store, key, b"x"), keys))
    assert [each.key for each in store.list(prefix)] == keys


@every_server
def test_nfc_and_nfd_names_are_two_objects(settings: S3Settings, prefix: str):
    store = open_store("s", settings)
    nfc, nfd = prefix + "Qu\u1ed1c ng\u1eef.tif", prefix + "Quo\u0302\u0301c ngu\u031b\u0303.tif"
    put(store, nfc, b"nfc")
    put(store, nfd, b"nfd")
    assert (get(store, nfc), get(store, nfd)) == (b"nfc", b"nfd")
    assert {each.key for each in store.list(prefix)} == {nfc, nfd}


@with_conditions
def test_of_sixteen_racing_puts_one_wins(settings: S3Settings, prefix: str):
    store = open_store("s", settings)
    store.capabilities()
    outcomes = race(store, prefix + "race", 16)
    assert [kind for kind in outcomes if kind is not ObjectExists] == [None]


@pytest.mark.parametrize("settings", SERVERS[1:2], indirect=True)
def test_of_racing_large_puts_one_wins_where_completing_is_conditional(settings: S3Settings, prefix: str):
    store = open_store("s", settings)
    store.capabilities()
    outcomes = race(store, prefix + "race", 3, times=9 * MIB)
    assert [kind for kind in outcomes if kind is not ObjectExists] == [None]
    assert unfinished(settings, prefix) == []


@pytest.mark.parametrize("settings", SERVERS[:1], indirect=True)
@pytest.mark.parametrize("part_size", [8 * MIB, 64 * MIB])
def test_sixty_megabytes_to_the_weakest_provider(settings: S3Settings, prefix: str, part_size: int):
    store = open_store("s", replace(settings, part_size=part_size))
    block = os.urandom(MIB)
    data = b"".join(hashlib.sha256(block + bytes([number])).digest() + block[32:] for number in range(60))
    key = f"{prefix}{part_size}/Tập 1/trang 1.tif"
    store.put(key, Stream(data, step=100_000), size=len(data), sha256=sha256(data))
    digest = hashlib.sha256()
    with store.open(key) as reader:
        while chunk := reader.read(MIB):
            digest.update(chunk)
    assert digest.hexdigest() == sha256(data)


def put(store, key: str, data: bytes) -> None:
    store.put(key, io.BytesIO(data), size=len(data), sha256=sha256(data))


def get(store, key: str) -> bytes:
    with store.open(key) as reader:
        return read_all(reader)


def unfinished(settings: S3Settings, prefix: str) -> list[str]:
    uploads = client(settings).list_multipart_uploads(Bucket=settings.bucket, Prefix=prefix).get("Uploads", [])
    return [each["Key"] for each in uploads if each["Key"].startswith(prefix)]


def race(store, key: str, runners: int, *, times: int = 1000) -> list[type | None]:
    """What came of racing puts of different bytes; the object must be the winner's, whole."""
    start = threading.Barrier(runners)
    bodies = [bytes([number]) * times for number in range(runners)]

    def run(body: bytes) -> type | None:
        start.wait()
        try:
            put(store, key, body)
        except Exception as error:
            return type(error)
        return None

    with ThreadPoolExecutor(runners) as pool:
        outcomes = list(pool.map(run, bodies))
    assert [get(store, key)] == [body for body, outcome in zip(bodies, outcomes, strict=True) if outcome is None]
    return outcomes

"""The main path through the command, with a local store, a bucket on Ceph and one on MiniStack; each test mends what
it breaks, so that the one AIP is whole again for the next.
"""

from __future__ import annotations

import random
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.auth
import pytest

from storage_adapters.settings import MIB, S3Settings
from tests.cli.commands import Ran, settings, vankho
from tests.cli.conftest import _nobody, here, identifier  # noqa: F401 - fixtures
from tests.flows.houses import contents, package
from tests.servers import ministack as ministack_server
from tests.servers.ceph import Cluster, client

pytestmark = [pytest.mark.live, pytest.mark.timeout(240), pytest.mark.xdist_group("ceph")]

STORES = ("cloud-ceph", "cloud-ministack")
LARGE = "data/Bản đồ khổ lớn.tif"
NFC = unicodedata.normalize("NFC", "data/Quyển một/Địa chí Huế.xml")
NFD = unicodedata.normalize("NFD", "data/Quyển hai/Gia Định thành thông chí.txt")
FILES = {
    LARGE.removeprefix("data/"): random.Random(1820).randbytes(20 * MIB + 3),  # three parts of 8 MiB at most
    NFC.removeprefix("data/"): "<sách>Huế</sách>".encode(),
    NFD.removeprefix("data/"): "Gia Định xưa".encode(),
    "rỗng.txt": b"",
    "một byte.bin": b"\xff",
}

Run = Callable[..., Ran]


@dataclass(frozen=True)
class House:
    """One workspace with one AIP; `clouds` are the buckets of its S3 stores, for what is done behind its back."""

    workspace: Path
    clouds: dict[str, S3Settings]
    environment: dict[str, str]
    listed: Ran  # the stores before their first use
    ingested: Ran

    @property
    def identifier(self) -> str:
        return str(self.ingested.data[0]["identifier"])

    def key(self, path: str) -> str:
        return f"aip/{self.identifier}/v1/{path}"


def house_in(folder: Path, clouds: dict[str, S3Settings], *, locked: bool = False) -> House:
    """What a newcomer does: init, settings in the file, credentials in the environment, ingest."""
    workspace, environment = folder / "kho", {}
    assert vankho("init", workspace).code == 0
    stores = {}
    for name, cloud in clouds.items():
        made = client(cloud)
        made.create_bucket(Bucket=cloud.bucket, ObjectLockEnabledForBucket=locked)
        if locked:
            kept = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
            lock = {"ObjectLockEnabled": "Enabled", "Rule": kept}
            made.put_object_lock_configuration(Bucket=cloud.bucket, ObjectLockConfiguration=lock)
        stores[name] = {"kind": "s3", "bucket": cloud.bucket, "endpoint_url": cloud.endpoint_url} | {
            "part_size": 8 * MIB,
            "provider": name,
            "region": f"site-{name}",
            "medium": "object storage",
        }
        variable = f"VANKHO_STORES__{name.upper().replace('-', '_')}__"
        environment |= {
            f"{variable}ACCESS_KEY_ID": str(cloud.access_key_id),
            f"{variable}SECRET_ACCESS_KEY": str(cloud.secret_access_key),
        }
    with (workspace / "vankho.toml").open("a", encoding="utf-8") as file:
        file.write("\n" + settings(stores))
    files = {path: content for path, content in FILES.items() if not locked or len(content) < MIB}
    listed = vankho("store", "list", "--json", "-w", workspace, env=environment)
    source = package(folder / "Truyện Kiều", files)
    return House(
        workspace, clouds, environment, listed, vankho("ingest", source, "--json", "-w", workspace, env=environment)
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, ceph: S3Settings, ministack: S3Settings) -> House:
    """One for all tests of this file."""
    clouds = {name: replace(cloud, bucket="house") for name, cloud in zip(STORES, (ceph, ministack), strict=True)}
    made = house_in(tmp_path_factory.mktemp("house"), clouds)
    assert made.ingested.code == 0, made.ingested
    return made


@pytest.fixture
def run(house: House, here: Run, monkeypatch: pytest.MonkeyPatch) -> Run:  # noqa: F811
    """The command in this process, in the workspace of the house."""
    return in_workspace(house, here, monkeypatch)


def in_workspace(house: House, here: Run, monkeypatch: pytest.MonkeyPatch) -> Run:  # noqa: F811
    for name, value in house.environment.items():
        monkeypatch.setenv(name, value)
    return lambda *words: here(*words, "-w", house.workspace)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def wrong(ran: Ran) -> list[tuple[str, str, str]]:
    """Every finding of an audit: store, code, path."""
    return [(each["store"], finding["code"], finding["path"]) for each in ran.data for finding in each["findings"]]


def found_and_mended(run: Run, store: str, code: str, path: str) -> dict[str, Any]:
    """The audit finds exactly this in exactly this store; repair mends it; what repair said of it."""
    audited = run("audit", "--json")
    assert (audited.code, wrong(audited)) == (1, [(store, code, path)])
    assert {each["store"]: each["outcome"] for each in audited.data} == {
        each: "damaged" if each == store else "intact" for each in ("primary", *STORES)
    }
    assert run("show", "--standing", "all", "--json").data["versions"][0]["standing"] == "damaged"
    mended = run("repair", "--json")
    assert (mended.code, [each["store"] for each in mended.data]) == (0, [store]), mended
    again = run("audit", "--json")
    assert (again.code, wrong(again)) == (0, [])
    assert run("show", "--standing", "all", "--json").data["versions"][0]["standing"] == "safe"
    return dict(mended.data[0])


def test_what_is_asked_for_arrives_whole_in_every_store(house: House):
    taken = house.ingested.data[0]
    assert (taken["outcome"], taken["files"], taken["bytes"]) == ("accepted", 5, sum(map(len, FILES.values())))
    assert {each["store"]: each["evidence"]["bytes"]["outcome"] for each in taken["replicas"]} == dict.fromkeys(
        ("primary", *STORES), "intact"
    )
    for cloud in house.clouds.values():
        listed = client(cloud).list_objects_v2(Bucket=cloud.bucket, Prefix=house.key(""))["Contents"]
        sizes = {each["Key"]: each["Size"] for each in listed}
        assert {house.key(f"data/{path}"): len(content) for path, content in FILES.items()}.items() <= sizes.items()
        large = client(cloud).head_object(Bucket=cloud.bucket, Key=house.key(LARGE))
        assert large["ETag"].endswith('-3"')


def test_the_stores_say_what_they_can_do(house: House, run: Run):
    assert [each["capabilities"] for each in house.listed.data] == [None, None, None]  # listing asks no network
    listed = {each["name"]: each for each in run("store", "list", "--json").data}
    assert {name: each["copies"] for name, each in listed.items()} == dict.fromkeys(listed, 1)
    can = {name: listed[name]["capabilities"] for name in STORES}
    assert [each["conditional_create"] for each in can.values()] == [True, True]
    assert [each["conditional_multipart"] for each in can.values()] == [False, True]
    assert [each["checksums"] for each in can.values()] == [[], ["sha256"]]
    assert "only reading every byte back proves" in run("store", "check", "cloud-ceph").out
    checked = run("store", "check", "cloud-ministack", "--json")
    assert (checked.code, {each["outcome"] for each in checked.data["clauses"]}) == (0, {"held"})
    assert run("reconcile", "--json").code == 0  # the check left nothing behind


def test_audits_of_every_grade(run: Run):
    assert run("show", "--standing", "all", "--json").data["versions"][0]["standing"] == "safe"
    for grade in ("bytes", "presence"):
        proved = run("audit", "--evidence", grade, "--json")
        assert (proved.code, wrong(proved)) == (0, [])
        assert {each["outcome"] for each in proved.data} == {"intact"}


def test_a_store_without_checksums_says_so_once_and_proves_nothing(run: Run):
    asked = run("audit", "--evidence", "provider", "--json")
    assert asked.code == 1
    assert wrong(asked) == [
        (each, "no-provider-checksum", None) for each in ("cloud-ceph", "cloud-ministack", "primary")
    ]
    assert {each["store"]: each["outcome"] for each in asked.data} == dict.fromkeys(
        ("primary", *STORES), "unreadable"
    )
    objects = {each["store"]: each["objects"] for each in asked.data}
    assert (
        objects["cloud-ministack"]["unreadable"] == 1
    )  # the large one: a digest of parts' digests is not the file's
    assert objects["cloud-ceph"]["intact"] == objects["primary"]["intact"] == 0
    said = run("audit", "--evidence", "provider")
    assert said.code == 1
    assert "--evidence bytes" in said.out
    assert "See to the store" not in said.out
    shown = run("show", "--standing", "all", "--json").data["versions"][0]
    assert shown["standing"] == "safe"
    assert {each["evidence"]["provider"] for each in shown["replicas"]} == {None}


@pytest.mark.parametrize("path", [NFD, LARGE])
def test_rot_on_the_disk_of_ministack(house: House, run: Run, ministack_disk: Path, path: str):
    (file,) = [file for file in (ministack_disk / "s3").rglob("*") if str(file).endswith(house.key(path))]
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    mended = found_and_mended(run, "cloud-ministack", "object-altered", path)
    assert [each["path"] for each in mended["repaired"]] == [path]
    assert [Path(kept).read_bytes() for kept in mended["kept"]] == [content]


@pytest.mark.parametrize("path", [NFD, LARGE])
def test_rot_on_the_disk_of_ceph(house: House, run: Run, ceph_cluster: Cluster, tmp_path: Path, path: str):
    lying = [name for name in ceph_cluster.rados("ls").splitlines() if house.key(path) in name]
    name = next((name for name in lying if "__shadow_" in name), lying[0])  # a part of the large one
    ceph_cluster.rados("get", name, str(tmp_path / "bytes"))
    content = bytearray((tmp_path / "bytes").read_bytes())
    content[-1] ^= 1
    (tmp_path / "bytes").write_bytes(content)
    ceph_cluster.rados("put", name, str(tmp_path / "bytes"))
    mended = found_and_mended(run, "cloud-ceph", "object-altered", path)
    assert [each["path"] for each in mended["repaired"]] == [path]
    (kept,) = (Path(each).read_bytes() for each in mended["kept"])
    assert len(kept) == len(FILES[path.removeprefix("data/")])
    assert sum(a != b for a, b in zip(kept, FILES[path.removeprefix("data/")], strict=True)) == 1


def test_the_provider_tells_that_an_object_was_replaced(house: House, run: Run):
    """Reading every byte answers for the provider, who has no checksum of the large object: repaired once is repaired."""
    cloud = house.clouds["cloud-ministack"]
    other = bytes(len(FILES[NFC.removeprefix("data/")]))
    client(cloud).put_object(Bucket=cloud.bucket, Key=house.key(NFC), Body=other, ChecksumAlgorithm="SHA256")
    asked = run("audit", "--evidence", "provider", "--store", "cloud-ministack", "--json")
    assert (asked.code, asked.data[0]["outcome"]) == (1, "damaged")
    assert [code for _, code, _ in wrong(asked)] == ["object-altered", "no-provider-checksum"]
    assert run("repair", "--json").data[0]["outcome"] == "repaired"
    assert run("show", "--standing", "all", "--json").data["versions"][0]["standing"] == "safe"
    assert run("repair", "--json").data == []


def test_an_object_that_is_gone(house: House, run: Run, store: str):
    cloud = house.clouds[store]
    client(cloud).delete_object(Bucket=cloud.bucket, Key=house.key(NFC))
    mended = found_and_mended(run, store, "object-missing", NFC)
    assert [each["path"] for each in mended["repaired"]] == [NFC]


def test_an_object_that_does_not_belong_there(house: House, run: Run, store: str):
    cloud, path = house.clouds[store], "data/Ảnh lạ.jpg"
    client(cloud).put_object(Bucket=cloud.bucket, Key=house.key(path), Body=b"not ours")
    mended = found_and_mended(run, store, "object-unexpected", path)
    assert mended["removed"] == [path]
    assert [Path(kept).read_bytes() for kept in mended["kept"]] == [b"not ours"]


def test_every_store_gives_the_payload_back(house: House, run: Run, tmp_path: Path):
    for name in ("primary", *STORES):
        restored = run("restore", house.identifier, "--to", tmp_path / name, "--from", name, "--json")
        assert (restored.code, restored.data["from"], restored.data["valid"]) == (0, [name], True)
        assert contents(tmp_path / name / "data") == FILES


def test_a_wrong_secret_through_the_command(run: Run, store: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(f"VANKHO_STORES__{store.upper().replace('-', '_')}__SECRET_ACCESS_KEY", "not-the-secret")
    refused = run("audit", "--store", store, "--json")
    assert (refused.code, refused.data[0]["outcome"]) == (3, "unreadable")
    (finding,) = refused.data[0]["findings"]
    assert "credentials" in finding["message"]
    assert store in finding["message"]
    assert "not-the-secret" not in refused.out + run("audit", "--store", store).out
    checked = run("store", "check", store)
    assert (checked.code, checked.out) == (3, "")
    assert "credentials" in checked.err


def test_credentials_that_may_not_erase(
    house: House, run: Run, ministack: S3Settings, monkeypatch: pytest.MonkeyPatch
):
    """Repair says what it lacks and changes nothing, however often it is tried; with the right to erase it goes on."""
    cloud = house.clouds["cloud-ministack"]
    client(cloud).put_object(Bucket=cloud.bucket, Key=house.key(NFC), Body=b"altered")
    assert run("audit", "--json").code == 1
    kept = set(contents(house.workspace / "evidence"))
    with monkeypatch.context() as patch:
        access, secret = ministack_server.user_who_may(
            ministack.endpoint_url, "writer", "s3:Get*", "s3:List*", "s3:Put*"
        )
        patch.setenv("VANKHO_STORES__CLOUD_MINISTACK__ACCESS_KEY_ID", access)
        patch.setenv("VANKHO_STORES__CLOUD_MINISTACK__SECRET_ACCESS_KEY", secret)
        refused = run("repair", "--json")
    assert (refused.code, refused.data[0]["outcome"]) == (3, "failed")
    assert "repair needs to erase" in refused.data[0]["findings"][0]["message"]
    assert set(contents(house.workspace / "evidence")) == kept
    assert run("repair", "--json").data[0]["outcome"] == "repaired"


def test_a_wrong_clock_through_the_command(run: Run, store: str, monkeypatch: pytest.MonkeyPatch):
    def off(remove_tzinfo: bool = True) -> datetime:
        now = datetime.now(UTC) + timedelta(hours=1)
        return now.replace(tzinfo=None) if remove_tzinfo else now

    monkeypatch.setattr(botocore.auth, "get_current_datetime", off)
    refused = run("audit", "--store", store, "--json")
    assert (refused.code, refused.data[0]["outcome"]) == (3, "unreadable")
    assert "60 min ahead" in refused.data[0]["findings"][0]["message"]


@pytest.fixture(scope="module")
def locked_house(tmp_path_factory: pytest.TempPathFactory, ceph: S3Settings, ministack: S3Settings) -> House:
    """Both buckets keep versions and lock every object for a day."""
    clouds = {name: replace(cloud, bucket="vault") for name, cloud in zip(STORES, (ceph, ministack), strict=True)}
    return house_in(tmp_path_factory.mktemp("vault"), clouds, locked=True)


def test_locked_buckets(locked_house: House, here: Run, monkeypatch: pytest.MonkeyPatch):  # noqa: F811
    """Ingest works; what is wrong is hidden behind a delete marker and put again; every version stays."""
    house, run = locked_house, in_workspace(locked_house, here, monkeypatch)
    assert house.ingested.code == 0, house.ingested
    can = {each["name"]: each["capabilities"] for each in run("store", "list", "--json").data}
    assert {(can[name]["versioning"], can[name]["object_lock"]) for name in STORES} == {(True, True)}
    assert [can[name]["conditional_create"] for name in STORES] == [False, True]  # Ceph's ends where versions begin
    for store, cloud in house.clouds.items():
        s3 = client(cloud)
        s3.put_object(Bucket=cloud.bucket, Key=house.key(NFC), Body=b"altered by another")
        mended = found_and_mended(run, store, "object-altered", NFC)
        assert [each["path"] for each in mended["repaired"]] == [NFC]
        kept = s3.list_object_versions(Bucket=cloud.bucket, Prefix=house.key(NFC))
        assert (len(kept["Versions"]), len(kept["DeleteMarkers"])) == (3, 1)


def test_the_ledger_is_the_same_everywhere(house: House, run: Run, tmp_path: Path) -> None:
    """In the local store and in both buckets; what a bucket has, brought to a disk, passes its own script."""
    assert run("audit", "--evidence", "presence").code == 0  # brings up to date what the tests above left behind
    said = run("ledger", "verify", "--json")
    assert (said.code, said.data["first_wrong_event"]) == (0, None), said
    assert {each["store"]: each["last"] for each in said.data["stores"]} == dict.fromkeys(
        ("primary", *STORES), said.data["events"]
    )
    for name, cloud in house.clouds.items():
        bucket = client(cloud)
        for page in bucket.get_paginator("list_objects_v2").paginate(Bucket=cloud.bucket):
            for each in page["Contents"]:
                if each["Key"].startswith(("ledger/", "verify_ledger.py")):
                    file = tmp_path / name / each["Key"]
                    file.parent.mkdir(parents=True, exist_ok=True)
                    bucket.download_file(cloud.bucket, each["Key"], str(file))
    script = [sys.executable, "-S", "-I", tmp_path / STORES[0] / "verify_ledger.py"]
    places = [*(tmp_path / name for name in STORES), house.workspace / "stores/primary"]
    ran = subprocess.run([*script, *places], env={}, capture_output=True, encoding="utf-8", check=False)
    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (0, "Nothing is wrong."), ran.stdout

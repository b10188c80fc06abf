"""Bad input: one clear message with the next step, the right exit code, nothing half done, and the batch goes on."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.servers import rclone_s3
from tests.cli.commands import Ran, environment, local_store, package_in, vankho, workspace_in

Here = Callable[..., Ran]

KEYS = {"access_key": "vankho-test", "secret_key": "vankho-secret-key"}


@pytest.fixture
def kho(tmp_path: Path) -> Path:
    """A workspace."""
    return workspace_in(tmp_path / "kho")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A package with nothing wrong."""
    return package_in(tmp_path / "Gói tốt")


def files_in(folder: Path) -> list[str]:
    """Every file below the folder."""
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if not file.is_dir())


def submissions(kho: Path) -> list[str]:
    """What is left in staging; the lock file beside them stays."""
    return [folder.name for folder in (kho / "staging").glob("*") if folder.is_dir()]


def nothing_half_done(here: Here, kho: Path, *, accepted: int) -> None:
    """No staging, no bag, no AIP and no object but those of the packages that were accepted."""
    assert submissions(kho) == files_in(kho / "bags") == []
    shown = here("show", "--standing", "all", "-w", kho, "--json").data["versions"]
    assert len(shown) == accepted
    known = {each["identifier"] for each in shown}
    for store in (kho / "stores").glob("*/aip"):
        assert {folder.name for folder in store.iterdir()} == known


def rejected(
    here: Here, kho: Path, good: Path, bad: Path, code: str, *, words: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Ingest the bad package, then the good one; the first is rejected for this reason, the second accepted."""
    before = files_in(bad) if bad.is_dir() else bad.read_bytes()
    done = here("ingest", "-w", kho, bad, good, "--json")
    assert (done.code, done.err) == (1, "")
    first, second = done.data
    assert (first["outcome"], first["identifier"], first["replicas"]) == ("rejected", None, [])
    assert second["outcome"] == "accepted"
    [finding] = [each for each in first["findings"] if each["severity"] == "error"]
    assert finding["code"] == code
    said = here("ingest", "-w", kho, bad)
    assert said.code == 1
    assert said.err == ""
    assert finding["message"] in said.out
    for word in words:
        assert word in said.out
    assert before == (files_in(bad) if bad.is_dir() else bad.read_bytes())
    nothing_half_done(here, kho, accepted=1)
    return dict(finding)


def test_a_path_that_does_not_exist(here: Here, kho: Path, good: Path, tmp_path: Path) -> None:
    """Wrong usage; the other package goes through."""
    done = here("ingest", "-w", kho, tmp_path / "không có", good, "--json")
    assert done.code == 2
    assert [each["outcome"] for each in done.data] == ["failed", "accepted"]
    [finding] = done.data[0]["findings"]
    assert finding["code"] == "source-not-found"
    assert "Check the path" in finding["message"]
    nothing_half_done(here, kho, accepted=1)


def test_an_empty_folder(here: Here, kho: Path, good: Path, tmp_path: Path) -> None:
    """Empty folders below it make it no fuller."""
    (tmp_path / "trống" / "cũng trống").mkdir(parents=True)
    rejected(here, kho, good, tmp_path / "trống", "package-empty", words=("Ask for the right package",))


def test_a_file_instead_of_a_package(here: Here, kho: Path, good: Path, tmp_path: Path) -> None:
    """Says what a package is."""
    (tmp_path / "một trang.jpg").write_bytes(b"\xff\xd8\xff\xe0 a page")
    rejected(here, kho, good, tmp_path / "một trang.jpg", "not-a-package", words=("Give a folder, a ZIP, a tar",))


def _zip(file: Path) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"Trang {number}.txt", f"Trăm năm trong cõi người ta {number}\n" * 500)
    return file


def test_a_zip_cut_short(here: Here, kho: Path, good: Path, tmp_path: Path) -> None:
    """As a broken transfer leaves it."""
    file = _zip(tmp_path / "cụt.zip")
    file.write_bytes(file.read_bytes()[:-200])
    rejected(here, kho, good, file, "archive-cut-short", words=("again",))


def test_an_encrypted_zip(here: Here, kho: Path, good: Path, tmp_path: Path) -> None:
    """Every entry with the bit that says so, in both places of a ZIP."""
    file = _zip(tmp_path / "khóa.zip")
    content = bytearray(file.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(mark)
        while at >= 0:
            (flags,) = struct.unpack_from("<H", content, at + offset)
            struct.pack_into("<H", content, at + offset, flags | 1)
            at = content.find(mark, at + 4)
    file.write_bytes(content)
    rejected(here, kho, good, file, "archive-encrypted", words=("password",))


def test_a_descriptor_with_a_wrong_date(here: Here, kho: Path, good: Path, tmp_path: Path) -> None:
    """The field and the value are named."""
    bad = package_in(tmp_path / "sai ngày", text="khác\n")
    (bad / "metadata.json").write_text(json.dumps({"title": "Truyện Kiều", "date": "30/02/2026"}), encoding="utf-8")
    finding = rejected(here, kho, good, bad, "descriptor-field-wrong", words=("30/02/2026",))
    assert finding["path"].startswith("metadata.json")


def test_a_manifest_that_disagrees(here: Here, kho: Path, good: Path, tmp_path: Path) -> None:
    """The file is named, with both digests."""
    bad = package_in(tmp_path / "sai tổng", text="khác\n")
    right, wrong = hashlib.sha256("khác\n".encode()).hexdigest(), "0" * 64
    other = hashlib.sha256((bad / "văn bản/Trang 2.txt").read_bytes()).hexdigest()
    (bad / "SHA256SUMS").write_text(f"{wrong}  Trang 1.txt\n{other}  văn bản/Trang 2.txt\n", encoding="utf-8")
    finding = rejected(here, kho, good, bad, "supplied-digest-differs", words=("Trang 1.txt", right, wrong))
    assert (finding["path"], finding["expected"], finding["seen"]) == ("Trang 1.txt", wrong, right)


def test_a_name_that_no_store_can_hold(here: Here, kho: Path, good: Path, tmp_path: Path) -> None:
    """A line feed and an ESC: refused, and harmless on the screen."""
    bad = package_in(tmp_path / "tên xấu", text="khác\n")
    (bad / "trang\n\x1b[2J\x1b]0;owned\x07.txt").write_text("x")
    finding = rejected(here, kho, good, bad, "name-not-storable", words=(r"\x1b[2J",))
    assert "\x1b" not in finding["message"]


def test_a_link_that_leaves_the_package(here: Here, kho: Path, good: Path, tmp_path: Path) -> None:
    """Not followed: the secret it points to is nowhere in the workspace."""
    (tmp_path / "secret.txt").write_text("không phải của gói này")
    bad = package_in(tmp_path / "liên kết", text="khác\n")
    (bad / "trang 3.txt").symlink_to("../secret.txt")
    rejected(here, kho, good, bad, "link-leaves-package", words=("trang 3.txt",))
    assert not [file for file in kho.rglob("*") if file.is_file() and b"g\xc3\xb3i n\xc3\xa0y" in file.read_bytes()]


def test_a_policy_with_a_misspelt_key(here: Here, kho: Path, good: Path) -> None:
    """Nothing is begun; file, line, field and the nearest known one are named."""
    (kho / "policies").mkdir()
    (kho / "policies" / "mine.yaml").write_text("extends: default\nreplication:\n  copy: 2\n")
    done = here("ingest", "-w", kho, good, "--policy", "mine")
    assert (done.code, done.out) == (2, "")
    for word in ("mine.yaml:3", "replication.copy", "copies", "vankho policy check"):
        assert word in done.err
    assert not (kho / "staging").exists()
    nothing_half_done(here, kho, accepted=0)


def test_a_policy_that_does_not_exist(here: Here, kho: Path, good: Path) -> None:
    """Says which there are."""
    done = here("ingest", "-w", kho, good, "--policy", "khong-co", "--json")
    assert done.code == 2
    assert "default" in done.error["expected"]


# Stores at fault: the packages are accepted, what is missing is said, and running again finishes.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One S3 server with one bucket; gives its address."""
    with rclone_s3(tmp_path_factory.mktemp("s3"), "vankho-a", **KEYS) as endpoint:
        yield endpoint


def _cloud(endpoint: str, **but: str) -> dict[str, object]:
    return {
        "kind": "s3",
        "bucket": "vankho-a",
        "endpoint_url": endpoint,
        "provider": "cloud",
        "region": "site-cloud",
        "medium": "object storage",
        "connect_timeout": 2,
    } | but


def _with_cloud(kho: Path, cloud: dict[str, object], *, secret: str = KEYS["secret_key"]) -> Path:
    stores = {name: local_store(name) for name in ("primary", "second")}
    workspace_in(kho, **stores, **{"cloud-a": cloud})
    secrets = kho / "vankho.secrets.toml"
    secrets.touch(mode=0o600)
    secrets.write_text(
        f'[stores.cloud-a]\naccess_key_id = "{KEYS["access_key"]}"\nsecret_access_key = "{secret}"\n',
        encoding="utf-8",
    )
    return kho


def _store_at_fault(here: Here, kho: Path, good: Path, *, words: tuple[str, ...]) -> None:
    """Both packages are accepted with the copies that could be made; the store's fault is said once each; exit 3."""
    other = package_in(good.parent / "Gói khác", text="khác\n")
    done = here("ingest", "-w", kho, good, other, "--json")
    assert done.code == 3
    [notice] = json.loads(done.err)["notices"]
    assert (notice["code"], notice["path"]) == ("ledger-not-compared", "cloud-a")
    for each in done.data:
        assert each["outcome"] == "accepted"
        assert {r["store"] for r in each["replicas"] if r["evidence"]["bytes"]} == {"primary", "second"}
        [finding] = [finding for finding in each["findings"] if finding["severity"] == "error"]
        assert finding["code"] in {"store-denied", "store-unavailable"}
        for word in ("cloud-a", *words):
            assert word in finding["message"], finding
        assert KEYS["secret_key"] not in json.dumps(done.data) + done.err
    assert submissions(kho) == []
    shown = here("show", "--standing", "all", "-w", kho, "--json").data["versions"]
    assert [each["standing"] for each in shown] == ["under-replicated"] * 2
    checked = here("store", "check", "cloud-a", "-w", kho)
    assert checked.code in (1, 3)
    assert "Traceback" not in checked.out + checked.err


@pytest.mark.live
def test_a_store_with_wrong_credentials(here: Here, kho: Path, good: Path, server: str) -> None:
    """Mended, `vankho replicate` makes what is missing."""
    _with_cloud(kho, _cloud(server), secret="sai")
    _store_at_fault(here, kho, good, words=("credentials", "access key"))
    _with_cloud(kho, _cloud(server))
    done = here("replicate", "-w", kho, "--json")
    assert done.code == 0
    assert [each["standing"] for each in here("show", "--standing", "all", "-w", kho, "--json").data["versions"]] == [
        "safe",
        "safe",
    ]


@pytest.mark.live
def test_a_bucket_that_does_not_exist(here: Here, kho: Path, good: Path, server: str) -> None:
    """The bucket is named."""
    _with_cloud(kho, _cloud(server, bucket="khong-co"))
    _store_at_fault(here, kho, good, words=("khong-co",))


def test_a_server_that_is_off(here: Here, kho: Path, good: Path) -> None:
    """The address is named."""
    _with_cloud(kho, _cloud("http://127.0.0.1:9"))
    _store_at_fault(here, kho, good, words=("http://127.0.0.1:9",))


def _limited(size: int) -> Callable[[], None]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_a_full_disk(here: Here, kho: Path, good: Path) -> None:
    """The workspace's disk is full when a big page is written: failed, not rejected; the small package goes through."""
    big = package_in(good.parent / "lớn", text="khác\n")
    (big / "Trang 3.tif").write_bytes(os.urandom(5_000_000))
    done = subprocess.run(
        [sys.executable, "-c", "from apps.cli.main import run; run()", "ingest", "-w", kho, big, good, "--json"],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        preexec_fn=_limited(4_000_000),
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (3, "")
    first, second = json.loads(done.stdout)
    assert (first["outcome"], first["identifier"]) == ("failed", None)
    [finding] = first["findings"]
    assert finding["severity"] == "error"
    assert "run it again" in finding["message"]
    assert second["outcome"] == "accepted"
    nothing_half_done(here, kho, accepted=1)
    assert here("ingest", "-w", kho, big).code == 0


def test_an_endpoint_in_the_environment_that_is_off(kho: Path, good: Path) -> None:
    """In a process of its own: the error reaches the shell as exit code 3, with the copies that could be made."""
    _with_cloud(kho, _cloud("http://127.0.0.1:7"))
    done = vankho("ingest", "-w", kho, good, env={"VANKHO_STORES__CLOUD_A__ENDPOINT_URL": "http://127.0.0.1:9"})
    assert done.code == 3
    assert "http://127.0.0.1:9" in done.out
    assert "Traceback" not in done.out + done.err

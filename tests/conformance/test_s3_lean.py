"""The lean way signs as botocore does, asks where botocore asks, and takes no answer for another."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from storage_adapters.conformance_trial import read_all, sha256
from storage_adapters.errors import ObjectDamaged, StorageDenied, StorageUnavailable
from storage_adapters.opening import S3Settings, open_store
from storage_adapters.pacing import Line, Pace
from storage_adapters.s3_lean import EMPTY_SHA256
from storage_adapters.settings import MIB
from storage_adapters.store import Capabilities
from tests.servers.scripted import Request, scripted

STRONG = Capabilities(True, True, ("sha256",), False, False)
WEAK = Capabilities(True, True, (), False, False)


def somewhere(url: str | None, **more: Any) -> S3Settings:
    told = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "secret", "connect_timeout": 2, "read_timeout": 2}
    return S3Settings(**{"bucket": "vankho", "endpoint_url": url, **told, **more})


def store(url: str | None, can: Capabilities = STRONG, line: Line | None = None, **more: Any) -> Any:
    return open_store("cloud-a", somewhere(url, **more), capabilities=can, line=line)


def put(store: Any, key: str, data: bytes) -> None:
    store.put(key, io.BytesIO(data), size=len(data), sha256=sha256(data))


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20)
ours = store("http://127.0.0.1:1")


@settings(max_examples=200, deadline=None)
@given(key=texts, token=st.none() | st.just("a/token+of=an-hour"), query=st.booleans(), size=st.integers(0, 9))
def test_the_signature_is_the_one_that_botocore_makes(key: str, token: str | None, query: bool, size: int):
    credentials = ReadOnlyCredentials("AKIDEXAMPLE", "secret", token)
    ours._lean._credentials = lambda: credentials
    path = "/vankho/" + quote(key, safe="/~")
    asked = "partNumber=2&uploadId=" + quote(key, safe="") if query else ""
    body = b"x" * size
    more = {"if-none-match": "*", "content-md5": "abc=="}
    headers = ours._lean.signed("PUT", path, asked, sha256=sha256(body), more=more)

    url = "http://127.0.0.1:1" + path + (f"?{asked}" if asked else "")
    request = AWSRequest("PUT", url, data=body, headers=more)
    now = botocore.auth.get_current_datetime
    try:
        stamp = time.strptime(headers["x-amz-date"], botocore.auth.SIGV4_TIMESTAMP)
        botocore.auth.get_current_datetime = lambda: datetime(*stamp[:6])
        botocore.auth.S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
    finally:
        botocore.auth.get_current_datetime = now
    assert headers["authorization"] == request.headers["Authorization"]
    assert headers["x-amz-content-sha256"] == request.headers["X-Amz-Content-SHA256"]
    assert headers.get("x-amz-security-token") == token


@pytest.mark.parametrize(
    ("url", "more", "base", "path"),
    [
        ("http://127.0.0.1:9000", {}, "http://127.0.0.1:9000", "/vankho/"),
        ("http://[::1]:9000", {}, "http://[::1]:9000", "/vankho/"),
        ("https://kho.example/below", {}, "https://kho.example", "/below/vankho/"),
        ("https://kho.example", {"addressing_style": "virtual"}, "https://vankho.kho.example", "/"),
        (None, {"region_name": "ap-southeast-1"}, "https://s3.ap-southeast-1.amazonaws.com", "/vankho/"),
        (
            None,
            {"region_name": "ap-southeast-1", "addressing_style": "auto"},
            "https://vankho.s3.ap-southeast-1.amazonaws.com",
            "/",
        ),
    ],
)
def test_objects_are_asked_for_where_botocore_asks(url: str | None, more: dict[str, str], base: str, path: str):
    place = store(url, **more)._lean.place
    assert (place.base, place.host, place.path) == (base, base.partition("://")[2], path)
    assert (place.region, place.service) == (more.get("region_name", "us-east-1"), "s3")


class Kept:
    """A server that keeps what is put, in memory; every connection and request is counted."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.connections = 0

    @contextmanager
    def running(self) -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def accept() -> None:
                try:
                    while True:
                        client, _ = listener.accept()
                        self.connections += 1
                        threading.Thread(target=self.serve, args=(client,), daemon=True).start()
                except OSError:
                    return

            threading.Thread(target=accept, daemon=True).start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            listener.shutdown(socket.SHUT_RDWR)

    def serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.answer(client, client.makefile("rb"))

    def answer(self, client: socket.socket, stream: Any) -> None:
        while line := stream.readline():
            method, target, _ = line.decode().split()
            headers = {}
            while (header := stream.readline().decode().strip()) != "":
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", 0)))
            self.requests.append((method, target, headers))
            path = target.partition("?")[0]
            if method == "PUT":
                self.objects[path] = body
                client.sendall(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 0\r\n\r\n')
            else:
                found = self.objects[path]
                chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (found[:3], found[3:]) if part)
                head = b'HTTP/1.1 200 OK\r\nETag: "1"\r\n'
                if path.endswith("chunked"):
                    client.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked + b"0\r\n\r\n")
                else:
                    client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(found) + found)


def test_one_connection_serves_many_requests_and_a_half_read_one_is_dropped():
    kept = Kept()
    with kept.running() as url:
        far = store(url)
        for number in range(5):
            put(far, f"a/{number}", b"x" * 100_000 * number)
        for number in range(5):
            with far.open(f"a/{number}") as reader:
                assert read_all(reader) == b"x" * 100_000 * number
        assert kept.connections == 1
        with far.open("a/4") as reader:
            assert reader.read(10) == b"x" * 10
        with far.open("a/1") as reader:
            assert len(reader.read()) == 100_000
            assert reader.read(10) == b""
        assert kept.connections == 2


def test_reading_into_memory_gives_the_same_as_reading():
    kept = Kept()
    with kept.running() as url:
        far = store(url)
        data = bytes(range(256)) * 3000
        put(far, "a", data)
        with far.open("a") as reader:
            buffer, seen = memoryview(bytearray(70_001)), bytearray()
            while count := reader.readinto(buffer):
                seen += buffer[:count]
        assert bytes(seen) == data


def test_a_body_of_unknown_length_is_refused():
    kept = Kept()
    with kept.running() as url:
        far = store(url)
        put(far, "chunked", b"abcdef")
        with pytest.raises(StorageDenied, match="not an S3 service"), far.open("chunked"):
            pass


@pytest.mark.parametrize("can", [STRONG, WEAK])
def test_what_is_sent_with_a_body(can: Capabilities):
    kept = Kept()
    with kept.running() as url:
        put(store(url, can), "Quốc ngữ/ắ b+c.tif", b"content")
    method, target, headers = kept.requests[0]
    assert method == "PUT"
    assert headers["x-amz-content-sha256"] == sha256(b"content")
    assert headers["if-none-match"] == "*"
    assert "expect" not in headers
    if can is STRONG:
        assert target == "/vankho/Qu%E1%BB%91c%20ng%E1%BB%AF/%E1%BA%AF%20b%2Bc.tif"
        assert headers["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(b"content").digest()).decode()
        assert "content-md5" not in headers
    else:
        assert headers["content-md5"] == base64.b64encode(hashlib.md5(b"content").digest()).decode()
        assert "x-amz-checksum-sha256" not in headers


def test_credentials_are_asked_for_anew_each_time():
    kept = Kept()
    with kept.running() as url:
        far = store(url)
        tokens = iter(["one", "two"])
        far._lean._credentials = lambda: ReadOnlyCredentials("k", "s", next(tokens))
        put(far, "a", b"a")
        put(far, "b", b"b")
    assert [headers["x-amz-security-token"] for _, _, headers in kept.requests] == ["one", "two"]


def test_bytes_that_are_not_the_promised_ones_never_leave():
    kept = Kept()
    with kept.running() as url, pytest.raises(ObjectDamaged):
        store(url).put("a", io.BytesIO(b"other"), size=5, sha256=sha256(b"right"))
    assert kept.requests == []


def test_a_refusal_before_the_body_was_heard_says_why():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            client, _ = listener.accept()
            client.recv(1000)
            body = b"<Error><Code>AccessDenied</Code></Error>"
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            client.shutdown(socket.SHUT_WR)
            time.sleep(0.5)
            client.close()

        threading.Thread(target=refuse, daemon=True).start()
        with pytest.raises(StorageDenied, match="does not allow"):
            put(store(f"http://127.0.0.1:{listener.getsockname()[1]}"), "a", b"x" * (16 * MIB))


def test_a_proxy_is_used_where_one_is_configured(monkeypatch: pytest.MonkeyPatch):
    seen: list[str] = []

    def script(request: Request) -> None:
        seen.append(f"{request.command} {request.path}")
        body = b"" if request.command == "PUT" else b"content"
        request.answer(200, body, ETag='"1"')

    with scripted(script) as url:
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.setenv("no_proxy", "")
        far = store("http://kho.invalid:9000")
        put(far, "a", b"content")
        with far.open("a") as reader:
            assert reader.read(3) + read_all(reader) == b"content"
    assert seen == ["PUT http://kho.invalid:9000/vankho/a", "GET http://kho.invalid:9000/vankho/a"]


def test_when_a_part_fails_no_more_are_sent_the_upload_is_aborted_and_the_memory_comes_back():
    asked: list[str] = []

    def script(request: Request) -> None:
        query = request.path.partition("?")[2]
        asked.append(f"{request.command} {query}")
        if request.command == "POST":
            tag = "InitiateMultipartUploadResult"
            request.answer(200, f"<{tag}><UploadId>u/1</UploadId></{tag}>".encode())
        elif request.command == "HEAD":
            request.answer(404)
        elif request.command == "PUT" and "partNumber=2&" in query:
            request.fault(503, "SlowDown")
        else:
            request.answer(200, ETag='"1"')

    with scripted(script) as url:
        far = store(url, part_size=8 * MIB)
        with pytest.raises(StorageUnavailable, match="busy"):
            put(far, "large", bytes(160 * MIB))
        assert far._buffers._lent == 0
    parts = [each for each in asked if each.startswith("PUT")]
    assert len(parts) < 19
    assert asked[-1].startswith("DELETE uploadId=u%2F1")
    assert "POST uploadId" not in asked


def test_every_byte_on_the_line_keeps_to_the_pace():
    kept = Kept()
    line = Line(Pace(400_000), Pace(400_000))
    with kept.running() as url:
        far = store(url, line=line)
        began = time.monotonic()
        put(far, "a", b"x" * 500_000)
        middle = time.monotonic()
        with far.open("a") as reader:
            read_all(reader)
        assert middle - began >= 0.24
        assert time.monotonic() - middle >= 0.24
    assert 500_000 < line.upload.bytes_used < 503_000
    assert 500_000 < line.download.bytes_used < 501_000


def test_the_digest_of_nothing_is_known():
    assert sha256(b"") == EMPTY_SHA256


def test_a_store_whose_address_is_no_address_is_denied():
    with pytest.raises(StorageDenied):
        put(open_store("cloud-a", replace(somewhere(None), bucket="Not/a bucket"), capabilities=STRONG), "a", b"x")

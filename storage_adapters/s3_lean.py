"""The lean way to and from one bucket: a request for the bytes of an object, without what boto3 does around each.

boto3 stays for sessions, credentials, addresses, probing and everything unusual; its own transport gives the
connections (certificates, timeouts, pacing). Promises what boto3 promised us: signed over the body, one request and
no retry, no redirect followed, no wait without an end, errors of botocore's kinds. Where a proxy stands between,
requests go by botocore's transport. Refuses a body whose SHA-256 (hex) is not known beforehand.
"""

from __future__ import annotations

import errno
import http.client
import ssl
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import botocore.auth
import botocore.exceptions as boto
import urllib3.exceptions
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.credentials import ReadOnlyCredentials
from botocore.parsers import create_parser
from urllib3.connection import HTTPConnection

from storage_adapters.s3_pacing import PacedSocket

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EMPTY_SHA256 = botocore.auth.EMPTY_SHA256_HASH
TOGETHER = 64 << 10  # bodies up to this size go in one piece with the head
_OPERATIONS = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject"}

Body = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Place:
    """Where the objects of a bucket are asked for, and what signatures there are valid for: as botocore has it."""

    base: str
    host: str
    path: str
    region: str
    service: str


@dataclass(slots=True)
class Answer:
    """Headers (names in lower case) and body of an answer; `done` gives the connection back, or drops it."""

    headers: Mapping[str, str]
    body: Any  # of http.client or urllib3: read(amount), readinto(buffer)
    done: Callable[[], None]


class LeanWay:
    """Requests to one bucket, by any number of threads. `credentials` are asked anew for each request."""

    def __init__(
        self, client: S3Client, bucket: str, *, credentials: Callable[[], ReadOnlyCredentials | None], kept: int
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._credentials = credentials
        self._idle: deque[HTTPConnection] = deque(maxlen=kept)
        self._transport: Any = client._endpoint.http_session  # type: ignore[attr-defined]

    def put(
        self, key: str, body: Body, *, sha256: str, headers: Mapping[str, str], query: str = ""
    ) -> Mapping[str, str]:
        """Send an object or a part; the headers of the answer. Raises botocore's errors."""
        answer = self._ask("PUT", key, query, body=body, sha256=sha256, more=headers)
        answer.done()
        return answer.headers

    def head(self, key: str) -> Mapping[str, str]:
        """What the service says of an object. Raises botocore's errors."""
        answer = self._ask("HEAD", key, more={"x-amz-checksum-mode": "ENABLED"})
        answer.done()
        return answer.headers

    def get(self, key: str) -> Answer:
        """An object, opened. Raises botocore's errors; `explained_reading` is for what its body raises."""
        return self._ask("GET", key, more={})

    @cached_property
    def place(self) -> Place:
        """As botocore has it: it makes and signs one request, which is caught before it is sent."""
        caught: list[Any] = []

        def catch(request: Any, **_: object) -> AWSResponse:  # noqa: ANN401
            caught.append(request)
            nothing: tuple[Any, Any] = ({}, SimpleNamespace(stream=lambda: iter(())))
            return AWSResponse(request.url, 200, *nothing)

        events: Any = self._client.meta.events
        events.register("before-send.s3.HeadObject", catch)
        try:
            self._client.head_object(Bucket=self._bucket, Key="k")
        finally:
            events.unregister("before-send.s3.HeadObject", catch)
        url = urlsplit(caught[0].url)
        scope = str(caught[0].headers["Authorization"]).partition("Credential=")[2].partition(",")[0].split("/")
        host = url.netloc if url.netloc.isascii() else url.netloc.encode("idna").decode("ascii")
        return Place(f"{url.scheme}://{url.netloc}", host, url.path.removesuffix("k"), scope[-3], scope[-2])

    def signed(self, method: str, path: str, query: str, *, sha256: str, more: Mapping[str, str]) -> dict[str, str]:
        """The headers of a request (names in lower case), with its signature. Raises NoCredentialsError."""
        place, credentials = self.place, self._credentials()
        if credentials is None:
            raise boto.NoCredentialsError
        signer = botocore.auth.S3SigV4Auth(credentials, place.service, place.region)
        stamp = botocore.auth.get_current_datetime().strftime(botocore.auth.SIGV4_TIMESTAMP)  # type: ignore[attr-defined]
        headers = {"host": place.host, "x-amz-date": stamp, "x-amz-content-sha256": sha256, **more}
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        names = sorted(headers)
        signed = ";".join(names)
        lines = (f"{name}:{headers[name]}" for name in names)
        moment: Any = _Moment({"timestamp": stamp})
        text = signer.string_to_sign(moment, "\n".join((method, path, query, *lines, "", signed, sha256)))
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={signer.scope(moment)}, "
            f"SignedHeaders={signed}, Signature={signer.signature(text, moment)}"
        )
        return headers

    def _ask(
        self,
        method: str,
        key: str,
        query: str = "",
        *,
        body: Body = b"",
        sha256: str = EMPTY_SHA256,
        more: Mapping[str, str],
    ) -> Answer:
        path = self.place.path + quote(key, safe="/~")
        headers = self.signed(method, path, query, sha256=sha256, more=more)
        headers["accept-encoding"] = "identity"
        headers["user-agent"] = "vankho"
        if method == "PUT":
            headers["content-length"] = str(len(body))
        url = self.place.base + path + (f"?{query}" if query else "")
        if self._proxy(url):
            status, answer = self._by_botocore(method, url, headers, body)
        else:
            with _as_botocore_says_it(self.place.base):
                status, answer = self._exchange(method, url.removeprefix(self.place.base), headers, body)
        if method == "GET" and status < 300:
            return answer
        with explained_reading():
            content = answer.body.read()
        if status >= 300 or b"<Error" in content:
            answer.done()
            raise _error(status, answer.headers, content, _OPERATIONS[method])
        return answer

    def _exchange(self, method: str, target: str, headers: Mapping[str, str], body: Body) -> tuple[int, Answer]:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")
        connection = self._connected()
        try:
            response = _spoken(connection.sock, method, head, body)
        except BaseException:
            connection.close()
            raise

        def done() -> None:
            if response.will_close or not response.isclosed():  # not read to its end, or the service wants it closed
                connection.close()
            elif len(self._idle) < (self._idle.maxlen or 0):
                self._idle.append(connection)
            else:
                connection.close()
            response.close()

        return response.status, Answer({name.lower(): value for name, value in response.getheaders()}, response, done)

    def _connected(self) -> HTTPConnection:
        """A connection that nobody uses, or a new one; one that the service closed meanwhile is dropped."""
        while self._idle:
            with suppress(IndexError):  # another thread was faster
                idle = self._idle.pop()
                if idle.is_connected:
                    return idle
                idle.close()
        base = self.place.base
        pool = self._transport._get_connection_manager(base).connection_from_url(base)
        self._transport._setup_ssl_cert(pool, base, self._transport._verify)
        connection: HTTPConnection = pool._new_conn()
        connection.timeout = pool.timeout.connect_timeout
        connection.connect()
        return connection

    def _proxy(self, url: str) -> bool:
        return bool(self._transport._proxy_config.proxy_url_for(url))

    def _by_botocore(self, method: str, url: str, headers: dict[str, str], body: Body) -> tuple[int, Answer]:
        said: tuple[Any, Any] = (
            HeadersDict(headers),
            body or None,
        )  # what its types do not know, its transport sends
        request = AWSPreparedRequest(method, url, *said, method == "GET")
        response = self._transport.send(request)
        found = {name.lower(): value for name, value in response.headers.items()}
        return response.status_code, Answer(found, response.raw, response.raw.release_conn)


@dataclass(frozen=True, slots=True)
class _Moment:
    """What botocore's signer asks of a request."""

    context: dict[str, str]


def _spoken(sock: Any, method: str, head: bytes, body: Body) -> http.client.HTTPResponse:  # noqa: ANN401
    """Say the request and hear the head of the answer."""
    if isinstance(sock, PacedSocket):
        sock.begin()
    try:
        if len(body) <= TOGETHER:
            sock.sendall(head + body)
        else:
            sock.sendall(head)
            sock.sendall(body)
    except OSError as error:  # refused before it was heard to its end: the answer says why
        if error.errno not in (errno.EPIPE, errno.ECONNRESET):
            raise
    response = http.client.HTTPResponse(sock, method=method)
    response.begin()
    return response


@contextmanager
def _as_botocore_says_it(url: str) -> Iterator[None]:
    """Inside, what a connection raises becomes what botocore's transport makes of it."""
    try:
        yield
    except urllib3.exceptions.NewConnectionError as error:
        raise boto.EndpointConnectionError(endpoint_url=url, error=error) from error
    except urllib3.exceptions.ConnectTimeoutError as error:
        raise boto.ConnectTimeoutError(endpoint_url=url, error=error) from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:  # hung up, which says nothing of its certificate
        broken = urllib3.exceptions.ProtocolError("Connection aborted.", error)
        raise boto.ConnectionClosedError(endpoint_url=url, error=broken) from error
    except ssl.SSLError as error:
        raise boto.SSLError(endpoint_url=url, error=error) from error
    except TimeoutError as error:
        raise boto.ReadTimeoutError(endpoint_url=url, error=error) from error
    except (OSError, http.client.HTTPException) as error:
        broken = urllib3.exceptions.ProtocolError("Connection aborted.", error)
        raise boto.ConnectionClosedError(endpoint_url=url, error=broken) from error


@contextmanager
def explained_reading() -> Iterator[None]:
    """Inside, what reading a body raises becomes what urllib3 makes of it."""
    try:
        yield
    except TimeoutError as error:
        raise urllib3.exceptions.TimeoutError("Read timed out.") from error
    except (OSError, http.client.HTTPException) as error:
        raise urllib3.exceptions.ProtocolError(f"Connection broken: {error!r}", error) from error


def _error(status: int, headers: Mapping[str, str], content: bytes, operation: str) -> boto.ClientError:
    """The error that botocore makes of such an answer; an error inside a 200 is one of the service."""
    answer = {"status_code": status if status >= 300 else 500, "headers": headers, "body": content}
    parsed: Any = create_parser("rest-xml").parse(answer, None)  # type: ignore[arg-type]
    return boto.ClientError(parsed, operation)

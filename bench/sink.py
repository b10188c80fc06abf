"""A server that speaks enough S3 to be uploaded to, and throws every body away: it shows what the client can do.

`python -m bench.sink [PORT]` prints its address and runs until it is ended; loopback only. It remembers key and
length of each object, so that clients which look after an upload are content. It proves no digest.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

BUFFER = bytearray(1 << 20)  # every body goes here, one after the other
_XML = b'<?xml version="1.0" encoding="UTF-8"?>'
ETAG = b'"00000000000000000000000000000000-1"'  # of parts, so that nobody compares it with an MD5
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_DECODED = re.compile(rb"\r\nx-amz-decoded-content-length: *(\d+)", re.IGNORECASE)


class Sink(asyncio.BufferedProtocol):
    """One connection."""

    def __init__(self, objects: dict[str, int]) -> None:
        self._objects = objects
        self._view = memoryview(BUFFER)
        self._head = b""
        self._left = 0  # of a body
        self._answer = b""

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - a transport of any kind
        """Keep the way back."""
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the signature is asyncio's
        """The same memory for everything."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes came: of a body, or of a head."""
        if self._left >= nbytes:
            self._took(nbytes)
            return
        came = bytes(self._view[self._left : nbytes])
        if self._left:
            self._took(self._left)
        self._head += came
        while not self._left and (end := self._head.find(b"\r\n\r\n")) >= 0:
            head, rest = self._head[: end + 2], self._head[end + 4 :]
            self._begin(head)
            body = min(len(rest), self._left)
            self._head = rest[body:]
            self._took(body)

    def _took(self, count: int) -> None:
        self._left -= count
        if not self._left and self._answer:
            self._transport.write(self._answer)
            self._answer = b""

    def _begin(self, head: bytes) -> None:
        method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        announced = _LENGTH.search(head)
        self._left = int(announced[1]) if announced else 0
        real = _DECODED.search(head)
        if b"100-continue" in head.lower():
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._answer = self._answered(method, target, int(real[1]) if real else self._left)

    def _answered(self, method: str, target: str, size: int) -> bytes:
        parts = urlsplit(target)
        path, query = unquote(parts.path), parse_qs(parts.query, keep_blank_values=True)
        if method == "PUT":
            self._objects[path] = size + (self._objects.get(path, 0) if "partNumber" in query else 0)
            return _reply(200)
        if method == "POST":
            tag = "InitiateMultipartUploadResult" if "uploads" in query else "CompleteMultipartUploadResult"
            bucket, _, key = path.lstrip("/").partition("/")
            body = f"<{tag}><Bucket>{bucket}</Bucket><Key>{key}</Key><UploadId>1</UploadId></{tag}>".encode()
            return _reply(200, _XML + body)
        if method == "DELETE":
            self._objects.pop(path, None)
            return _reply(204)
        if "/" not in path.strip("/"):
            return _reply(200, _XML + b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
        if method == "HEAD" and path in self._objects:
            return _reply(200, length=self._objects[path])
        body = _XML + b"<Error><Code>NoSuchKey</Code></Error>"
        return _reply(404, b"" if method == "HEAD" else body)


def _reply(status: int, body: bytes = b"", *, length: int | None = None) -> bytes:
    head = b"HTTP/1.1 %d .\r\nContent-Length: %d\r\nETag: %s\r\nLast-Modified: Sun, 01 Jan 2023 00:00:00 GMT\r\n\r\n"
    return head % (status, len(body) if length is None else length, ETAG) + body


async def serve(port: int = 0) -> None:
    """Run until it is ended; the address is printed first."""
    objects: dict[str, int] = {}
    server = await asyncio.get_running_loop().create_server(lambda: Sink(objects), "127.0.0.1", port)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))

"""Every wait of a request to an S3 service has an end, however little the service gives away at a time.

A socket's own timeout begins anew with each byte, so a service that sends one byte every few seconds would hold us
for ever; and Python gives the whole of one `sendall` that one timeout, so a large part could not go over a slow line.
Here the body goes out in blocks, and all waiting of one request is added up and held against what has moved.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSHTTPSConnection, AWSHTTPSConnectionPool

from storage_adapters.pacing import Line

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BLOCK = 256 << 10
SLOWEST = 4 << 10  # bytes a second; below it, waiting is charged
PATIENCE = 5  # times the read timeout: how much waiting a request may be charged. Some services need minutes to put
# the parts of a large object together, and send a blank now and then meanwhile.


def keep_pace(client: S3Client, *, read_timeout: float, line: Line | None = None) -> None:
    """From now on no request of the client waits longer than `read_timeout` seconds for the next byte, nor, all its
    waiting together, longer than PATIENCE times that and a second for every SLOWEST bytes that moved. All its bytes
    go under the pace of the `line`.
    """

    def paced(kind: type[Any]) -> type[Any]:
        def connect(self: Any) -> None:  # noqa: ANN401 - a connection of urllib3 below botocore's own mixin
            kind.connect(self)
            self.sock = PacedSocket(self.sock, read_timeout=read_timeout, line=line)

        def request(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            if isinstance(self.sock, PacedSocket):
                self.sock.begin()
            kind.request(self, *args, **kwargs)

        return type(f"Paced{kind.__name__}", (kind,), {"connect": connect, "request": request})

    # botocore has no setting for its connections; the session and all its managers share this one table of pools.
    pools = client._endpoint.http_session._pool_classes_by_scheme  # type: ignore[attr-defined]
    for scheme, pool, kind in (
        ("http", AWSHTTPConnectionPool, AWSHTTPConnection),
        ("https", AWSHTTPSConnectionPool, AWSHTTPSConnection),
    ):
        pools[scheme] = type(f"Paced{pool.__name__}", (pool,), {"ConnectionCls": paced(kind)})


class PacedSocket:
    """A connected socket whose waiting is counted; raises TimeoutError when it has been too much for too little."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        read_timeout: float,
        line: Line | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sock = sock
        self._line = line
        self._allowed = PATIENCE * read_timeout
        self._clock = clock
        sock.settimeout(read_timeout)
        self.begin()

    def begin(self) -> None:
        """A new request: nothing has been waited for yet."""
        self._waited = 0.0
        self._moved = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time inside. Raises TimeoutError at its end when the request has waited too long."""
        began = self._clock()
        try:
            yield
        finally:
            self._waited += self._clock() - began
        if self._waited > self._allowed + self._moved / SLOWEST:
            raise TimeoutError(f"{self._moved} bytes in {self._waited:.0f} s")

    def moved(self, count: int) -> None:
        """So many bytes came or went."""
        self._moved += count

    def came(self, count: int) -> None:
        """Rest, if so many bytes are more than may come now."""
        if self._line is not None and count:
            self._line.download.take(count)

    def sendall(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything; whatever goes out at once has the timeout to itself."""
        left = memoryview(data).cast("B")
        while left:
            if self._line is not None:  # our own wait; the service is not charged for it
                block = min(len(left), BLOCK, self._line.upload.piece)
                self._line.upload.take(block)
            else:
                block = BLOCK
            sent = 0
            while sent < min(block, len(left)):
                with self.waiting():
                    count = self._sock.send(left[sent:block])
                self.moved(count)
                sent += count
            left = left[sent:]

    def makefile(self, mode: str, buffering: int | None = None) -> io.RawIOBase | io.BufferedReader:
        """What http.client reads answers from."""
        raw = _PacedReading(self, self._sock.makefile(mode, buffering=0))  # type: ignore[call-overload]
        return raw if buffering == 0 else io.BufferedReader(raw)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all else is the socket's own
        return getattr(self._sock, name)


class _PacedReading(io.RawIOBase):
    def __init__(self, paced: PacedSocket, raw: io.RawIOBase) -> None:
        self._paced = paced
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - whatever has a buffer
        with self._paced.waiting():
            count = self._raw.readinto(buffer)
        self._paced.moved(count or 0)
        self._paced.came(count or 0)
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()

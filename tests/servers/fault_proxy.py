"""A proxy between us and a real S3 server that does, to chosen requests, what networks and services do.

It speaks HTTP/1.1 on a free port of the loopback and hands requests on as they came, `Host` included: the client signs
for the proxy's address, the server checks the signature by that header, and what is changed on the way is noticed by
it. A rule says which requests are hurt, and how; all others pass. Everything that passed is counted.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import re
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LONGEST = 60.0  # seconds that a silent connection is held at most


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `key` is that of the object (or the prefix of a list) without the AIP's own random part."""

    operation: str
    bucket: str
    key: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Rule:
    """Which requests are hurt: those of the operations (`put|get`, `*`) whose bucket and key fit, from the `first` one on,
    `times` of them (None: for ever), each with `chance`. The dice fall by seed, operation, key and count, never by the
    order in which threads come.
    """

    kind: str
    on: str = "*"
    key: str = "*"
    bucket: str = "*"
    first: int = 1
    times: int | None = 1
    chance: float = 1.0
    seed: int = 0

    def fits(self, call: Call) -> bool:
        return (
            (self.on == "*" or call.operation in self.on.split("|"))
            and fnmatchcase(call.key, self.key)
            and fnmatchcase(call.bucket, self.bucket)
        )

    def dice(self, call: Call, count: int) -> float:
        """A number from 0 to 1 for this request."""
        words = f"{self.seed} {self.kind} {call.operation} {call.bucket} {call.key} {count}"
        return int.from_bytes(hashlib.sha256(words.encode()).digest()[:6]) / float(1 << 48)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Gone(Exception):
    """The connection to the client is over."""


@dataclass
class Exchange:
    """One request that is hurt: what came, the line to the client, and the way to the server."""

    call: Call
    client: socket.socket
    forward: Callable[[Call], Answer]
    dice: float
    proxy: FaultProxy

    def reply(self, answer: Answer, *, length: int | None = None, upto: int | None = None) -> None:
        """Send the answer; `length` is announced instead of the true one, `upto` cuts the body."""
        self.client.sendall(head_of(answer, self.call.method, length=length))
        if self.call.method != "HEAD":
            self.client.sendall(answer.body[:upto])

    def fail(self, status: int, code: str = "", body: bytes | None = None) -> None:
        """An answer of our own; the server never hears of the request."""
        if body is None:
            body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>by the proxy</Message></Error>'.encode()
        if self.call.method == "HEAD":
            body = b""
        self.reply(Answer(status, "by the proxy", (("Content-Type", "application/xml"),), body))

    def reset(self) -> None:
        """Cut the line as a dying machine does."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone

    def hold(self, seconds: float = LONGEST) -> None:
        """Say nothing until the client has enough."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.proxy.stopping.is_set():
            ready, _, _ = select.select([self.client], [], [], 0.05)
            if ready and not self.client.recv(1 << 16):
                raise Gone

    def drip(self, data: bytes, *, every: float) -> None:
        """One byte at a time."""
        for byte in data:
            self.client.sendall(bytes([byte]))
            self.hold(every)

    def part(self, size: int) -> int:
        """A place within so many bytes, by the dice."""
        return min(size - 1, int(size * self.dice)) if size else 0


@dataclass
class FaultProxy:
    """A running proxy: its address, its rules (replace them whenever you like), and what it saw."""

    port: int = 0
    rules: Sequence[Rule] = ()
    seen: Counter[str] = field(default_factory=Counter)  # operation → requests
    hurt: Counter[str] = field(default_factory=Counter)  # kind → requests
    expecting: Counter[str] = field(default_factory=Counter)  # operation and key of what asked for `100 Continue`
    stopping: threading.Event = field(default_factory=threading.Event)
    elsewhere: str = "http://127.0.0.1:9"  # where redirections point
    _fitted: Counter[int] = field(default_factory=Counter)
    _lists: dict[str, Answer] = field(default_factory=dict)  # the first answer to each list
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def script(self, *rules: Rule) -> None:
        """From now on these rules, counted from one."""
        with self._lock:
            self.rules, self._fitted = rules, Counter()
            self.hurt = Counter()

    def chosen(self, call: Call) -> tuple[Rule, float] | None:
        """The first rule that strikes this request, with its dice."""
        with self._lock:
            self.seen[call.operation] += 1
            if any(name.lower() == "expect" for name, _ in call.headers):
                self.expecting[f"{call.operation} {call.key}"] += 1
            for place, rule in enumerate(self.rules):
                if not rule.fits(call):
                    continue
                self._fitted[place] += 1
                count = self._fitted[place] - rule.first
                dice = rule.dice(call, count)
                if count >= 0 and (rule.times is None or count < rule.times) and dice < rule.chance:
                    self.hurt[rule.kind] += 1
                    return rule, dice / rule.chance
        return None

    def remember(self, call: Call, answer: Answer) -> Answer:
        """The first answer that this list ever had."""
        with self._lock:
            return self._lists.setdefault(call.target, answer)


# Does one kind of fault: its name, the exchange, how to receive the whole request, the raw stream and its length.
Strike = Callable[[str, Exchange, Callable[[], Call], Any, int], None]

_RANDOM = re.compile(r"^aip/[^/]+/")
_OPERATIONS = {
    ("GET", "uploads"): "list-uploads",
    ("POST", "uploads"): "create",
    ("POST", "uploadId"): "complete",
    ("PUT", "uploadId"): "part",
    ("DELETE", "uploadId"): "abort",
    ("GET", "uploadId"): "list-parts",
    ("GET", "versioning"): "versioning",
    ("GET", "object-lock"): "lock",
    ("GET", "list-type"): "list",
}
_PLAIN = {"GET": "get", "HEAD": "head", "PUT": "put", "DELETE": "delete", "POST": "post"}


def understood(method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes) -> Call:
    """What S3 would call this request."""
    parts = urlsplit(target)
    query = parse_qs(parts.query, keep_blank_values=True)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    operation = next((name for (m, q), name in _OPERATIONS.items() if m == method and q in query), _PLAIN[method])
    if operation in ("list", "list-uploads"):
        key = query.get("prefix", [""])[0]
    return Call(operation, bucket, _RANDOM.sub("aip/", key), method, target, tuple(headers), body)


def head_of(answer: Answer, method: str, *, length: int | None = None) -> bytes:
    """Status line and headers, with a length of ours but for HEAD."""
    ours = {"transfer-encoding", "connection", *(() if method == "HEAD" else ("content-length",))}
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}"]
    lines += [f"{name}: {value}" for name, value in answer.headers if name.lower() not in ours]
    if method != "HEAD":
        lines.append(f"Content-Length: {len(answer.body) if length is None else length}")
    elif not any(name.lower() == "content-length" for name, _ in answer.headers):
        lines.append("Content-Length: 0")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@contextlib.contextmanager
def fault_proxy(server: str, strike: Strike) -> Iterator[FaultProxy]:
    """A proxy in front of the server at this address, while the block lasts; `strike` does what a rule's kind says."""
    there = urlsplit(server)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 << 10)  # so that a slow line is felt
        proxy = FaultProxy(listener.getsockname()[1])

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=serve, args=(client,), daemon=True).start()

        def serve(client: socket.socket) -> None:
            upstream = http.client.HTTPConnection(there.hostname or "", there.port, timeout=LONGEST)
            with client, contextlib.closing(upstream), contextlib.suppress(Gone, OSError, http.client.HTTPException):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                stream = client.makefile("rb")
                while True:
                    _serve_one(proxy, client, stream, upstream, strike)

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.stopping.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def _serve_one(proxy, client, stream, upstream, strike) -> None:
    line = stream.readline(1 << 16).split()
    if len(line) != 3:
        raise Gone
    headers = [(name, value) for name, value in http.client.parse_headers(stream).items()]
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    method, target = line[0].decode(), line[1].decode()
    peek = understood(method, target, headers, b"")
    chosen = proxy.chosen(peek)

    def received() -> Call:
        body = stream.read(length)
        if len(body) != length:
            raise Gone
        return understood(method, target, headers, body)

    def forward(call: Call) -> Answer:
        return _ask(upstream, call)

    if chosen is None:
        call = received()
        answer = forward(call)
        if call.operation == "list":
            proxy.remember(call, answer)
        Exchange(call, client, forward, 0.0, proxy).reply(answer)
        return
    rule, dice = chosen
    strike(rule.kind, Exchange(peek, client, forward, dice, proxy), received, stream, length)


def _ask(upstream: http.client.HTTPConnection, call: Call) -> Answer:
    for again in (True, False):
        try:
            upstream.putrequest(call.method, call.target, skip_host=True, skip_accept_encoding=True)
            for name, value in call.headers:
                if name.lower() not in ("expect", "connection"):
                    upstream.putheader(name, value)
            upstream.endheaders(call.body or None)
            answer = upstream.getresponse()
            return Answer(answer.status, answer.reason, tuple(answer.getheaders()), answer.read())
        except (OSError, http.client.HTTPException):
            upstream.close()  # a connection that the server closed while it was idle
            if not again:
                raise
    raise AssertionError

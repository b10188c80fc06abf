"""A mail server and a webhook on the loopback, real ones, that can be told to refuse, to hang, and to come back."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler
from typing import Any


@dataclass
class Side:
    """The other side: what it took, how it behaves (`well`, `refuses`, `hangs`), how often it was asked."""

    taken: list[Any] = field(default_factory=list)
    mood: str = "well"
    asked: int = 0
    port: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def arrives(self) -> None:
        self.asked += 1
        if self.mood == "hangs":
            self.over.wait(60)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    side: Side


@contextmanager
def _running(handler: type[socketserver.BaseRequestHandler]) -> Iterator[Side]:
    with _Server(("127.0.0.1", 0), handler) as server:
        server.side = Side(port=server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.side
        finally:
            server.side.over.set()
            server.shutdown()
            thread.join()


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        side: Side = self.server.side  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        side.arrives()
        if side.mood == "well":
            side.taken.append(json.loads(body))
        self.send_response({"well": 200}.get(side.mood, 503))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _Mail(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        side: Side = self.server.side  # type: ignore[attr-defined]
        side.arrives()
        self.wfile.write(b"220 kho ESMTP\r\n")
        while line := self.rfile.readline():
            word = line.split()[0].upper() if line.split() else b""
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = list(iter(self.rfile.readline, b".\r\n"))
                side.taken.append(message_from_bytes(b"".join(lines), policy=policy.default))
            if word == b"RCPT" and side.mood == "refuses":
                self.wfile.write(b"550 no such mailbox\r\n")
                continue
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                return


@contextmanager
def webhook() -> Iterator[Side]:
    with _running(_Hook) as side:
        yield side


@contextmanager
def mail_server() -> Iterator[Side]:
    with _running(_Mail) as side:
        yield side

"""A server that answers every request as a test says: for what real servers cannot be asked to do to us."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Request(BaseHTTPRequestHandler):
    """One request; `script` answers it."""

    protocol_version = "HTTP/1.1"
    script: Callable[[Request], None]

    def answer(self, status: int, body: bytes = b"", *, length: int | None = None, **headers: str) -> None:
        """Send a whole answer; `length` announces more than is sent, and the connection is cut."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = True

    def fault(self, status: int, code: str) -> None:
        """An S3 error."""
        self.answer(status, f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode())

    def handle_one(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        type(self).script(self)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_one  # noqa: N815

    def log_message(self, *_args: object) -> None:
        """Quiet."""


@contextlib.contextmanager
def scripted(script: Callable[[Request], None]) -> Iterator[str]:
    """The address of a server that answers by the script."""
    handler = type("Handler", (Request,), {"script": staticmethod(script)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@contextlib.contextmanager
def listening(says: bytes | None) -> Iterator[str]:
    """The address of something that is not HTTP: says this and hangs up, or accepts and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            held = []
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    held.append(connection)
                    if says is not None:
                        connection.recv(1 << 16)
                        connection.sendall(says)
                        connection.shutdown(socket.SHUT_WR)  # closing at once could reset what it has said

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)

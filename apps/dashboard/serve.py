"""Listen, answer, end: one process, one loop. Refuses to listen to other machines without a token."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from apps.dashboard.app import build
from apps.dashboard.guard import Guard, is_loopback
from flows.looking import Looking
from preservation.errors import UsageError
from wording import say

ENDING = 5  # seconds for answers that are being given when the end is asked for


class _Server(uvicorn.Server):
    """Ends with 0 when it is asked to end; uvicorn's own would raise the signal again."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature is uvicorn's
        self.force_exit, self.should_exit = self.should_exit, True


def serve(folder: Path, *, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Answer until SIGTERM, SIGINT or SIGHUP; `tell` hears the address once it listens. Port 0 takes a free one.

    Raises UsageError when the port is taken or a token is wanting, PolicyError when the settings are wrong.
    """
    looking = Looking(folder)
    token = looking.settings().web.token
    listening = _listening(host, port)
    try:
        address, taken = listening.getsockname()[:2]
        local = is_loopback(address)
        if not local and token is None:
            raise UsageError(
                say("Without a token this server listens to this machine only."),
                where=host,
                expected="127.0.0.1",
                next_step=say(
                    "Set VANKHO_WEB__TOKEN, or token under [web] in {file}, to a secret of 16 characters or more.",
                    file="vankho.secrets.toml",
                ),
            )
        app = Guard(build(looking), settings=looking.web, local=local)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=ENDING,
        )
        tell(f"http://{f'[{address}]' if ':' in address else address}:{taken}")
        server = _Server(config)
        hang_up = signal.signal(signal.SIGHUP, server.handle_exit)
        try:
            server.run(sockets=[listening])
        finally:
            signal.signal(signal.SIGHUP, hang_up)
    finally:
        listening.close()
        looking.close()


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(place, family=family, backlog=128)
    except OSError as error:
        why = error.strerror or "?"
        raise UsageError(
            say("Nothing can listen at {host}, port {port}: {reason}", host=host, port=port, reason=why),
            where=f"{host}:{port}",
            next_step=say("Name another with --port or --host, or end what listens there."),
        ) from None
    # Or the system holds back the second half of each answer until the first is acknowledged: 40 ms of nothing.
    # asyncio sees to it only for sockets that were made with the protocol's number; who is accepted inherits this.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening

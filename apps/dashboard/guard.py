"""Who may ask: callers that show the token, and without one only this machine itself, by its own names.

A page in a browser can make any name lead to 127.0.0.1; so on the loopback the Host header must be one of ours. The
token is compared in constant time. `/healthz` needs no token: it tells nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from ipaddress import ip_address

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as Sent

from apps.dashboard.said import refusal
from flows.settings import WebSettings
from preservation.errors import UsageError
from wording import Message, say

OPEN = "/healthz"
HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


def is_loopback(host: str) -> bool:
    """Whether the name or address can only mean this machine."""
    name = host.lower().rstrip(".")
    if name == "localhost":
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """Stands before the application. The settings are asked anew at each request: a new token counts at once."""

    def __init__(self, app: ASGIApp, *, settings: Callable[[], WebSettings], local: bool) -> None:
        self._app, self._settings, self._local = app, settings, local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        request = Request(scope)
        found = self._objection(request)

        async def sent(message: Sent) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        if found is None:
            await self._app(scope, receive, sent)
            return
        status, what, next_step = found
        answer = refusal(request, UsageError(what, next_step=next_step), status)
        if status == 401:
            answer.headers["WWW-Authenticate"] = 'Bearer realm="vankho"'
        await answer(scope, receive, sent)

    def _objection(self, request: Request) -> tuple[int, Message, Message] | None:
        if self._local and not self._is_ours(request.headers.get("host", "")):
            next_step = say("Ask for 127.0.0.1 or localhost, or add the name to web.hosts in vankho.toml.")
            return 421, say("This server does not go by the name that was asked for."), next_step
        token = self._settings().token
        if request.url.path == OPEN or (self._local and token is None):
            return None
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        same = token is not None and hmac.compare_digest(
            shown.strip().encode("latin-1"), token.get_secret_value().encode()
        )
        if kind.lower() != "bearer" or not same:
            next_step = say("Send the header Authorization: Bearer TOKEN, with the token of the server's settings.")
            return 401, say("This server answers only to callers that show its token."), next_step
        return None

    def _is_ours(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        return is_loopback(name) or name.lower() in {each.lower() for each in self._settings().hosts}

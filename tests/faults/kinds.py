"""What can be done to one request, by name. Each takes the exchange and a way to receive the whole request.

A kind that ends in `stored` reached the server; all others that fail never did, unless their line says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.servers.fault_proxy import Answer, Call, Exchange, head_of

Receive = Callable[[], Call]
SLOW = 0.15  # seconds that a slow answer takes longer
DRIP = 0.1  # seconds between two bytes of a trickle

# Answers that the server never gave: status, code.
REFUSALS: dict[str, tuple[int, str]] = {
    "500": (500, "InternalError"),
    "503-slow-down": (503, "SlowDown"),
    "503-unavailable": (503, "ServiceUnavailable"),
    "429": (429, "TooManyRequests"),
    "408": (408, "RequestTimeout"),
    "409-conflict": (409, "ConditionalRequestConflict"),
    "507-full": (507, "InsufficientStorage"),
    "403-quota": (403, "QuotaExceeded"),
    "403-clock": (403, "RequestTimeTooSkewed"),
    "403-denied": (403, "AccessDenied"),
    "403-keys": (403, "InvalidAccessKeyId"),
    "404-no-bucket": (404, "NoSuchBucket"),
    "404-no-upload": (404, "NoSuchUpload"),
}


def strike(kind: str, exchange: Exchange, received: Receive, stream: Any, length: int) -> None:
    """Do it."""
    if kind in REFUSALS:
        received()
        exchange.fail(*REFUSALS[kind])
    elif kind == "reset-before":
        exchange.reset()
    elif kind == "reset-in-request":
        stream.read(exchange.part(length))
        exchange.reset()
    elif kind == "stall-in-request":
        stream.read(exchange.part(length))
        exchange.hold()
    elif kind == "slow-up":
        _sip(stream, exchange, length)
    else:
        exchange.call = received()
        KINDS[kind](exchange)


def _sip(stream: Any, exchange: Exchange, length: int) -> None:
    """Receive the body as a slow line brings it: never silent for long, and longer than any timeout in all."""
    body = bytearray()
    while len(body) < length:
        body += stream.read(min(256 << 10, length - len(body)))
        time.sleep(0.1)
    exchange.reply(exchange.forward(replace(exchange.call, body=bytes(body))))


def _forwarded(exchange: Exchange) -> Answer:
    return exchange.forward(exchange.call)


def _bad_gateway(exchange: Exchange) -> None:
    exchange.fail(502, body=b"<html><body><h1>502 Bad Gateway</h1></body></html>")


def _redirect(status: int) -> Callable[[Exchange], None]:
    def answer(exchange: Exchange) -> None:
        code = "PermanentRedirect" if status == 301 else "TemporaryRedirect"
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>elsewhere</Message></Error>".encode()
        there = (("Location", exchange.proxy.elsewhere + exchange.call.target),)
        exchange.reply(Answer(status, "elsewhere", there, body if exchange.call.method != "HEAD" else b""))

    return answer


def _lost_stored(exchange: Exchange) -> None:
    """The dangerous one: it is done, and nobody hears of it."""
    _forwarded(exchange)
    exchange.reset()


def _silent_stored(exchange: Exchange) -> None:
    _forwarded(exchange)
    exchange.hold()


def _failed_stored(exchange: Exchange) -> None:
    _forwarded(exchange)
    exchange.fail(500, "InternalError")


def _twice(exchange: Exchange) -> None:
    first = _forwarded(exchange)
    _forwarded(exchange)
    exchange.reply(first)


def _twice_second(exchange: Exchange) -> None:
    """As when a gateway tries again and hands on what the second try gave."""
    _forwarded(exchange)
    exchange.reply(_forwarded(exchange))


def _reset_in_answer(exchange: Exchange) -> None:
    answer = _forwarded(exchange)
    exchange.reply(answer, upto=exchange.part(len(answer.body)))
    exchange.reset()


def _truncated(exchange: Exchange) -> None:
    """The whole length announced, less sent, and a proper end of the connection."""
    answer = _forwarded(exchange)
    exchange.reply(answer, length=len(answer.body) + 1, upto=exchange.part(len(answer.body)))
    exchange.client.shutdown(1)
    exchange.hold(1.0)


def _stall(exchange: Exchange) -> None:
    exchange.hold()


def _stall_in_answer(exchange: Exchange) -> None:
    answer = _forwarded(exchange)
    exchange.reply(answer, length=len(answer.body) + 1, upto=exchange.part(len(answer.body)))
    exchange.hold()


def _slow(exchange: Exchange) -> None:
    exchange.hold(SLOW)
    exchange.reply(_forwarded(exchange))


def _trickle(exchange: Exchange) -> None:
    """One byte at a time, for ever."""
    answer = _forwarded(exchange)
    exchange.client.sendall(head_of(answer, exchange.call.method, length=max(len(answer.body), 1 << 16)))
    exchange.drip(answer.body + bytes(1 << 16), every=DRIP)


def _trickled_head(exchange: Exchange) -> None:
    answer = _forwarded(exchange)
    exchange.drip(head_of(answer, exchange.call.method) + b"x" * 10_000, every=DRIP)


def _garbage(exchange: Exchange) -> None:
    exchange.fail(200, body=b"<?xml version='1.0'?><Unfinished><Busine")


def _empty(exchange: Exchange) -> None:
    exchange.fail(200, body=b"")


def _error_in_200(exchange: Exchange) -> None:
    exchange.fail(200, "InternalError")


def _flip_down(exchange: Exchange) -> None:
    """One bit of the answer's body, another one each time."""
    answer = _forwarded(exchange)
    exchange.reply(replace(answer, body=_flipped(answer.body, exchange)))


def _flip_up(exchange: Exchange) -> None:
    exchange.reply(exchange.forward(replace(exchange.call, body=_flipped(exchange.call.body, exchange))))


def _flipped(body: bytes, exchange: Exchange) -> bytes:
    changed = bytearray(body)
    if changed:
        changed[exchange.part(len(changed))] ^= 1 << int(exchange.dice * 1000) % 8
    return bytes(changed)


def _old_list(exchange: Exchange) -> None:
    """What the list said when it was first asked for."""
    answer = _forwarded(exchange)
    exchange.reply(exchange.proxy.remember(exchange.call, answer))


def _short_length(exchange: Exchange) -> None:
    """Less announced than comes: the rest lies in the way of the next answer."""
    answer = _forwarded(exchange)
    exchange.reply(answer, length=len(answer.body) // 2)


KINDS: dict[str, Callable[[Exchange], None]] = {
    "502-html": _bad_gateway,
    "301-elsewhere": _redirect(301),
    "307-elsewhere": _redirect(307),
    "lost-stored": _lost_stored,
    "silent-stored": _silent_stored,
    "500-stored": _failed_stored,
    "twice": _twice,
    "twice-second": _twice_second,
    "reset-in-answer": _reset_in_answer,
    "truncated": _truncated,
    "stall": _stall,
    "stall-in-answer": _stall_in_answer,
    "slow": _slow,
    "trickle": _trickle,
    "trickled-head": _trickled_head,
    "garbage": _garbage,
    "empty-200": _empty,
    "error-in-200": _error_in_200,
    "flip-down": _flip_down,
    "flip-up": _flip_up,
    "old-list": _old_list,
    "short-length": _short_length,
}
ALL = (*REFUSALS, "reset-before", "reset-in-request", "stall-in-request", "slow-up", *KINDS)

"""A request that gets next to nothing done ends; one that is only slow does not."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from storage_adapters.conformance_trial import sha256
from storage_adapters.errors import StorageUnavailable
from storage_adapters.opening import S3Settings, open_store
from storage_adapters.s3_pacing import PATIENCE, SLOWEST, PacedSocket
from storage_adapters.store import Capabilities
from tests.faults.kinds import strike
from tests.servers.fault_proxy import FaultProxy, Rule, fault_proxy

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("ministack"), pytest.mark.timeout(120)]
STRONG = Capabilities(True, True, ("sha256",), False, False)
READ_TIMEOUT = 0.4


@pytest.fixture
def proxy(ministack: S3Settings) -> Iterator[FaultProxy]:
    with fault_proxy(ministack.endpoint_url or "", strike) as running:
        yield running


def put(store, key: str, data: bytes) -> None:
    store.put(key, io.BytesIO(data), size=len(data), sha256=sha256(data))


def read(store, key: str) -> bytes:
    with store.open(key) as reader:
        return reader.read()


@pytest.mark.parametrize("kind", ["trickle", "trickled-head"])
@pytest.mark.parametrize("operation", ["get", "list", "put", "head"])
def test_a_byte_now_and_then_for_ever_has_an_end(kind: str, operation: str, proxy: FaultProxy, ministack: S3Settings):
    settings = replace(ministack, endpoint_url=proxy.url, connect_timeout=5, read_timeout=READ_TIMEOUT)
    store = open_store("b", settings, capabilities=STRONG)
    name = f"{kind}-{operation}"
    put(store, name, b"x" * 1000)
    proxy.script(Rule(kind, on=operation, times=None))
    act = {
        "get": lambda: read(store, name),
        "list": lambda: list(store.list("")),
        "put": lambda: put(store, name + "2", b"y"),
        "head": lambda: store.stat(name),
    }
    began = time.monotonic()
    if kind == "trickle" and operation == "head":  # such an answer has no body
        act[operation]()
    else:
        # What comes after the head of an answer to a put says nothing and is not awaited for ever either.
        with pytest.raises(StorageUnavailable, match="in time"):
            act[operation]()
    assert time.monotonic() - began < PATIENCE * READ_TIMEOUT + 3


def test_a_slow_line_up_is_not_cut(proxy: FaultProxy, ministack: S3Settings):
    """A part takes longer than every timeout, and moves all the while."""
    settings = replace(ministack, endpoint_url=proxy.url, connect_timeout=0.5, read_timeout=3)
    store = open_store("b", settings, capabilities=STRONG)
    data = b"z" * (12 << 20)
    proxy.script(Rule("slow-up", on="put"))
    began = time.monotonic()
    put(store, "slow-up", data)
    assert time.monotonic() - began > 3.0
    assert proxy.hurt["slow-up"] == 1
    assert read(store, "slow-up") == data


class Sock:
    """A socket that takes its time."""

    def __init__(self, clock: list[float], each: float) -> None:
        self.clock, self.each = clock, each

    def settimeout(self, seconds: float) -> None:
        assert seconds == 60

    def send(self, block: memoryview) -> int:
        self.clock[0] += self.each
        return min(len(block), 64 << 10)


def test_what_may_be_waited_grows_with_what_moves():
    clock = [0.0]
    block = 64 << 10
    fair = PacedSocket(Sock(clock, block / SLOWEST), read_timeout=60, clock=lambda: clock[0])  # type: ignore[arg-type]
    fair.sendall(bytes(block * 100))
    slow = PacedSocket(Sock(clock, 59 + block / SLOWEST), read_timeout=60, clock=lambda: clock[0])  # type: ignore[arg-type]
    with pytest.raises(TimeoutError):
        slow.sendall(bytes(block * 10))
    slow.begin()
    slow.sendall(bytes(block * 3))  # a new request begins anew

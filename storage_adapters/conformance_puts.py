"""Checks of what a store takes: whole, checked, never in place of another object."""

from __future__ import annotations

import hashlib
import threading

from storage_adapters.conformance_trial import (
    Broken,
    FailingStream,
    SourceBroke,
    Stream,
    Trial,
    large,
    nothing_at,
    refused,
    same,
    sha256,
)
from storage_adapters.errors import ObjectDamaged, ObjectExists, ObjectNotFound
from storage_adapters.store import ObjectStat


def keeps_bytes(trial: Trial) -> None:
    """Small objects, odd ones among them."""
    for data in (b"", b"\0", bytes(range(256)) * 5, b"\r\n" * 1000, large()[: (1 << 20) + 1]):
        key = trial.put(f"bytes/{len(data)}", data)
        same(trial.get(key), data, f"{len(data)} bytes read back")
        same(trial.store.stat(key).size, len(data), "size in stat")


def keeps_large(trial: Trial) -> None:
    """An object in parts."""
    data = large()
    key = trial.key("large/whole")
    trial.store.put(key, Stream(data), size=len(data), sha256=sha256(data))
    same(trial.get(key), data, "a large object read back")
    checksums_true(trial.store.stat(key), data)
    refused(ObjectExists, lambda: trial.put("large/whole", data[::-1]), "a second put of a large object")
    same(trial.get(key), data, "a large object after a second put")


def large_is_checked(trial: Trial) -> None:
    """A wrong digest of an object in parts."""
    data = large()
    key = trial.key("large/wrong")
    refused(
        ObjectDamaged,
        lambda: trial.store.put(key, Stream(data), size=len(data), sha256=sha256(b"other")),
        "a large put with a wrong digest",
    )
    nothing_at(trial, key, "a large put with a wrong digest")


def streams(trial: Trial) -> None:
    """A pipe as source."""
    data = bytes(range(256)) * 40
    source = Stream(data, step=7)
    key = trial.key("stream")
    trial.store.put(key, source, size=len(data), sha256=sha256(data))
    same(trial.get(key), data, "bytes from a source that gives few at a time")
    same(source.closed, False, "the source was closed")


def never_replaces(trial: Trial) -> None:
    """A second put, of other bytes and of the same."""
    key = trial.put("once", b"first")
    refused(ObjectExists, lambda: trial.put("once", b"second"), "a second put")
    same(trial.get(key), b"first", "bytes after a second put")
    refused(ObjectExists, lambda: trial.put("once", b"first"), "a second put of the same bytes")
    same(trial.get(key), b"first", "bytes after a second put of the same bytes")


def refuses_wrong_digest(trial: Trial) -> None:
    """Other bytes than promised."""
    key = trial.key("wrong-digest")
    act = lambda: trial.store.put(key, Stream(b"bytes"), size=5, sha256=sha256(b"other"))  # noqa: E731
    refused(ObjectDamaged, act, "a put with a wrong digest")
    nothing_at(trial, key, "a put with a wrong digest")


def refuses_wrong_length(trial: Trial) -> None:
    """More or fewer bytes than promised."""
    for name, size, data in (("short", 6, b"bytes"), ("long", 4, b"bytes"), ("none", 3, b""), ("some", 0, b"x")):
        key = trial.key(f"wrong-length/{name}")
        act = lambda: trial.store.put(key, Stream(data), size=size, sha256=sha256(data))  # noqa: B023, E731
        refused(ObjectDamaged, act, f"a put of {len(data)} bytes announced as {size}")
        nothing_at(trial, key, f"a put of {len(data)} bytes announced as {size}")


def source_error_passes(trial: Trial) -> None:
    """A source that breaks, early and late."""
    for name, data in (("early", b""), ("late", b"some bytes"), ("in-parts", large()[: 9 << 20])):
        source = FailingStream(data)
        key = trial.key(f"breaks/{name}")
        try:
            trial.store.put(key, source, size=len(data) + 10, sha256=sha256(data))
        except SourceBroke as error:
            same(error is source.error, True, "the source's own error")
        else:
            raise Broken("the error of the source was swallowed")
        nothing_at(trial, key, "the source broke")


def checksums_true(stat: ObjectStat, data: bytes) -> None:
    """Raise Broken when a checksum of the store's own is wrong."""
    for algorithm, value in stat.checksums.items():
        same(value, hashlib.new(algorithm, data).hexdigest(), f"the store's own {algorithm}")


def not_seen_before_it_is_whole(trial: Trial) -> None:
    """A look between two pieces of a put."""
    key = trial.key("unfinished/object")
    data = b"y" * (3 << 20)
    seen: list[str] = []

    class Watching(Stream):
        def read(self, size: int = -1, /) -> bytes:
            try:
                trial.store.stat(key)
                seen.append("by stat")
            except ObjectNotFound:
                pass
            seen.extend(f"in the list as {name}" for name in trial.names("unfinished/"))
            return super().read(size)

    trial.store.put(key, Watching(data, step=1 << 20), size=len(data), sha256=sha256(data))
    same(seen, [], "seen while it was being written")
    same(trial.names("unfinished/"), ["unfinished/object"], "seen when it was whole")


def one_of_racing_puts_wins(trial: Trial) -> None:
    """Eight puts of one key at once."""
    for turn in range(3):
        bodies = [bytes([number]) * 50_000 for number in range(8)]
        start = threading.Barrier(len(bodies))
        won: list[bytes] = []
        others: list[Exception] = []

        def race(body: bytes, name: str = f"race/{turn}") -> None:
            start.wait()  # noqa: B023
            try:
                trial.put(name, body)
                won.append(body)  # noqa: B023
            except Exception as error:  # noqa: BLE001 - judged below
                others.append(error)  # noqa: B023

        threads = [threading.Thread(target=race, args=(body,)) for body in bodies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        same(len(won), 1, "puts that won a race")
        same({type(error) for error in others}, {ObjectExists}, "what the losers were told")
        same(trial.get(trial.prefix + f"race/{turn}"), won[0], "the winner's bytes")

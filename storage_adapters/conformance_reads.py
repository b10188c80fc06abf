"""Checks of what a store gives back, what it says of it, and what is left of it later."""

from __future__ import annotations

from storage_adapters.conformance_puts import checksums_true
from storage_adapters.conformance_trial import (
    Broken,
    Trial,
    nothing_at,
    read_all,
    refused,
    same,
    sha256,
)
from storage_adapters.errors import ObjectNotFound


def absence_is_an_error(trial: Trial) -> None:
    """Nothing there."""
    key = trial.prefix + "absent/never"
    refused(ObjectNotFound, lambda: trial.store.stat(key), "stat of an absent key")
    refused(ObjectNotFound, lambda: trial.get(key), "open of an absent key")
    refused(ObjectNotFound, lambda: trial.store.erase(key), "erase of an absent key")
    same(trial.names("absent/"), [], "a list of nothing")


def prefix_is_no_object(trial: Trial) -> None:
    """The beginning of a key."""
    trial.put("folder/object", b"x")
    key = trial.prefix + "folder"
    refused(ObjectNotFound, lambda: trial.store.stat(key), "stat of a prefix")
    refused(ObjectNotFound, lambda: trial.get(key), "open of a prefix")
    refused(ObjectNotFound, lambda: trial.store.erase(key), "erase of a prefix")
    same(trial.get(key + "/object"), b"x", "the object below the prefix")


def stat_is_true(trial: Trial) -> None:
    """What stat says of an object."""
    data = b"stat" * 1000
    stat = trial.store.stat(trial.put("stat", data))
    same((stat.key, stat.size), (trial.prefix + "stat", len(data)), "key and size in stat")
    checksums_true(stat, data)
    for algorithm in trial.can.checksums:
        if algorithm not in stat.checksums:
            raise Broken(f"stat gives no {algorithm}, though the store was seen to keep it")


def reads_are_independent(trial: Trial) -> None:
    """Two readers of one object."""
    data = bytes(range(256)) * 1000
    key = trial.put("read", data)
    with trial.store.open(key) as one, trial.store.open(key) as two:
        head = one.read(10)
        same(read_all(two), data, "a second reader")
        if not 0 < len(head) <= 10:
            raise Broken(f"read(10) gave {len(head)} bytes")
        same(head + read_all(one), data, "a reader that was left waiting")
        same(one.read(10), b"", "reading on after the end")
    with trial.store.open(key) as reader:
        same(reader.read(-1), data, "everything in one read")


def erasing_frees_the_key(trial: Trial) -> None:
    """Erase, then put again."""
    key = trial.put("erase/me", b"old")
    trial.put("erase/neighbour", b"stays")
    trial.store.erase(key)
    del trial.given[key]
    nothing_at(trial, key, "erase")
    same(trial.get(trial.prefix + "erase/neighbour"), b"stays", "the neighbour of an erased object")


def keeps_what_it_took(trial: Trial) -> None:
    """Everything again, at the end."""
    for number in range(30):
        trial.put(f"stays/{number:02}", bytes([number]) * 100)
    for key, digest in list(trial.given.items()):
        same(sha256(trial.get(key)), digest, f"the SHA-256 of {key.removeprefix(trial.prefix)!r} later on")
        if key not in {each.key for each in trial.store.list(key.rpartition("/")[0] + "/")}:
            raise Broken(f"{key.removeprefix(trial.prefix)!r} is not listed any more")

"""The clauses that `conformance.run` goes through: a name, a sentence and a plain check for each.

A check raises Broken with what it saw; it keeps to its own keys below the trial's prefix.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass

from storage_adapters.conformance_trial import (
    Broken,
    FailingStream,
    SourceBroke,
    Stream,
    Trial,
    large,
    nothing_at,
    read_all,
    refused,
    same,
    sha256,
)
from storage_adapters.errors import KeyRefused, ObjectDamaged, ObjectExists, ObjectNotFound
from storage_adapters.store import Capabilities, ObjectStat
from wording import Message, say


@dataclass(frozen=True, slots=True)
class Clause:
    """One promise of the contract. `needs`: what the store must be able to do for the promise to be its own."""

    name: str
    sentence: Message
    check: Callable[[Trial], None]
    needs: Callable[[Capabilities], bool] = lambda _: True


def _keeps_bytes(trial: Trial) -> None:
    for data in (b"", b"\0", bytes(range(256)) * 5, b"\r\n" * 1000, large()[: (1 << 20) + 1]):
        key = trial.put(f"bytes/{len(data)}", data)
        same(trial.get(key), data, f"{len(data)} bytes read back")
        same(trial.store.stat(key).size, len(data), "size in stat")


def _keeps_large(trial: Trial) -> None:
    data = large()
    key = trial.key("large/whole")
    trial.store.put(key, Stream(data), size=len(data), sha256=sha256(data))
    same(trial.get(key), data, "a large object read back")
    _checksums_true(trial.store.stat(key), data)
    refused(ObjectExists, lambda: trial.put("large/whole", data[::-1]), "a second put of a large object")
    same(trial.get(key), data, "a large object after a second put")


def _large_is_checked(trial: Trial) -> None:
    data = large()
    key = trial.key("large/wrong")
    refused(
        ObjectDamaged,
        lambda: trial.store.put(key, Stream(data), size=len(data), sha256=sha256(b"other")),
        "a large put with a wrong digest",
    )
    nothing_at(trial, key, "a large put with a wrong digest")


def _streams(trial: Trial) -> None:
    data = bytes(range(256)) * 40
    source = Stream(data, step=7)
    key = trial.key("stream")
    trial.store.put(key, source, size=len(data), sha256=sha256(data))
    same(trial.get(key), data, "bytes from a source that gives few at a time")
    same(source.closed, False, "the source was closed")


def _never_replaces(trial: Trial) -> None:
    key = trial.put("once", b"first")
    refused(ObjectExists, lambda: trial.put("once", b"second"), "a second put")
    same(trial.get(key), b"first", "bytes after a second put")
    refused(ObjectExists, lambda: trial.put("once", b"first"), "a second put of the same bytes")
    same(trial.get(key), b"first", "bytes after a second put of the same bytes")


def _refuses_wrong_digest(trial: Trial) -> None:
    key = trial.key("wrong-digest")
    act = lambda: trial.store.put(key, Stream(b"bytes"), size=5, sha256=sha256(b"other"))  # noqa: E731
    refused(ObjectDamaged, act, "a put with a wrong digest")
    nothing_at(trial, key, "a put with a wrong digest")


def _refuses_wrong_length(trial: Trial) -> None:
    for name, size, data in (("short", 6, b"bytes"), ("long", 4, b"bytes"), ("none", 3, b""), ("some", 0, b"x")):
        key = trial.key(f"wrong-length/{name}")
        act = lambda: trial.store.put(key, Stream(data), size=size, sha256=sha256(data))  # noqa: B023, E731
        refused(ObjectDamaged, act, f"a put of {len(data)} bytes announced as {size}")
        nothing_at(trial, key, f"a put of {len(data)} bytes announced as {size}")


def _source_error_passes(trial: Trial) -> None:
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


def _absence_is_an_error(trial: Trial) -> None:
    key = trial.prefix + "absent/never"
    refused(ObjectNotFound, lambda: trial.store.stat(key), "stat of an absent key")
    refused(ObjectNotFound, lambda: trial.get(key), "open of an absent key")
    refused(ObjectNotFound, lambda: trial.store.erase(key), "erase of an absent key")
    same(trial.names("absent/"), [], "a list of nothing")


def _prefix_is_no_object(trial: Trial) -> None:
    trial.put("folder/object", b"x")
    key = trial.prefix + "folder"
    refused(ObjectNotFound, lambda: trial.store.stat(key), "stat of a prefix")
    refused(ObjectNotFound, lambda: trial.get(key), "open of a prefix")
    refused(ObjectNotFound, lambda: trial.store.erase(key), "erase of a prefix")
    same(trial.get(key + "/object"), b"x", "the object below the prefix")


def _stat_is_true(trial: Trial) -> None:
    data = b"stat" * 1000
    stat = trial.store.stat(trial.put("stat", data))
    same((stat.key, stat.size), (trial.prefix + "stat", len(data)), "key and size in stat")
    _checksums_true(stat, data)
    for algorithm in trial.can.checksums:
        if algorithm not in stat.checksums:
            raise Broken(f"stat gives no {algorithm}, though the store was seen to keep it")


def _checksums_true(stat: ObjectStat, data: bytes) -> None:
    for algorithm, value in stat.checksums.items():
        same(value, hashlib.new(algorithm, data).hexdigest(), f"the store's own {algorithm}")


def _lists_are_complete(trial: Trial) -> None:
    names = [f"list/{number:03}" for number in range(25)]
    names += [
        "list/0/deep/er",
        "list/00",
        "list/0-dash",
        "list/0.dot",
        "list/Zed",
        "list/z",
        "list/đ",
        "list/e\u0301",
    ]
    for name in reversed(names):
        trial.put(name, b"x" * (len(name) % 5))
    same(trial.names("list/"), sorted(names, key=str.encode), "keys listed")
    same(
        [each.size for each in trial.store.list(trial.prefix + "list/")],
        [len(name) % 5 for name in sorted(names, key=str.encode)],
        "sizes listed",
    )


def _lists_keep_to_the_prefix(trial: Trial) -> None:
    for name in ("v/1/a", "v/10/a", "v/1x", "v/1/b/c"):
        trial.put(name, b"x")
    same(trial.names("v/1/"), ["v/1/a", "v/1/b/c"], "keys below v/1/")
    refused(KeyRefused, lambda: trial.names("v/1"), "a list by half a name")


def _names_are_exact(trial: Trial) -> None:
    names = [
        "names/Tiếng Việt: quyển 1.tif",
        "names/Ti\u1ebfng",
        "names/Tie\u0302\u0301ng",
        "names/a b",
        "names/a+b",
        "names/a%20b",
        "names/100%",
        "names/a&b=c;d,e@f",
        "names/it's #1?.txt",
        "names/back\\slash",
        'names/~tilde*star|pipe<less>"quote"',
        "names/trailing.",
        "names/trailing ",
        "names/ leading",
        "names/.hidden",
        "names/书\U0001f4d6",
        "names/Case",
        "names/case",
    ]
    for name in names:
        trial.put(name, name.encode())
    same(trial.names("names/"), sorted(names, key=str.encode), "names listed")
    for name in names:
        same(trial.get(trial.prefix + name), name.encode(), f"the object {name!r}")


def _long_keys(trial: Trial) -> None:
    room = 900 - len(trial.prefix)
    name = "/".join(["long", *["ă" * 127] * 3])
    name += "/" + "k" * min(255, room - len(name.encode()) - 1)
    key = trial.put(name, b"long")
    same(trial.get(key), b"long", f"an object with a key of {len(key.encode())} bytes")
    same(trial.names("long/"), [name], "a long key listed")


def _refuses_bad_keys(trial: Trial) -> None:
    inside = trial.prefix
    bad = ["", "/", f"/{inside}a", f"{inside}a/", f"{inside}a//b", f"{inside}./a", f"{inside}../a", f"{inside}a/.."]
    bad += [
        f"{inside}a\nb",
        f"{inside}a\0b",
        f"{inside}\x7f",
        f"{inside}\udc80",
        inside + "k" * 256,
        inside + "k/" * 500 + "k",
    ]
    for key in bad:
        source = Stream(b"x")
        calls: list[Callable[[], object]] = [
            lambda: trial.store.put(key, source, size=1, sha256=sha256(b"x")),  # noqa: B023
            lambda: trial.get(key),  # noqa: B023
            lambda: trial.store.stat(key),  # noqa: B023
            lambda: trial.store.erase(key),  # noqa: B023
        ]
        for call in calls:
            refused(KeyRefused, call, f"the key {key!r}")
        same(source.read(1), b"x", f"the source was read for the key {key!r}")


def _not_seen_before_it_is_whole(trial: Trial) -> None:
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


def _one_of_racing_puts_wins(trial: Trial) -> None:
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


def _reads_are_independent(trial: Trial) -> None:
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


def _erasing_frees_the_key(trial: Trial) -> None:
    key = trial.put("erase/me", b"old")
    trial.put("erase/neighbour", b"stays")
    trial.store.erase(key)
    del trial.given[key]
    nothing_at(trial, key, "erase")
    same(trial.get(trial.prefix + "erase/neighbour"), b"stays", "the neighbour of an erased object")


def _keeps_what_it_took(trial: Trial) -> None:
    for number in range(30):
        trial.put(f"stays/{number:02}", bytes([number]) * 100)
    for key, digest in list(trial.given.items()):
        same(sha256(trial.get(key)), digest, f"the SHA-256 of {key.removeprefix(trial.prefix)!r} later on")
        if key not in {each.key for each in trial.store.list(key.rpartition("/")[0] + "/")}:
            raise Broken(f"{key.removeprefix(trial.prefix)!r} is not listed any more")


CLAUSES: tuple[Clause, ...] = (
    Clause("keeps-bytes", say("An object comes back byte for byte."), _keeps_bytes),
    Clause("keeps-large", say("A large object, sent in parts, comes back byte for byte."), _keeps_large),
    Clause("streams", say("A source is read forward only, and left open."), _streams),
    Clause("never-replaces", say("An object is never replaced, not even by the same bytes."), _never_replaces),
    Clause("refuses-wrong-digest", say("Bytes with another digest are not stored."), _refuses_wrong_digest),
    Clause("refuses-wrong-length", say("Too few or too many bytes are not stored."), _refuses_wrong_length),
    Clause("large-is-checked", say("A large object with another digest is not stored."), _large_is_checked),
    Clause("source-error-passes", say("When the source breaks off, nothing is stored."), _source_error_passes),
    Clause("nothing-half-visible", say("An object is seen only when it is whole."), _not_seen_before_it_is_whole),
    Clause("absence-is-an-error", say("An absent object is reported as absent."), _absence_is_an_error),
    Clause("prefix-is-no-object", say("The beginning of a name is not an object."), _prefix_is_no_object),
    Clause("stat-is-true", say("Size and checksum of an object are true."), _stat_is_true),
    Clause("lists-are-complete", say("Lists are complete and in order."), _lists_are_complete),
    Clause(
        "lists-keep-to-prefix", say("A list holds what was asked for and nothing else."), _lists_keep_to_the_prefix
    ),
    Clause("names-are-exact", say("Names are kept exactly, Vietnamese ones too."), _names_are_exact),
    Clause("long-keys", say("Long names are kept."), _long_keys),
    Clause("refuses-bad-keys", say("Names that some store could not hold are refused."), _refuses_bad_keys),
    Clause("reads-are-independent", say("Readers do not disturb each other."), _reads_are_independent),
    Clause(
        "erasing-frees-the-key",
        say("Only the erased object goes, and its name is free again."),
        _erasing_frees_the_key,
    ),
    Clause(
        "one-racer-wins",
        say("Of several writers at the same moment exactly one wins."),
        _one_of_racing_puts_wins,
        needs=lambda can: can.conditional_create,
    ),
    Clause("keeps-what-it-took", say("What was stored stays: there, listed and unchanged."), _keeps_what_it_took),
)

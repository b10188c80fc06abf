"""Checks of keys and of lists of them: complete, exact, in order; bad ones refused."""

from __future__ import annotations

from collections.abc import Callable

from storage_adapters.conformance_trial import (
    Stream,
    Trial,
    refused,
    same,
    sha256,
)
from storage_adapters.errors import KeyRefused


def lists_are_complete(trial: Trial) -> None:
    """Several pages, in the order of bytes."""
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


def lists_keep_to_the_prefix(trial: Trial) -> None:
    """Neighbours whose names begin alike."""
    for name in ("v/1/a", "v/10/a", "v/1x", "v/1/b/c"):
        trial.put(name, b"x")
    same(trial.names("v/1/"), ["v/1/a", "v/1/b/c"], "keys below v/1/")
    refused(KeyRefused, lambda: trial.names("v/1"), "a list by half a name")


def names_are_exact(trial: Trial) -> None:
    """Vietnamese, odd and hostile names."""
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


def long_keys(trial: Trial) -> None:
    """As long as a key may be."""
    room = 900 - len(trial.prefix)
    name = "/".join(["long", *["ă" * 127] * 3])
    name += "/" + "k" * min(255, room - len(name.encode()) - 1)
    key = trial.put(name, b"long")
    same(trial.get(key), b"long", f"an object with a key of {len(key.encode())} bytes")
    same(trial.names("long/"), [name], "a long key listed")


def refuses_bad_keys(trial: Trial) -> None:
    """Keys that no store may take; the source is not touched."""
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

"""The scripted scenarios: each fault where it bites, and how the flow may end.

`well` and `failed` are demanded; `either` where the promise is only that the answer is true.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.faults.driver import FLOWS
from tests.faults.kinds import ALL
from tests.faults.stage import Scenario
from tests.servers.fault_proxy import Rule

UNAVAILABLE = frozenset({"store-unavailable"})
DENIED = frozenset({"store-denied"})
FULL = frozenset({"store-full"})
B = "run-*-b"


def _once(kind: str, on: str, key: str = "aip/*", **more: object) -> Rule:
    return Rule(kind, on=on, key=key, bucket=B, **more)  # type: ignore[arg-type]


def _ever(kind: str, on: str = "*", key: str = "*", **more: object) -> Rule:
    return Rule(kind, on=on, key=key, bucket=B, times=None, **more)  # type: ignore[arg-type]


def _scenario(flow: str, name: str, *rules: Rule, ends: str = "either", codes: frozenset[str] = frozenset(), **more):
    return Scenario(f"{flow}: {name}", flow, rules, ends=ends, codes=codes, family=rules[0].kind, **more)


# One hiccup is tried again and leaves no trace in the answer.
_HICCUPS = {
    "ingest": [
        ("put", "503-slow-down"),
        ("put", "429"),
        ("put", "408"),
        ("put", "500"),
        ("put", "409-conflict"),
        ("put", "reset-before"),
        ("put", "reset-in-request"),
        ("put", "stall-in-request"),
        ("put", "lost-stored"),
        ("put", "silent-stored"),
        ("put", "500-stored"),
        ("put", "twice"),
        ("put", "twice-second"),
        ("put", "flip-up"),
        ("put", "empty-200"),
        ("put", "slow"),
        ("create", "lost-stored"),
        ("create", "empty-200"),
        ("create", "reset-in-answer"),
        ("part", "lost-stored"),
        ("part", "reset-in-request"),
        ("part", "empty-200"),
        ("part", "flip-up"),
        ("part", "twice"),
        ("complete", "500"),
        ("complete", "lost-stored"),
        ("complete", "silent-stored"),
        ("complete", "error-in-200"),
        ("complete", "empty-200"),
        ("complete", "twice"),
        ("complete", "twice-second"),
        ("complete", "404-no-upload"),
        ("complete", "trickled-head"),
        ("get", "truncated"),
        ("get", "reset-in-answer"),
        ("get", "flip-down"),
        ("get", "short-length"),
        ("get", "stall-in-answer"),
        ("get", "trickle"),
        ("get", "502-html"),
        ("list", "truncated"),
        ("list", "old-list"),
        ("list-uploads", "500"),
    ],
    "replicate": [
        ("put", "lost-stored"),
        ("complete", "lost-stored"),
        ("put", "503-slow-down"),
        ("list", "reset-in-answer"),
    ],
    "audit": [
        ("get", "truncated"),
        ("get", "reset-in-answer"),
        ("get", "flip-down"),
        ("get", "short-length"),
        ("get", "stall-in-answer"),
        ("get", "trickle"),
        ("get", "empty-200"),
        ("get", "twice"),
        ("list", "truncated"),
        ("list", "stall"),
        ("list", "trickle"),
        ("list", "503-slow-down"),
    ],
    "repair": [
        ("delete", "lost-stored"),
        ("delete", "500"),
        ("delete", "twice-second"),
        ("put", "lost-stored"),
        ("put", "twice-second"),
        ("put", "flip-up"),
        ("get", "flip-down"),
        ("get", "truncated"),
        ("list", "old-list"),
    ],
    "restore-from-b": [
        ("get", "truncated"),
        ("get", "reset-in-answer"),
        ("get", "stall-in-answer"),
        ("get", "trickle"),
        ("get", "503-slow-down"),
    ],
}

# What does not pass by itself ends with the right error.
_LASTING = [
    ("503-slow-down", UNAVAILABLE),
    ("reset-before", UNAVAILABLE),
    ("502-html", UNAVAILABLE),
    ("stall", UNAVAILABLE),
    ("trickled-head", UNAVAILABLE),
    ("403-denied", DENIED),
    ("403-keys", DENIED),
    ("403-clock", DENIED),
    ("301-elsewhere", DENIED),
    ("307-elsewhere", DENIED),
    ("garbage", UNAVAILABLE | DENIED),
]


def scripted() -> list[Scenario]:
    """All of them; their names are unique."""
    found = [
        _scenario(flow, f"one {kind} at {on}", _once(kind, on, **({"times": 2} if flow == "restore-from-b" else {})))
        for flow, hurts in _HICCUPS.items()
        for on, kind in hurts
    ]
    found += [
        _scenario(flow, f"{kind} for ever", _ever(kind, key="aip/*"), ends="failed", codes=codes)
        for kind, codes in _LASTING
        for flow in ("ingest", "audit")
    ]
    found += [
        _scenario(flow, "the bucket is gone", _ever("404-no-bucket"), ends="failed", codes=DENIED)
        for flow in ("ingest", "replicate", "audit")
    ]
    found += [
        _scenario("replicate", f"{kind} for ever", _ever(kind, key="aip/*"), ends="failed", codes=codes)
        for kind, codes in _LASTING[:3]
    ]
    found += [
        _scenario("repair", f"{kind} for ever at {on}", _ever(kind, on, "aip/*"), ends="failed", codes=codes)
        for on, kind, codes in (
            ("put", "403-denied", DENIED),
            ("delete", "403-denied", DENIED),
            ("put", "507-full", FULL),
            ("put", "reset-in-request", UNAVAILABLE),
            ("get", "reset-in-answer", frozenset()),
            ("*", "404-no-bucket", DENIED),
        )
    ]
    found += [
        _scenario("ingest", "507-full for ever at put", _ever("507-full", "put"), ends="failed", codes=FULL),
        _scenario("ingest", "403-quota for ever at part", _ever("403-quota", "part"), ends="failed", codes=FULL),
        _scenario("ingest", "complete is lost for ever", _ever("lost-stored", "complete")),
        _scenario("ingest", "aborting is lost too", _ever("500", "complete"), _ever("reset-before", "abort"), ends="failed"),
        _scenario("ingest", "uploads cannot be begun or told of", _ever("500", "create"), _ever("500", "list-uploads")),
        _scenario("ingest", "every second get is cut", _ever("truncated", "get", chance=0.5)),
        _scenario("ingest", "every list is old", _ever("old-list", "list")),
        _scenario("ingest", "everything is slow", _ever("slow", "put|get|list", "aip/*", chance=0.4), ends="well"),
        _scenario("ingest", "everything goes twice", _ever("twice")),
        _scenario("ingest", "every put goes twice, the second answer comes", _ever("twice-second", "put|complete"), ends="well"),
        _scenario("audit", "bytes flip on every way back", _ever("flip-down", "get", "aip/*"), ends="failed"),
        _scenario("audit", "every get is cut", _ever("truncated", "get", "aip/*"), ends="failed"),
        _scenario("audit", "one object cannot be read", _ever("500", "get", "*Trang 0001.txt"), ends="failed"),
        _scenario("audit", "both buckets are gone", Rule("404-no-bucket", times=None), ends="failed", codes=DENIED),
        _scenario("restore-from-b", "every get is cut", _ever("truncated", "get", "aip/*"), ends="failed"),
        _scenario("restore-from-b", "the bucket is gone", _ever("404-no-bucket"), ends="failed"),
        _scenario("restore-from-b", "bytes flip on every way", _ever("flip-down", "get", "aip/*"), ends="failed"),
        _scenario("restore", "both clouds are away", Rule("reset-before", times=None)),
        _scenario("ingest", "the probe meets a busy service", _ever("503-slow-down", key=".vankho-probe/*", first=3), probed=False),
        _scenario("ingest", "the probe is cut off", _once("reset-in-answer", "*", ".vankho-probe/*", first=6), probed=False),
        _scenario("ingest", "the probe's answers are lost", _ever("lost-stored", "put|complete", ".vankho-probe/*"), probed=False),
    ]  # fmt: skip
    return found


_ON = ("put", "get", "list", "head", "create", "part", "complete", "abort", "delete", "list-uploads", "put|part", "*")


def drawn(seed: int) -> Scenario:
    """A flow and one to four rules, all from the seed."""
    dice = random.Random(seed)
    flow = dice.choice((*FLOWS, "ingest", "restore-from-b"))
    kinds = dice.choices(ALL, k=dice.choice((1, 1, 2, 2, 3, 4)))
    rules = tuple(
        Rule(
            kind,
            on=dice.choice(_ON),
            key=dice.choice(("*", "aip/*", "aip/*", "*ảnh quét.bin", "*bagit.txt", "*data/*")),
            bucket=dice.choice(("*", B, B)),
            first=dice.choice((1, 1, 2, 3, 5, 8)),
            # A length that is told twice alike is the store's own word, and then it is damage.
            times=1 if kind == "short-length" else dice.choice((1, 1, 2, 4, None)),
            chance=dice.choice((1.0, 1.0, 0.5, 0.2)),
            seed=seed,
        )
        for kind in kinds
    )
    return Scenario(f"seed {seed}", flow, rules, family=f"drawn: {flow}", probed=dice.random() > 0.1)


def one_of_each(scenarios: Sequence[Scenario]) -> list[Scenario]:
    """The first scenario of each kind of fault, for a short run."""
    seen: dict[str, Scenario] = {}
    for each in scenarios:
        seen.setdefault(each.family, each)
    return list(seen.values())


def by_name(scenarios: Sequence[Scenario]) -> dict[str, Scenario]:
    named = {each.name: each for each in scenarios}
    assert len(named) == len(scenarios), "two scenarios of one name"
    return named

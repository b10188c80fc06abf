"""What must be said of a replica, found by comparing bytes with bytes: a second opinion that shares no code.

`was` are the files of the replica as they were taken in, `now` as they stand there, both path → bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass

Told = tuple[str, str | None, str | None, str | None]  # code, path, expected, seen


@dataclass(frozen=True)
class Answer:
    """Outcome, counts that are not zero, and every finding."""

    outcome: str
    counts: Mapping[str, int]
    findings: frozenset[Told]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def expected(
    was: Mapping[str, bytes],
    now: Mapping[str, bytes],
    grade: str,
    *,
    checksums: bool = False,
    unreadable: Set[str] = frozenset(),
    flickering: Mapping[str, bytes] | None = None,
) -> Answer:
    """The one right answer at a grade: `bytes`, `provider` (the store keeps checksums or not) or `presence`.

    `unreadable` are paths that cannot be opened; `flickering` what the first reading of a path gives.
    """
    counts: Counter[str] = Counter()
    findings: set[Told] = set()
    for path in sorted({*was, *now}):
        word, told = _of_one(path, was, now, grade, checksums, unreadable, flickering or {})
        counts[word] += 1
        findings |= {told} if told is not None else set()
    if grade == "provider" and not checksums and counts["unreadable"]:
        findings.add(("no-provider-checksum", None, None, None))
    damaged = counts["altered"] + counts["missing"] + counts["unexpected"]
    outcome = "damaged" if damaged else "unreadable" if counts["unreadable"] else "intact"
    return Answer(outcome, counts, frozenset(findings))


def _of_one(
    path: str,
    was: Mapping[str, bytes],
    now: Mapping[str, bytes],
    grade: str,
    checksums: bool,
    unreadable: Set[str],
    flickering: Mapping[str, bytes],
) -> tuple[str, Told | None]:
    if path not in was:
        return "unexpected", ("object-unexpected", path, None, f"{len(now[path])} B")
    right = was[path]
    if path not in now:
        return "missing", ("object-missing", path, sha256(right), None)
    seen = now[path]
    if len(seen) != len(right):
        return "altered", ("object-altered", path, f"{len(right)} B", f"{len(seen)} B")
    if grade == "presence":
        return "intact", None
    if grade == "provider" and not checksums:
        return "unreadable", None
    if grade == "bytes" and path in unreadable:
        return "unreadable", ("object-unreadable", path, None, None)
    if seen != right:
        return "altered", ("object-altered", path, sha256(right), sha256(seen))
    if grade == "bytes" and path in flickering:
        return "intact", ("first-read-differed", path, sha256(right), sha256(flickering[path]))
    return "intact", None


def recoverable(path: str, was: Mapping[str, bytes], replicas: list[Mapping[str, bytes]]) -> bool:
    """Whether the right bytes of the file are left: under its name in any replica, or in one under another name
    where something else is wrong.
    """
    for now in replicas:
        if now.get(path) == was[path]:
            return True
        if any(content == was[path] != was.get(name) for name, content in now.items()):
            return True
    return False


def verdict(outcomes: Set[str], *, without_checksum: bool = False) -> int:
    """The exit code of an audit: 3 when something could not be read, 1 when something was found."""
    if "unreadable" in outcomes and not without_checksum:
        return 3
    return 1 if outcomes - {"intact"} else 0


def reconciled(
    was: Mapping[str, Mapping[str, bytes]], now: Mapping[str, bytes], *, known: Set[str], known_below: str
) -> frozenset[tuple[str, str | None]]:
    """Code and key of every disagreement of a store with what it should list: `was` by prefix of the replica, `now`
    by key; `known` keys and all below `known_below` belong there though they are part of no replica.
    """
    found: set[tuple[str, str | None]] = set()
    for prefix, files in was.items():
        here = {key.removeprefix(prefix): content for key, content in now.items() if key.startswith(prefix)}
        if not here:
            found.add(("replica-lost", prefix))
            continue
        found |= {("object-missing", prefix + path) for path in files.keys() - here.keys()}
        found |= {("object-unexpected", prefix + path) for path in here.keys() - files.keys()}
        sizes = (path for path in files.keys() & here.keys() if len(files[path]) != len(here[path]))
        found |= {("object-size-differs", prefix + path) for path in sizes}
    for key in now:
        if key in known or key.startswith((known_below, *was)):
            continue
        place = re.match(r"aip/[^/]+/v[1-9][0-9]*/(?=.)", key)
        if place is None:
            found.add(("object-stray", key))
        else:
            whole = place[0] + "bagit.txt" in now
            found.add(("replica-unknown" if whole else "replica-unfinished", place[0]))
    return frozenset(found)

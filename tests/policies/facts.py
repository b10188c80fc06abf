"""Small makers of facts for the tests of policies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from policies import load
from policies.model import Policy
from policies.replication import StoreFacts
from preservation.facts import AIPVersion, Basis, Evidence, FormatFact, Grade, Outcome, Replica
from preservation.findings import Finding, Severity
from wording import say

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
STORES = (
    StoreFacts("primary", provider="library", region="site-1", medium="disk", kind="local"),
    StoreFacts("cloud-a", provider="a", region="north", medium="object", kind="s3"),
    StoreFacts("cloud-b", provider="b", region="south", medium="object", kind="s3"),
)
VERSION = AIPVersion(
    identifier="aip-1",
    version=1,
    content_digest="0" * 64,
    files=1,
    bytes=1,
    objects=5,
    object_bytes=500,
    policy="default",
    admitted_at=NOW - timedelta(days=400),
    submission="s",
    source="Sách cổ",
)


@cache
def load_policy(name: str) -> Policy:
    """A built-in policy, read once for all tests."""
    return load.load_policy(name)


def replica(
    store: str, *, claimed: timedelta = timedelta(days=400), **proofs: timedelta | tuple[timedelta, str]
) -> Replica:
    """A replica in `store`; `bytes=timedelta(days=3)` is an intact proof three days old, a tuple gives its outcome."""
    evidence = {}
    for word, proof in proofs.items():
        age, outcome = proof if isinstance(proof, tuple) else (proof, "intact")
        grade = Grade(word)
        evidence[grade] = Evidence("aip-1", 1, store, grade, Outcome(outcome), NOW - age)
    return Replica("aip-1", 1, store, NOW - claimed, evidence)


def default_policy(**replication: object) -> Policy:
    """The built-in policy with some of its replication changed."""
    policy = load_policy("default")
    return replace(policy, replication=replace(policy.replication, **replication))


def accepting(**acceptance: object) -> Policy:
    """The built-in policy with some of its acceptance changed."""
    policy = load_policy("default")
    return replace(policy, acceptance=replace(policy.acceptance, **acceptance))


@dataclass
class Seen:
    """Something that was looked at: received, supplied, a descriptor."""

    findings: tuple[Finding, ...] = ()
    kind: str = "none"


def finding(code: str, severity: str = "error", path: str | None = None) -> Finding:
    return Finding(code, Severity(severity), say("something"), path)


def file_format(
    path: str, basis: str = "signature", puid: str | None = "fmt/353", *, mismatch: bool = False
) -> FormatFact:
    return FormatFact(
        path, puid, "a format" if puid else None, Basis(basis), "fido", "v1", extension_mismatch=mismatch
    )

"""Whether two stores are two places: what of their sameness can be seen for sure, said as warnings.

Promises: asks no network; credentials are compared by digests in memory and never shown. What it does not see (two
buckets of one owner under two keys, two disks in one box) it does not deny: the settings' `provider`, `region` and
`medium` say that, and a person answers for them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flows.settings import LocalStoreSettings, S3StoreSettings, Settings, StoreSettings
from policies.model import Policy
from policies.replication import wanted_stores
from preservation.findings import Finding, Severity
from wording import say

if TYPE_CHECKING:
    from flows.workspace import Workspace

CODES = ("stores-same-account", "stores-same-bucket", "stores-same-disk", "stores-nested")


def same_places(workspace: Workspace, *, only: tuple[str, ...] | None = None) -> list[Finding]:
    """A warning for every two stores of the settings (of those in `only`) that are surely not two places."""
    stores = [(name, each) for name, each in workspace.settings.stores.items() if only is None or name in only]
    return [
        finding
        for (one, first), (other, second) in combinations(stores, 2)
        for finding in _alike(workspace.folder, one, first, other, second)
    ]


def one_places(settings: Settings, folder: Path) -> dict[str, str]:
    """Of each store that shares its place with another, the first of them. Only what the settings say counts here:
    what a machine sees of its disks changes with every mount, and the standing of an AIP must not.
    """
    places: dict[str, str] = {}
    for (one, first), (other, second) in combinations(settings.stores.items(), 2):
        for finding in _alike(folder, one, first, other, second):
            if finding.code != "stores-same-disk":
                places[other] = places.setdefault(one, one)
    return places


def against(workspace: Workspace, policy: Policy) -> list[Finding]:
    """The same for the stores of a policy that asks for copies lying apart; nothing where it does not ask."""
    if not policy.replication.separation.by:
        return []
    return same_places(workspace, only=wanted_stores(policy, workspace.store_facts()))


def _alike(folder: Path, one: str, first: StoreSettings, other: str, second: StoreSettings) -> Iterator[Finding]:
    if isinstance(first, S3StoreSettings) and isinstance(second, S3StoreSettings):
        yield from _buckets(one, first, other, second)
    elif isinstance(first, LocalStoreSettings) and isinstance(second, LocalStoreSettings):
        yield from _folders(one, folder / first.path, other, folder / second.path)


def _buckets(one: str, first: S3StoreSettings, other: str, second: S3StoreSettings) -> Iterator[Finding]:
    if _host(first) != _host(second):
        return
    if first.bucket == second.bucket:
        text = say(
            "The stores {one} and {other} are one bucket: two copies there are one. Give each a bucket of its own.",
            one=one,
            other=other,
        )
        yield Finding("stores-same-bucket", Severity.WARNING, text, path=f"{one}, {other}")
    elif _credential(first) == _credential(second):
        text = say(
            "The stores {one} and {other} are one service used with one credential: what befalls either befalls "
            "both, and who holds the key can erase both. They are not two places.",
            one=one,
            other=other,
        )
        yield Finding("stores-same-account", Severity.WARNING, text, path=f"{one}, {other}")


def _host(store: S3StoreSettings) -> tuple[str, int | None]:
    """Where its requests go; Amazon's own when it does not say."""
    if store.endpoint_url is None:
        return "amazonaws.com", None
    parts = urlsplit(store.endpoint_url)
    return (parts.hostname or "").rstrip("."), parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _credential(store: S3StoreSettings) -> bytes:
    """A digest of what it signs with: the key, else the profile, else whatever the machine has."""
    key = store.access_key_id.get_secret_value() if store.access_key_id is not None else None
    return hashlib.sha256(repr((key, None if key else store.profile)).encode()).digest()


def _folders(one: str, first: Path, other: str, second: Path) -> Iterator[Finding]:
    first, second = first.resolve(), second.resolve()
    if first in second.parents or second in first.parents:
        text = say(
            "The stores {one} and {other} stand one inside the other. Give each a folder of its own.",
            one=one,
            other=other,
        )
        yield Finding("stores-nested", Severity.WARNING, text, path=f"{one}, {other}")
    disks = _disk(first), _disk(second)
    if None not in disks and disks[0] == disks[1]:
        text = say(
            "The stores {one} and {other} are on one disk: when it fails, both copies are lost. They are not two "
            "places.",
            one=one,
            other=other,
        )
        yield Finding("stores-same-disk", Severity.WARNING, text, path=f"{one}, {other}")


def _disk(folder: Path) -> int | None:
    """The file system that the folder is on; None when it is not there now."""
    try:
        return folder.stat().st_dev
    except OSError:
        return None

"""Where copies of an AIP belong, which are wanting, and when the staged bag may go.

Every store the policy names gets one copy; `copies` is the least number of proved ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from policies.model import Policy, StoreFacts
from preservation.facts import Replica


def wanted_stores(policy: Policy, stores: Sequence[StoreFacts]) -> list[StoreFacts]:
    """The stores of the settings that the policy wants a copy in, in the order of the settings."""
    named = policy.replication.stores
    return [store for store in stores if named is None or store.name in named]


def missing_copies(policy: Policy, stores: Sequence[StoreFacts], replicas: Iterable[Replica]) -> list[StoreFacts]:
    """The wanted stores that hold no replica of this AIP version, claimed or proved."""
    held = {replica.store for replica in replicas}
    return [store for store in wanted_stores(policy, stores) if store.name not in held]


def may_release(policy: Policy, *, proved: int) -> bool:
    """Whether the staged bag may be removed, now that `proved` copies are."""
    return proved >= policy.replication.floor


def distinct(stores: Iterable[StoreFacts], attribute: str) -> set[str]:
    """The different values of `provider`, `region` or `medium`; what the settings do not say counts for nothing."""
    values = (getattr(store, attribute) for store in stores)
    return {value for value in values if value}


def unseparated(policy: Policy, stores: Sequence[StoreFacts]) -> list[str]:
    """The attributes by which copies in these stores lie closer together than the policy wants."""
    separation = policy.replication.separation
    return [attribute for attribute in separation.by if len(distinct(stores, attribute)) < separation.least]

"""Where copies of an AIP belong and which are wanting.

Every store the policy names gets one copy; `copies` is the least number of proved ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from policies.model import Policy
from preservation.facts import Replica


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What a policy needs to know of a store of the settings; empty where the settings do not say. Stores with the
    same `place` are surely one place, whatever else is said of them.
    """

    name: str
    provider: str = ""
    region: str = ""
    medium: str = ""
    kind: str = ""
    place: str = ""


def wanted_stores(policy: Policy, stores: Sequence[StoreFacts]) -> tuple[str, ...]:
    """The names of the stores that the policy wants a copy in and the settings have, in the settings' order."""
    named = policy.replication.stores
    return tuple(store.name for store in stores if named is None or store.name in named)


def missing_copies(policy: Policy, stores: Sequence[StoreFacts], replicas: Iterable[Replica]) -> tuple[str, ...]:
    """The names of the wanted stores that hold no replica of this AIP version, claimed or proved."""
    held = {replica.store for replica in replicas}
    return tuple(store for store in wanted_stores(policy, stores) if store not in held)


def distinct(stores: Iterable[StoreFacts], attribute: str) -> set[str]:
    """The different values of `provider`, `region` or `medium` that the settings state."""
    return {getattr(store, attribute) for store in stores} - {""}


def unstated(stores: Iterable[StoreFacts], attribute: str) -> tuple[str, ...]:
    """The names of the stores of which the settings do not say it."""
    return tuple(store.name for store in stores if not getattr(store, attribute))


def unseparated(policy: Policy, stores: Sequence[StoreFacts]) -> list[str]:
    """The attributes by which copies in these stores surely lie closer together than the policy wants.

    A store of which the settings do not say may lie apart: that is doubt, which is told, and not a verdict.
    """
    separation = policy.replication.separation
    return [attribute for attribute in separation.by if apart(stores, attribute) < separation.least]


def one_place(stores: Sequence[StoreFacts]) -> list[list[str]]:
    """The names of those stores that are one place, group by group."""
    groups: dict[str, list[str]] = {}
    for store in stores:
        if store.place:
            groups.setdefault(store.place, []).append(store.name)
    return [names for names in groups.values() if len(names) > 1]


def apart(stores: Iterable[StoreFacts], attribute: str) -> int:
    """How many of the stores can be chosen so that each is a place of its own and each differs by the attribute; one
    of which it is not said may differ from all. (The greatest matching of places and values.)
    """
    return _apart(tuple(stores), attribute)


@lru_cache(maxsize=1024)  # the same few sets of stores are asked about for each of a million versions
def _apart(stores: tuple[StoreFacts, ...], attribute: str) -> int:
    values: dict[str, list[str]] = {}
    for store in stores:
        value = getattr(store, attribute) or f"? {store.name}"
        values.setdefault(store.place or f"= {store.name}", []).append(value)
    chosen: dict[str, str] = {}

    def choose(place: str, tried: set[str]) -> bool:
        for value in values[place]:
            if value not in tried:
                tried.add(value)
                if value not in chosen or choose(chosen[value], tried):
                    chosen[value] = place
                    return True
        return False

    return sum(choose(place, set()) for place in values)


def undecided(policy: Policy, stores: Sequence[StoreFacts]) -> dict[str, tuple[str, ...]]:
    """The attributes by which it cannot be said whether the copies lie far enough apart: attribute → stores."""
    separation = policy.replication.separation
    sure = set(unseparated(policy, stores))
    return {
        attribute: unstated(stores, attribute)
        for attribute in separation.by
        if attribute not in sure
        and apart([store for store in stores if getattr(store, attribute)], attribute) < separation.least
    }

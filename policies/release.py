"""When the bag in the workspace may go: the one decision after which bytes of ours are removed."""

from __future__ import annotations

from collections.abc import Sequence

from policies.model import Policy
from policies.replication import StoreFacts, wanted_stores
from policies.standing import is_proved
from preservation.facts import Replica


def may_release(policy: Policy, replicas: Sequence[Replica], stores: Sequence[StoreFacts]) -> bool:
    """Whether the policy's floor of proved copies is met, by the copies that count for the standing too: those in
    wanted stores that the settings still have. Time plays no part: a proof may be old, not absent.
    """
    wanted = wanted_stores(policy, stores)
    times = [evidence.at for replica in replicas for evidence in replica.evidence.values()]
    if not times:
        return False
    proved = {each.store for each in replicas if is_proved(each, policy=policy, now=max(times))}
    return len(proved.intersection(wanted)) >= policy.replication.floor

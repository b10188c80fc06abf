"""When the bag in the workspace may go: the one decision after which bytes of ours are removed."""

from __future__ import annotations

from collections.abc import Sequence

from policies.model import Policy
from policies.standing import is_proved
from preservation.facts import Replica


def may_release(policy: Policy, replicas: Sequence[Replica]) -> bool:
    """Whether the policy's floor of proved copies is met. Time plays no part: a proof may be old, not absent."""
    times = [evidence.at for replica in replicas for evidence in replica.evidence.values()]
    if not times:
        return False
    proved = {replica.store for replica in replicas if is_proved(replica, policy=policy, now=max(times))}
    return len(proved) >= policy.replication.floor

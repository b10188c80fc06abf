"""What should run by itself, and when: from the policies in use to the deployments wanted, as a pure function.

Audits are one deployment a store, so that a slow store keeps no other waiting and each store's limit is the limit of
its deployment. Policies with the same cron line share it: due work is picked across policies, and none audits twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from policies.model import Policy
from policies.replication import StoreFacts, wanted_stores
from wording import Message, say

WATCHDOG = "10 * * * *"  # within the hour, whatever the policies say; it is no policy's


class Collision(StrEnum):
    """What becomes of a run whose turn comes while as many run as may."""

    CANCEL = "CANCEL_NEW"  # the run that goes on does its work too
    WAIT = "ENQUEUE"


@dataclass(frozen=True, slots=True, order=True)
class CronLine:
    """Five fields in a time zone."""

    cron: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """One deployment: the flow of that name with these parameters, at these times (never by itself without any),
    at most `at_once` of them together. `policies` are those that ask for it.
    """

    name: str
    flow: str
    lines: tuple[CronLine, ...]
    description: Message
    parameters: Mapping[str, Any] = field(default_factory=dict)
    at_once: int | None = 1
    collision: Collision = Collision.CANCEL
    policies: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()

    @property
    def tags(self) -> tuple[str, ...]:
        """What a person may look for it by."""
        return (*(f"policy {name}" for name in self.policies), *(f"store {name}" for name in self.stores))

    @property
    def version(self) -> str:
        """Digest of all that it was derived from: the same for the same policies, another for others."""
        facts = [
            *(self.name, self.flow, dict(self.parameters), self.at_once, self.collision.value),
            *([[line.cron, line.time_zone] for line in self.lines], self.policies, self.stores),
            *(self.description.text, {key: str(value) for key, value in self.description.values.items()}),
        ]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def wanted_deployments(
    policies: Iterable[Policy], stores: Sequence[StoreFacts], *, audits_at_once: Mapping[str, int], time_zone: str
) -> tuple[Wanted, ...]:
    """All that policies in use ask for, in a fixed order; `time_zone` is that of what no policy asks for.

    `audits_at_once` is a store's own limit, 1 where it says nothing. The order of the policies does not matter.
    """
    known = sorted(policies, key=lambda policy: policy.name)
    return (
        *_audits(known, stores, audits_at_once),
        *_of_all(known),
        Wanted(
            name="watchdog",
            flow="watchdog",
            lines=(CronLine(WATCHDOG, time_zone),),
            description=say("Looks whether everything that was due has run, and alarms when it has not."),
        ),
        *_by_hand(),
    )


def audited_stores(policy: Policy, stores: Sequence[StoreFacts]) -> tuple[str, ...]:
    """The stores in which the policy keeps copies and has them proved."""
    return tuple(name for name in wanted_stores(policy, stores) if policy.audit.plans(name))


def _audits(
    policies: Sequence[Policy], stores: Sequence[StoreFacts], audits_at_once: Mapping[str, int]
) -> Iterator[Wanted]:
    for store in sorted(facts.name for facts in stores):
        mine = [policy for policy in policies if store in audited_stores(policy, stores)]
        if mine:
            names = tuple(policy.name for policy in mine)
            yield Wanted(
                name=f"audit {store}",
                flow="audit_due",
                lines=_lines((policy.schedule.audit, policy.schedule.time_zone) for policy in mine),
                description=say(
                    "Proves the copies in {store} that are due today, within the budgets and windows of {policies}.",
                    store=store,
                    policies=", ".join(names),
                ),
                parameters={"store": store},
                at_once=audits_at_once.get(store, 1),
                policies=names,
                stores=(store,),
            )


def _of_all(policies: Sequence[Policy]) -> Iterator[Wanted]:
    names = tuple(policy.name for policy in policies)
    yield Wanted(
        name="replicate",
        flow="replicate",
        lines=_lines((policy.schedule.replicate, policy.schedule.time_zone) for policy in policies),
        description=say("Makes the copies that policy asks for and that are missing, and proves them."),
        parameters={"references": []},
        policies=names,
    )
    yield Wanted(
        name="reconcile",
        flow="reconcile",
        lines=_lines((policy.schedule.reconcile, policy.schedule.time_zone) for policy in policies),
        description=say("Compares the catalog with what the stores list, in both directions. Changes nothing."),
        policies=names,
    )


def _by_hand() -> Iterator[Wanted]:
    """What people start, and what runs on whichever machine has room."""
    yield Wanted(
        name="ingest",
        flow="ingest",
        lines=(),
        description=say("Takes in one package. `source` is a path that every machine of the pool can read."),
        at_once=None,
    )
    yield Wanted(
        name="repair",
        flow="repair",
        lines=(),
        description=say("Brings damaged copies back from proved ones. A person decides on it."),
        collision=Collision.WAIT,
    )


def _lines(asked: Iterable[tuple[str | None, str]]) -> tuple[CronLine, ...]:
    return tuple(sorted({CronLine(" ".join(cron.split()), zone) for cron, zone in asked if cron is not None}))

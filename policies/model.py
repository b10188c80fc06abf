"""A policy as values: what `load` makes of the documents and what the decisions read.

Frozen facts, complete: every field that a document may leave out has its value here. Lengths of time are
timedeltas, sizes are bytes. The meaning of each field stands in docs/reference/policy.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from enum import StrEnum

from preservation.bags.profile import Profile
from preservation.facts import Grade
from preservation.packages.litter import Litter


class SuppliedChecksums(StrEnum):
    """Whether a package must bring checksums for its files."""

    VERIFY = "verify"
    REQUIRE = "require"


class Holey(StrEnum):
    """What becomes of a package that names files it does not bring."""

    REJECT = "reject"
    RECORD = "record"


class DescriptorRule(StrEnum):
    """Whether a package must bring a descriptor."""

    OPTIONAL = "optional"
    REQUIRED = "required"
    IGNORE = "ignore"


class When(StrEnum):
    """What an identification said, as a format rule asks for it."""

    UNKNOWN = "unknown"
    EMPTY = "empty"
    MISMATCH = "mismatch"
    EXTENSION_ONLY = "extension-only"
    FAILED = "failed"
    ANY = "any"


class Then(StrEnum):
    """What a format rule decides."""

    ACCEPT = "accept"
    RECORD = "record"
    REVIEW = "review"
    REJECT = "reject"


class SecondIdentifier(StrEnum):
    """Who else is asked what each file is."""

    NONE = "none"
    SIEGFRIED = "siegfried"


@dataclass(frozen=True, slots=True)
class FormatRule:
    """Fits a file when everything it names does: `when`, and one of `puids`."""

    then: Then
    when: When | None = None
    puids: frozenset[str] = frozenset()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Waiver:
    """A finding that does not reject. Holds up to the end of the day `until` (UTC)."""

    code: str
    reason: str
    by: str
    until: date
    path: str | None = None


@dataclass(frozen=True, slots=True)
class AcceptanceRules:
    """Which packages are accepted. With a `bag_profile` only bags that keep to it."""

    supplied_checksums: SuppliedChecksums
    holey: Holey
    litter: Litter
    descriptor: DescriptorRule
    formats: tuple[FormatRule, ...]
    waivers: tuple[Waiver, ...]
    bag_profile: Profile | None = None
    second_opinion: SecondIdentifier = SecondIdentifier.NONE


@dataclass(frozen=True, slots=True)
class Packaging:
    """How the AIP is written. `algorithms` begin with sha256; an empty text means "left out".

    `bag_info` adds elements to bag-info.txt; every bag written keeps to `bag_profile`, if there is one.
    """

    algorithms: tuple[str, ...]
    identifier_from: tuple[str, ...]  # "descriptor", "bag-info", "name"; the first that has one decides
    source_organization: str
    contact_email: str
    bag_profile: Profile | None = None
    bag_info: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Separation:
    """Copies lie in `least` different places by every attribute in `by` (provider, region, medium)."""

    by: tuple[str, ...]
    least: int


@dataclass(frozen=True, slots=True)
class Replication:
    """How many copies, where. `stores` is None for all stores of the settings; `proof` is BYTES or PROVIDER."""

    stores: tuple[str, ...] | None
    copies: int
    floor: int
    proof: Grade
    separation: Separation
    lag_target: timedelta


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of the day in the policy's time zone; an end before the start lies on the next day."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Throttle:
    """How fast audits may read; None means no limit."""

    bytes_per_second: int | None = None
    requests_per_second: int | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """What audits may use in a day; None means no limit. Money is in the currency of the store's price table."""

    bytes_per_day: int | None = None
    requests_per_day: int | None = None
    money_per_day: float | None = None


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """How often one grade of evidence is renewed for one copy."""

    interval: timedelta
    grace: timedelta = timedelta(0)
    window: Window | None = None
    throttle: Throttle = Throttle()
    budget: Budget = Budget()


@dataclass(frozen=True, slots=True)
class Audit:
    """The plans; a grade that is not there is never audited. `stores` holds whole plans, defaults filled in."""

    defaults: Mapping[Grade, AuditPlan]
    stores: Mapping[str, Mapping[Grade, AuditPlan]]

    def plans(self, store: str) -> Mapping[Grade, AuditPlan]:
        """The plans that hold in one store."""
        return self.stores.get(store, self.defaults)


class RepairMode(StrEnum):
    """Who decides on a repair."""

    ASK = "ask"
    AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True)
class Notification:
    """Who is told what; `officer` and `sysadmin` are names of channels of the settings."""

    language: str
    officer: tuple[str, ...]
    sysadmin: tuple[str, ...]
    immediate: tuple[str, ...]  # "damage", "auditor-silent"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Cron lines of five fields in `time_zone`; None means never."""

    time_zone: str
    audit: str | None
    replicate: str | None
    reconcile: str | None


@dataclass(frozen=True, slots=True)
class Policy:
    """What should be true. `retention_years` is None for permanent."""

    name: str
    description: str
    acceptance: AcceptanceRules
    packaging: Packaging
    replication: Replication
    audit: Audit
    repair: RepairMode
    retention_years: int | None
    notification: Notification
    schedule: Schedule

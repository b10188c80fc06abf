"""Makes a Policy of a whole document that the schema has accepted. Nothing can be wrong here any more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from typing import Any

from policies.model import (
    AcceptanceRules,
    Audit,
    AuditPlan,
    Budget,
    DescriptorRule,
    FormatRule,
    Holey,
    Notification,
    Packaging,
    Policy,
    RepairMode,
    Replication,
    Schedule,
    SecondIdentifier,
    Separation,
    SuppliedChecksums,
    Then,
    Throttle,
    Waiver,
    When,
    Window,
)
from policies.times import parse_interval
from preservation.bags.profile import Profile
from preservation.facts import Grade
from preservation.packages.litter import Litter

NEVER = "never"


def build(document: Mapping[str, Any], *, name: str, profiles: Mapping[str, Profile]) -> Policy:
    """The policy that a merged, checked document describes, with the bag profiles that it names."""
    years = document["retention"]["years"]
    return Policy(
        name=name,
        description=document["description"],
        acceptance=_acceptance(document["acceptance"], profiles),
        packaging=_packaging(document["packaging"], profiles),
        replication=_replication(document["replication"]),
        audit=_audit(document["audit"]),
        repair=RepairMode(document["repair"]["mode"]),
        retention_years=None if years == "permanent" else years,
        notification=_notification(document["notification"]),
        schedule=_schedule(document["schedule"]),
    )


def merged_grade(default: object, special: object) -> Any:  # noqa: ANN401 - what YAML holds
    """One grade of one store: its own fields over the fields of the defaults, or `never`."""
    if isinstance(default, Mapping) and isinstance(special, Mapping):
        return {**default, **special}
    return default if special is None else special


def _acceptance(part: Mapping[str, Any], profiles: Mapping[str, Profile]) -> AcceptanceRules:
    return AcceptanceRules(
        supplied_checksums=SuppliedChecksums(part["supplied_checksums"]),
        holey=Holey(part["holey"]),
        litter=Litter(part["litter"]),
        descriptor=DescriptorRule(part["descriptor"]),
        formats=tuple(
            FormatRule(
                then=Then(rule["then"]),
                when=When(rule["when"]) if "when" in rule else None,
                puids=frozenset(rule.get("puid", ())),
                reason=rule.get("reason"),
            )
            for rule in part["formats"]
        ),
        waivers=tuple(
            Waiver(
                code=waiver["code"],
                reason=waiver["reason"],
                by=waiver["by"],
                until=date.fromisoformat(waiver["until"]),
                path=waiver.get("path"),
            )
            for waiver in part["waivers"]
        ),
        bag_profile=profiles.get(part["bag_profile"]),
        second_opinion=SecondIdentifier(part["second_opinion"]),
    )


def _packaging(part: Mapping[str, Any], profiles: Mapping[str, Profile]) -> Packaging:
    return Packaging(
        algorithms=("sha256", *(each for each in part["algorithms"] if each != "sha256")),
        identifier_from=tuple(part["identifier_from"]),
        source_organization=part["source_organization"],
        contact_email=part["contact_email"],
        bag_profile=profiles.get(part["bag_profile"]),
        bag_info=dict(part["bag_info"]),
    )


def _replication(part: Mapping[str, Any]) -> Replication:
    return Replication(
        stores=None if part["stores"] == "all" else tuple(part["stores"]),
        copies=part["copies"],
        floor=part["floor"],
        proof=Grade(part["proof"]),
        separation=Separation(by=tuple(part["separation"]["by"]), least=part["separation"]["min"]),
        lag_target=parse_interval(part["lag_target"]),
    )


def _audit(part: Mapping[str, Any]) -> Audit:
    defaults = part["defaults"]
    return Audit(
        defaults=_plans(defaults),
        stores={
            store: _plans({grade: merged_grade(defaults.get(grade), special.get(grade)) for grade in Grade})
            for store, special in part["stores"].items()
        },
    )


def _plans(grades: Mapping[str, Any]) -> dict[Grade, AuditPlan]:
    return {grade: _plan(grades[grade]) for grade in Grade if grades.get(grade, NEVER) not in (NEVER, None)}


def _plan(fields: Mapping[str, Any]) -> AuditPlan:
    window = fields.get("window")
    return AuditPlan(
        interval=parse_interval(fields["interval"]),
        grace=parse_interval(fields.get("grace", "P0D")),
        window=Window(time.fromisoformat(window["from"]), time.fromisoformat(window["to"])) if window else None,
        throttle=Throttle(**fields.get("throttle", {})),
        budget=Budget(**fields.get("budget", {})),
    )


def _notification(part: Mapping[str, Any]) -> Notification:
    return Notification(
        language=part["language"],
        officer=tuple(part["officer"]),
        sysadmin=tuple(part["sysadmin"]),
        immediate=tuple(part["immediate"]),
    )


def _schedule(part: Mapping[str, Any]) -> Schedule:
    lines = {flow: None if part[flow] == NEVER else part[flow] for flow in ("audit", "replicate", "reconcile")}
    return Schedule(time_zone=part["time_zone"], **lines)

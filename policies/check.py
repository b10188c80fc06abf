"""Checks what no schema can: fields of a policy against each other, and a policy against the stores that exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from policies.acceptance import WAIVABLE
from policies.build import NEVER, merged_grade
from policies.model import Policy
from policies.problems import FieldPath, Source, doubtful, field_name, nearest, wrong
from policies.replication import StoreFacts, apart, distinct, undecided, unseparated, wanted_stores
from policies.times import is_time_zone, wrong_cron_field
from preservation.bags.plan import POLICYS_LABELS, WRITERS_LABELS
from preservation.facts import Grade
from preservation.findings import Finding
from wording import say

Sources = Mapping[FieldPath, Source]
_NOWHERE = Source("built in")


def incomplete(document: Mapping[str, Any], sources: Sources) -> list[Finding]:
    """Audit grades that are not `never` and have no interval, in the defaults or in a store."""
    defaults = document["audit"]["defaults"]
    places: list[tuple[FieldPath, Any]] = [(("audit", "defaults", grade), plan) for grade, plan in defaults.items()]
    places += [
        (("audit", "stores", store, grade), merged_grade(defaults.get(grade), plan))
        for store, grades in document["audit"]["stores"].items()
        for grade, plan in grades.items()
    ]
    return [
        wrong(
            "policy-no-interval",
            say("`{field}` has no interval, so nobody can tell when a copy is due.", field=field_name(path)),
            sources.get(path, _NOWHERE),
            expected="{interval: P90D} | never",
        )
        for path, plan in places
        if plan != NEVER and "interval" not in plan
    ]


def contradictions(policy: Policy, sources: Sources) -> list[Finding]:
    """Fields that contradict each other (errors) or are probably not meant so (warnings)."""
    parts = (_waivers, _bag_info, _replication, _audit, _schedule)
    return [finding for part in parts for finding in part(policy, sources)]


def check_against_stores(
    policy: Policy, stores: Sequence[StoreFacts], *, sources: Sources | None = None
) -> list[Finding]:
    """What the policy asks of stores that the settings do not have."""
    places = sources or {}
    known = {store.name for store in stores}
    found: list[Finding] = []
    named = [(("replication", "stores"), name) for name in policy.replication.stores or ()]
    for path, name in [*named, *((("audit", "stores", name), name) for name in policy.audit.stores)]:
        if name not in known:
            found.append(_unknown_store(name, known, source=places.get(path, Source(policy.name))))
    names = wanted_stores(policy, stores)
    wanted = [store for store in stores if store.name in names]
    if len(wanted) < policy.replication.copies:
        message = say(
            "The policy asks for {copies} copies, and the settings have {stores} stores for them. "
            "Add stores to vankho.toml, or lower `replication.copies`.",
            copies=policy.replication.copies,
            stores=len(wanted),
        )
        source = places.get(("replication", "copies"), Source(policy.name))
        found.append(wrong("policy-too-few-stores", message, source, expected=f"1–{len(wanted)}"))
    separation = _written_last(places, "separation.min", "separation.by") if places else Source(policy.name)
    found.extend(_too_close(policy, wanted, source=separation))
    return found


def _unknown_store(name: str, known: set[str], *, source: Source) -> Finding:
    meant = nearest(name, known)
    if meant is not None:
        message = say("The settings have no store `{store}`. Probably meant: `{meant}`.", store=name, meant=meant)
    else:
        message = say("The settings have no store `{store}`.", store=name)
    return wrong("policy-store-unknown", message, source, expected=" | ".join(sorted(known)) or None, seen=name)


def _too_close(policy: Policy, wanted: Sequence[StoreFacts], *, source: Source) -> Iterator[Finding]:
    separation = policy.replication.separation
    for attribute in unseparated(policy, wanted):
        there = distinct(wanted, attribute)
        message = say(
            "The policy asks for copies in {least} different places by `{attribute}`; the stores "
            "offer {offered}. Give every store its `{attribute}` in vankho.toml, add a store elsewhere, or "
            "change `replication.separation`.",
            least=separation.least,
            attribute=attribute,
            offered=apart(wanted, attribute),
        )
        yield wrong("policy-stores-too-close", message, source, seen=", ".join(sorted(there)) or None)
    for attribute, names in undecided(policy, wanted).items():
        message = say(
            "The settings do not say the `{attribute}` of {stores}, so whether copies lie far enough apart cannot "
            "be told. Give it in vankho.toml.",
            attribute=attribute,
            stores=", ".join(names),
        )
        yield doubtful("policy-separation-unknown", message, source)


def _waivers(policy: Policy, sources: Sources) -> Iterator[Finding]:
    for index, waiver in enumerate(policy.acceptance.waivers):
        if waiver.code not in WAIVABLE:
            path: FieldPath = ("acceptance", "waivers", index, "code")
            meant = nearest(waiver.code, WAIVABLE)
            field = field_name(path)
            if meant is not None:
                message = say("`{field}` cannot be waived. Probably meant: `{meant}`.", field=field, meant=meant)
            else:
                message = say("`{field}` cannot be waived.", field=field)
            expected = " | ".join(sorted(WAIVABLE))
            yield wrong("policy-not-waivable", message, place_of(sources, *path), expected=expected, seen=waiver.code)


def _bag_info(policy: Policy, sources: Sources) -> Iterator[Finding]:
    """Elements of bag-info.txt that Vankho writes itself."""
    for label in policy.packaging.bag_info:
        if label.lower() in WRITERS_LABELS | POLICYS_LABELS:
            path: FieldPath = ("packaging", "bag_info", label)
            message = say("`{field}`: Vankho writes this element itself.", field=field_name(path))
            yield wrong("policy-label-taken", message, place_of(sources, *path), expected="-", seen=label)


def _replication(policy: Policy, sources: Sources) -> Iterator[Finding]:
    part = policy.replication
    if part.floor > part.copies:
        yield wrong(
            "policy-floor-above-copies",
            say(
                "`replication.floor` is {floor}, more than the {copies} copies asked for.",
                floor=part.floor,
                copies=part.copies,
            ),
            _written_last(sources, "floor", "copies"),
            expected=f"1–{part.copies}",
            seen=part.floor,
        )
    if part.stores is not None and part.copies > len(part.stores):
        yield wrong(
            "policy-too-few-stores",
            say(
                "`replication.copies` is {copies}, and `replication.stores` names {stores}.",
                copies=part.copies,
                stores=len(part.stores),
            ),
            _written_last(sources, "copies", "stores"),
            expected=f"1–{len(part.stores)}",
            seen=part.copies,
        )
    if part.separation.by and part.separation.least > part.copies:
        yield wrong(
            "policy-separation-above-copies",
            say(
                "`replication.separation.min` is {least}, more than the {copies} copies asked for.",
                least=part.separation.least,
                copies=part.copies,
            ),
            _written_last(sources, "separation.min", "copies"),
            expected=f"1–{part.copies}",
            seen=part.separation.least,
        )
    if part.lag_target <= timedelta(0):
        yield _no_time(place_of(sources, "replication", "lag_target"), field="replication.lag_target")


def _audit(policy: Policy, sources: Sources) -> Iterator[Finding]:
    audit = policy.audit
    for base, plans in [
        (("defaults",), audit.defaults),
        *((("stores", store), audit.stores[store]) for store in audit.stores),
    ]:
        for grade, plan in plans.items():
            path: FieldPath = ("audit", *base, grade.value)
            field = field_name(path)
            if plan.interval <= timedelta(0):
                yield _no_time(place_of(sources, *path, "interval"), field=f"{field}.interval")
            elif plan.grace > plan.interval:
                message = say(
                    "`{field}` has a grace longer than its interval; an overdue copy would be told late.", field=field
                )
                yield doubtful("policy-long-grace", message, place_of(sources, *path, "grace"))
            if plan.window is not None and plan.window.start == plan.window.end:
                message = say("`{field}.window` begins and ends at the same minute.", field=field)
                yield wrong(
                    "policy-empty-window",
                    message,
                    place_of(sources, *path, "window"),
                    expected='{from: "22:00", to: "05:00"}',
                )
        if not any(_strong_enough(grade, policy.replication.proof) for grade in plans):
            message = say(
                "`{field}` never renews the proof that copies need to count "
                "(`replication.proof`): they are proved once and never again.",
                field=field_name(("audit", *base)),
            )
            source = place_of(sources, "audit", *base, policy.replication.proof.value)
            yield doubtful("policy-never-proved-again", message, source)
    named = policy.replication.stores
    for store in audit.stores:
        if named is not None and store not in named:
            message = say(
                "`audit.stores` speaks of `{store}`, which `replication.stores` does not name.", store=store
            )
            yield doubtful("policy-store-without-copies", message, place_of(sources, "audit", "stores", store))


def _strong_enough(grade: Grade, proof: Grade) -> bool:
    return grade is Grade.BYTES or grade is proof


def _schedule(policy: Policy, sources: Sources) -> Iterator[Finding]:
    schedule = policy.schedule
    if not is_time_zone(schedule.time_zone):
        message = say("`schedule.time_zone` is not a time zone that this computer knows.")
        source = place_of(sources, "schedule", "time_zone")
        yield wrong("policy-time-zone", message, source, expected="Asia/Ho_Chi_Minh", seen=schedule.time_zone)
    for flow, line in (
        ("audit", schedule.audit),
        ("replicate", schedule.replicate),
        ("reconcile", schedule.reconcile),
    ):
        mistake = None if line is None else wrong_cron_field(line)
        if mistake is None:
            continue
        field = f"schedule.{flow}"
        if mistake == 0:
            message = say(
                "`{field}` is not a cron line: it must have five fields with one space between.", field=field
            )
        else:
            message = say("`{field}` is not a cron line: its field {number} is wrong.", field=field, number=mistake)
        yield wrong(
            "policy-cron", message, place_of(sources, "schedule", flow), expected="0 1 * * * | never", seen=line
        )


def _no_time(source: Source, *, field: str) -> Finding:
    return wrong(
        "policy-no-time", say("`{field}` is no time at all.", field=field), source, expected="P90D, P2W, PT12H"
    )


def _written_last(sources: Sources, *fields: str) -> Source:
    """Of fields that contradict each other, the one outside the built-in policies: there it can be mended."""
    places = [place_of(sources, "replication", *field.split(".")) for field in fields]
    return next((place for place in places if not place.file.startswith("built-in/")), places[0])


def place_of(sources: Sources, *steps: str | int) -> Source:
    """The place of a field, or of what holds it when it was left out."""
    path: FieldPath = steps
    while path and path not in sources:
        path = path[:-1]
    return sources.get(path, _NOWHERE)

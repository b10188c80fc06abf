"""What mutation testing found unguarded in the checks of a policy: every field of every finding, line for line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from policies.acceptance import WAIVABLE
from policies.check import check_against_stores, contradictions, incomplete
from policies.load import check_file, load_file, read_file
from policies.model import Separation
from policies.problems import Source
from preservation.findings import Finding
from tests.policies.facts import STORES, default_policy, load_policy

WAIVER = "acceptance:\n  waivers:\n    - reason: r\n      by: b\n      until: 2027-01-01\n      code: {code}\n"
WAIVABLES = " | ".join(sorted(WAIVABLE))
NO_TIME = "P90D, P2W, PT12H"
CRON = "0 1 * * * | never"
NO_INTERVAL = "{interval: P90D} | never"
WINDOW = '{from: "22:00", to: "05:00"}'
NEVER = (
    "`{0}` never renews the proof that copies need to count (`replication.proof`): "
    "they are proved once and never again."
)

# text, code, line, expected, seen, message
CASES: list[tuple[str, str, int, str | None, str | None, str]] = [
    (
        "replication:\n  copies: 2\n  floor: 3",
        *("policy-floor-above-copies", 3, "1–2", "3"),
        "`replication.floor` is 3, more than the 2 copies asked for.",
    ),
    (
        "repair: {mode: ask}\nreplication:\n  copies: 1\n  separation: {by: []}",
        *("policy-floor-above-copies", 3, "1–1", "2"),
        "`replication.floor` is 2, more than the 1 copies asked for.",
    ),
    (
        "replication:\n  stores: [a, b]",
        *("policy-too-few-stores", 2, "1–2", "3"),
        "`replication.copies` is 3, and `replication.stores` names 2.",
    ),
    (
        "replication:\n  stores: [a, b]\n  copies: 3",
        *("policy-too-few-stores", 3, "1–2", "3"),
        "`replication.copies` is 3, and `replication.stores` names 2.",
    ),
    (
        "replication:\n  copies: 2\n  separation:\n    min: 3\n    by: [region]",
        *("policy-separation-above-copies", 4, "1–2", "3"),
        "`replication.separation.min` is 3, more than the 2 copies asked for.",
    ),
    (
        "replication:\n  copies: 1\n  floor: 1",
        *("policy-separation-above-copies", 2, "1–1", "2"),
        "`replication.separation.min` is 2, more than the 1 copies asked for.",
    ),
    (
        "packaging:\n  bag_info:\n    Payload-Oxum: '1.1'",
        *("policy-label-taken", 3, "-", "Payload-Oxum"),
        "`packaging.bag_info.Payload-Oxum`: Vankho writes this element itself.",
    ),
    (
        "replication:\n  lag_target: P0D",
        *("policy-no-time", 2, NO_TIME, None),
        "`replication.lag_target` is no time at all.",
    ),
    (
        "audit:\n  defaults:\n    bytes:\n      grace: P0D\n      interval: P0D",
        *("policy-no-time", 5, NO_TIME, None),
        "`audit.defaults.bytes.interval` is no time at all.",
    ),
    (
        "audit:\n  stores:\n    a:\n      bytes:\n        interval: P0D",
        *("policy-no-time", 5, NO_TIME, None),
        "`audit.stores.a.bytes.interval` is no time at all.",
    ),
    (
        "audit:\n  stores:\n    a:\n      provider:\n        grace: P1D",
        *("policy-no-interval", 4, NO_INTERVAL, None),
        "`audit.stores.a.provider` has no interval, so nobody can tell when a copy is due.",
    ),
    (
        "audit:\n  defaults:\n    provider:\n      grace: P1D",
        *("policy-no-interval", 3, NO_INTERVAL, None),
        "`audit.defaults.provider` has no interval, so nobody can tell when a copy is due.",
    ),
    (
        "audit:\n  defaults:\n    bytes:\n      window: {from: 01:00, to: 01:00}",
        *("policy-empty-window", 4, WINDOW, None),
        "`audit.defaults.bytes.window` begins and ends at the same minute.",
    ),
    (
        "schedule:\n  time_zone: Asia/Hanoi",
        *("policy-time-zone", 2, "Asia/Ho_Chi_Minh", "Asia/Hanoi"),
        "`schedule.time_zone` is not a time zone that this computer knows.",
    ),
    (
        "schedule:\n  audit: 0 25 * * *",
        *("policy-cron", 2, CRON, "0 25 * * *"),
        "`schedule.audit` is not a cron line: its field 2 is wrong.",
    ),
    (
        "schedule:\n  audit: never\n  replicate: 60 1 * * *",
        *("policy-cron", 3, CRON, "60 1 * * *"),
        "`schedule.replicate` is not a cron line: its field 1 is wrong.",
    ),
    (
        "schedule:\n  reconcile: 0 1 * *",
        *("policy-cron", 2, CRON, "0 1 * *"),
        "`schedule.reconcile` is not a cron line: it must have five fields with one space between.",
    ),
    (
        WAIVER.format(code="link-leaves-package"),
        *("policy-not-waivable", 6, WAIVABLES, "link-leaves-package"),
        "`acceptance.waivers[1].code` cannot be waived.",
    ),
    (
        WAIVER.format(code="digest-difers"),
        *("policy-not-waivable", 6, WAIVABLES, "digest-difers"),
        "`acceptance.waivers[1].code` cannot be waived. Probably meant: `digest-differs`.",
    ),
    (
        "audit:\n  defaults:\n    bytes:\n      grace: P91D",
        *("policy-long-grace", 4, None, None),
        "`audit.defaults.bytes` has a grace longer than its interval; an overdue copy would be told late.",
    ),
    (
        "audit:\n  stores:\n    a:\n      bytes:\n        grace: P91D",
        *("policy-long-grace", 5, None, None),
        "`audit.stores.a.bytes` has a grace longer than its interval; an overdue copy would be told late.",
    ),
    (
        "audit:\n  defaults:\n    bytes: never",
        *("policy-never-proved-again", 3, None, None),
        NEVER.format("audit.defaults"),
    ),
    (
        "audit:\n  stores:\n    a:\n      bytes: never",
        *("policy-never-proved-again", 4, None, None),
        NEVER.format("audit.stores.a"),
    ),
    (
        "replication: {stores: [a, b, c]}\naudit:\n  stores:\n    d:\n      presence: never",
        *("policy-store-without-copies", 4, None, None),
        "`audit.stores` speaks of `d`, which `replication.stores` does not name.",
    ),
]


@pytest.mark.parametrize(("text", "code", "line", "expected", "seen", "message"), CASES)
def test_every_field_of_a_finding(
    tmp_path: Path, text: str, code: str, line: int, expected: str | None, seen: str | None, message: str
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text + "\n", "utf-8")
    (found,) = check_file(file)
    assert (found.code, found.path, found.expected, found.seen) == (code, f"{file}:{line}", expected, seen)
    assert str(found.message) == message


@pytest.mark.parametrize(
    "text",
    [
        "replication: {floor: 3}",
        "replication: {stores: [a, b, c]}",
        "replication: {separation: {min: 3}}",
        "replication: {separation: {by: [], min: 4}}",
        "replication: {proof: provider}\naudit: {defaults: {bytes: never, provider: {interval: P1D}}}",
        "audit: {stores: {a: {bytes: {grace: P1D}}}}",  # the interval is that of the defaults
        "audit: {defaults: {bytes: {grace: P90D}}}",
        "replication: {stores: [a, b, c]}\naudit: {stores: {c: {presence: never}}}",
        "schedule: {audit: never, replicate: never, reconcile: never}",
    ],
)
def test_what_is_just_possible_is_no_mistake(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.yaml").write_text(text + "\n", "utf-8")
    assert check_file(tmp_path / "own.yaml") == ()


def test_a_mistake_does_not_hide_the_one_behind_it(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("schedule: {audit: never, replicate: x, reconcile: y}\n", "utf-8")
    assert [each.seen for each in check_file(tmp_path / "own.yaml")] == ["x", "y"]


def test_a_contradiction_within_the_built_in_policies_points_at_the_first_field() -> None:
    policy = default_policy(floor=4)
    sources = {
        ("replication", "floor"): Source("built-in/default.yaml", 7),
        ("replication", "copies"): Source("built-in/default.yaml", 8),
    }
    (found,) = contradictions(policy, sources)
    assert found.path == "built-in/default.yaml:7"
    (found,) = contradictions(policy, {("replication",): Source("mine.yaml", 3)})
    assert found.path == "mine.yaml:3"
    (found,) = contradictions(policy, {})
    assert found.path == "built in"


def told(found: list[Finding]) -> list[tuple[str, str | None, str | None, str | None, str]]:
    return [(each.code, each.path, each.expected, each.seen, str(each.message)) for each in found]


def test_every_field_of_what_the_stores_cannot_do(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        "replication:\n"
        "  stores: [primary, cloudb, tape]\n"
        "  copies: 3\n"
        "  separation:\n"
        "    min: 2\n"
        "    by: [medium]\n"
        "audit:\n"
        "  stores:\n"
        "    nowhere: {bytes: {interval: P30D}}\n",
        "utf-8",
    )
    sources = read_file(file).sources
    known = "cloud-a | cloud-b | primary"
    found = check_against_stores(load_file(file), STORES, sources=sources)
    assert told(found) == [
        (
            *("policy-store-unknown", f"{file}:2", known, "cloudb"),
            "The settings have no store `cloudb`. Probably meant: `cloud-b`.",
        ),
        ("policy-store-unknown", f"{file}:2", known, "tape", "The settings have no store `tape`."),
        ("policy-store-unknown", f"{file}:9", known, "nowhere", "The settings have no store `nowhere`."),
        (
            *("policy-too-few-stores", f"{file}:3", "1–1", None),
            "The policy asks for 3 copies, and the settings have 1 stores for them. "
            "Add stores to vankho.toml, or lower `replication.copies`.",
        ),
        (
            *("policy-stores-too-close", f"{file}:5", None, "disk"),
            "The policy asks for copies in 2 different places by `medium`; the stores offer 1. Give every store its "
            "`medium` in vankho.toml, add a store elsewhere, or change `replication.separation`.",
        ),
    ]


def test_without_sources_the_policy_itself_is_the_place() -> None:
    close = [replace(store, region="site-1", medium="") for store in STORES]
    policy = default_policy(stores=("tape",), copies=3, separation=Separation(("region", "medium"), 2))
    assert {each.path for each in check_against_stores(policy, STORES)} == {"default"}
    assert {each.path for each in check_against_stores(load_policy("default"), close)} == {"default"}
    assert check_against_stores(policy, ())[0].expected is None
    nowhere = [replace(store, region="") for store in STORES]
    assert [each.path for each in check_against_stores(load_policy("default"), nowhere)] == ["default"]


def test_the_place_of_a_separation_is_where_it_was_written_last(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("replication:\n  separation:\n    by: [medium]\n", "utf-8")
    close = [replace(store, medium="disk") for store in STORES]
    found = check_against_stores(load_file(file), close, sources=read_file(file).sources)
    assert [(each.code, each.path) for each in found] == [("policy-stores-too-close", f"{file}:3")]


def test_an_interval_that_nobody_wrote_down_is_wanting_in_what_is_built_in() -> None:
    document = {"audit": {"defaults": {"bytes": {"grace": "P1D"}}, "stores": {}}}
    (found,) = incomplete(document, {})
    assert found.path == "built in"


def test_places_and_media_are_listed_in_order() -> None:
    policy = default_policy(separation=Separation(("medium", "provider"), 4))
    found = check_against_stores(policy, STORES)
    assert [(each.code, each.seen) for each in found] == [
        ("policy-stores-too-close", "disk, object"),
        ("policy-stores-too-close", "a, b, library"),
    ]
    nameless = [replace(store, region="") for store in STORES[:2]]
    (_, found_unknown) = check_against_stores(default_policy(), nameless)
    assert str(found_unknown.message) == (
        "The settings do not say the `region` of primary, cloud-a, so whether copies lie far enough apart cannot be "
        "told. Give it in vankho.toml."
    )

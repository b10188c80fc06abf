"""Policies are found, read with their lines, checked, merged; each mistake is told with its place."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.explain import explain
from policies.load import check_file, load_file, load_policy, policy_names, read_file, read_policy
from policies.model import FormatRule, Holey, Then, When
from policies.problems import PolicyInvalid
from policies.yaml_lines import read_yaml
from preservation.errors import PolicyError
from preservation.facts import Grade
from preservation.findings import Finding, Severity


def mistakes(tmp_path: Path, text: str | bytes) -> list[Finding]:
    path = tmp_path / "own.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(check_file(path))


def only(tmp_path: Path, text: str | bytes) -> Finding:
    found = mistakes(tmp_path, text)
    assert len(found) == 1, [str(each.message) for each in found]
    return found[0]


def test_the_built_in_policy_is_what_the_readme_promises() -> None:
    policy = load_policy("default")
    assert policy.replication.copies == 3
    assert policy.replication.floor == 2
    assert policy.replication.stores is None
    assert policy.packaging.algorithms == ("sha256",)
    assert policy.audit.plans("anywhere")[Grade.BYTES].interval == timedelta(days=90)
    assert Grade.PROVIDER not in policy.audit.plans("anywhere")
    assert policy.schedule.time_zone == "Asia/Ho_Chi_Minh"
    assert policy.acceptance.formats[0] == FormatRule(Then.REVIEW, When.FAILED)


def test_a_policy_says_only_what_differs(tmp_path: Path) -> None:
    assert load_policy("holey", folder=tmp_path).acceptance.holey is Holey.RECORD
    default, holey = load_policy("default"), load_policy("holey")
    acceptance = replace(holey.acceptance, holey=Holey.REJECT)
    assert replace(holey, name="default", description=default.description, acceptance=acceptance) == default


def test_built_in_policies_are_sound_in_the_eyes_of_the_schema(tmp_path: Path) -> None:
    for name in policy_names():
        copy = tmp_path / f"{name}.yaml"
        copy.write_bytes((Path(load_policy.__code__.co_filename).parent / f"{name}.yaml").read_bytes())
        assert check_file(copy) == ()


def test_the_workspace_comes_first_and_may_extend_the_built_in_policy_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "default.yaml").write_text("replication: {copies: 4}\n")
    policy = load_policy("default", folder=tmp_path)
    assert policy.replication.copies == 4
    assert policy.replication.floor == 2
    assert load_policy("holey", folder=tmp_path).replication.copies == 4


def test_lists_are_replaced_and_mappings_merged(tmp_path: Path) -> None:
    (tmp_path / "strict.yaml").write_text(
        "acceptance:\n  formats:\n    - {puid: [fmt/353], then: accept}\n    - {when: any, then: reject, reason: TIFF only}\n"
    )
    policy = load_policy("strict", folder=tmp_path)
    assert [rule.then for rule in policy.acceptance.formats] == [Then.ACCEPT, Then.REJECT]
    assert policy.acceptance.formats[0].puids == {"fmt/353"}
    assert policy.acceptance.holey is Holey.REJECT


def test_a_store_may_differ_in_some_fields_of_some_grades(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "audit:\n  stores:\n    cloud-a:\n      bytes:\n        interval: P180D\n        window: {from: 22:00, to: 05:00}\n"
        "        throttle: {bytes_per_second: 1000000}\n        budget: {money_per_day: 1.5}\n"
        "      presence: never\n      provider: {interval: P30D}\n"
    )
    plans = load_file(tmp_path / "own.yaml").audit.plans("cloud-a")
    assert plans[Grade.BYTES].interval == timedelta(days=180)
    assert plans[Grade.BYTES].grace == timedelta(days=14)
    assert plans[Grade.BYTES].window is not None
    assert plans[Grade.BYTES].window.start == time(22)
    assert plans[Grade.BYTES].throttle.bytes_per_second == 1_000_000
    assert plans[Grade.BYTES].budget.money_per_day == 1.5
    assert Grade.PRESENCE not in plans
    assert plans[Grade.PROVIDER].grace == timedelta(0)


def test_an_empty_policy_is_the_default_one(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("# nothing differs here\n")
    assert replace(load_file(tmp_path / "own.yaml"), name="default") == load_policy("default")


def test_a_misspelt_key_names_file_line_field_and_the_nearest_key(tmp_path: Path) -> None:
    found = only(tmp_path, "acceptance:\n  holey: record\n  descripter: required\n")
    assert found.code == "policy-unknown-field"
    assert found.path == f"{tmp_path / 'own.yaml'}:3"
    assert "`acceptance.descripter`" in str(found.message)
    assert "`descriptor`" in str(found.message)
    assert found.expected == "descriptor"


def test_every_mistake_is_told_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    found = mistakes(tmp_path, "replication:\n  copies: many\nreplicaton: {}\nrepair: {mode: maybe}\n")
    assert [each.path.rpartition(":")[2] for each in found] == ["2", "3", "4"]


@pytest.mark.parametrize(
    ("text", "field", "accepted"),
    [
        ("acceptance: {holey: perhaps}", "acceptance.holey", "reject | record"),
        ("acceptance: {holey: [record]}", "acceptance.holey", "reject | record"),
        ("acceptance:", "acceptance", "name: value"),
        ("acceptance: {formats: {when: any}}", "acceptance.formats", "[…]"),
        ("acceptance: {formats: [{then: accept}]}", "acceptance.formats[1]", "{when: unknown, then: review}"),
        ("acceptance: {formats: [{when: any}]}", "acceptance.formats[1]", "then"),
        ("acceptance: {formats: [{when: unknwn, then: accept}]}", "acceptance.formats[1].when", "unknown | "),
        ("acceptance: {formats: [{puid: [tiff], then: accept}]}", "acceptance.formats[1].puid[1]", "fmt/353"),
        ("acceptance: {waivers: [{code: file-missing}]}", "acceptance.waivers[1]", "code, reason, by, until"),
        ("packaging: {algorithms: [md5]}", "packaging.algorithms", "[sha256"),
        ("packaging: {algorithms: [sha256, sha256]}", "packaging.algorithms", None),
        ("packaging: {algorithms: [sha256, crc32]}", "packaging.algorithms[2]", "sha256 | sha512 | md5"),
        ('packaging: {source_organization: "a\\nb"}', "packaging.source_organization", None),
        ("replication: {stores: some}", "replication.stores", "all | ["),
        ("replication: {stores: []}", "replication.stores", "["),
        ("replication: {copies: 50%}", "replication.copies", "1, 2, 3"),
        ("replication: {copies: 0}", "replication.copies", "1–20"),
        ("replication: {copies: 21}", "replication.copies", "1–20"),
        ("replication: {copies: 2.5}", "replication.copies", "1, 2, 3"),
        ("replication: {proof: presence}", "replication.proof", "bytes | provider"),
        ("replication: {lag_target: P1M}", "replication.lag_target", "P90D"),
        ("audit: {defaults: {bytes: {interval: 90 days}}}", "audit.defaults.bytes.interval", "P90D"),
        ("audit: {defaults: {bytes: {interval: 25%}}}", "audit.defaults.bytes.interval", "P90D"),
        ("audit: {defaults: {bytes: often}}", "audit.defaults.bytes", "never"),
        (
            "audit: {defaults: {bytes: {window: {from: 25:00, to: 01:00}}}}",
            "audit.defaults.bytes.window.from",
            "22:00",
        ),
        (
            "audit: {defaults: {bytes: {budget: {money_per_day: 0}}}}",
            "audit.defaults.bytes.budget.money_per_day",
            "> 0",
        ),
        ("audit: {stores: {kho một: {}}}", "audit.stores.kho một", None),
        ('audit: {defaults: {bytes: {interval: "P90D\\n"}}}', "audit.defaults.bytes.interval", "P90D"),
        (
            'audit: {defaults: {bytes: {interval: P90D, window: {from: "22:00\\n", to: 05:00}}}}',
            "audit.defaults.bytes.window.from",
            "22:00",
        ),
        ('extends: "default\\n"', "extends", None),
        ("retention: {years: long}", "retention.years", "permanent"),
        ("notification: {language: fr}", "notification.language", "vi | en"),
        ("schedule: {audit: 5}", "schedule.audit", "0 1 * * *"),
        ("- a", "policy", "name: value"),
        ("extends: ../../etc/passwd", "extends", None),
    ],
)
def test_a_wrong_value_names_the_field_and_an_accepted_one(
    tmp_path: Path, text: str, field: str, accepted: str | None
) -> None:
    found = only(tmp_path, text)
    assert f"`{field}`" in str(found.message)
    assert found.path == f"{tmp_path / 'own.yaml'}:1"
    assert found.severity is Severity.ERROR
    if accepted is not None:
        assert accepted in str(found.expected)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("replication: {floor: 4}", "policy-floor-above-copies"),
        ("replication: {stores: [a, b]}", "policy-too-few-stores"),
        ("replication: {separation: {min: 4}}", "policy-separation-above-copies"),
        ("replication: {lag_target: P0D}", "policy-no-time"),
        ("audit: {defaults: {bytes: {interval: P0D, grace: P0D}}}", "policy-no-time"),
        ("audit: {defaults: {provider: {grace: P1D}}}", "policy-no-interval"),
        ("audit: {stores: {a: {provider: {grace: P1D}}}}", "policy-no-interval"),
        ("audit: {defaults: {bytes: {window: {from: 01:00, to: 01:00}}}}", "policy-empty-window"),
        ("schedule: {time_zone: Asia/Hanoi}", "policy-time-zone"),
        ("schedule: {audit: 0 25 * * *}", "policy-cron"),
        (
            "acceptance: {waivers: [{code: link-leaves-package, reason: r, by: b, until: 2027-01-01}]}",
            "policy-not-waivable",
        ),
        ("extends: nothing", "policy-unknown"),
    ],
)
def test_fields_that_contradict_each_other(tmp_path: Path, text: str, code: str) -> None:
    found = only(tmp_path, text)
    assert found.code == code
    assert found.severity is Severity.ERROR
    assert found.path == f"{tmp_path / 'own.yaml'}:1"  # where it can be mended, not in the built-in policy
    with pytest.raises(PolicyInvalid):
        load_file(tmp_path / "own.yaml")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("audit: {defaults: {bytes: {grace: P91D}}}", "policy-long-grace"),
        ("audit: {defaults: {bytes: never}}", "policy-never-proved-again"),
        ("replication: {stores: [a, b, c]}\naudit: {stores: {d: {presence: never}}}", "policy-store-without-copies"),
    ],
)
def test_what_is_doubtful_is_said_and_does_not_stop(tmp_path: Path, text: str, code: str) -> None:
    found = only(tmp_path, text)
    assert (found.code, found.severity) == (code, Severity.WARNING)
    load_file(tmp_path / "own.yaml")


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("repair: {mode: ask}\nrepair: {mode: ask}\n", "policy-key-twice", 2),
        ("a: &x 1\nb: *x\n", "policy-alias", 1),
        ("a: !!python/object/apply:os.system [ls]\n", "policy-alias", 1),
        ("repair: {mode: ask}\n---\nrepair: {mode: ask}\n", "policy-several-documents", 2),
        ("? [a, b]\n: 1\n", "policy-odd-key", 1),
        ("a:\n  - b\n c: d\n", "policy-not-yaml", 3),
        ("schedule:\n  audit: */30 * * * *\n", "policy-not-yaml", 2),
        ("a: '\n", "policy-not-yaml", 2),
        ("[" * 5000, "policy-too-deep", 1),
        ("description: \x07\n", "policy-not-yaml", 1),
        ("description: ok\nacceptance: {}\n".encode("utf-16"), "policy-not-utf8", 1),
        ("description: ok\ndescription: \xe3o\n".encode("latin-1"), "policy-not-utf8", 2),
    ],
)
def test_yaml_that_no_policy_may_use(tmp_path: Path, text: str | bytes, code: str, line: int) -> None:
    found = only(tmp_path, text)
    assert found.code == code
    assert found.path == f"{tmp_path / 'own.yaml'}:{line}"


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    assert only(tmp_path, b"#" * (1 << 21)).code == "policy-too-large"


def test_a_policy_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    assert check_file(tmp_path / "absent.yaml")[0].code == "policy-unreadable"
    assert check_file(tmp_path)[0].code == "policy-unreadable"


def test_words_keep_their_spelling() -> None:
    located = read_yaml(b"a: no\nb: 22:00\nc: 2027-01-31\nd: on\ne: 012\nf: 1_000\ng: 1e3\nh: True\n", file="x")
    assert located.value == {
        "a": "no", "b": "22:00", "c": "2027-01-31", "d": "on", "e": 12, "f": "1_000", "g": "1e3", "h": True,
    }  # fmt: skip


def test_a_bom_is_no_mistake(tmp_path: Path) -> None:
    assert mistakes(tmp_path, b"\xef\xbb\xbfrepair: {mode: automatic}\r\n") == []


def test_an_unknown_policy_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy("holley", folder=tmp_path)
    assert "`holey`" in str(caught.value)
    assert caught.value.expected == "default | holey"
    assert caught.value.next_step is not None


@pytest.mark.parametrize("name", ["../default", "/etc/passwd", "", "default.yaml", "schemas/policy"])
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(PolicyInvalid):
        load_policy(name, folder=tmp_path)


def test_policies_that_extend_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b\n")
    (tmp_path / "b.yaml").write_text("extends: a\n")
    with pytest.raises(PolicyInvalid) as caught:
        load_policy("a", folder=tmp_path)
    assert caught.value.findings[0].code == "policy-circle"


def test_a_mistake_in_an_extended_policy_is_told_there(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("repair: {mode: maybe}\n")
    (tmp_path / "own.yaml").write_text("extends: base\n")
    with pytest.raises(PolicyInvalid) as caught:
        load_policy("own", folder=tmp_path)
    assert caught.value.where == f"{tmp_path / 'base.yaml'}:1"


def test_explain_says_where_every_value_was_written(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "extends: holey\nreplication:\n  copies: 4\naudit:\n  stores:\n    cloud-a:\n      bytes: {interval: P30D}\n"
    )
    values = {each.field: each for each in explain(read_policy("own", folder=tmp_path))}
    assert values["replication.copies"].source == f"{tmp_path / 'own.yaml'}:3"
    assert values["replication.copies"].value == "4"
    assert values["acceptance.holey"].source == "built-in/holey.yaml:8"
    assert values["replication.floor"].source.startswith("built-in/default.yaml:")
    assert values["audit.stores.cloud-a.bytes.interval"].source == f"{tmp_path / 'own.yaml'}:7"
    assert values["audit.stores.cloud-a.bytes.grace"].source.startswith("built-in/default.yaml:")
    assert values["audit.stores.cloud-a.bytes.window"].source == "built in"
    assert values["acceptance.formats[1]"].value == "{when: failed, then: review}"


def test_what_was_replaced_is_no_longer_pointed_at(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "audit:\n  defaults: {presence: never}\n  stores:\n    cloud-a:\n      presence: {interval: P1D}\n"
    )
    values = {each.field: each for each in explain(read_policy("own", folder=tmp_path))}
    assert values["audit.defaults.presence"].value == "never"
    grace = values["audit.stores.cloud-a.presence.grace"]
    assert (grace.value, grace.source) == ("P0D", "built in")


def test_explain_leaves_nothing_out_and_points_at_the_line(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_bytes((Path(load_policy.__code__.co_filename).parent / "default.yaml").read_bytes())
    lines = path.read_text().splitlines()
    for each in explain(read_file(path)):
        if each.source == "built in":
            continue
        file, _, line = each.source.rpartition(":")
        assert file == str(path)
        key = each.field.split("[")[0].rpartition(".")[2]
        assert key in lines[int(line) - 1] or "[" in each.field, each


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_no_text_makes_the_reader_fall_over(text: str) -> None:
    try:
        read_yaml(text.encode("utf-8", "surrogatepass"), file="x")
    except PolicyInvalid as error:
        assert error.findings

"""Bag profiles by name: found in the workspace or built in, never fetched, and a policy fails closed on a bad one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policies.acceptance import decide
from policies.load import check_file, load_policy, read_policy
from policies.problems import PolicyInvalid
from policies.profiles import profile_names
from preservation.bags.profile import Profile
from tests.bags.profiles import a_profile
from tests.policies.facts import NOW, Seen, accepting


def policies(folder: Path, text: str, **profiles: Any) -> Path:
    """A workspace's folder of policies: own.yaml, and profiles by name (mappings, or bytes as they are)."""
    (folder / "profiles").mkdir(parents=True)
    (folder / "own.yaml").write_text(text, encoding="utf-8")
    for name, profile in profiles.items():
        content = profile if isinstance(profile, bytes) else json.dumps(profile).encode()
        (folder / "profiles" / f"{name}.json").write_bytes(content)
    return folder


ASKS = "acceptance:\n  bag_profile: so-hoa\n"


def test_the_built_in_profile_is_named_by_default() -> None:
    policy = load_policy("default")
    assert policy.acceptance.bag_profile is None
    assert isinstance(policy.packaging.bag_profile, Profile)
    assert profile_names() == ["vankho-aip"]


def test_a_profile_of_the_workspace_is_found(tmp_path: Path) -> None:
    folder = policies(tmp_path / "p", ASKS, **{"so-hoa": a_profile()})
    policy = load_policy("own", folder=folder)
    assert policy.acceptance.bag_profile is not None
    assert policy.acceptance.bag_profile.identifier == a_profile()["BagIt-Profile-Info"]["BagIt-Profile-Identifier"]
    assert profile_names(folder=folder) == ["so-hoa", "vankho-aip"]


@pytest.mark.parametrize(
    ("profiles", "code", "place", "expected"),
    [
        ({}, "policy-profile-unknown", "own.yaml:2", "vankho-aip"),
        ({"so-hoaa": a_profile()}, "policy-profile-unknown", "own.yaml:2", "so-hoaa"),
        ({"so-hoa": b"{"}, "profile-malformed", "so-hoa.json", "{"),
        ({"so-hoa": b""}, "profile-malformed", "so-hoa.json", "{"),
        (
            {"so-hoa": a_profile(Serialization="perhaps")},
            "profile-malformed",
            "so-hoa.json: Serialization",
            "optional",
        ),
        ({"so-hoa": a_profile(Wish="x")}, "profile-malformed", "so-hoa.json: Wish", "Bag-Info"),
    ],
)
def test_what_is_missing_or_malformed_fails_closed(tmp_path: Path, profiles, code, place, expected) -> None:
    folder = policies(tmp_path / "p", ASKS, **profiles)
    with pytest.raises(PolicyInvalid) as refused:
        load_policy("own", folder=folder)
    [first, *_] = refused.value.findings
    assert first.code == code
    assert place in str(first.path)
    assert expected in str(first.expected)
    assert first.seen is not None
    assert refused.value.next_step is not None
    assert [each.code for each in check_file(folder / "own.yaml")] == [each.code for each in refused.value.findings]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "vankho-aip.json", ""])
def test_a_path_is_no_name_of_a_profile(tmp_path: Path, name: str) -> None:
    folder = policies(tmp_path / "p", f"acceptance: {{bag_profile: {json.dumps(name)}}}\n")
    with pytest.raises(PolicyInvalid):
        load_policy("own", folder=folder)


def test_labels_that_vankho_writes_cannot_be_supplied(tmp_path: Path) -> None:
    text = "packaging:\n  bag_info:\n    Organization-Address: 24 Tràng Thi\n    payload-oxum: 'x'\n"
    with pytest.raises(PolicyInvalid) as refused:
        load_policy("own", folder=policies(tmp_path / "p", text))
    assert [(f.code, f.path.rpartition(":")[2]) for f in refused.value.findings] == [("policy-label-taken", "4")]


@pytest.mark.parametrize("text", ['{"A: b": c}', '{" A": c}', '{A: "x\\ny"}', "[]", "x"])
def test_labels_that_no_bag_could_hold(tmp_path: Path, text: str) -> None:
    with pytest.raises(PolicyInvalid):
        load_policy("own", folder=policies(tmp_path / "p", f"packaging: {{bag_info: {text}}}\n"))


def test_explain_names_where_an_empty_mapping_was_written(tmp_path: Path) -> None:
    folder = policies(tmp_path / "p", "packaging:\n  bag_info: {}\n")
    loaded = read_policy("own", folder=folder)
    assert str(loaded.sources[("packaging", "bag_info")]).endswith("own.yaml:2")


def test_a_package_that_is_no_bag_is_rejected_where_a_profile_is_asked_for(tmp_path: Path) -> None:
    folder = policies(tmp_path / "p", ASKS, **{"so-hoa": a_profile()})
    policy = load_policy("own", folder=folder)
    for kind in ("none", "checksum-list"):
        decision = decide(Seen(), Seen(kind=kind), [], None, policy, now=NOW)
        assert not decision.accepted
        assert [each.code for each in decision.findings] == ["profile-no-bag"]
    assert decide(Seen(), Seen(kind="bag"), [], None, policy, now=NOW).accepted
    assert decide(Seen(), Seen(kind="none"), [], None, accepting(), now=NOW).accepted

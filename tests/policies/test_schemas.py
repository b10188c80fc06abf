"""The schemas themselves, and the descriptors they let through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from policies.sentences import descriptor_schema, policy_schema


def fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from schema.get("properties", {}).items()
    for part in schema.values():
        for inner in part if isinstance(part, list) else [part]:
            if isinstance(inner, dict):
                yield from fields(inner)


@pytest.mark.parametrize("schema", [policy_schema(), descriptor_schema()], ids=["policy", "descriptor"])
def test_the_schema_is_one(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_field_of_a_policy_says_what_it_means() -> None:
    assert [name for name, field in fields(policy_schema()) if not field.get("description")] == []


def is_right(descriptor: dict[str, Any]) -> bool:
    validator = Draft202012Validator(descriptor_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    return validator.is_valid(descriptor)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"identifier": "MAU-0001", "creator": "Nguyễn Du", "language": ["vi", "fr"], "pages": 120},
        {"date": "1932"},
        {"date": 1932},
        {"date": "1932-05"},
        {"date": "1932-05-19"},
        {"date": "1932?"},
        {"date": "193X"},
        {"scan": {"date": "2026-11-22", "resolution_ppi": 300, "bit_depth": 8, "colour": "colour"}},
        {"a field of the library's own": {"kept": True}},
    ],
)
def test_right_descriptors(more: dict[str, Any]) -> None:
    assert is_right({"title": "Truyện Kiều", **more})


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": ""},
        {"title": "   "},
        {"identifier": ""},
        {"identifier": "a\nb"},
        {"identifier": " a"},
        {"date": "22/11/2026"},
        {"date": "2026-02-30"},
        {"date": "2026-13"},
        {"date": "hôm nay"},
        {"date": "1932\n"},
        {"pages": 0},
        {"pages": "120"},
        {"creator": 5},
        {"scan": {"date": "2026-11"}},
        {"scan": {"date": "2026-02-30"}},
        {"scan": {"bit_depth": 7}},
        {"scan": {"reading_order": "downwards"}},
    ],
)
def test_wrong_descriptors(wrong: dict[str, Any]) -> None:
    assert not is_right({"title": "Truyện Kiều", **wrong})


def test_a_descriptor_needs_a_title() -> None:
    assert not is_right({"identifier": "MAU-0001"})

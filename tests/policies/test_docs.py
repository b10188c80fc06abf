"""The reference page of policies says exactly what the schema and the built-in policy say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policies.acceptance import WAIVABLE
from policies.explain import written
from policies.load import check_file, read_policy
from policies.sentences import policy_schema
from policies.standing import Word

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "policy.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-zA-Z_.\[\]]+)` \| (.+?) \| (.+?) \| (.+) \|$", re.MULTILINE)
TABLE = {field: (default, accepted + meaning) for field, default, accepted, meaning in ROW.findall(PAGE)}


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of the schema as the page names it; the grades of an audit once, and not again for each store."""
    if "$ref" in schema:
        schema = policy_schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    for part in (schema, *schema.get("anyOf", ())):
        for name, field in part.get("properties", {}).items():
            if path == "audit.defaults.GRADE" or not path.startswith("audit.defaults."):
                yield from named(f"{path}.{name}" if path else name, field)
            else:
                yield from named(f"audit.defaults.GRADE{path.removeprefix('audit.defaults.GRADE')}.{name}", field)


def named(path: str, field: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    inner = list(fields(field, re.sub(r"^audit\.defaults\.(bytes|provider|presence)$", "audit.defaults.GRADE", path)))
    items = list(fields(field.get("items", {}), f"{path}[]"))
    if not inner or "$ref" in field:  # groups such as `acceptance` have no row of their own
        yield path, field
    yield from (*inner, *items)


def documented() -> dict[str, dict[str, Any]]:
    return {path: field for path, field in fields(policy_schema()) if path != "audit.defaults"}


def test_every_field_has_its_row_and_no_row_is_invented() -> None:
    assert sorted(TABLE) == sorted(documented())


def test_the_defaults_of_the_page_are_those_of_the_policy() -> None:
    document = read_policy("default").document
    for path, (default, _) in TABLE.items():
        if not default.startswith("`") or "GRADE" in path:
            continue
        value: Any = document
        for step in path.split("."):
            value = value[step]
        assert default == f"`{written(value)}`", path
    for grade in ("bytes", "presence"):
        for field in ("interval", "grace"):
            value = document["audit"]["defaults"][grade][field]
            assert f"`{value}` for {grade}" in TABLE[f"audit.defaults.GRADE.{field}"][0]


def test_every_accepted_word_is_named() -> None:
    for path, field in documented().items():
        for word in (field.get("items") or field).get("enum", ()):
            assert f"`{word}`" in TABLE[path][1], (path, word)


def test_what_can_be_waived_and_the_standings() -> None:
    section = PAGE[PAGE.index("## What can be waived") : PAGE.index("## What the policy makes")]
    assert set(re.findall(r"`([a-z-]+)`", section)) == WAIVABLE
    words = re.findall(r"^\| `([a-z-]+)` \|", PAGE[PAGE.index("## What the policy makes") :], re.MULTILINE)
    assert words == [word.value for word in reversed(Word)]


@pytest.mark.parametrize("number", [0, 1])
def test_the_policies_of_the_officers_page_are_sound(tmp_path: Path, number: int) -> None:
    page = (ROOT / "docs" / "officers" / "write-a-policy.md").read_text(encoding="utf-8")
    path = tmp_path / "ban-do-co.yaml"
    path.write_text(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[number], encoding="utf-8")
    assert check_file(path) == ()


def test_the_mistake_on_the_officers_page_is_told_as_it_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "officers" / "write-a-policy.md").read_text(encoding="utf-8")
    path = tmp_path / "ban-do-co.yaml"
    policy = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0]
    path.write_text(policy.replace("descriptor: required", "descripter: required"), encoding="utf-8")
    found = check_file(path)
    assert len(found) == 1
    line = str(found[0].path).rpartition(":")[2]
    assert f"policies/ban-do-co.yaml:{line}: {found[0].message}" in page

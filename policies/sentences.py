"""Compares one policy document with the JSON Schema and says in our own words what is wrong with it.

jsonschema finds the mistakes; its English never reaches a person. Every finding names file, line, field, reason and
an accepted value.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policies.problems import FieldPath, Source, field_name, nearest, wrong
from policies.times import has_months_or_years
from policies.yaml_lines import Located
from preservation.findings import Finding
from wording import Message, say

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

# What is accepted, in words that need no translation.
_ACCEPTED = {
    "interval": "P90D, P2W, PT12H",
    "cron": "0 1 * * * | never",
    "clock": "22:00",
    "date": "2027-01-31",
    "puid": "fmt/353, x-fmt/392",
    "name": "A–Z a–z 0–9 _ -",
    "stores": "all | [primary, cloud-a]",
    "years": "permanent | 70",
    "condition": "{when: unknown, then: review}",
    "grade": "{interval: P90D, grace: P14D} | never",
    "code": "supplied-file-missing",
    "time-zone": "Asia/Ho_Chi_Minh",
    "label": "A–Z a–z 0–9 . _ -",
}
_TYPES = {"object": "name: value", "array": "[…]", "string": '"…"', "integer": "1, 2, 3 …", "number": "1.5"}


@functools.cache
def policy_schema() -> dict[str, Any]:
    """The JSON Schema of policies."""
    schema: dict[str, Any] = json.loads((Path(__file__).parent / "schemas" / "policy.schema.json").read_bytes())
    return schema


@functools.cache
def descriptor_schema() -> dict[str, Any]:
    """The JSON Schema of descriptors (metadata.json, metadata.yaml)."""
    schema: dict[str, Any] = json.loads((Path(__file__).parent / "schemas" / "descriptor.schema.json").read_bytes())
    return schema


@dataclass(frozen=True, slots=True)
class _Mistake:
    """One thing the schema has against one value: the keyword, what it asks for, and the schema around it."""

    path: FieldPath
    keyword: str
    asked: Any
    schema: Mapping[str, Any]
    value: Any

    @property
    def kind(self) -> str:
        return str(self.schema.get("x-kind", ""))


def schema_findings(document: Located, *, file: str) -> list[Finding]:
    """Everything the schema has against the document, in the order of its lines."""
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(policy_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    found = {
        (line, str(finding.message)): finding  # one sentence names all fields that are absent in one place
        for error in validator.iter_errors(document.value)
        for mistake in _mistakes(error)
        for line, finding in _findings(mistake, document=document, file=file)
    }
    return [found[key] for key in sorted(found, key=lambda key: key[0])]


def _mistakes(error: ValidationError) -> Iterator[_Mistake]:
    """What a person can act on: the mistakes in the alternative that was meant, not "none of these fits"."""
    if error.validator == "anyOf":
        alternatives: dict[object, list[ValidationError]] = {}
        for part in error.context or ():
            alternatives.setdefault(part.schema_path[0], []).append(part)
        meant = [parts for parts in alternatives.values() if not any(_about_the_whole(part) for part in parts)]
        if len(meant) == 1:
            for part in meant[0]:
                yield from _mistakes(part)
            return
    path: FieldPath = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        path = (*path, str(error.instance))
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    yield _Mistake(path, str(error.validator), error.validator_value, schema, error.instance)


def _about_the_whole(part: ValidationError) -> bool:
    return not part.path and part.validator in {"type", "const"}


def _findings(mistake: _Mistake, *, document: Located, file: str) -> Iterator[tuple[int, Finding]]:
    if mistake.keyword == "additionalProperties":
        yield from _unknown_keys(mistake, document=document, file=file)
        return
    line = _line(document, mistake.path)
    message = _sentence(mistake, field=field_name(mistake.path) or "policy")
    seen = None if mistake.keyword == "required" else mistake.value
    yield line, wrong("policy-value", message, Source(file, line), expected=_accepted(mistake), seen=seen)


def _unknown_keys(mistake: _Mistake, *, document: Located, file: str) -> Iterator[tuple[int, Finding]]:
    known = list(mistake.schema.get("properties", {}))
    for key in mistake.value:
        if key in known:
            continue
        line = _line(document, (*mistake.path, key))
        meant = nearest(key, known)
        field = field_name((*mistake.path, key))
        if meant is not None:
            message = say(
                "`{field}` is not a field of a policy. Probably meant: `{meant}`.", field=field, meant=meant
            )
        else:
            message = say("`{field}` is not a field of a policy.", field=field)
        yield (
            line,
            wrong("policy-unknown-field", message, Source(file, line), expected=meant or " | ".join(known), seen=key),
        )


def _line(document: Located, path: FieldPath) -> int:
    while path not in document.lines and path:
        path = path[:-1]
    return document.lines.get(path, 1)


def _sentence(mistake: _Mistake, *, field: str) -> Message:
    if mistake.value is None:
        return say("`{field}` is empty. Give it a value or remove the line.", field=field)
    if mistake.kind == "interval" and isinstance(mistake.value, str) and has_months_or_years(mistake.value):
        return say("`{field}` is in months or years, which have no fixed length. Give days or weeks.", field=field)
    by_kind = _BY_KIND.get(mistake.kind)
    if by_kind is not None:
        return by_kind(field)
    if mistake.keyword == "type":
        return _of_type(mistake.asked, field=field)
    if mistake.keyword == "required":
        absent = [name for name in mistake.asked if name not in mistake.value]
        return say("`{field}` lacks {absent}.", field=field, absent=", ".join(f"`{name}`" for name in absent))
    if mistake.keyword == "enum":
        meant = nearest(str(mistake.value), mistake.asked)
        if meant is not None:
            return say(
                "`{field}` is not one of the accepted words. Probably meant: `{meant}`.", field=field, meant=meant
            )
    by_validator = _BY_VALIDATOR.get(mistake.keyword)
    return by_validator(field) if by_validator else say("`{field}` has a value that is not accepted.", field=field)


_BY_KIND: dict[str, Callable[[str], Message]] = {
    "interval": lambda field: say(
        "`{field}` is not a length of time. Write weeks, days, hours or minutes, for example P90D.", field=field
    ),
    "condition": lambda field: say("`{field}` says neither `when` nor `puid`, so it would fit no file.", field=field),
    "cron": lambda field: say("`{field}` is neither a cron line nor `never`.", field=field),
    "clock": lambda field: say("`{field}` is not a time of day from 00:00 to 23:59.", field=field),
    "date": lambda field: say("`{field}` is not a day. Write year, month, day.", field=field),
    "puid": lambda field: say("`{field}` is not a PRONOM identifier.", field=field),
    "name": lambda field: say(
        "`{field}` is not a name: only letters without accents, digits, `-` and `_`, at most 63 of them.", field=field
    ),
    "stores": lambda field: say("`{field}` is neither `all` nor a list of store names.", field=field),
    "years": lambda field: say("`{field}` is neither `permanent` nor a number of years from 1 to 1000.", field=field),
    "grade": lambda field: say(
        "`{field}` is neither `never` nor fields such as `interval` and `grace`.", field=field
    ),
    "code": lambda field: say("`{field}` is not the code of a finding.", field=field),
    "time-zone": lambda field: say("`{field}` is not a time zone.", field=field),
    "label": lambda field: say("`{field}` is not a label that bag-info.txt can hold.", field=field),
    "text": lambda field: say("`{field}` must be text, and not empty.", field=field),
    "line": lambda field: say("`{field}` must be text on one line.", field=field),
}
_BY_VALIDATOR: dict[str, Callable[[str], Message]] = {
    "enum": lambda field: say("`{field}` is not one of the accepted words.", field=field),
    "minimum": lambda field: say("`{field}` is too small.", field=field),
    "exclusiveMinimum": lambda field: say("`{field}` is too small.", field=field),
    "maximum": lambda field: say("`{field}` is too large.", field=field),
    "minItems": lambda field: say("`{field}` is an empty list.", field=field),
    "uniqueItems": lambda field: say("`{field}` names something twice.", field=field),
    "contains": lambda field: say("`{field}` must contain `sha256`.", field=field),
}


def _of_type(wanted: str, *, field: str) -> Message:
    match wanted:
        case "object":
            return say("`{field}` must hold fields of its own, each on a line below it.", field=field)
        case "array":
            return say("`{field}` must be a list.", field=field)
        case "integer":
            return say("`{field}` must be a whole number.", field=field)
        case "number":
            return say("`{field}` must be a number.", field=field)
        case _:
            return say("`{field}` must be text.", field=field)


def _accepted(mistake: _Mistake) -> str | None:
    if mistake.kind in _ACCEPTED:
        return _ACCEPTED[mistake.kind]
    match mistake.keyword:
        case "enum":
            return " | ".join(map(str, mistake.asked))
        case "minimum" | "maximum":
            return f"{mistake.schema.get('minimum', '…')}–{mistake.schema.get('maximum', '…')}"
        case "exclusiveMinimum":
            return f"> {mistake.asked}"
        case "type":
            return _TYPES.get(mistake.asked)
        case "required":
            return ", ".join(mistake.asked)
        case "minItems":
            return "[…]"
        case "contains":
            return "[sha256, sha512]"
    return None

"""Compares one policy document with the JSON Schema and says in our own words what is wrong with it.

jsonschema finds the mistakes; its English never reaches a person. Every finding names file, line, field, reason and
an accepted value.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from policies.problems import FieldPath, Source, field_name, nearest, wrong
from policies.times import has_months_or_years
from policies.yaml_lines import Located
from preservation.findings import Finding
from wording import Message, say

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
    "grade": "{interval: P90D, grace: P14D} | never",
    "code": "supplied-file-missing",
    "time-zone": "Asia/Ho_Chi_Minh",
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


def schema_findings(document: Located, *, file: str) -> list[Finding]:
    """Everything the schema has against the document, in the order of its lines."""
    validator = Draft202012Validator(policy_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    found = [
        (line, finding)
        for top in validator.iter_errors(document.value)
        for error in _leaves(top)
        for line, finding in _findings(error, document=document, file=file)
    ]
    return [finding for _, finding in sorted(found, key=lambda pair: pair[0])]


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    """The errors that a person can act on: those of the alternative that was meant, not "none of these fits"."""
    if error.validator != "anyOf":
        yield error
        return
    alternatives: dict[object, list[ValidationError]] = {}
    for part in error.context or ():
        alternatives.setdefault(part.schema_path[0], []).append(part)
    meant = [
        parts
        for parts in alternatives.values()
        if not any(len(part.path) == 0 and part.validator in {"type", "const"} for part in parts)
    ]
    if len(meant) == 1:
        for part in meant[0]:
            part.parent = error  # keeps the absolute path
            yield from _leaves(part)
    else:
        yield error


def _findings(error: ValidationError, *, document: Located, file: str) -> Iterator[tuple[int, Finding]]:
    path: FieldPath = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        yield from _unknown_keys(error, path, document=document, file=file)
        return
    if "propertyNames" in error.absolute_schema_path:
        path = (*path, error.instance)
    line = _line(document, path)
    source = Source(file, line)
    kind = error.schema.get("x-kind") if isinstance(error.schema, dict) else None
    message = _sentence(error, kind=kind, field=field_name(path) or "policy")
    seen = None if error.validator in {"required", "minProperties"} else error.instance
    yield line, wrong("policy-value", message, source, expected=_accepted(error, kind=kind), seen=seen)


def _unknown_keys(
    error: ValidationError, path: FieldPath, *, document: Located, file: str
) -> Iterator[tuple[int, Finding]]:
    known = list(error.schema.get("properties", {}))
    for key in error.instance:
        if key in known:
            continue
        line = _line(document, (*path, key))
        meant = nearest(key, known)
        field = field_name((*path, key))
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


def _sentence(error: ValidationError, *, kind: str | None, field: str) -> Message:
    if error.instance is None:
        return say("`{field}` is empty. Give it a value or remove the line.", field=field)
    if kind == "interval" and isinstance(error.instance, str) and has_months_or_years(error.instance):
        return say("`{field}` is in months or years, which have no fixed length. Give days or weeks.", field=field)
    by_kind = _BY_KIND.get(kind or "")
    if by_kind is not None:
        return by_kind(field)
    if error.validator == "type":
        return _of_type(str(error.validator_value), field=field)
    if error.validator == "required":
        absent = next((name for name in error.validator_value if name not in error.instance), "")
        return say("`{field}` lacks the field `{absent}`.", field=field, absent=absent)
    by_validator = _BY_VALIDATOR.get(str(error.validator))
    return by_validator(field) if by_validator else say("`{field}` has a value that is not accepted.", field=field)


_BY_KIND: dict[str, Callable[[str], Message]] = {
    "interval": lambda field: say(
        "`{field}` is not a length of time. Write weeks, days, hours or minutes, for example P90D.", field=field
    ),
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
    "minProperties": lambda field: say(
        "`{field}` says neither `when` nor `puid`, so it would fit no file.", field=field
    ),
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


def _accepted(error: ValidationError, *, kind: str | None) -> str | None:  # noqa: PLR0911 - one line per case
    if kind in _ACCEPTED:
        return _ACCEPTED[kind]
    limits = error.schema
    match error.validator:
        case "enum":
            return " | ".join(map(str, error.validator_value))
        case "minimum" | "maximum":
            return f"{limits.get('minimum', '…')}–{limits.get('maximum', '…')}"
        case "exclusiveMinimum":
            return f"> {error.validator_value}"
        case "type":
            return _TYPES.get(str(error.validator_value))
        case "required":
            return ", ".join(error.validator_value)
        case "contains":
            return "[sha256, sha512]"
        case "minProperties":
            return "{when: unknown, then: review}"
    return None

"""The producer's descriptor: `metadata.json` or `metadata.yaml` at the top of the payload.

Read strictly and safely: at most 128 KiB, no key twice, no YAML anchors or tags; what looks like a date or an
octal number stays the text that was written. What it may say is a JSON Schema, given by the caller.
"""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from preservation.findings import Finding, Severity
from preservation.packages.litter import is_litter
from preservation.packages.received import Received
from preservation.packages.strict_yaml import load_strict
from wording import Message, say

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

NAMES = ("metadata.json", "metadata.yaml", "metadata.yml")
MOST_BYTES = 1 << 17  # a page of text has some 3 KB; reading a MiB of hostile YAML takes half a minute
_MOST_FAULTS = 200  # of the schema that are told one by one


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What the producer says of the package. `path` is relative to the payload; `data` is empty when unreadable."""

    path: str
    data: Mapping[str, Any]
    findings: tuple[Finding, ...]


def read_descriptor(received: Received) -> Descriptor | None:
    """The descriptor, None when there is none. Faults of its content are findings. Raises OSError only."""
    found = list(_places(received.payload))
    if not found:
        return None
    path = str(found[0].relative_to(received.payload))
    findings: list[Finding] = []
    if len(found) > 1:
        others = ", ".join(str(other.relative_to(received.payload)) for other in found[1:])
        message = say("There is more than one descriptor ({others} as well). Keep only the right one.", others=others)
        findings.append(Finding("descriptor-ambiguous", Severity.ERROR, message, path=path))
    data: Any = {}
    try:
        data = _load(found[0])
    except _NotRead as error:
        findings.append(Finding("descriptor-unreadable", Severity.ERROR, error.message, path=path))
    return Descriptor(path, data, tuple(findings))


def descriptor_bytes(received: Received, descriptor: Descriptor) -> bytes:
    """The descriptor as it was delivered, to be kept among the metadata. Raises OSError."""
    return (received.payload / descriptor.path).read_bytes()


def descriptor_findings(descriptor: Descriptor, schema: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Where the descriptor breaks the schema (draft 2020-12), in our own sentences, one finding for each field."""
    if any(finding.code == "descriptor-unreadable" for finding in descriptor.findings):
        return ()
    from jsonschema import Draft202012Validator  # late: only a package with a descriptor waits for it

    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    # A value can break several rules at once; that a date does not exist says more than that a pattern fails.
    first = islice(validator.iter_errors(descriptor.data), _MOST_FAULTS)
    errors = sorted(first, key=lambda error: error.validator != "format")
    found: dict[str, Finding] = {}
    for error in errors:
        for field, finding in _faults(error, descriptor.path):
            found.setdefault(field, finding)
    return tuple(found[field] for field in sorted(found))


def _places(payload: Path) -> Iterator[Path]:
    """The descriptors at the top of the payload, else in the only folder there."""
    if not payload.is_dir():
        return
    tops = [payload]
    inside = [entry for entry in payload.iterdir() if not is_litter(entry.name)]
    if len(inside) == 1 and inside[0].is_dir():
        tops.append(inside[0])
    for top in tops:
        yield from (top / name for name in NAMES if (top / name).is_file())


class _NotRead(Exception):
    """The descriptor could not be read; why, for the officer."""

    def __init__(self, message: Message) -> None:
        super().__init__(str(message))
        self.message = message


def _load(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise _NotRead(say("The descriptor is larger than {limit} bytes. It was not read.", limit=MOST_BYTES))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        message = say("The descriptor is not written in UTF-8. Save it again as UTF-8.")
        raise _NotRead(message) from None
    try:
        data = _load_json(text) if path.suffix == ".json" else load_strict(text)
    except json.JSONDecodeError as error:
        message = say("The descriptor is not proper JSON (line {line}). Correct that line.", line=error.lineno)
        raise _NotRead(message) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        message = say("The descriptor is not proper YAML (line {line}). Correct that line.", line=line)
        raise _NotRead(message) from None
    except (yaml.YAMLError, RecursionError, ValueError):
        message = say("The descriptor cannot be read. It must be plain JSON or YAML, without anchors and tags.")
        raise _NotRead(message) from None
    if (half := _half_character(data)) is not None:
        raise _NotRead(say("The descriptor holds half a character, which cannot be written down: {seen}.", seen=half))
    if not isinstance(data, dict):
        raise _NotRead(say("The descriptor must hold fields with values, as `title: …`."))
    return data


def _load_json(text: str) -> Any:  # noqa: ANN401 - whatever the producer wrote
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        data = dict(items)
        if len(data) < len(items):
            counts = Counter(key for key, _ in items)
            twice = next(key for key, count in counts.items() if count > 1)
            raise _NotRead(say("The descriptor gives the field {field} twice. Keep the right one.", field=twice))
        return data

    def constant(name: str) -> Any:  # noqa: ANN401
        raise ValueError(name)

    return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)


def _half_character(data: Any) -> str | None:  # noqa: ANN401
    """A text anywhere in the data that no UTF-8 can hold: one half of a pair of JSON escapes, without the other."""
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and _HALF.search(value):
            return value[:100]
    return None


_HALF = re.compile("[\ud800-\udfff]")


def _faults(error: ValidationError, path: str) -> Iterator[tuple[str, Finding]]:
    """The fields that one error is about, each with its finding."""
    where = ".".join(str(part) for part in error.absolute_path)
    prefix = where + "." if where else ""
    limit: Any = error.validator_value
    schema: Any = error.schema
    instance: Any = error.instance
    if error.validator == "required":
        field = next((name for name in limit if name not in instance and repr(name) in error.message), "?")
        message = say("The descriptor lacks the field {field}.", field=prefix + field)
        yield (
            prefix + field,
            Finding("descriptor-field-missing", Severity.ERROR, message, path=path, expected=prefix + field),
        )
    elif error.validator in ("additionalProperties", "unevaluatedProperties"):
        known = list(schema.get("properties", ()))
        for field in sorted(set(map(str, instance)) - set(known))[:_MOST_FAULTS]:
            yield (
                prefix + field[:100],
                _unknown_field(prefix + field[:100], difflib.get_close_matches(field[:100], known, n=1), path),
            )
    else:
        seen = _short(instance)
        message, expected = _sentence(error, where or "*", seen)
        yield (
            where,
            Finding("descriptor-field-wrong", Severity.ERROR, message, path=path, expected=expected, seen=seen),
        )


def _unknown_field(field: str, near: list[str], path: str) -> Finding:
    if near:
        message = say("The descriptor has an unknown field {field}. Is {near} meant?", field=field, near=near[0])
    else:
        message = say("The descriptor has an unknown field {field}.", field=field)
    return Finding("descriptor-field-unknown", Severity.ERROR, message, path=path, seen=field)


_BOUNDS = {
    "minimum": ">=",
    "exclusiveMinimum": ">",
    "maximum": "<=",
    "exclusiveMaximum": "<",
    "minLength": ">=",
    "minItems": ">=",
    "maxLength": "<=",
    "maxItems": "<=",
}


def _sentence(error: ValidationError, field: str, seen: str) -> tuple[Message, str | None]:
    """What is wrong with the value of a field, and what was expected."""
    limit: Any = error.validator_value
    schema: Any = error.schema
    if error.validator == "type":
        kinds = [limit] if isinstance(limit, str) else list(limit)
        expected = " | ".join(kinds)
        if "string" in kinds and isinstance(error.instance, int | float):
            message = say("The field {field} must be text. Put its value {seen} in quotes.", field=field, seen=seen)
        else:
            message = say("The field {field} has a value of the wrong kind: {seen}.", field=field, seen=seen)
        return message, expected
    if error.validator == "format" and limit in ("date", "date-time"):
        expected = "2026-11-22" if limit == "date" else "2026-11-22T08:30:00+07:00"
        message = say(
            "The field {field} holds no date that exists: {seen}. Write it as {example}.",
            field=field,
            seen=seen,
            example=expected,
        )
        return message, expected
    if error.validator in ("enum", "const"):
        values = limit if error.validator == "enum" else [limit]
        expected = ", ".join(str(value) for value in values)
        message = say(
            "The field {field} has a value that is not in the list: {seen}. Accepted are: {accepted}.",
            field=field,
            seen=seen,
            accepted=expected,
        )
        return message, expected
    if error.validator in _BOUNDS:
        if str(error.validator).endswith(("Length", "Items")):
            message = say("The field {field} is too short or too long: {seen}.", field=field, seen=seen)
        else:
            message = say("The field {field} is too small or too large: {seen}.", field=field, seen=seen)
        return message, f"{_BOUNDS[error.validator]} {limit}"
    examples = " | ".join(map(str, schema.get("examples", ())))
    message = say("The field {field} has a value that is not accepted: {seen}.", field=field, seen=seen)
    return message, examples or None


def _short(value: Any) -> str:  # noqa: ANN401
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 100 else text[:100] + "…"

"""Where every effective value of a policy comes from: a file and a line, or this software ("built in")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policies.build import NEVER, merged_grade
from policies.load import Loaded
from policies.problems import FieldPath, Source, field_name
from preservation.facts import Grade

# What holds for an audit grade when the documents say nothing.
_UNSAID = {"grace": "P0D", "window": "-", "throttle": "-", "budget": "-"}
_BUILT_IN = Source("built in")


@dataclass(frozen=True, slots=True)
class Value:
    """One effective value, as a policy would write it, and where it was written."""

    field: str
    value: str
    source: str


def explain(loaded: Loaded) -> list[Value]:
    """Every effective value of the policy, field by field in the order of the documents."""
    return [
        Value(field_name(path), written(value), str(source))
        for path, value, source in [*_leaves(_without_audit(loaded.document), (), loaded.sources), *_audit(loaded)]
    ]


def written(value: object) -> str:
    """A value on one line, as YAML would write it."""
    match value:
        case Mapping():
            return "{" + ", ".join(f"{key}: {written(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(written(item) for item in value) + "]"
        case "":
            return '""'
        case _:
            return str(value)


def _without_audit(document: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in document.items() if key != "audit"}


def _leaves(
    value: object, path: FieldPath, sources: Mapping[FieldPath, Source]
) -> Iterator[tuple[FieldPath, object, Source]]:
    """Single values, whole lists of them, and each entry of a list of rules, with the nearest place known."""
    if isinstance(value, Mapping) and value and not any(isinstance(step, int) for step in path):
        for key, item in value.items():
            yield from _leaves(item, (*path, key), sources)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index), sources)
    else:
        yield path, value, sources.get(path, _BUILT_IN)


def _audit(loaded: Loaded) -> Iterator[tuple[FieldPath, object, Source]]:
    """The whole plan of the defaults and of every store that differs, inherited fields with their own place."""
    audit = loaded.document["audit"]
    for grade in Grade:
        default = audit["defaults"].get(grade, NEVER)
        yield from _plan(loaded, ("audit", "defaults", grade.value), default, inherited=None)
    for store, special in audit["stores"].items():
        for grade in Grade:
            plan = merged_grade(audit["defaults"].get(grade, NEVER), special.get(grade))
            path: FieldPath = ("audit", "stores", store, grade.value)
            yield from _plan(loaded, path, plan, inherited=("audit", "defaults", grade.value))


def _plan(
    loaded: Loaded, path: FieldPath, plan: object, *, inherited: FieldPath | None
) -> Iterator[tuple[FieldPath, object, Source]]:
    def place(*field: str) -> Source:
        for base in (path, inherited):
            if base is not None and (*base, *field) in loaded.sources:
                return loaded.sources[(*base, *field)]
        return _BUILT_IN

    if not isinstance(plan, Mapping):
        yield path, plan, place()
        return
    for field, value in {"interval": None, **_UNSAID, **plan}.items():
        yield (*path, field), value, place(field)

"""Facts about many files, on disk: one JSON line each, so that a million of them fit in flat memory."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from preservation.facts import Basis, FileFact, FormatFact

Fact = TypeVar("Fact")


@dataclass(frozen=True, slots=True)
class FactFile(Generic[Fact]):
    """A file of facts in the order they were written; iterate it as often as needed."""

    path: Path
    load: Callable[[dict[str, Any]], Fact]

    def __iter__(self) -> Iterator[Fact]:
        with self.path.open(encoding="utf-8") as lines:
            for line in lines:
                yield self.load(json.loads(line))


def _as_json(value: object) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if is_dataclass(value):  # not asdict: copying every value deeply takes longer than all the rest
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"not a fact: {value!r}")


def write_facts(path: Path, facts: Iterable[Any], load: Callable[[dict[str, Any]], Fact]) -> FactFile[Fact]:
    """Write the facts one a line; the returned value reads them back. Raises OSError when the disk is full."""
    with path.open("w", encoding="utf-8") as out:
        for fact in facts:
            out.write(json.dumps(fact, ensure_ascii=True, default=_as_json) + "\n")
    return FactFile(path, load)


def load_file(data: dict[str, Any]) -> FileFact:
    """A FileFact from its line."""
    name = data.pop("original_name")
    return FileFact(**data, original_name=base64.b64decode(name) if name is not None else None)


def load_format(data: dict[str, Any]) -> FormatFact:
    """A FormatFact from its line."""
    data["basis"] = Basis(data["basis"])
    data["candidates"] = tuple(data["candidates"])
    return FormatFact(**data)

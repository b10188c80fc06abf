"""Facts about many files, in the order they were written: those of an ordinary package in memory, those of a large
one on disk, one JSON line each, so that a million of them fit in flat memory.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Generic, TypeVar

from preservation.facts import Basis, FileFact, FormatFact

Fact = TypeVar("Fact")

IN_MEMORY = 20_000  # facts at most: with all that a package has of them, some 30 MB


@dataclass(frozen=True, slots=True)
class FactFile(Generic[Fact]):
    """Facts in the order they were written; iterate them as often as needed. `kept` holds them all, or none."""

    path: Path
    load: Callable[[dict[str, Any]], Fact]
    kept: tuple[Fact, ...] | None = None

    def __iter__(self) -> Iterator[Fact]:
        if self.kept is not None:
            yield from self.kept
            return
        parse = json.JSONDecoder().raw_decode
        with self.path.open(encoding="utf-8") as lines:
            for line in lines:
                yield self.load(parse(line)[0])

    def remove(self) -> None:
        """They are not needed any more."""
        self.path.unlink(missing_ok=True)


def _as_json(value: object) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if is_dataclass(value):  # not asdict: copying every value deeply takes longer than all the rest
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"not a fact: {value!r}")


def write_facts(path: Path, facts: Iterable[Any], load: Callable[[dict[str, Any]], Fact]) -> FactFile[Fact]:
    """Keep the facts; the returned value gives them back. Facts are frozen, so whoever reads gets the same ones.

    Only more of them than memory should hold go to the disk. Raises OSError when it is full.
    """
    source = iter(facts)
    first = tuple(islice(source, IN_MEMORY + 1))
    if len(first) <= IN_MEMORY:
        return FactFile(path, load, first)
    encode = json.JSONEncoder(ensure_ascii=True, default=_as_json).encode
    with path.open("w", encoding="utf-8") as out:
        out.writelines(encode(fact) + "\n" for fact in chain(first, source))
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

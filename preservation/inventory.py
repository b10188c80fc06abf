"""Facts about many files, in the order they were written: those of an ordinary package in memory, those of a large
one on disk, one JSON line each, so that a million of them fit in flat memory.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

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


class FactWriter(Generic[Fact]):
    """Keeps facts as they come; `done` gives them back. Facts are frozen, so whoever reads gets the same ones.

    Only more of them than memory should hold go to the disk. Raises OSError when it is full.
    """

    def __init__(self, path: Path, load: Callable[[dict[str, Any]], Fact]) -> None:
        self._path, self._load = path, load
        self._kept: list[Fact] = []
        self._out: IO[str] | None = None
        self._encode = json.JSONEncoder(ensure_ascii=True, default=_as_json).encode

    def add(self, fact: Fact) -> None:
        """One more."""
        self._kept.append(fact)
        if len(self._kept) > IN_MEMORY:
            self._spill()

    def _spill(self) -> None:
        if self._out is None:
            self._out = self._path.open("w", encoding="utf-8")
        self._out.writelines(self._encode(fact) + "\n" for fact in self._kept)
        self._kept.clear()

    def done(self) -> FactFile[Fact]:
        """All of them, in the order they came."""
        if self._out is None:
            return FactFile(self._path, self._load, tuple(self._kept))
        self._spill()
        self.close()
        return FactFile(self._path, self._load)

    def close(self) -> None:
        """No more of them; the file, if there is one, is closed."""
        if self._out is not None:
            self._out.close()


def write_facts(path: Path, facts: Iterable[Fact], load: Callable[[dict[str, Any]], Fact]) -> FactFile[Fact]:
    """Keep the facts of one source, as FactWriter does."""
    writer = FactWriter(path, load)
    with closing(writer):
        for fact in facts:
            writer.add(fact)
        return writer.done()


def load_file(data: dict[str, Any]) -> FileFact:
    """A FileFact from its line."""
    name = data.pop("original_name")
    return FileFact(**data, original_name=base64.b64decode(name) if name is not None else None)


def load_format(data: dict[str, Any]) -> FormatFact:
    """A FormatFact from its line."""
    data["basis"] = Basis(data["basis"])
    data["candidates"] = tuple(data["candidates"])
    return FormatFact(**data)

"""What formats a package holds: counts for the officer, for `metadata/formats.json` and for the catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import repeat
from typing import Any, TypeAlias

from preservation.facts import Basis, FormatFact

_Key: TypeAlias = tuple[str | None, str | None, str | None, Basis]


@dataclass(frozen=True, slots=True)
class FormatCount:
    """Files of one format on one basis. `bytes` is None when sizes were not given."""

    puid: str | None
    name: str | None
    version: str | None
    basis: Basis
    files: int
    bytes: int | None


@dataclass(frozen=True, slots=True)
class XmlCount:
    """Files of one XML format, whatever their namespace."""

    xml_format: str
    files: int
    bytes: int | None


@dataclass(frozen=True, slots=True)
class FormatReport:
    """Counts over many FormatFacts. `tools` are the pairs (tool, signature release) that gave the answers."""

    files: int
    bytes: int | None
    formats: tuple[FormatCount, ...]  # most files first
    xml_formats: tuple[XmlCount, ...]  # most files first
    basis: dict[str, int]  # every word of Basis
    extension_mismatch: int
    tools: tuple[tuple[str, str], ...]

    def as_json(self) -> dict[str, Any]:
        """The stable shape; docs/reference/formats.md describes it."""
        return {
            "files": self.files,
            "bytes": self.bytes,
            "formats": [{**asdict(each), "basis": each.basis.value} for each in self.formats],
            "xml_formats": [asdict(each) for each in self.xml_formats],
            "basis": self.basis,
            "extension_mismatch": self.extension_mismatch,
            "unknown": self.basis[Basis.NONE],
            "empty": self.basis[Basis.EMPTY],
            "failed": self.basis[Basis.FAILED],
            "tools": [{"tool": tool, "signatures": signatures} for tool, signatures in self.tools],
        }


def format_report(formats: Iterable[FormatFact], *, sizes: Iterable[int] | None = None) -> FormatReport:
    """Count the facts in one pass. `sizes`, in bytes and in the order of the facts, adds the bytes."""
    by_format: Counter[_Key] = Counter()
    bytes_by_format: Counter[_Key] = Counter()
    by_xml: Counter[str] = Counter()
    bytes_by_xml: Counter[str] = Counter()
    mismatches = 0
    tools: set[tuple[str, str]] = set()
    for fact, size in zip(formats, repeat(0) if sizes is None else sizes, strict=False):
        key = (fact.puid, fact.name, fact.version, fact.basis)
        by_format[key] += 1
        bytes_by_format[key] += size
        if fact.xml_format is not None:
            by_xml[fact.xml_format] += 1
            bytes_by_xml[fact.xml_format] += size
        mismatches += fact.extension_mismatch
        tools.add((fact.tool, fact.signatures))
    known = sizes is not None
    return FormatReport(
        files=by_format.total(),
        bytes=bytes_by_format.total() if known else None,
        formats=tuple(
            FormatCount(*key, files, bytes_by_format[key] if known else None)
            for key, files in sorted(by_format.items(), key=_most_first)
        ),
        xml_formats=tuple(
            XmlCount(word, files, bytes_by_xml[word] if known else None)
            for word, files in sorted(by_xml.items(), key=_most_first)
        ),
        basis={basis.value: sum(files for key, files in by_format.items() if key[3] is basis) for basis in Basis},
        extension_mismatch=mismatches,
        tools=tuple(sorted(tools)),
    )


def _most_first(counted: tuple[Any, int]) -> tuple[int, str]:
    return -counted[1], str(counted[0])

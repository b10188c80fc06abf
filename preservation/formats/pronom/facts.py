"""What a PRONOM release says, as values: formats, their signatures, what each pattern demands of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

WINDOW = 128 * 1024  # bytes of a file's start, and of its end, that patterns are held against: FIDO's own bound
NO_END = 1 << 62  # an offset without a bound


@dataclass(frozen=True, slots=True)
class SignatureFiles:
    """A DROID signature file and the container signature file that goes with it."""

    signatures: Path
    containers: Path


@dataclass(frozen=True, slots=True)
class Demand:
    """A literal without which a pattern cannot match, and the stretch of the window in which it must lie whole.

    The stretch begins `near` bytes and ends `far` bytes (NO_END: with the window) from the window's start, or, with
    `from_end`, from its end.
    """

    literal: bytes
    near: int
    far: int
    from_end: bool

    @property
    def fixed(self) -> bool:
        """Whether it has one place only."""
        return self.far - self.near == len(self.literal)

    @property
    def between(self) -> tuple[int, int]:
        """The stretch as the bounds of a slice."""
        return (-self.far, -self.near or NO_END) if self.from_end else (self.near, self.far)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One regular expression over the first bytes of a file, or over its last (`tail`).

    `anchored` ones begin at the window's first byte; the others may begin anywhere in it. `reach` is how many bytes
    from the start a match can take in at most; `opening` the bytes that it may begin with, none when it may be any.
    """

    regex: bytes
    tail: bool
    anchored: bool
    reach: int
    demands: tuple[Demand, ...]
    opening: bytes = b""


@dataclass(frozen=True, slots=True)
class Signature:
    """All patterns of one signature must match."""

    name: str
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Format:
    """One format of PRONOM. `better_than` are the PUIDs that this one rules out where both match."""

    puid: str
    name: str
    version: str | None
    mime: str | None
    extensions: tuple[str, ...]
    better_than: frozenset[str]
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A file inside a container that must be there, and the patterns its bytes must match (none: being there is
    enough).
    """

    path: str
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class ContainerSignature:
    """All parts of one container signature must hold."""

    puid: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """One release of PRONOM's signatures.

    `containers` are signatures by kind ("ZIP", "OLE2"); `triggers` the PUIDs whose files are looked into, with the
    kind. `pronom` and `container_date` name the release ("109", "2020-01-21"); `dated` is its day when it says so.
    """

    pronom: str
    container_date: str
    dated: str | None
    formats: tuple[Format, ...]
    containers: Mapping[str, tuple[ContainerSignature, ...]]
    triggers: Mapping[str, str]

    @property
    def label(self) -> str:
        """How the release is recorded with every identification."""
        return f"PRONOM v{self.pronom}, containers {self.container_date}"

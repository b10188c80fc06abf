"""How much a package may hold before it is taken for an attack or a mistake.

Counted on the bytes that really come out, never on what a header announces.
"""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one package.

    `entries` are files and folders. `ratio` is bytes out per byte of archive, counted above `ratio_from` bytes only:
    blank pages compress well.
    `depth` counts the parts of a path. `part_bytes` is what the usual file systems hold in one name.
    """

    entries: int = 2_000_000
    total_bytes: int = 16 << 40
    ratio: int = 100
    ratio_from: int = 256 * MEBIBYTE
    depth: int = 64
    part_bytes: int = 255

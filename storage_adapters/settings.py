"""How a store is described in `vankho.toml`: one frozen dataclass per kind, the keys of the file as fields.

Holds no secret where it can be printed: credentials are left out of `repr`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

MIB = 1 << 20
_MOST_PARTS = 10_000  # of one multipart upload, in S3 and in those like it


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """What a policy's rule of separation looks at."""

    provider: str = ""
    region: str = ""
    medium: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySettings(_Placed):
    """A store in memory, for tests."""

    kind: ClassVar[str] = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings(_Placed):
    """A store in a folder, which must exist."""

    kind: ClassVar[str] = "local"
    path: Path
    at_once: int | None = None  # files read or written at the same moment; None: as many as there are cores


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Settings(_Placed):
    """A store in a bucket. Without keys and profile, the usual AWS chain of credentials is asked."""

    kind: ClassVar[str] = "s3"
    bucket: str
    endpoint_url: str | None = None  # None: Amazon's own
    region_name: str = "us-east-1"
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    profile: str | None = None
    addressing_style: Literal["path", "virtual", "auto"] = "path"
    verify: bool = True  # of the endpoint's certificate
    ca_bundle: Path | None = None  # a certificate authority of one's own
    connect_timeout: float = 10.0  # seconds
    read_timeout: float = 60.0  # seconds without a byte
    part_size: int = 64 * MIB  # objects up to this size go in one request, held in memory; larger in parts of it
    page_size: int = 1000  # objects in one page of a list
    requests: int = 16  # at once, for objects; large ones share the memory of four parts

    def __post_init__(self) -> None:
        if self.part_size < 8 * MIB:
            raise ValueError(
                f"part_size is {self.part_size}; services refuse parts below 5 MiB, and 8 MiB is our least"
            )
        if not 1 <= self.page_size <= 1000:
            raise ValueError(f"page_size is {self.page_size}; it must be 1 to 1000")

    def part_size_for(self, size: int) -> int:
        """The size of each part of a large object: `part_size`, or as many whole MiB as make 10,000 parts do."""
        return max(self.part_size, -(-size // (_MOST_PARTS * MIB)) * MIB)


StoreSettings = MemorySettings | LocalSettings | S3Settings

"""Hands that reach into a store behind its back: a folder on a disk, a bucket through its own interface."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


class Hand(Protocol):
    """One store, by the keys of its objects, without the engine."""

    def all_keys(self, prefix: str = "") -> list[str]:
        """Every key below the prefix, sorted."""

    def read(self, key: str) -> bytes:
        """The bytes of an object."""

    def write(self, key: str, content: bytes) -> None:
        """Put or replace an object."""

    def delete(self, key: str) -> None:
        """Remove an object."""


@dataclass(frozen=True)
class OnDisk:
    """A store in a folder."""

    root: Path

    def all_keys(self, prefix: str = "") -> list[str]:
        files = (path for path in (self.root / prefix).rglob("*") if path.is_file())
        return sorted((path.relative_to(self.root).as_posix() for path in files), key=str.encode)

    def read(self, key: str) -> bytes:
        return (self.root / key).read_bytes()

    def write(self, key: str, content: bytes) -> None:
        file = self.root / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(content)

    def delete(self, key: str) -> None:
        (self.root / key).unlink()
        for folder in (self.root / key).parents:
            if folder == self.root:
                return
            with suppress(OSError):  # not empty
                folder.rmdir()


@dataclass(frozen=True)
class InBucket:
    """A bucket, by a client of its owner."""

    client: Any
    bucket: str

    def all_keys(self, prefix: str = "") -> list[str]:
        return list(self._keys(prefix))

    def _keys(self, prefix: str) -> Iterator[str]:
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            yield from (entry["Key"] for entry in page.get("Contents", ()))

    def read(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def write(self, key: str, content: bytes) -> None:
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        self.client.put_object(Bucket=self.bucket, Key=key, Body=content, ChecksumSHA256=digest)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)

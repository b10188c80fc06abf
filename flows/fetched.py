"""Deliveries that were fetched from a bucket lie in the workspace while they are taken in, each in a room of its own.

Their source is the address in the bucket, everywhere; only who reads the bytes needs to know where they lie.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

SCHEME = "s3://"
FOLDER = "fetched"


def where(workspace: Path, source: str) -> tuple[Path, str | None]:
    """Where the delivery is read, and its origin when that is another place."""
    if not source.startswith(SCHEME):
        return Path(source), None
    return room(workspace, source) / _name(source), source


def room(workspace: Path, source: str) -> Path:
    """The folder that holds what was fetched from there, and nothing else."""
    return workspace / FOLDER / hashlib.sha256(source.encode()).hexdigest()[:32]


def let_go(workspace: Path, source: str) -> None:
    """Remove what was fetched."""
    shutil.rmtree(room(workspace, source), ignore_errors=True)


def _name(source: str) -> str:
    """The last part of the address, which may make the title; a name that files cannot have is not kept."""
    name = source.rpartition("/")[2]
    fits = len(name.encode()) <= 255 and name not in ("", ".", "..") and "\0" not in name
    return name if fits else "package"

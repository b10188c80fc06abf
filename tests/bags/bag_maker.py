"""Bags made by hand, never by our writer: what the checker is tried on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

DECLARED = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"


def digest(content: bytes, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, content).hexdigest()


def lines(files: Mapping[str, bytes], algorithm: str = "sha256") -> bytes:
    return "".join(f"{digest(content, algorithm)}  {path}\n" for path, content in files.items()).encode()


def make_bag(
    folder: Path,
    payload: Mapping[str, bytes] | None = None,
    *,
    tags: Mapping[str, bytes | None] | None = None,
    algorithms: Iterable[str] = ("sha256",),
) -> Path:
    """A plain valid BagIt 1.0 bag; `tags` adds tag files, replaces them, or (None) leaves them out.

    The tag manifest is made over what stands there in the end, so that only what a test breaks is broken.
    """
    payload = {"data/a.txt": b"mot", "data/sub/b.txt": b"hai ba"} if payload is None else payload
    written: dict[str, bytes | None] = {"bagit.txt": DECLARED}
    written |= {f"manifest-{name}.txt": lines(payload, name) for name in algorithms}
    written |= tags or {}
    kept = {path: content for path, content in written.items() if content is not None}
    guarded = {path: content for path, content in kept.items() if not path.startswith("tagmanifest-")}
    if "tagmanifest-sha256.txt" not in written:
        kept["tagmanifest-sha256.txt"] = lines(guarded)
    (folder / "data").mkdir(parents=True)
    for path, content in {**payload, **kept}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder

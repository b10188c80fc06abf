"""The staged payload of a bag to be: its digests, and the proof that its bytes are the received ones.

What an inventory lacks is computed from the staged copy, and then everything that it has is compared again. Refuses
(FixityError) what has changed since it was received. The writer's side only.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from preservation.errors import FixityError
from preservation.facts import FileFact
from preservation.inventory import FactFile, load_file, write_facts
from wording import say

if TYPE_CHECKING:
    from preservation.packages.received import Received

_BUFFER = 1 << 20  # bytes read at a time


def complete_digests(received: Received, data: Path, algorithms: tuple[str, ...]) -> FactFile[FileFact]:
    """The inventory with the plan's algorithms and SHA-256; what is missing is computed from the staged copy."""
    wanted = sorted({*algorithms, "sha256"})

    def complete() -> Iterator[FileFact]:
        for file in received.inventory:
            size = _size(f"{data}/{file.path}")
            if size != file.size:
                raise changed(file.path, f"{file.size} bytes", "no file" if size is None else f"{size} bytes")
            known = file.digests
            if not set(wanted) <= set(known):
                known = hashes(data / file.path, {*wanted, *known})
                for name, digest in file.digests.items():
                    if known[name] != digest:
                        raise changed(file.path, f"{name} {digest}", f"{name} {known[name]}")
            as_wanted = known is file.digests and len(known) == len(wanted)
            yield file if as_wanted else replace(file, digests={name: known[name] for name in wanted})

    return write_facts(received.submission.folder / "payload.jsonl", complete(), load_file)


def _size(path: str) -> int | None:
    """The size of the regular file, None when no such file stands there."""
    try:
        seen = os.lstat(path)
    except OSError:
        return None
    return seen.st_size if stat.S_ISREG(seen.st_mode) else None


def changed(path: str, expected: str, seen: str) -> FixityError:
    """The error for a file that is not as it was received."""
    return FixityError(
        say("A staged file is not as it was received. Its bytes changed while the package was being worked on."),
        where=path,
        expected=expected,
        seen=seen,
        next_step=say(
            "Check the disk of the workspace, then ingest the package again; the producer's copy is untouched."
        ),
    )


def hashes(path: Path, algorithms: Iterable[str]) -> dict[str, str]:
    """The digests (hexadecimal) of a file, read once, by hashlib's names of the algorithms."""
    running = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    with path.open("rb") as stream:
        while block := stream.read(_BUFFER):
            for one in running.values():
                one.update(block)
    return {name: one.hexdigest() for name, one in running.items()}

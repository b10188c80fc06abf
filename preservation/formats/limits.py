"""What one file may cost the identifier. Beyond it the answer is "failed", and the next file goes on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for one file. `seconds` is wall-clock time; the others are bytes.

    `memory` bounds the whole worker process, of which some 110 MB are the signatures and the interpreter.
    `member` bounds how much of one part of a container (a ZIP member, an OLE2 stream) is unpacked.
    """

    seconds: float = 6.0
    memory: int = 512 * 1024 * 1024
    member: int = 64 * 1024 * 1024

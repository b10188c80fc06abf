"""Files locked with a password: noticed in passing, while the bytes go by, in PDF and ZIP.

A hint for the officer and no judgement: the file is kept as it is. Whether a password is needed to read a PDF, or
only to print it, is not looked into. Office documents that are locked are told by their format (fmt/494).
"""

from __future__ import annotations

import struct

from preservation.findings import Finding, Severity
from wording import say

_HEAD, _TAIL = 4096, 4096  # bytes looked at: the trailer of a PDF is at its end or, linearized, at its start


def locked(head: bytes, tail: bytes) -> bool:
    """Whether a file is locked, as far as its beginning and its end tell (ISO 32000-1 7.6; APPNOTE 4.4.4)."""
    if head.startswith(b"%PDF-"):
        return b"/Encrypt" in head[:_HEAD] or b"/Encrypt" in tail[-_TAIL:]
    if head.startswith(b"PK\3\4") and len(head) >= 8:
        return bool(struct.unpack_from("<H", head, 6)[0] & 1)
    return False


def locked_finding(path: str) -> Finding:
    """The finding for a locked file."""
    message = say(
        "This file is locked: without its password it may never be read again. It is kept as it is. "
        "Ask the producer for one without a lock."
    )
    return Finding("file-encrypted", Severity.WARNING, message, path=path)

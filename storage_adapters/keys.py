"""What a key may be, in every store alike: boring enough for a file system and for any S3 service.

Promises that a key which passes can be kept by every adapter under exactly these bytes.
Never changes a key: what does not fit is refused, before anything is asked of a store.
"""

from __future__ import annotations

import unicodedata

from storage_adapters.errors import KeyRefused
from wording import Message, say

MAX_KEY_BYTES = 900  # S3 allows 1024; the rest is room for a store's own additions
MAX_PART_BYTES = 255  # the longest name that common file systems take

UNFINISHED = ".vankho-unfinished-"
"""How the names of files begin that a store is still writing. No key may use it, so none can look like one."""

_NONCHARACTERS = frozenset("\ufffe\uffff")  # XML, and so an S3 listing, cannot carry these


def check_key(key: str) -> None:
    """Raise KeyRefused unless the key is relative, `/`-separated and holdable by every store.

    Refused: an empty key; an empty, `.` or `..` part (so also a leading or trailing `/`); control
    characters; what UTF-8 or XML cannot carry; more than 900 bytes, or 255 in one part.
    """
    if not _plain(key) and (reason := _fault(key)) is not None:
        raise KeyRefused(
            say("No store can hold an object under the name “{key}”: {reason}", key=key, reason=reason),
            where=key,
            next_step=say("Rename the file in the package and deliver it again."),
        )


def check_prefix(prefix: str) -> None:
    """Raise KeyRefused unless the prefix is empty or a key followed by `/`."""
    if not prefix:
        return
    if not prefix.endswith("/"):
        raise KeyRefused(
            say(
                "A list can be asked for “{prefix}/” but not for “{prefix}”, which could be part of a name.",
                prefix=prefix,
            ),
            where=prefix,
        )
    check_key(prefix[:-1])


def _plain(key: str) -> bool:
    """Whether the key has nothing that could be refused, as most have: told in a fraction of the time."""
    return (
        0 < len(key) <= MAX_PART_BYTES
        and key.isascii()
        and key.isprintable()
        and key[0] not in "./"
        and key[-1] != "/"
        and "//" not in key
        and "/." not in key
    )


def _fault(key: str) -> Message | None:
    if not key:
        return say("it is empty.")
    try:
        length = len(key.encode("utf-8"))
    except UnicodeEncodeError:
        return say("it holds characters that cannot be written in UTF-8.")
    if not key.isprintable() and any(unicodedata.category(char) == "Cc" or char in _NONCHARACTERS for char in key):
        return say("it holds control characters.")
    if length > MAX_KEY_BYTES:
        return say("it is {length} bytes long, and {limit} is the most.", length=length, limit=MAX_KEY_BYTES)
    return next((fault for part in key.split("/") if (fault := _part_fault(part))), None)


def _part_fault(part: str) -> Message | None:
    if part in {"", ".", ".."}:
        return say("a part between two slashes is empty, “.” or “..”.")
    if part.startswith(UNFINISHED):
        return say("names that begin with “{mark}” are kept for unfinished files.", mark=UNFINISHED)
    if (length := len(part.encode("utf-8"))) > MAX_PART_BYTES:
        return say(
            "its part “{part}” is {length} bytes long, and {limit} is the most.",
            part=part,
            length=length,
            limit=MAX_PART_BYTES,
        )
    return None

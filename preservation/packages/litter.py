"""System litter: files that operating systems leave in every folder and that no producer meant to deliver.

Known by name only. It is always listed; what else happens to it is the policy's word.
"""

from __future__ import annotations

from enum import StrEnum


class Litter(StrEnum):
    """What to do with system litter."""

    KEEP = "keep"  # part of the payload
    SET_ASIDE = "set-aside"  # kept in the bag, outside the payload
    REJECT = "reject"  # the package is refused


_FILES = frozenset(
    {
        "thumbs.db",
        "thumbs.db:encryptable",
        "ehthumbs.db",
        "desktop.ini",
        ".ds_store",
        ".apdisk",
        "icon\r",
        "icon%0d",
    }
)
_FOLDERS = frozenset(
    {
        "__macosx",
        ".spotlight-v100",
        ".trashes",
        ".fseventsd",
        ".temporaryitems",
        "$recycle.bin",
        "system volume information",
    }
)
_PREFIXES = ("._", "~$")  # AppleDouble halves of files; lock files of office programs


def is_litter(path: str) -> bool:
    """Whether the path names system litter, or lies in a folder that is litter."""
    *folders, name = path.casefold().split("/")
    return name in _FILES or name in _FOLDERS or name.startswith(_PREFIXES) or not _FOLDERS.isdisjoint(folders)

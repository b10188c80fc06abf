"""Names of delivered files: decoded without guessing where they can be, refused where no store could hold them.

A name that is UTF-8 stays as it is, byte for byte; it is never normalised. Any other name goes down a fixed
ladder, and the producer's bytes are kept beside ours. Nothing is ever renamed to make it acceptable.
"""

from __future__ import annotations

import re
import unicodedata

from preservation.findings import Finding, Severity
from preservation.packages.limits import Limits
from storage_adapters.errors import KeyRefused
from storage_adapters.keys import MAX_KEY_BYTES, check_key
from wording import say

MOST_PATH = 4096  # letters; what is longer is no path, and findings are not the place to keep it
# The longest place a delivered file can get inside a store; a name that fits here fits everywhere.
_PLACE = f"aip/{'0' * 36}/v99999/metadata/submission/"

_WINDOWS_NAMES = frozenset({"con", "prn", "aux", "nul", *(f"{p}{n}" for p in ("com", "lpt") for n in "123456789")})
_WINDOWS_SIGNS = re.compile(r'[<>:"|?*\\]')
_DRIVE = re.compile(r"[A-Za-z]:")
# Characters that reorder the text around them or take no room: two names may look alike, or one like another.
_HIDING = frozenset({"Cf", "Zl", "Zp"})  # Unicode categories: format, line and paragraph separator


def decode(name: bytes, *, text: str | None = None) -> str:
    """Our name for the producer's bytes: UTF-8 as it is; else cp1258 (Vietnamese Windows), else cp437, made NFC.

    `text` is the name where the container states it in UTF-8 itself. cp437 has a character for every byte,
    so the ladder always ends.
    """
    if text is not None:
        return text
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        decoded = name.decode("cp1258")
    except UnicodeDecodeError:
        decoded = name.decode("cp437")
    return unicodedata.normalize("NFC", decoded)


def without_controls(path: str) -> str:
    """The path with its control characters percent-encoded; for litter only, which must not keep a package out."""
    return "".join(f"%{ord(char):02X}" if unicodedata.category(char) == "Cc" else char for char in path)


def decoded_finding(path: str, *, name: bytes) -> Finding:
    """The note that a name could not be taken as it was written and what became of it."""
    seen = name.decode("ascii", errors="backslashreplace")
    return Finding(
        "name-decoded",
        Severity.INFO,
        say(
            "The name of this file was written in an old way and was read as {path}. The original is kept.", path=path
        ),
        path=path,
        seen=seen,
    )


def endless(path: str) -> Finding:
    """The finding for a path longer than any system takes; only its beginning is told."""
    message = say(
        "The path is {seen} letters long, more than any system takes. Ask for shorter names of folders.",
        seen=len(path),
    )
    return Finding("name-not-storable", Severity.ERROR, message, path=path[:200] + "…")


def unsafe(path: str) -> Finding | None:
    """Why the path of an archive entry could be written outside the package, None when it cannot."""
    parts = path.split("/")
    if path.startswith(("/", "\\")) or _DRIVE.match(path):
        message = say("The archive holds an entry with an absolute path. It is refused; nothing was written there.")
    elif ".." in parts or ".." in path.split("\\"):
        message = say("The archive holds an entry whose path climbs out of the package. It is refused.")
    elif "\0" in path:
        message = say("The archive holds an entry with a NUL character in its name. It is refused.")
    elif "" in parts or "." in parts:
        message = say("The archive holds an entry whose path has an empty part. It is refused.")
    else:
        return None
    return Finding("name-unsafe", Severity.ERROR, message, path=path)


def not_storable(path: str, *, limits: Limits) -> Finding | None:
    """Why no store can hold a file of this name, None when every store can."""
    parts = path.split("/")
    longest = max(len(part.encode("utf-8")) for part in parts)
    if longest > limits.part_bytes:
        message = say(
            "A name is {seen} bytes long; file systems and stores hold at most {limit} bytes in one name. "
            "Ask for a shorter name.",
            seen=longest,
            limit=limits.part_bytes,
        )
    elif len(parts) > limits.depth:
        message = say(
            "This lies {seen} folders deep; at most {limit} are accepted. Nothing below it was looked at.",
            seen=len(parts),
            limit=limits.depth,
        )
    elif not path.isprintable() and any(unicodedata.category(char) == "Cc" for char in path):
        message = say("The name holds control characters, which no store can hold. Ask for another name.")
    elif (length := len((_PLACE + path).encode("utf-8"))) > MAX_KEY_BYTES:
        message = say(
            "The path is {seen} bytes too long for a store. Ask for shorter names of folders.",
            seen=length - MAX_KEY_BYTES,
        )
    elif not _accepted_by_stores(path):
        message = say("No store can hold a file of this name. Ask for another name.")
    else:
        return None
    return Finding("name-not-storable", Severity.ERROR, message, path=path)


def _accepted_by_stores(path: str) -> bool:
    try:
        check_key(_PLACE + path)
    except KeyRefused:
        return False
    return True


def warnings(path: str) -> list[Finding]:
    """What will trouble somebody later, on another system or on a screen; none of it rejects a package."""
    found = []
    if not_portable(path):
        message = say(
            "Windows cannot hold a file of this name. It is kept as it is; a copy for Windows needs another."
        )
        found.append(Finding("name-not-portable", Severity.WARNING, message, path=path))
    if not path.isprintable() and any(unicodedata.category(char) in _HIDING for char in path):
        message = say("The name holds characters that cannot be seen and may reorder the text. It is kept as it is.")
        found.append(Finding("name-hides-characters", Severity.WARNING, message, path=path))
    return found


def not_portable(path: str) -> bool:
    """Whether Windows refuses the name: reserved words, reserved signs, a dot or a blank at the end."""
    return any(
        part.split(".")[0].rstrip(" ").casefold() in _WINDOWS_NAMES
        or _WINDOWS_SIGNS.search(part) is not None
        or part.endswith((".", " "))
        for part in path.split("/")
    )


def leaves(path: str, *, target: str) -> bool:
    """Whether a link at `path` pointing to `target` leads out of the package."""
    if target.startswith(("/", "\\")) or _DRIVE.match(target):
        return True
    depth = path.count("/")
    for part in target.split("/"):
        if part == "..":
            depth -= 1
        elif part not in ("", "."):
            depth += 1
        if depth < 0:
            return True
    return False


def link_finding(path: str, *, target: str) -> Finding:
    """The finding for a link; links are never followed."""
    if leaves(path, target=target):
        code = "link-leaves-package"
        message = say(
            "This is a link to a place outside the package ({target}). Ask for the file itself to be delivered.",
            target=target[:200],
        )
    else:
        code = "link-not-followed"
        message = say(
            "This is a link to another place in the package ({target}). Links are not accepted: "
            "ask for the file itself, or for the package without the link.",
            target=target[:200],
        )
    return Finding(code, Severity.ERROR, message, path=path, seen=target[:200])


def special_finding(path: str) -> Finding:
    """The finding for a pipe, a device or a socket."""
    message = say("This is neither a file nor a folder but a pipe, a device or a socket. Ask for it to be left out.")
    return Finding("special-file", Severity.ERROR, message, path=path)

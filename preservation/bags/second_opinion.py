"""What the `bagit` library of the Library of Congress says of a bag that our checker has already judged.

Promises: it can only add doubt. An answer of "invalid" against ours is for the caller to record; "valid" never
overrules our "no". Runs in a process of its own, with the bag as its current folder and a time limit: the library
hangs on pipes, trips over paths that contain `tagmanifest-`, and raises whatever it likes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from preservation.children import environment

# /proc/self/cwd hides the true path, which the library would search for `tagmanifest-`.
# -I keeps the bag (the current folder) off the import path: a bag may hold a bagit.py of its own.
_ASK = """
import bagit, os
try:
    bagit.Bag("/proc/self/cwd" if os.path.isdir("/proc/self/cwd") else ".").validate()
    print("valid")
except bagit.BagError as error:
    print("invalid")
    print(error)
"""
_LONGEST = 2000  # characters of the library's words that are kept


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """`valid` is None when the library gave no answer that counts: it crashed, took too long, or misreads names."""

    valid: bool | None
    message: str


def second_opinion(path: Path, *, timeout: float = 6 * 3600.0) -> SecondOpinion:
    """Ask the library about the folder bag at `path`. It reads every byte once more. Raises nothing."""
    if not path.is_dir():
        return SecondOpinion(None, "only folder bags are shown to the bagit library")
    command = [sys.executable, "-I", "-X", "utf8", "-c", _ASK]
    try:
        answer = subprocess.run(  # noqa: S603 - our own words, no shell
            command,
            cwd=path,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return SecondOpinion(None, f"no answer from the bagit library within {timeout:.0f} s")
    except OSError as error:
        return SecondOpinion(None, f"the bagit library could not be asked: {error}")
    word, _, rest = answer.stdout.decode("utf-8", "replace").partition("\n")
    if answer.returncode != 0 or word not in ("valid", "invalid"):
        return SecondOpinion(None, answer.stderr.decode("utf-8", "replace").strip()[-_LONGEST:] or "no answer")
    words = rest.strip()[:_LONGEST]
    misread = next(_misread_names(path), None) if word == "invalid" else None
    if misread is not None:
        return SecondOpinion(None, f"the bagit library cannot read names such as {misread!r}; it says: {words}")
    return SecondOpinion(word == "valid", words)


def _misread_names(bag: Path) -> Iterator[str]:
    """Names that RFC 8493 allows and the library gets wrong, so that its "invalid" says nothing about the bag.

    It does not decode %25, strips blanks from the end of a path, and takes for line ends what only Python does.
    """
    for folder, _, names in os.walk(bag):
        for name in names:
            plain = name.replace("\r", "").replace("\n", "")
            if "%" in f"{folder[len(str(bag)) :]}{name}" or name != name.rstrip() or len(plain.splitlines()) > 1:
                yield name

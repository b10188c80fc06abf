"""What the `bagit` library of the Library of Congress says of a bag that our checker has already judged.

Promises: it can only add doubt. Where the two disagree, both answers are kept and ours counts: "valid" never
overrules our "no". It is asked in a process of its own, with the bag as its current folder, limits on time and memory
and no word kept but the last: the library hangs on pipes, trips over paths that contain `tagmanifest-`, changes its
current folder, and raises whatever it likes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preservation.bags.bagit_library import Library, NoAnswer
from preservation.bags.report import NOTHING, BagReport
from preservation.findings import Finding, Severity
from wording import say

_MEMORY = 2 << 30  # bytes of address space that it may take
_PATIENCE = 6 * 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """`valid` is None when the library gave no answer that counts: it crashed, took too long, or misreads names."""

    valid: bool | None
    message: str

    def beside(self, ours: bool) -> dict[str, Any]:
        """Both answers, as they stand in events and reports; `agrees` is None where the library gave none."""
        agrees = None if self.valid is None else self.valid is ours
        return {"tool": "bagit", "ours": ours, "valid": self.valid, "agrees": agrees, "message": self.message}


def disagreement(report: BagReport, opinion: SecondOpinion) -> Finding | None:
    """The warning that the library says otherwise than our checker; our answer counts."""
    if opinion.valid in (None, report.valid):
        return None
    if report.valid:
        text = say("The bagit library calls this bag not valid, our checker calls it valid. Our answer counts.")
    else:
        text = say("The bagit library calls this bag valid, our checker calls it not valid. Our answer counts.")
    words = {True: "valid", False: f"not valid: {opinion.message}".rstrip(": ")}
    seen = words[bool(opinion.valid)] or NOTHING
    return Finding("second-opinion-differs", Severity.WARNING, text, ".", words[report.valid][:9], seen[:2000])


def second_opinion(
    path: Path, *, timeout: float = _PATIENCE, memory: int = _MEMORY, library: Library | None = None
) -> SecondOpinion:
    """Ask the library about the folder bag at `path`. It reads every byte once more. Raises nothing.

    `timeout` is in seconds, `memory` in bytes of address space; `library` is the one to ask, else a new one.
    """
    if not path.is_dir():
        return SecondOpinion(None, "only folder bags are shown to the bagit library")
    try:
        with nullcontext(library) if library is not None else Library() as asked:
            word, words = asked.ask(path, timeout=timeout, memory=memory)
    except NoAnswer as error:
        return SecondOpinion(None, str(error))
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

"""What the `bagit` library of the Library of Congress says of a bag that our checker has already judged.

Promises: it can only add doubt. Where the two disagree, both answers are kept and ours counts: "valid" never
overrules our "no". Runs in a process of its own, with the bag as its current folder, limits on time and memory and
no word kept but the last: the library hangs on pipes, trips over paths that contain `tagmanifest-`, changes its
current folder, and raises whatever it likes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preservation.bags.report import NOTHING, BagReport
from preservation.children import environment
from preservation.findings import Finding, Severity
from wording import say

# /proc/self/cwd hides the true path, which the library would search for `tagmanifest-`.
# -I keeps the bag (the current folder) off the import path: a bag may hold a bagit.py of its own.
# It ends with us: killed in the middle of a large bag, we would leave it reading for hours.
_ASK = """
import ctypes, logging, os, resource, sys
seconds, memory, longest, parent = map(int, sys.argv[1:])
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
if os.getppid() != parent:
    sys.exit(1)
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import bagit
logging.disable(logging.CRITICAL)
try:
    bagit.Bag("/proc/self/cwd" if os.path.isdir("/proc/self/cwd") else ".").validate()
    answer, words = "valid", ""
except bagit.BagError as error:
    answer, words = "invalid", str(error)
except BaseException as error:
    answer, words = "crashed", f"{type(error).__name__}: {error}"
sys.stdout.buffer.write(f"{answer}\\n{words[:longest]}".encode("utf-8", "backslashreplace"))
"""
_LONGEST = 2000  # characters of the library's words that are kept
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
    return Finding("second-opinion-differs", Severity.WARNING, text, ".", words[report.valid][:9], seen[:_LONGEST])


def second_opinion(path: Path, *, timeout: float = _PATIENCE, memory: int = _MEMORY) -> SecondOpinion:
    """Ask the library about the folder bag at `path`. It reads every byte once more. Raises nothing.

    `timeout` is in seconds, `memory` in bytes of address space.
    """
    if not path.is_dir():
        return SecondOpinion(None, "only folder bags are shown to the bagit library")
    limits = (str(int(timeout) + 1), str(memory), str(_LONGEST), str(os.getpid()))
    try:
        answer = subprocess.run(  # noqa: S603 - our own words, no shell
            [sys.executable, "-I", "-X", "utf8", "-c", _ASK, *limits],
            cwd=path,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return SecondOpinion(None, f"no answer from the bagit library within {timeout:.0f} s")
    except OSError as error:
        return SecondOpinion(None, f"the bagit library could not be asked: {error}")
    word, _, words = answer.stdout.decode("utf-8", "replace").partition("\n")
    if answer.returncode != 0 or word not in ("valid", "invalid"):
        return SecondOpinion(None, words or f"no answer from the bagit library; it ended with {answer.returncode}")
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

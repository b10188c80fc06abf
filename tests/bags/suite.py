"""The Library of Congress suite of 60 bags: the folder says what a checker must answer; two of them are disputed."""

from __future__ import annotations

import tarfile
from pathlib import Path

from preservation.bags.check import check_bag

NAME = "bagit-conformance-suite"
BAGS = 60

# bag → (all its errors, a warning that it must have, why the folder's verdict is disputed)
DISPUTED = {
    "v0.97/warning/special-system-files": (
        {"file-missing", "oxum-differs"},
        "system-file",
        "lists a .DS_Store that never made it into the suite's repository, so the bag is not complete",
    ),
    "v0.97/warning/duplicate-file-with-different-case": (
        {"file-missing"},
        "names-differ-in-case",
        "lists HELLO.txt and hello.txt and holds one of them: complete only where the file system ignores case",
    ),
}


def unpacked(corpora: Path, into: Path) -> Path:
    """The suite out of the folder with the test data."""
    with tarfile.open(corpora.resolve() / f"{NAME}.tar.xz") as archive:
        archive.extractall(into)  # our own test data
    return into / NAME if (into / NAME).is_dir() else into


def bags_in(suite: Path) -> dict[str, Path]:
    """Every bag of the suite by its name, `v1.0/valid/basicBag`."""
    found = sorted(path for path in suite.glob("v*/*/*") if path.is_dir())
    return {path.relative_to(suite).as_posix(): path for path in found}


def judged(name: str, bag: Path) -> str | None:
    """Why our answer is not the one that the folder (or, for the disputed, the honest answer) demands; else None."""
    report = check_bag(bag)
    errors = {finding.code for finding in report.findings if finding.severity == "error"}
    warnings = {finding.code for finding in report.findings if finding.severity == "warning"}
    bare = [f.code for f in report.findings if not (f.path and f.expected and f.seen)]
    if name in DISPUTED:
        expected, warning, _ = DISPUTED[name]
        right = errors == expected and warning in warnings
    elif bag.parent.name in ("valid", "warning"):
        right = report.valid and report.complete and (bag.parent.name == "valid" or bool(warnings))
    else:  # invalid, linux-only, windows-only: each must fail, on every system
        right = not report.valid
    if bare:
        return f"without path, expected or seen: {bare}"
    return None if right else f"errors {sorted(errors)}, warnings {sorted(warnings)}"

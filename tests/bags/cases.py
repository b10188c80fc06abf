"""One adversarial bag: how it is made, what the checker must say, and the judge of its answer.

The first word of a name is the verdict. `codes` are all findings of the weight that the verdict is about (errors of an
invalid bag, warnings of others), so that none is refused, or let through, by accident.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from preservation.bags.check import check_bag
from preservation.bags.profile import read_profile
from preservation.bags.report import BagReport
from preservation.errors import PackageUnreadable
from preservation.findings import Finding

PATIENCE = 20  # seconds for one bag; a checker that hangs must not hang the list


@dataclass(frozen=True)
class Case:
    """`make` writes the bag at the path it is given and answers where it is, if elsewhere."""

    family: str
    name: str
    make: Callable[[Path], object]
    codes: frozenset[str]
    profile: dict[str, Any] | None = None

    @property
    def verdict(self) -> str:
        return self.name.split()[0]

    def __str__(self) -> str:
        return f"{self.family}: {self.name}"


def family(name: str, cases: dict[str, tuple[Callable[[Path], object], set[str]]]) -> list[Case]:
    """Cases written as a mapping: name → how it is made, codes."""
    return [Case(name, case, make, frozenset(codes)) for case, (make, codes) in cases.items()]


def complaint(case: Case, folder: Path) -> str | None:
    """Why the checker's answer is wrong; None when it is right."""
    made = case.make(folder / "bag")
    path = made if isinstance(made, Path) else folder / "bag"
    profile = read_profile(json.dumps(case.profile).encode(), file="p.json") if case.profile is not None else None
    with hurried():
        try:
            report = check_bag(path, profile=profile)
        except PackageUnreadable as error:
            return _about(case, error.findings)
    wrong = _about_verdict(case, report)
    return wrong or _about(case, report.findings)


def _about_verdict(case: Case, report: BagReport) -> str | None:
    good = case.verdict != "invalid"
    if case.profile is not None:
        return None if report.conforms is good else f"conforms: {report.conforms}, {codes(report.findings)}"
    if report.valid is not good:
        return f"{'false reject' if good else 'FALSE ACCEPT'}: {codes(report.findings)}"
    if good and report.matched != report.payload_files:
        return f"valid, and only {report.matched} of {report.payload_files} files were read"
    return None


def _about(case: Case, findings: tuple[Finding, ...]) -> str | None:
    weight = {"invalid": "error", "remark": "info"}.get(case.verdict, "warning")
    seen = {finding.code for finding in findings if finding.severity == weight}
    if seen != case.codes:
        return f"codes {sorted(seen)}, expected {sorted(case.codes)}"
    if case.verdict == "valid" and not case.codes and findings:
        return f"valid, but {codes(findings)}"
    bare = [f.code for f in findings if not (f.path and f.expected and f.seen and str(f.message))]
    return f"without path, expected or seen: {bare}" if bare else None


def codes(findings: tuple[Finding, ...]) -> str:
    return ", ".join(sorted({f"{finding.severity.value} {finding.code}" for finding in findings})) or "no finding"


@contextmanager
def hurried() -> Iterator[None]:
    """Raises TimeoutError when the block takes longer than PATIENCE."""

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"no answer within {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)

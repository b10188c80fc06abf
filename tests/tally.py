"""The table that the long checks print: how many of each family passed, failed or are disputed, and one last line.

`make conformance`, `hostile`, `faults`, `crash` and `damage` end with it. What failed is named above the table; the
last line is `58 passed, 2 disputed`, and the exit code says whether all that was asked for passed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Answers by family. `least` is how many must have passed, so that a run that did nothing does not pass."""

    title: str
    least: int = 1
    families: dict[str, list[int]] = field(default_factory=dict)  # family → passed, failed, disputed
    failures: list[str] = field(default_factory=list)

    def passed(self, family: str) -> None:
        self._row(family)[0] += 1

    def failed(self, family: str, case: str, why: str) -> None:
        self._row(family)[1] += 1
        self.failures.append(f"{family}: {case}: {why}")

    def disputed(self, family: str) -> None:
        self._row(family)[2] += 1

    def note(self, family: str, case: str, why: str | None) -> None:
        """Passed when there is no reason why not."""
        if why is None:
            self.passed(family)
        else:
            self.failed(family, case, why)

    def sums(self) -> tuple[int, int, int]:
        passed, failed, disputed = (sum(row[place] for row in self.families.values()) for place in range(3))
        return passed, failed, disputed

    def conclude(self) -> int:
        """Print failures, table and last line; the exit code."""
        out = sys.stdout.write
        for failure in self.failures:
            out(f"FAILED {failure}\n")
        width = max((len(family) for family in self.families), default=8)
        out(f"\n{self.title}\n{'':{width}}  passed  failed  disputed\n")
        for family, (passed, failed, disputed) in self.families.items():
            out(f"{family:{width}}  {passed:6}  {failed:6}  {disputed:8}\n")
        passed, failed, disputed = self.sums()
        short = passed < self.least
        if short:
            out(f"short: at least {self.least} were to pass\n")
        words = [f"{passed} passed"]
        words += [f"{failed} failed"] if failed or not disputed else []
        words += [f"{disputed} disputed"] if disputed else []
        out(f"{', '.join(words)}\n")
        return 1 if failed or short else 0

    def _row(self, family: str) -> list[int]:
        return self.families.setdefault(family, [0, 0, 0])


def judged(cases: Iterable[tuple[str, str, Callable[[], str | None]]], tally: Tally) -> Tally:
    """Run every (family, case, check); a check gives None or why it failed, and what it raises is a failure too."""
    for family, case, check in cases:
        try:
            tally.note(family, case, check())
        except AssertionError as error:
            tally.failed(family, case, str(error).strip().splitlines()[0] if str(error).strip() else "assertion")
        except Exception as error:  # whatever one case brings about, the others go on
            tally.failed(family, case, repr(error))
    return tally

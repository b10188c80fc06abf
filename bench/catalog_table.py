"""The table of answers: what was asked, how long the answer took, and whether it was right."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

TARGET, PLAN_TARGET, SCRAPE_TARGET = 0.3, 5.0, 1.0  # seconds: an answer; a day's plan; what monitoring reads
ROUNDS = 5


@dataclass
class Table:
    """`timed`: whether a right answer that comes late has failed."""

    timed: bool = True
    passed: int = 0
    failed: int = 0

    def ask(self, name: str, question: Callable[[], object], right: object, *, target: float = TARGET) -> None:
        """Ask several times, compare, note."""
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            answer = question()
            times.append(time.perf_counter() - began)
        self.note(name, statistics.median(times), answer, right, target=target)

    def note(self, name: str, took: float, answer: object, right: object, *, target: float, told: str = "") -> None:
        """One line: right when the answer is the expected one, well when it also came in time."""
        well = answer == right and (took <= target or not self.timed)
        self.passed, self.failed = self.passed + well, self.failed + (not well)
        word = "ok" if well else "WRONG ANSWER" if answer != right else "too slow"
        print(f"  {name:58} {1000 * took:9.1f} ms  target {1000 * target:6.0f} ms  {word}{told}", flush=True)
        if answer != right:
            print(f"    expected {str(right)[:300]}\n    seen     {str(answer)[:300]}")

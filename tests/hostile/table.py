"""`make hostile`: every hostile package through ingest; a table by family, and what the heaviest ones cost.

`--runs` takes a draw of so many packages instead of all, `--seed` chooses which.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.hostile import judge
from tests.tally import Tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=0)
    asked = parser.parse_args()
    cases = [(family, one) for family, found in judge.all_cases().items() for one in found]
    if asked.runs:
        cases = random.Random(asked.seed).sample(cases, min(asked.runs, len(cases)))
    root = Path(tempfile.mkdtemp(prefix="vankho-hostile-"))
    try:
        judged = judge.run(cases, root / "run")
        tally = Tally("Hostile packages", least=len(cases) - len(judged.cannot))
        for family, one in cases:
            name = f"{family} {one.name}"
            if name not in judged.cannot:
                tally.note(family, one.name, judge.problem(one, judged.answers[name]))
    finally:
        judge.clear(root)
    for wrong in judged.wrong:
        tally.failed("all together", "the batch", wrong)
    if not judged.wrong:
        tally.passed("all together")
    _costs(judged)
    return tally.conclude()


def _costs(judged: judge.Judged) -> None:
    """What could not be made here, and the heaviest packages."""
    for name, reason in judged.cannot.items():
        print(f"not made on this system: {name}: {reason}")
    for field, unit in (("seconds", "s of processor"), ("mebibytes", "MiB, this process and its children")):
        name, worst = max(judged.answers.items(), key=lambda answer: answer[1][field])
        print(f"most: {worst[field]} {unit}: {name}")


if __name__ == "__main__":
    sys.exit(main())

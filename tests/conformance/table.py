"""`make conformance`: the bag checker and the stores against everything that there is to hold against them.

`--runs` is how many bags are changed by chance for the second opinion (100 unless told), `--seed` draws them. The
Library of Congress suite needs VANKHO_CORPORA; without it the table says so, and falls short where `--must-run` or
VANKHO_MUST_RUN asks for everything.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from preservation.bags.profile import ProfileInvalid, read_profile
from storage_adapters import conformance
from storage_adapters.conformance_clauses import CLAUSES
from storage_adapters.opening import LocalSettings, MemorySettings, open_for_check
from tests.bags import suite
from tests.bags.adversarial_forms import FORMS
from tests.bags.adversarial_text import TEXT
from tests.bags.cases import Case, complaint
from tests.bags.golden import GOLDEN
from tests.bags.second_opinions import compared, folder_bags, mutated
from tests.bags.test_adversarial import WRONG
from tests.bags.test_reference import ELSEWHERE, RULES
from tests.conformance.broken_stores import CAUGHT
from tests.tally import Tally, judged

RUNS = 100
LEAST = 1000  # what has to pass, the suite left out
SUITE = "Library of Congress suite"
Check = tuple[str, str, Callable[[], str | None]]


def suite_bags(bags: dict[str, Path]) -> Iterator[Check]:
    for name, bag in bags.items():
        if name not in suite.DISPUTED:
            yield SUITE, name, lambda name=name, bag=bag: suite.judged(name, bag)


def bags_of_ours(answers: dict[str, str | None]) -> Iterator[Check]:
    """Golden and adversarial bags; what came of each is kept in `answers` for the rules."""
    golden = [Case("golden", name, make, frozenset(codes)) for name, (make, codes) in GOLDEN.items()]
    for case in (*golden, *TEXT, *FORMS):
        family = "golden bags" if case.family == "golden" else f"adversarial: {case.family}"
        yield family, case.name, lambda case=case: answers.setdefault(str(case), _in_a_folder(case))
    for name, content in WRONG.items():
        yield "malformed profiles", name, lambda content=content: _refused(content)


def _in_a_folder(case: Case) -> str | None:
    with tempfile.TemporaryDirectory(prefix="vankho-") as folder:
        if case.family == "golden" and case.verdict == "valid" and case.codes:
            case = Case(case.family, case.name.replace("valid", "warning", 1), case.make, case.codes)
        return complaint(case, Path(folder))


def _refused(content: bytes) -> str | None:
    try:
        read_profile(content, file="p.json")
    except ProfileInvalid:
        return None
    return "it was used"


def rules(answers: dict[str, str | None]) -> Iterator[Check]:
    """Each numbered rule of the reference: a bag that breaks it was made, and judged as it must be."""
    cases = [("golden: " + name, codes) for name, (_, codes) in GOLDEN.items()]
    cases += [(str(case), set(case.codes)) for case in (*TEXT, *FORMS)]
    for code, number in RULES.items():
        if code not in ELSEWHERE:
            mine = [name for name, codes in cases if code in codes]
            yield "rules of RFC 8493", f"{number} {code}", lambda mine=mine: _held(mine, answers)


def _held(names: list[str], answers: dict[str, str | None]) -> str | None:
    if not names:
        return "no bag breaks it"
    return "; ".join(f"{name}: {why}" for name in names if (why := answers[name]) is not None) or None


def second_opinions(bags: dict[str, Path], *, runs: int, seed: int) -> Iterator[Check]:
    """Ours and the library's answer on every bag that is a folder, on the suite, and on bags changed by chance."""
    for case in folder_bags():
        yield "second opinion: our bags", str(case), lambda case=case: _compared(case.make)
    for name, bag in bags.items():
        yield "second opinion: the suite", name, lambda bag=bag: compared(bag)[1]
    for number in range(seed, seed + runs):
        yield "second opinion: by chance", f"seed {number}", lambda n=number: _compared(lambda f: mutated(f, n))


def _compared(make: Callable[[Path], object]) -> str | None:
    with tempfile.TemporaryDirectory(prefix="vankho-") as folder:
        make(Path(folder) / "bag")
        return compared(Path(folder) / "bag")[1]


def stores() -> Iterator[Check]:
    """Every broken store is caught by its clause; every honest one keeps every clause."""
    for broken, name in CAUGHT:
        yield "stores that lie", f"{broken.__name__}, {name}", lambda b=broken, n=name: _caught(b, n)
    for clause in CLAUSES:
        yield "store in memory", clause.name, lambda c=clause: _kept(MemorySettings(), c)
        yield "store in a folder", clause.name, lambda c=clause: _in_folder(c)


def _caught(broken: type, name: str) -> str | None:
    results = conformance.run(broken("broken"))
    caught = {result.name for result in results if result.outcome is conformance.Outcome.BROKEN}
    return None if name in caught else f"caught by {sorted(caught) or 'nothing'}"


def _kept(settings: MemorySettings | LocalSettings, clause: conformance.Clause) -> str | None:
    [result] = conformance.run(open_for_check("store", settings), clauses=[clause])
    return None if result.outcome is conformance.Outcome.HELD else f"{result.outcome}: {result.detail}"


def _in_folder(clause: conformance.Clause) -> str | None:
    with tempfile.TemporaryDirectory(prefix="vankho-") as folder:
        why = _kept(LocalSettings(path=Path(folder)), clause)
        left = [path.name for path in Path(folder).iterdir()]
        return why or (f"left behind: {left}" if left else None)


def main(argv: list[str]) -> int:
    """Judge everything, print the table; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.table")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--must-run", action="store_true", default=bool(os.environ.get("VANKHO_MUST_RUN")))
    asked = parser.parse_args(argv)
    say = sys.stdout.write
    say(f"seed {asked.seed}, {asked.runs} bags by chance\n")
    tally, answers = Tally("Conformance: bags and stores", least=LEAST), dict[str, str | None]()
    with tempfile.TemporaryDirectory(prefix="vankho-") as folder:
        bags = _suite(Path(folder))
        judged(suite_bags(bags), tally)
        for name, (_, _, why) in suite.DISPUTED.items() if bags else ():
            _dispute(name, why, suite.judged(name, bags[name]), tally)
        judged(bags_of_ours(answers), tally)
        judged(rules(answers), tally)
        judged(second_opinions(bags, runs=asked.runs, seed=asked.seed), tally)
        judged(stores(), tally)
    if not bags:
        say(f"left out: {SUITE}, for VANKHO_CORPORA does not name the folder with the test data\n")
        if asked.must_run:
            tally.failed(SUITE, "all of it", "must run here, but VANKHO_CORPORA is not set")
    say("S3 services: the same clauses run against real servers in tests/live\n")
    return tally.conclude()


def _suite(folder: Path) -> dict[str, Path]:
    place = os.environ.get("VANKHO_CORPORA")
    return suite.bags_in(suite.unpacked(Path(place), folder)) if place else {}


def _dispute(name: str, why: str, wrong: str | None, tally: Tally) -> None:
    """A disputed bag counts as such only while the honest answer is given."""
    if wrong is not None:
        tally.failed(SUITE, name, wrong)
        return
    sys.stdout.write(f"disputed: {name}: {why}\n")
    tally.disputed(SUITE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

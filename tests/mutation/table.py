"""`make mutation`: breaks the checking code on purpose, one small change at a time, and counts what the tests notice.

    python -m tests.mutation.table [--group NAME]... [--jobs N] [--keep DIR] [--tool DIR]

Every group runs in a copy of the checkout, below a temporary folder or DIR; with --keep, what was judged before and
has not changed since is not run again. Survivors are printed; those that docs/explanation/mutation.md explains, in
the same words, are marked. Exits 0 when every group has its 90 % and every survivor is explained.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.groups import GROUPS, Group

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "explanation" / "mutation.md"
LEAST = 90.0  # per cent killed, in every group
ENDLESS = (24, -24, 36, 152, 255)
KILLED = (1, 3, *ENDLESS)  # a test failed, pytest broke, or the mutant ran without end
SURVIVED = (0, 5, 33)  # with 5 and 33 no test came by it at all


@dataclass(frozen=True)
class Survivor:
    """One change that no test noticed."""

    module: str
    function: str
    was: str
    became: str

    def __str__(self) -> str:
        return f"`{self.module}`, `{self.function}`: `{self.was}` became `{self.became}`"


@dataclass(frozen=True)
class Score:
    """What came of one group: `endless` of the killed ran out of time; of `unsaid` ones mutmut gave no clear answer."""

    title: str
    mutants: int
    killed: int
    endless: int
    survivors: tuple[Survivor, ...]
    unsaid: int

    @property
    def per_cent(self) -> float:
        return 100 * self.killed / self.mutants if self.mutants else 0.0


def main() -> int:
    """The table; the exit code."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="vankho-mutation-") as scratch:
        base = asked.keep or Path(scratch)
        scores = [_run(name, base / name, asked.tool, jobs=asked.jobs) for name in asked.group or GROUPS]
    explained = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    out = sys.stdout.write
    open_ = 0
    for score in scores:
        for survivor in score.survivors:
            known = str(survivor) in explained
            open_ += not known
            out(f"{'explained' if known else 'SURVIVED '} {survivor}\n")
    out(f"\n{'mutants of':24} {'all':>6} {'killed':>7} {'endless':>8} {'survived':>9} {'unsaid':>7} {'score':>8}\n")
    for score in scores:
        counts = f"{score.mutants:6} {score.killed:7} {score.endless:8} {len(score.survivors):9} {score.unsaid:7}"
        out(f"{score.title:24} {counts} {score.per_cent:7.1f} %\n")
    killed, mutants = sum(score.killed for score in scores), sum(score.mutants for score in scores)
    out(f"{killed} of {mutants} killed, {open_} survivors unexplained\n")
    return int(open_ > 0 or any(score.per_cent < LEAST or score.unsaid for score in scores))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Mutation testing of the checking code.")
    parser.add_argument("--group", action="append", choices=tuple(GROUPS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, help="work below this folder and keep what was judged")
    parser.add_argument("--tool", type=Path, default=CHECKOUT / ".venv-mutation", help="the environment with mutmut")
    return parser.parse_args()


def _run(name: str, folder: Path, tool: Path, *, jobs: int) -> Score:
    group = GROUPS[name]
    _copy_checkout(folder)
    (folder / "setup.cfg").write_text(_configuration(group), encoding="utf-8")
    packages = next(tool.glob("lib/python*/site-packages"))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("VANKHO_")}
    _ask_again(folder, group)
    log = folder / "mutmut.log"
    with log.open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "tests.mutation.leave_messages", str(jobs)],
            cwd=folder,
            env=environment | {"PYTHONPATH": str(packages)},
            stdout=out,
            stderr=out,
        )
    if done.returncode:
        sys.exit(f"mutmut ended with {done.returncode}:\n{log.read_text(errors='replace')[-4000:]}")
    return _score(group, folder)


def _ask_again(folder: Path, group: Group) -> None:
    """What survived an earlier run here meets the tests of today; what was killed is only judged anew when it changed."""
    for module in group.modules:
        file = folder / "mutants" / f"{module}.meta"
        if file.exists():
            meta = json.loads(file.read_text(encoding="utf-8"))
            codes = meta["exit_code_by_key"]
            meta["exit_code_by_key"] = {mutant: code if code in KILLED else None for mutant, code in codes.items()}
            file.write_text(json.dumps(meta), encoding="utf-8")


def _copy_checkout(folder: Path) -> None:
    """The files that git knows or would know, as they are now; what has not changed keeps its time."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    ).stdout
    for name in filter(None, os.fsdecode(listed).split("\0")):
        source, target = CHECKOUT / name, folder / name
        if not source.is_file() or (target.exists() and target.read_bytes() == source.read_bytes()):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
        (folder / "mutants" / name).unlink(missing_ok=True)  # mutmut copies what is not there


def _configuration(group: Group) -> str:
    def lines(*values: str) -> str:
        return "".join(f"\n    {value}" for value in values)

    tests = [test for test in group.tests if (CHECKOUT / test).exists()]
    rooms = ("apps", "flows", "policies", "preservation", "storage_adapters", "wording", "examples")
    return (
        "[mutmut]\n"
        f"source_paths ={lines(*rooms)}\n"
        f"only_mutate ={lines(*group.modules)}\n"
        f"also_copy ={lines('docs', 'README.md', 'constraints.txt')}\n"
        f"pytest_add_cli_args_test_selection ={lines(*tests, *group.options)}\n"
        f"pytest_add_cli_args ={lines('-p', 'no:xdist')}\n"
        "use_git_change_detection = false\n"
        "timeout_multiplier = 4\n"
    )


def _score(group: Group, folder: Path) -> Score:
    codes: Counter[str] = Counter()
    survivors: list[Survivor] = []
    for module in group.modules:
        meta = json.loads((folder / "mutants" / f"{module}.meta").read_text(encoding="utf-8"))
        for mutant, code in meta["exit_code_by_key"].items():
            codes["killed" if code in KILLED else "survived" if code in SURVIVED else "unsaid"] += 1
            codes["endless"] += code in ENDLESS
            if code in SURVIVED:
                survivors.append(_survivor(folder, module, mutant.rpartition(".")[2]))
    mutants = codes["killed"] + len(survivors) + codes["unsaid"]
    return Score(group.title, mutants, codes["killed"], codes["endless"], tuple(survivors), codes["unsaid"])


def _survivor(folder: Path, module: str, mutant: str) -> Survivor:
    mangled = mutant.rpartition("__mutmut_")[0]
    function = mangled.removeprefix("x_").removeprefix("xǁ")
    before = _function(folder, module, f"{mangled}__mutmut_orig", shown=function)
    after = _function(folder, module, mutant, shown=function)
    changed = [line for line in difflib.ndiff(before, after) if line[:2] in ("- ", "+ ")]
    was, became = (" ".join(line[2:].strip() for line in changed if line[0] == sign) for sign in "-+")
    return Survivor(module, function.replace("ǁ", "."), was, became)


def _function(folder: Path, module: str, name: str, *, shown: str) -> list[str]:
    """The lines of one variant of a function, named as the function is."""
    spans = json.loads((folder / "mutants" / f"{module}.spans").read_text(encoding="utf-8"))["spans"]
    first, last = spans[name]
    lines = (folder / "mutants" / module).read_text(encoding="utf-8").splitlines()[first - 1 : last]
    return [line.replace(name, shown) for line in lines]


if __name__ == "__main__":
    sys.exit(main())

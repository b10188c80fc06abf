"""FIDO's class and our engine on the same files: 20,000 drawn by seed, and every file of the corpora.

`python -m tests.formats.table [--seed N] [--runs N]` prints a table by family and a last line `N passed, N failed`; below it how
often a container, a priority or a root element told more than FIDO does, which is no failure and is counted apart.
Byte signatures must match in FIDO's order, under the same names. Where containers differ, a plain reading of the whole
signature says who is right.
"""

from __future__ import annotations

import argparse
import os
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from preservation.facts import Basis
from preservation.formats.edges import edges_of
from preservation.formats.engine import Engine
from preservation.formats.limits import Limits
from preservation.formats.pronom.facts import Release
from preservation.formats.pronom.matcher import Matcher
from preservation.formats.pronom.releases import fido_release, pronom_release
from tests.formats.drawn import Sources, draw, encoded_files
from tests.formats.stock import AskFido, difference, in_full, stock_fido
from tests.tally import Tally

CHUNK = 250  # files to a process at a time
CORPORA = ("pronom-skeletons", "scanned-packages", "bagit-conformance-suite", "schemas", "pronom-v118")

Compare = Callable[[Path], tuple[str | None, str | None]]
Seen = tuple[str, str, str | None, str | None]  # family, case, what kind of answer, why it is wrong


def main(seed: int, runs: int) -> int:
    """Compare and print. The exit code says whether all agreed."""
    tally, told = Tally(f"FIDO's answers, seed {seed}", least=runs), Counter[str]()
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(os.cpu_count()) as processes:
        corpora = unpacked(Path(folder))
        chunks = [range(at, min(at + CHUNK, runs)) for at in range(0, runs, CHUNK)]
        work = [processes.submit(generated, seed, chunk, corpora) for chunk in chunks]
        work += [processes.submit(existing, each) for each in corpora]
        for done in work:
            for family, case, kind, why in done.result():
                tally.note(family, case, why)
                told[kind or "wrong"] += 1
    for kind, count in told.most_common():
        sys.stdout.write(f"{count:7} {kind}\n")
    return tally.conclude()


def unpacked(folder: Path) -> list[Path]:
    """The corpora that VANKHO_CORPORA names, in folders of their names."""
    place = os.environ.get("VANKHO_CORPORA")
    for name in CORPORA if place else ():
        with tarfile.open(Path(place or "").resolve() / f"{name}.tar.xz") as archive:
            archive.extractall(folder / name)  # our own test data
    return sorted(folder.iterdir())


def generated(seed: int, numbers: range, corpora: Sequence[Path]) -> list[Seen]:
    """The drawn files of these numbers, each asked of both, with all that this needs."""
    return drawn_answers(seed, numbers, Sources(releases(corpora), encoded_files()), comparer())


def drawn_answers(seed: int, numbers: range, sources: Sources, compare: Compare) -> list[Seen]:
    """The drawn files of these numbers, each asked of both."""
    seen = []
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            file = draw(seed, number, sources)
            path = Path(folder) / file.name
            path.write_bytes(file.content)
            seen.append((file.family, f"{number} {file.name}", *compare(path)))
            path.unlink()
    return seen


def existing(folder: Path) -> list[Seen]:
    """Every file of a corpus."""
    compare = comparer()
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return [(f"corpus {folder.name}", str(path.relative_to(folder)), *compare(path)) for path in files]


def releases(corpora: Sequence[Path]) -> dict[str, Release]:
    """FIDO's release, and PRONOM 118 where the corpora are."""
    found = {"release 109": fido_release()}
    for folder in corpora:
        signatures = next(folder.rglob("DROID_SignatureFile_V118.xml"), None)
        if signatures is None:
            continue
        found["release 118"] = pronom_release(signatures, signatures.parent / "container-signature-20240501.xml")
    return found


def comparer(release: Release | None = None, fido: AskFido | None = None) -> Compare:
    """Asks both of a file: how our answer stands to FIDO's, and why it is wrong when it is."""
    release, fido = release or fido_release(), fido or stock_fido()
    engine, matcher = Engine(release, Limits(), tool="table"), Matcher(release)

    def compare(path: Path) -> tuple[str | None, str | None]:
        with path.open("rb") as file:
            head, tail = edges_of(file.fileno(), os.fstat(file.fileno()).st_size)
            fact = engine.identify(head, tail, path.name, lambda: path.open("rb"))
            matches = matcher.match(head, tail)
        try:
            basis, named = fido(path)
        except Exception as error:  # FIDO raises what its libraries raise, and then has no answer
            return f"FIDO raised {type(error).__name__}", None
        theirs, ours = {puid for puid, _ in named}, {fact.puid or "", *fact.candidates} - {""}
        in_order = [(known.puid, name) for known, name in matches]
        if basis is Basis.SIGNATURE and head and in_order != named:
            return None, f"FIDO: {named[:3]}, ours: {in_order[:3]}"
        kind = difference(basis, theirs, fact.basis, ours)
        if basis is Basis.CONTAINER and (fact.note or "").startswith("the container could not be read"):
            kind = "a part is damaged, and ours says so"
        elif Basis.CONTAINER in (basis, fact.basis) and kind != "the same":
            held = in_full(path, release)
            agreed = held == (ours if fact.basis is Basis.CONTAINER else set())
            kind = (kind or "FIDO misread a container signature") if agreed else None
        return kind, None if kind else f"FIDO: {basis} {sorted(theirs)}, ours: {fact.basis} {sorted(ours)}"

    return compare


if __name__ == "__main__":
    asked = argparse.ArgumentParser(prog="python -m tests.formats.table")
    asked.add_argument("--seed", type=int, default=20261122)
    asked.add_argument("--runs", type=int, default=20_000, help="how many files are drawn")
    given = asked.parse_args()
    sys.exit(main(given.seed, given.runs))

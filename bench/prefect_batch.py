"""What Prefect adds to a batch: `vankho ingest` of 200 packages of 30 small files, with and without a Prefect server.

Runs the two in turn, each in a workspace of its own, and prints seconds and CPU seconds of the command (not of the
server) and what Prefect adds in per cent (median). Exit code 1 when that is over the 5 % allowed.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from bench import measure
from bench.prefect_wait import NO_SERVER, VANKHO
from examples.servers import prefect_server, wait_for_prefect

ALLOWED = 5.0  # per cent
FILES, LEAST, MOST = 30, 4_000, 320_000  # of a package; bytes of a file


def main(packages: int, rounds: int) -> int:
    """Measure and print; 0 when what Prefect adds stays within what is allowed."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sources = make_packages(folder / "packages", packages)
        with prefect_server(folder / "prefect") as server:
            wait_for_prefect(server, folder / "prefect", seconds=180)
            ingest(folder / "w", sources[:2], server)  # a server's first run takes a second that no other one takes
            took = [
                {word: ingest(folder / "w", sources, address) for word, address in pair}
                for number in range(rounds)
                for pair in [[("without", NO_SERVER), ("with", server)][:: 1 if number % 2 else -1]]
            ]
    for word in ("without", "with"):
        wall, cpu = (sorted(each[word][unit] for each in took) for unit in (0, 1))
        print(
            f"{word:8} Prefect: min {wall[0]:.2f}  median {statistics.median(wall):.2f}  max {wall[-1]:.2f} s; "
            f"CPU median {statistics.median(cpu):.2f} s"
        )
    added = [
        statistics.median(100 * (each["with"][unit] / each["without"][unit] - 1) for each in took) for unit in (0, 1)
    ]
    print(f"Prefect adds {added[0]:.1f} % ({added[1]:.1f} % of CPU) to {packages} packages; allowed: {ALLOWED:.0f} %")
    return 0 if added[0] <= ALLOWED else 1


def make_packages(folder: Path, count: int) -> list[Path]:
    random = Random(4)
    for number in range(count):
        package = folder / f"{number:04}"
        package.mkdir(parents=True)
        for page in range(FILES):
            content = f"trang {page}\n".encode() + random.randbytes(random.randint(LEAST, MOST))
            (package / f"{page:04}.txt").write_bytes(content)
    return sorted(folder.iterdir())


def ingest(workspace: Path, sources: Sequence[Path], server: str) -> tuple[float, float]:
    """Seconds, and CPU seconds of the command and its children."""
    shutil.rmtree(workspace, ignore_errors=True)
    subprocess.run([VANKHO, "init", workspace], check=True, capture_output=True)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    measure.run([VANKHO, "ingest", "--workspace", workspace, *sources], env={"PREFECT_API_URL": server})
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*numbers, *[200, 3][len(numbers) :]))

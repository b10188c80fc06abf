"""Memory stays flat and the processor's time small, however many objects come."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import resource, sys, time
from pathlib import Path
from preservation.catalog import open_catalog
from tests.catalog.samples import event, objects, version
address, base, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
with open_catalog(address, base=base) as catalog:
    begun = time.process_time()
    mine = catalog.admit(version(count), objects(count), [event()])
    assert sum(1 for _ in catalog.objects(mine.identifier, 1)) == count
    print(time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_a_hundred_thousand_objects(address: str, tmp_path: Path) -> None:
    def run(count: int) -> tuple[float, int]:
        command = [sys.executable, "-c", PROGRAM, address, str(tmp_path), str(count)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
        seconds, kilobytes = done.stdout.split()
        return float(seconds), int(kilobytes)

    _, few = run(10_000)
    seconds, many = run(100_000)
    assert many - few < 12_000, (few, many)  # kilobytes; a list of these objects would take some 60,000
    assert seconds < 20  # about 3, the making of the facts included

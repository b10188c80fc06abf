"""Making the catalog again takes flat memory, however many objects there are, and so does the comparison."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from flows.rebuilding.catalog_copies import kept_history
from preservation.catalog import open_catalog
from preservation.ledger.records import admission_detail
from preservation.ledger.writing import write_ledger
from preservation.progress import Silent
from storage_adapters.opening import LocalSettings, open_store
from tests.catalog.samples import NOW, event, objects, version

class Nowhere:
    progress = Silent()

base, count, step = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
base.mkdir(exist_ok=True)
store = open_store("a", LocalSettings(path=base))
if step == "make":
    with open_catalog("sqlite:///first.db", base=base) as catalog:
        mine = version(count, staged=None)
        admitted = replace(event(mine), detail=admission_detail(mine, objects(count)))
        catalog.admit(mine, objects(count), [admitted])
        write_ledger(catalog, store, now=NOW, agent="x", spool=base / "spool", policies={})
else:
    with open_catalog("sqlite:///second.db", base=base) as catalog:
        kept = kept_history(Nowhere, store)
        catalog.replay(kept.events(), kept.admissions)
        seen = catalog.difference(kept)
        assert (seen.total, seen.compared["objects"]) == (0, count)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_forty_thousand_objects_take_no_more_memory_than_four(tmp_path: Path) -> None:
    """Two counts, each in a process of its own."""

    def run(count: int) -> int:
        for step in ("make", "again"):
            command = [sys.executable, "-c", PROGRAM, str(tmp_path / str(count)), str(count), step]
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
        return int(done.stdout)

    few, many = run(4_000), run(40_000)
    assert many - few < 12_000, (few, many)  # kilobytes; a list of these objects would take some 25,000

"""Memory stays flat: a bag of thousands of files is written and checked in little more than an empty one needs."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from preservation.bags.check import check_bag
from preservation.findings import Severity
from tests.bags.bag_maker import make_bag

FILES = 10_000
MOST_PER_FILE = 500  # bytes of memory for one file of the payload

# In a process of its own, because the highest use of memory is known only for a whole process.
MEASURE = """
import os, resource, sys
import preservation.bags.manifests
import preservation.inventory
from datetime import date
from pathlib import Path
from hashlib import sha256
from preservation.bags.check import check_bag
from preservation.bags.plan import BagPlan
from preservation.bags.write import write_bag
from preservation.facts import Basis, FileFact, Form, FormatFact
from preservation.inventory import load_file, load_format, write_facts
from preservation.packages.received import Received
from preservation.packages.submission import Submission

preservation.inventory.IN_MEMORY = preservation.bags.manifests.IN_MEMORY = 1000  # as if it were a package of a million
count, root = int(sys.argv[1]), Path(sys.argv[2])
folder = root / "s"
(folder / "received").mkdir(parents=True)
names = lambda: (f"trang ảnh quét số {n:07}.tif" for n in range(count))
def receive():
    for name in names():
        (folder / "received" / name).write_bytes(b"x")
        yield FileFact(name, 1, {"sha256": sha256(b"x").hexdigest()})
formats = (FormatFact(n, "fmt/353", "TIFF", Basis.SIGNATURE, "fido", "v109") for n in names())
received = Received(Submission("s", root, Form.FOLDER, folder, os.open(root, os.O_RDONLY)), False, folder / "received", None,
    write_facts(folder / "i", receive(), load_file), (), (), (), count, count, "0", ())
plan = BagPlan("id", 1, ("sha256",), date(2026, 11, 22), "vankho 0", (), write_facts(folder / "f", formats, load_format))
written = write_bag(received, plan, destination=root / "bag")
report = check_bag(written.path)
assert report.valid and report.matched == count
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.timeout(240)
def test_memory_is_flat(tmp_path):
    def peak(count: int) -> int:
        command = [sys.executable, "-c", MEASURE, str(count), str(tmp_path / str(count))]
        return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    assert peak(FILES) - peak(10) < FILES * MOST_PER_FILE


def test_the_digests_of_a_very_large_bag_are_compared_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Past the bound they wait in a file; nothing else changes, and what differs is told with both digests."""
    bag = make_bag(tmp_path / "bag", {f"data/{number}": b"%d" % number for number in range(5)})
    monkeypatch.setattr("preservation.bags.manifests.IN_MEMORY", 3)
    assert check_bag(bag).valid
    (bag / "data/3").write_bytes(b"4")
    (found,) = [each for each in check_bag(bag).findings if each.severity is Severity.ERROR]
    promised, seen = (sha256(content).hexdigest() for content in (b"3", b"4"))
    assert (found.code, found.path, found.expected, found.seen) == ("digest-differs", "data/3", promised, seen)

"""What a run has started ends with it, also when it is killed while a child of it works on something large."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.bags.bag_maker import make_bag
from tests.servers.processes import wait_until

ROOT = Path(__file__).resolve().parents[2]
ASK = "import sys; from pathlib import Path; from preservation.bags.second_opinion import second_opinion\n"
ASK += "second_opinion(Path(sys.argv[1]))"


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_the_second_opinion_does_not_outlive_who_asked_for_it(tmp_path: Path):
    bag = make_bag(tmp_path / "bag")
    with (bag / "data/a.txt").open("r+b") as file:
        file.truncate(1 << 40)  # a hole, that takes an hour to read
    (bag / "bag-info.txt").write_bytes(b"Payload-Oxum: 1099511627782.2\n")  # so that it is not done with the count
    process = subprocess.Popen(
        [sys.executable, "-c", ASK, str(bag)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        wait_until(lambda: bool(children(process.pid)), seconds=60, what="the second opinion")
        (keeper,) = children(process.pid)
        wait_until(lambda: any(_reading(one, bag) for one in children(keeper)), seconds=60, what="reading the bag")
        both = [keeper, *children(keeper)]
    finally:
        process.kill()
        process.wait(30)
    try:
        wait_until(lambda: not any(alive(one) for one in both), seconds=10, what="the end of the children")
    finally:
        for one in filter(alive, both):
            os.kill(one, signal.SIGKILL)


def _reading(pid: int, bag: Path) -> bool:
    try:
        return any(entry.readlink().name == "a.txt" for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False

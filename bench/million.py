"""`make bench-million`: one package of a million small files through `vankho ingest`, and the memory it takes.

    python -m bench.million [FILES] [--scratch FOLDER]

The whole command in a new workspace with one local store: received, identified, bagged, checked, admitted, copied,
proved. Every process is looked at five times a second; told is the highest memory of each. Takes some quarter of
an hour of two cores, 14 GB and 4 million file names. Exit code 1 when a process took more than is allowed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from bench.prefect_wait import NO_SERVER, VANKHO

ALLOWED = 300  # MB of one process
IN_ONE_FOLDER = 1000
BETWEEN = 0.2  # seconds between two looks
_PROC = Path("/proc")


def main(files: int, scratch: Path | None) -> int:
    """Measure and print; 0 when all went well within what is allowed."""
    with tempfile.TemporaryDirectory(prefix="vankho-million-", dir=scratch) as place:
        folder = Path(place)
        make_package(folder / "package", files)
        subprocess.run([VANKHO, "init", folder / "w"], check=True, capture_output=True)
        began = time.monotonic()
        with (folder / "out").open("wb") as out:
            process = subprocess.Popen(
                [VANKHO, "ingest", "--json", "--workspace", folder / "w", folder / "package"],
                env=os.environ | {"PREFECT_API_URL": NO_SERVER},
                stdout=out,
            )
            highest, together = watched(process)
        took = time.monotonic() - began
        told = json.loads((folder / "out").read_text("utf-8"))
    for name, megabytes in sorted(highest.items(), key=lambda each: -each[1]):
        print(f"{megabytes:6.0f} MB  {name}")
    print(f"{together:6.0f} MB  all of them at one moment")
    print(f"{files} files in {took:.0f} s: {json.dumps(told)[:200]}")
    well = process.returncode == 0 and max(highest.values()) < ALLOWED
    print(f"at most {ALLOWED} MB in one process: {'reached' if well else 'missed'}")
    return 0 if well else 1


def make_package(root: Path, files: int) -> None:
    """A thousand files in a folder, no two alike, with names that are not ASCII."""
    for number in range(files):
        folder = f"{root}/tập {number // IN_ONE_FOLDER:04}"
        if number % IN_ONE_FOLDER == 0:
            os.makedirs(folder)  # noqa: PTH103 - a million paths
        with open(f"{folder}/trang {number:07}.txt", "wb") as out:  # noqa: PTH123
            out.write(b"trang %d\n" % number)


def watched(process: subprocess.Popen[bytes]) -> tuple[dict[str, float], float]:
    """The highest memory (MB) of each process until the first one ends, and of all of them at one moment."""
    highest: dict[str, float] = {}
    together = 0.0
    while process.poll() is None:
        now = 0.0
        for pid in [process.pid, *_below(process.pid)]:
            with suppress(OSError, KeyError):
                seen = _memory(pid)
                name = f"{pid} {_command(pid)}"
                highest[name] = max(highest.get(name, 0.0), seen["VmHWM"])
                now += seen["VmRSS"]
        together = max(together, now)
        time.sleep(BETWEEN)
    return highest, together


def _below(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for thread in (_PROC / str(pid) / "task").iterdir():
            for child in (thread / "children").read_text("ascii").split():
                found += [int(child), *_below(int(child))]
    return found


def _memory(pid: int) -> dict[str, float]:
    lines = (_PROC / str(pid) / "status").read_text("utf-8", "replace").splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return {name: int(fields[name].split()[0]) / 1024 for name in ("VmHWM", "VmRSS")}


def _command(pid: int) -> str:
    words = (_PROC / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    return " ".join(" ".join(words[1:]).split())[:60]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.million", description="Memory of one very large package.")
    parser.add_argument("files", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--scratch", type=Path, default=None, help="folder to work in (default: a temporary one)")
    asked = parser.parse_args()
    sys.exit(main(asked.files, asked.scratch))

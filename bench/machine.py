"""What kind of machine this is, and which versions ran on it: no names and no paths of it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from bench import peers

OURS = ("vankho", "Pillow", "boto3", "prefect", "sqlalchemy", "psycopg")
THEIRS = ("bagit", "opf-fido", "pygfried", "boto3", "awscli", "s5cmd")


def kind(place: Path) -> dict[str, str]:
    """Cores, processor, memory, kernel, and the file system under `place`."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return {
        "processor": f"{os.cpu_count()} × {_processor()}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "file system": _file_system(place),
    }


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def _file_system(place: Path) -> str:
    """Type and options that matter of the mount that `place` lies on."""
    best = ("", "unknown", "")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mounted, form, options, *_ = line.split(" ")
        if place.resolve().is_relative_to(mounted) and len(mounted) >= len(best[0]):
            best = (mounted, form, options)
    return f"{best[1]}" + (" without barriers" if "nobarrier" in best[2] else "")


def versions() -> dict[str, str]:
    """Of Python, of ours, and of the peers that are there."""
    told = {"Python": sys.version.split()[0]} | {name: version(name) for name in OURS}
    script = "import importlib.metadata as m, sys\nfor n in sys.argv[1:]: print(n, m.version(n))"
    if peers.there():
        lines = subprocess.run(
            [peers.PYTHON, "-c", script, *THEIRS], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        told |= dict(line.split(" ", 1) for line in lines)
        rclone = subprocess.run([peers.tool("rclone"), "version"], capture_output=True, text=True, check=True).stdout
        told["rclone"] = rclone.split("\n", 1)[0].removeprefix("rclone ")
    for program in ("sha256sum", "cp"):
        first = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        told["coreutils"] = first.split("\n", 1)[0].rsplit(" ", 1)[1]
    return told

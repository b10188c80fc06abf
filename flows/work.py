"""How many threads and processes do the work: from the machine's cores and from how much work there is.

`[work]` in vankho.toml, or VANKHO_WORK__THREADS and VANKHO_WORK__PROCESSES, say otherwise.
"""

from __future__ import annotations

import os

from flows.settings import Settings

MOST_THREADS = 8  # in one process: a disk that feeds more is rare
MOST_PROCESSES = 16
PACKAGES_EACH = 8  # a process takes a second to start; for fewer packages one process with threads is quicker


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def threads(settings: Settings) -> int:
    """Threads that hash and copy large files of one package."""
    return settings.work.threads or min(cores(), MOST_THREADS)


def processes(settings: Settings, packages: int) -> int:
    """Processes that take in as many packages, one package at a time each."""
    wanted = settings.work.processes or min(cores(), MOST_PROCESSES, packages // PACKAGES_EACH)
    return max(1, min(wanted, packages))

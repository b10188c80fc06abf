"""What a child process of ours is told of its surroundings: where programs and folders are, and nothing secret; and
which signals ask a process to end.

A child reads what strangers sent us; credentials that stand in our environment are none of its business.
"""

from __future__ import annotations

import os
import signal

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # to end; `apps.cli.interrupted` heeds them

_TOLD = ("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "SYSTEMROOT", "VIRTUAL_ENV")
_TOLD_ALL = ("LC_", "PYTHON")


def environment() -> dict[str, str]:
    """The environment for a child that needs no credentials."""
    return {name: value for name, value in os.environ.items() if name in _TOLD or name.startswith(_TOLD_ALL)}

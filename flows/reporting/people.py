"""Who does something here: the person's account and the machine, as decisions and reports name them."""

from __future__ import annotations

import getpass
import os
import socket


def who() -> str:
    """The person's account on this machine, or its number where it has no name, as in many containers."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"

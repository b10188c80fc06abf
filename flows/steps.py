"""How one step of a flow is run: by a plain call, or as a Prefect task. Flows cannot tell which.

Retries live here and nowhere else, and only StorageUnavailable is tried again: everything else would be
hidden by trying again. A step is safe to run twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

from storage_adapters.errors import StorageUnavailable

Answer = TypeVar("Answer")
P = ParamSpec("P")

# Seconds to wait before the second and the third try: long enough for a provider's hiccup, short enough for a
# person at the command line. A store that is away for longer is left to the next `vankho replicate`.
RETRY_DELAYS = (0.5, 2.0)


class Step(Protocol):
    """Runs one named step and gives back what it returned; what it raises passes through."""

    def __call__(self, name: str, work: Callable[P, Answer], /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        """Call `work` with the arguments; `name` is what a person reads in Prefect."""


def plain_step(_name: str, work: Callable[P, Answer], /, *args: P.args, **kwargs: P.kwargs) -> Answer:
    """Run the step by a plain call, trying again when the store was away."""
    for delay in RETRY_DELAYS:
        try:
            return work(*args, **kwargs)
        except StorageUnavailable:
            time.sleep(delay)
    return work(*args, **kwargs)

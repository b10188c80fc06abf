"""How one step of a flow is run: by a plain call, or as a Prefect task. Flows cannot tell which.

Retries live here and nowhere else, and only StorageUnavailable is tried again: everything else would be
hidden by trying again. A step is safe to run twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ParamSpec, Protocol, TypeVar

from storage_adapters.errors import StorageUnavailable

Answer = TypeVar("Answer")
Item = TypeVar("Item")
Context = TypeVar("Context")
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


# Prefect on SQLite stays quick with some 30 task runs in one flow run.
STEPS_PER_RUN = 25


def each(
    step: Step,
    name: Callable[[Item], str],
    work: Callable[[Item, Context, Step], Answer],
    items: Sequence[Item],
    context: Context,
    *,
    steps: int = STEPS_PER_RUN,
) -> list[Answer]:
    """Work on every item, in order: a single one step by step; of several, each or a few together as one step, in so
    many `steps` at most.
    """
    if len(items) == 1:
        return [work(items[0], context, step)]

    def together(part: Sequence[Item]) -> list[Answer]:
        return [work(item, context, plain_step) for item in part]

    size = max(1, -(-len(items) // steps))
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    return [answer for part in parts for answer in step(name(part[0]), together, part)]

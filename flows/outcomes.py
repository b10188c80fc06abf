"""How a run ended: the one list from which exit codes and the names of Prefect states are taken."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Protocol


class Verdict(IntEnum):
    """The exit codes of `vankho`."""

    WELL = 0  # all well
    FOUND = 1  # something was found: rejected, damaged, overdue; the officer acts
    USAGE = 2  # wrong usage or a wrong policy; nothing was begun
    FAILED = 3  # the system failed; the sysadmin acts, then try again


class Ending(Protocol):
    """What every flow gives back for each thing it worked on."""

    @property
    def verdict(self) -> Verdict:
        """How it ended."""

    @property
    def word(self) -> str:
        """The one word for it: accepted, rejected, damaged, repaired."""


def worst_of(endings: Iterable[Ending]) -> Verdict:
    """The gravest of several endings; WELL when there were none."""
    return max((ending.verdict for ending in endings), default=Verdict.WELL)

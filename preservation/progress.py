"""How long work tells what it is doing, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A listener."""

    def begin(self, step: str, total: int | None) -> None:
        """A step begins; `total` is its size in bytes or items, None when unknown."""

    def advance(self, amount: int) -> None:
        """So much more of the step is done."""


class Silent:
    """Nobody listens."""

    def begin(self, step: str, total: int | None) -> None:
        """Ignore."""

    def advance(self, amount: int) -> None:
        """Ignore."""

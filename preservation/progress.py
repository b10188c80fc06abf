"""How long work tells what it is doing, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A listener. `begin` names a step and its size (bytes or items, None when unknown); `advance` moves it."""

    def begin(self, step: str, total: int | None) -> None: ...

    def advance(self, amount: int) -> None: ...


class Silent:
    """Nobody listens."""

    def begin(self, step: str, total: int | None) -> None:
        """Ignore."""

    def advance(self, amount: int) -> None:
        """Ignore."""

"""Where one row is measured: an empty folder, how large the sets are, how often, warm or cold."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import measure, sets

CORES = 2  # processes that a peer is given at most: the targets speak of two


@dataclass(frozen=True, slots=True)
class Room:
    """`sizes` and `scale` make sets of other sizes than the usual ones (the tests')."""

    folder: Path
    quick: bool = False
    rounds: int | None = None
    cold: bool = False
    sizes: dict[str, int] | None = None
    scale: float = 1.0
    cache: Path | None = None

    def set(self, name: str) -> sets.Set:
        """One of the sets, made unless it is in the cache."""
        sizes = self.sizes or (sets.QUICK if self.quick else sets.FULL)
        return sets.make(name, sizes[name], cache=self.cache, scale=self.scale)

    def times(self, usual: int) -> int:
        """How many rounds, where `usual` many do."""
        return self.rounds or (min(usual, 2) if self.quick else usual)

    @property
    def state(self) -> str:
        """What is told of the files."""
        return "cold" if self.cold else "warm"

    def ready(self, *folders: Path) -> Callable[[], None]:
        """What to do before each side: drop the files from memory (cold), or see to it that they are there (warm)."""

        def forget() -> None:
            for folder in folders:
                measure.forget_cached(folder)

        if self.cold:
            return forget
        for folder in folders:
            measure.read_once(folder)
        return lambda: None

    def fresh(self, name: str) -> Path:
        """An empty folder of this name; what stood there is gone, and on the disk nothing waits to be written."""
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        os.sync()
        return place

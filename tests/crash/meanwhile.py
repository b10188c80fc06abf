"""What somebody does to a file while the product reads it: at the n-th advance of one progress."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


def _vanish(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"and more")


def _shrink(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _rewrite(path: Path) -> None:
    """Other bytes, as many as before."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(b"x" * size)


DEEDS: dict[str, Callable[[Path], None]] = {
    "vanish": _vanish, "grow": _grow, "shrink": _shrink, "rewrite": _rewrite
}  # fmt: skip


@dataclass
class Meanwhile:
    """Progress that does the deed to what the pattern finds below `folder`, at the `at`-th advance of the step."""

    step: str
    at: int
    deed: str
    folder: str
    pattern: str
    _now: str = field(default="", init=False)

    def begin(self, step: str, total: int | None) -> None:
        """A step begins."""
        self._now = step

    def advance(self, amount: int) -> None:
        """A step moves."""
        if self._now != self.step:
            return
        self.at -= 1
        if self.at == 0:
            root = Path(self.folder)
            for path in [root] if self.pattern == "." else sorted(root.glob(self.pattern)):
                path.chmod(path.stat().st_mode | 0o600)
                DEEDS[self.deed](path)

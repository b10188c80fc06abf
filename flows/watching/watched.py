"""What the watcher of a place may ask of it, and what is asked of the watcher there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flows.watching.drop_folder import Look
from flows.watching.outcome_files import Told
from flows.workspace import Workspace


class Place(Protocol):
    """Where packages are put down: a folder, or a prefix in a bucket."""

    @property
    def key(self) -> str:
        """The place, as it stands in the catalog."""

    def source(self, name: str) -> str:
        """What ingest is given."""

    def looks(self) -> Iterator[Look]:
        """Every package that may have changed since it was settled. Raises OSError, StorageError."""

    def look_at(self, name: str) -> Look | None:
        """One package as it is now, None when it is gone."""

    def settled(self, name: str, fingerprint: str) -> None:
        """Nothing is to be done for the package in this state."""

    def fetch(self, workspace: Workspace, name: str) -> None:
        """Have the package where ingest can read it. Raises PreservationError, StorageError, OSError."""

    def let_go(self, workspace: Workspace, name: str) -> None:
        """Remove what `fetch` made."""

    def answer(self, name: str, what: Told) -> str:
        """Write the outcome beside the package; where that is. Raises OSError, StorageError."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One watched place: what is asked of it, and where outcomes go that cannot stand beside the packages."""

    place: Place
    settle: float  # seconds
    outcomes: Path
    policy: str | None = None
    collection: str | None = None
    apart: bool = False  # write outcomes there always

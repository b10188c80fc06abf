"""What was received: the payload where it now lies, and everything noticed on the way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from preservation.facts import FileFact, FormatFact
from preservation.findings import Finding
from preservation.inventory import FactFile
from preservation.packages.submission import Submission


@dataclass(frozen=True, slots=True)
class Received:
    """One received package. Paths in `inventory` are relative to `payload`, sorted by their bytes.

    `content_digest` is the SHA-256 over the lines `<sha256> <size> <path>` of the payload in that order: the
    same content has the same digest, however it was delivered. An ERROR among `findings` rejects the package.
    """

    submission: Submission
    is_bag: bool
    payload: Path
    given_tags: Path | None  # the root of a given bag: its tag files stand beside `data/`
    inventory: FactFile[FileFact]
    given_tag_files: tuple[FileFact, ...]  # paths relative to `given_tags`
    set_aside: tuple[FileFact, ...]  # paths relative to the submission's `set-aside/`
    empty_folders: tuple[str, ...]
    files: int
    bytes: int
    content_digest: str
    findings: tuple[Finding, ...]
    formats: FactFile[FormatFact] | None = None  # in the order of the inventory; None when nobody looked

    @property
    def aside(self) -> Path:
        """The folder that holds what was set aside; it may be missing when nothing was."""
        return self.submission.folder / "set-aside"

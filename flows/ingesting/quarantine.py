"""What is left of a rejected package: the reasons. Its bytes stay with the producer, untouched; ours are let go.

The file is written first under a hidden name, locked while its writer lives, and gets its own once the catalog
tells of it: neither stands without the other. What a run that died in between left, `settle` finishes or removes.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from flows.workspace import Workspace
from preservation.facts import EventType
from preservation.findings import Finding, as_json
from wording import printable_json

_WRITING = ".unfinished"


@contextmanager
def reasons_kept(workspace: Workspace, source: str, submission: str, findings: Sequence[Finding]) -> Iterator[Path]:
    """`quarantine/<submission>.json`, the source and every finding: there once the block has told of it."""
    workspace.quarantine.mkdir(exist_ok=True)
    file = workspace.quarantine / f"{submission}.json"
    writing = file.with_name(f".{submission}{_WRITING}")
    reasons = {
        "source": source,
        "submission": submission,
        "at": workspace.clock().isoformat(),
        "findings": [as_json(finding) for finding in findings],
    }
    with _locked(writing) as out:
        try:
            out.write(printable_json(reasons) + "\n")
            out.flush()
            os.fsync(out.fileno())
            yield file
        except BaseException:
            writing.unlink(missing_ok=True)
            raise
        writing.rename(file)


@contextmanager
def _locked(writing: Path) -> Iterator[IO[str]]:
    while True:
        with writing.open("w", encoding="utf-8") as out:
            fcntl.flock(out, fcntl.LOCK_EX)
            if _is_still(out, writing):  # else a tidying run took it for a dead one's, before it was locked
                yield out
                return


def _is_still(file: IO[str], path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False


def settle(workspace: Workspace) -> None:
    """Finish what dead runs began: the file gets its name when the catalog tells of it, and goes when it does not."""
    for writing in workspace.quarantine.glob(f".*{_WRITING}"):
        submission = writing.name[1 : -len(_WRITING)]
        with suppress(FileNotFoundError, BlockingIOError), writing.open() as held:  # finished, or its writer lives
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            told = workspace.catalog.events(submission=submission)
            if any(each.event.type is EventType.QUARANTINE for each in told):
                writing.rename(workspace.quarantine / f"{submission}.json")
            else:
                writing.unlink()

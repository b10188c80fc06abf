"""What living watchers saw last, for whoever asks meanwhile: one small file for each place, in the workspace.

Of no weight: a watcher that comes anew looks for itself.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flows.watching.drop_folder import Why
from flows.workspace import Workspace
from preservation.catalog.leases import is_gone, this_process

FOLDER = "watch"
MOST = 1000  # packages that are named


@dataclass(frozen=True, slots=True)
class Waits:
    """One package that waits: why, since when (of one that failed: until when); `unchanged` between two looks."""

    name: str
    why: Why
    since: datetime
    detail: str = ""
    unchanged: bool = False


def write(workspace: Workspace, place: str, waits: Sequence[Waits]) -> None:
    """Keep what waits in the place. What cannot be written is not missed."""
    file = _file(workspace, place)
    text = json.dumps(
        {
            "place": place,
            "process": this_process(),
            "count": sum(each.why not in (Why.NO_PACKAGE, Why.AWAY) for each in waits),
            "waits": [[each.name, each.why.value, each.since.isoformat(), each.detail] for each in waits[:MOST]],
        }
    )
    with suppress(OSError):
        if file.exists() and file.read_text("utf-8") == text:
            return
        file.parent.mkdir(exist_ok=True)
        half = file.with_name(f".{secrets.token_hex(8)}")
        half.write_text(text, "utf-8")
        half.replace(file)


def forget(workspace: Workspace, place: str) -> None:
    """The watcher ends."""
    with suppress(OSError):
        _file(workspace, place).unlink()


def read(folder: Path) -> dict[str, tuple[int, list[Waits]]]:
    """By place, how many packages wait and the first thousand, of all watchers that live."""
    found = {}
    for file in sorted((folder / FOLDER).glob("*.json")):
        with suppress(OSError, ValueError, KeyError):
            kept = json.loads(file.read_text("utf-8"))
            if not is_gone(kept["process"]):
                waits = [
                    Waits(name, Why(why), datetime.fromisoformat(since), detail)
                    for name, why, since, detail in kept["waits"]
                ]
                found[str(kept["place"])] = int(kept["count"]), waits
    return found


def waiting(folder: Path) -> dict[str, int]:
    """How many packages wait in each watched place, as a living watcher saw it last; none of a place that nobody
    watches, or that could not be looked into: how many wait there is not known.
    """
    return {
        place: count
        for place, (count, waits) in read(folder).items()
        if not any(each.why is Why.AWAY for each in waits)
    }


def _file(workspace: Workspace, place: str) -> Path:
    return workspace.folder / FOLDER / f"{hashlib.sha256(place.encode()).hexdigest()[:16]}.json"

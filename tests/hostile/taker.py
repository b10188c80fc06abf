"""Takes a batch of hostile packages in, in a process of its own, and tells what it cost and what was said.

`python -m tests.hostile.taker HOUSE SOURCES.json ANSWERS.json`. Memory is this process's and its children's together,
by the kernel's own high-water marks. Every connection that Python tries is told; a listener tells of all others.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import flows.steps
from apps.cli import shapes
from apps.cli.answer import Table
from apps.cli.screen import in_words
from flows.ingest import Ingested, ingest_batch
from flows.workspace import Workspace, open_workspace
from preservation.bags.check import check_bag

_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request")


def main() -> None:
    house, sources, answers = (Path(os.fsdecode(os.fsencode(word))) for word in sys.argv[1:4])
    flows.steps.RETRY_DELAYS = (0.01, 0.01)
    os.environ["VANKHO_WORK__PROCESSES"] = "1"  # what a package costs is measured in this process
    told: list[dict[str, Any]] = []
    asked: list[str] = []
    sys.addaudithook(lambda event, args: asked.append(f"{event} {args[1:]}") if event in _NETWORK else None)
    with open_workspace(house) as workspace:
        workspace.warm_up()
        for batch in json.loads(sources.read_text("ascii")):
            told += _batch(workspace, batch, asked)
        sound = workspace.catalog.verify_chain().sound
    answers.write_text(json.dumps({"packages": told, "sound": sound}), "ascii")


def _batch(workspace: Workspace, sources: list[str], asked: list[str]) -> list[dict[str, Any]]:
    costs: list[dict[str, Any]] = []

    def measured(name: str, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        before, asked[:] = _start(), []
        try:
            return work(*args, **kwargs)
        finally:
            costs.append({**_cost(before), "network": list(asked), "left": _left(workspace)})
            print(ascii(name), costs[-1], file=sys.stderr, flush=True)  # the last one named is the one that broke it

    done = ingest_batch(workspace, sources, step=measured)
    assert len(costs) == len(sources), "one step for each package, or the costs are not each one's own"
    known = _submissions(workspace)
    return [_told(workspace, each, known) | cost for each, cost in zip(done, costs, strict=True)]


def _told(workspace: Workspace, done: Ingested, submissions: dict[str, str]) -> dict[str, Any]:
    """The outcome, every sentence in both languages, what the history keeps, and the bag in a store judged again."""
    bag = None
    if done.identifier is not None:
        bag = workspace.folder / "stores" / "a" / "aip" / done.identifier / f"v{done.version}"
    lines = [
        in_words(line, language)
        for language in ("en", "vi")
        for line in shapes.finding_lines(done.findings, language)
        if not isinstance(line, Table)
    ]
    return {
        "outcome": done.outcome,
        "verdict": int(done.verdict),
        "findings": [(finding.code, finding.severity.value, finding.path) for finding in done.findings],
        "lines": lines,
        "json": json.dumps(shapes.findings_json(done.findings, "vi")),
        "recorded": sorted(_recorded(workspace, done, submissions)),
        "valid": None if bag is None else check_bag(bag).valid,
        "bag": None if bag is None else str(bag),
        "proved": sum(1 for replica in done.replicas if replica.evidence),
    }


def _recorded(workspace: Workspace, done: Ingested, submissions: dict[str, str]) -> set[str]:
    """The codes that the history keeps of this package."""
    about = {"identifier": done.identifier} if done.identifier else {"submission": submissions.get(done.source, "")}
    events = workspace.catalog.events(**about)
    return {finding["code"] for each in events for finding in each.event.detail.get("findings", ())}


def _submissions(workspace: Workspace) -> dict[str, str]:
    """The submission of each rejected package by its source, from the reasons left in quarantine."""
    left = [json.loads(file.read_text("utf-8")) for file in workspace.quarantine.glob("*.json")]
    return {str(reasons["source"]): str(reasons["submission"]) for reasons in left}


def _left(workspace: Workspace) -> list[str]:
    """What stands in the rooms for work in progress."""
    rooms = (workspace.staging, workspace.bags, workspace.folder / "spool")
    return [str(path) for room in rooms if room.is_dir() for path in room.iterdir() if path.name != ".claims"]


def _processes() -> list[int]:
    """This process and its living children."""
    children: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # a thread that ended just now
            children |= set(map(int, (task / "children").read_text().split()))
    return [os.getpid(), *sorted(children)]


def _start() -> tuple[float, float, int]:
    for pid in _processes():
        with suppress(OSError):  # it ended just now
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # the high-water mark begins anew
    return time.monotonic(), _worked(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def _cost(before: tuple[float, float, int]) -> dict[str, Any]:
    """Seconds of work, which another program on the same machine does not lengthen; seconds by the clock; memory."""
    began, worked, dead_before = before
    clock, seconds = time.monotonic() - began, _worked() - worked
    kibibytes = sum(_high_water(pid) for pid in _processes())
    dead = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    if dead > dead_before:  # one that ended meanwhile was larger than any before
        kibibytes += dead
    return {"seconds": round(seconds, 2), "clock": round(clock, 2), "mebibytes": kibibytes >> 10}


def _worked() -> float:
    """Seconds of processor that this process and its children have used, the ended ones included."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime + sum(map(_ticks, _processes()[1:]))


def _ticks(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _high_water(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    main()

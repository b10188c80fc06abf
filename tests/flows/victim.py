"""A process that ingests one package and may die on the way: `victim.py WORKSPACE SOURCE MOMENT`.

A moment is `before:<step>`, `after:<step>` or `in:<progress>:<n>` (at the n-th advance of that progress). With
`full:<bytes>` no file may grow beyond so many bytes, which is how a full disk is made without one. With `-` it
lives. Prints the outcome as JSON.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import flows.steps
from flows.ingest import ingest
from flows.workspace import open_workspace
from tests.flows.houses import codes, die, proofs


class Dying:
    """Progress that ends the process at one moment."""

    def __init__(self, step: str, count: int) -> None:
        self.step, self.count, self.now = step, count, ""

    def begin(self, step: str, total: int | None) -> None:
        self.now = step

    def advance(self, amount: int) -> None:
        if self.now == self.step:
            self.count -= 1
            if self.count == 0:
                die()


def main(workspace: str, source: str, moment: str) -> None:
    kind, _, rest = moment.partition(":")
    progress: Any = None

    def step(name: str, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        if (kind, rest) == ("before", name):
            die()
        answer = flows.steps.plain_step(name, work, *args, **kwargs)
        if (kind, rest) == ("after", name):
            die()
        return answer

    if kind == "in":
        where, _, count = rest.rpartition(":")
        progress = Dying(where, int(count))
    if kind == "full":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(rest), int(rest)))
    with open_workspace(Path(workspace), progress=progress) as opened:
        done = ingest(opened, source, step=step)
    answer = {
        "outcome": done.outcome,
        "identifier": done.identifier,
        "verdict": done.verdict,
        "codes": codes(done.findings),
        "messages": [str(finding.message) for finding in done.findings],
        "proofs": proofs(done.replicas),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])

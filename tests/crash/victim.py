"""A process that runs one command and may die on the way: `python -m tests.crash.victim REQUEST`.

The request is JSON: workspace, flow, parameters, and what is to go wrong: kill_at (the point to die at), broken (what
to take away from the product, to see that the comparison finds it), meanwhile (what somebody does to a file just then,
see meanwhile.py), largest (no file may grow beyond so many bytes, as on a full disk), unprivileged (with the rights
of nobody). Prints one JSON line: the answer, or the label of the point where it died. The zygote runs the same in
a fork of itself, which saves the second that imports take.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flows.running.run import carry_out
from flows.workspace import open_workspace
from preservation.findings import Severity
from tests.crash.meanwhile import Meanwhile
from tests.crash.points import Points

Request = dict[str, Any]
NOBODY = 65534

FLOWS = {
    "ingest": "flows.ingest",
    "ingest_batch": "flows.ingest",
    "replicate": "flows.replicate",
    "audit": "flows.audit",
    "repair": "flows.repair",
    "restore": "flows.restore",
}
BARE = {
    "rebuild": "flows.rebuilding.catalog_copies"
}  # commands that are no flows: without steps, and the ledger is theirs to tell


def run(request: Request, say: Callable[[dict[str, Any]], None]) -> None:
    """Carry out the request as the command does; `say` gets what is to be told."""
    if request.get("broken"):
        from tests.crash.broken import BREAKS

        BREAKS[request["broken"]]()
    if request.get("unprivileged") and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    if request.get("largest"):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest"], request["largest"]))
    points = Points(request.get("kill_at"), lambda label: say({"died": label, "points": points.count}))
    if request.get("meanwhile"):
        points.meanwhile = Meanwhile(**request["meanwhile"])
    flow = request["flow"]
    body = getattr(importlib.import_module((FLOWS | BARE)[flow]), flow)
    try:
        points.watch()
        with open_workspace(Path(request["workspace"]), progress=points) as workspace:
            if flow in BARE:
                done = body(workspace, **request["parameters"])
            else:
                done = carry_out(workspace, body, step=points.step, **request["parameters"])
        points.counting = False
        say({"answer": _answers(done), "points": points.count})
    except Exception as error:
        points.counting = False
        say({"raised": type(error).__name__, "text": str(error), "points": points.count})


def _answers(done: Any) -> list[dict[str, Any]]:
    endings: Sequence[Any] = done if isinstance(done, list) else [done]
    return [_answer(each, _findings(each)) for each in endings]


def _answer(each: Any, findings: Sequence[Any]) -> dict[str, Any]:
    findings = [finding for finding in findings if finding.severity is not Severity.INFO]
    return {
        "word": each.word,
        "verdict": int(each.verdict),
        "codes": [finding.code for finding in findings],
        "about": [finding.path or "" for finding in findings],
        "said": [str(finding.message) for finding in findings],
    }


def _findings(each: Any) -> Sequence[Any]:
    for holder in (each, getattr(each, "copies", None), getattr(each, "restored", None)):
        if hasattr(holder, "findings"):
            return tuple(holder.findings)
    return ()


def tell(answer: dict[str, Any]) -> None:
    """One line on standard output."""
    os.write(1, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    os.environ["PREFECT_API_URL"] = "http://127.0.0.1:9/api"  # nobody is there
    run(json.loads(sys.argv[1]), tell)

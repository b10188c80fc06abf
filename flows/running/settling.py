"""What `vankho up` and `vankho worker` have done beside themselves, in a process that ends: dead runs closed,
schedules made to fit.

`python -m flows.running.settling FOLDER POOL [all|running|close|lost]` prints one JSON document; `close` and `lost`
leave the schedules alone; `running` and `lost` close only what is surely dead while a worker goes on here. A process
of its own, so that the one that watches over all others stays small and imports neither Prefect nor the catalog.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from flows.failures import as_finding
from flows.workspace import Workspace, open_workspace
from preservation.findings import message_as_json
from wording import Explained, printable_json


def settle(folder: Path, pool: str, *, what: str) -> dict[str, Any]:
    """The names of the runs that were closed, what became of those of lost workers, the changes of the schedule, and
    what kept it from changing.
    """
    answer: dict[str, Any] = {"closed": [], "lost": [], "changes": [], "paused": [], "problem": None, "where": None}
    try:
        with open_workspace(folder) as workspace:
            _settle(workspace, pool, answer, what=what)
    except Explained as error:
        answer["problem"], answer["where"] = message_as_json(error.what), error.where
    except Exception as error:  # noqa: BLE001 - whoever asked tells it to a person, and goes on
        answer["problem"] = message_as_json(as_finding(error).message)
    return answer


def _settle(workspace: Workspace, pool: str, answer: dict[str, Any], *, what: str) -> None:
    from flows.running.schedules import apply, compare, require_server, workspace_tag

    require_server(workspace)
    from flows.running import dead_runs, lost_workers  # late: they import Prefect, which reads its settings then

    answer["closed"] = dead_runs.close_dead_runs(workspace)
    answer["lost"] = [
        message_as_json(each.message)
        for each in lost_workers.close_runs_of_lost_workers(workspace_tag(workspace), pool)
    ]
    if what in ("all", "close"):
        never = dead_runs.close_never_begun(workspace_tag(workspace), pool, now=workspace.clock())
        answer["closed"] += never
    if what not in ("all", "running"):
        return
    compared = compare(workspace, pool=pool)
    changes = [{"name": each.either.name, "kind": each.kind.value} for each in compared.open]
    answer["paused"] = [each.before.name for each in compared.changes if each.before and each.before.paused]
    apply(compared)
    answer["changes"] = changes


if __name__ == "__main__":
    _, where, named, what = sys.argv
    sys.stdout.write(printable_json(settle(Path(where), named, what=what), indent=None) + "\n")

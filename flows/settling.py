"""What `vankho up` has done beside itself, in a process that ends: dead runs closed, schedules made to fit.

`python -m flows.settling FOLDER POOL [all|close]` prints one JSON document. A process of its own, so that the one
that watches over all others stays small and imports neither Prefect nor the catalog.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from flows.failures import as_finding
from flows.workspace import Workspace, open_workspace
from preservation.findings import message_as_json
from wording import Explained, printable_json


def settle(folder: Path, pool: str, *, only_close: bool) -> dict[str, Any]:
    """The names of the runs that were closed, the changes of the schedule, and what kept it from changing."""
    answer: dict[str, Any] = {"closed": [], "changes": [], "paused": [], "problem": None, "where": None}
    try:
        with open_workspace(folder) as workspace:
            _settle(workspace, pool, answer, only_close=only_close)
    except Explained as error:
        answer["problem"], answer["where"] = message_as_json(error.what), error.where
    except Exception as error:  # noqa: BLE001 - whoever asked tells it to a person, and goes on
        answer["problem"] = message_as_json(as_finding(error).message)
    return answer


def _settle(workspace: Workspace, pool: str, answer: dict[str, Any], *, only_close: bool) -> None:
    from flows.schedules import apply, compare, require_server, workspace_tag

    require_server(workspace)
    from flows import dead_runs  # late: it imports Prefect, which reads its settings then

    answer["closed"] = [
        *dead_runs.close_dead_runs(workspace),
        *dead_runs.close_never_begun(workspace_tag(workspace), pool, now=workspace.clock()),
    ]
    if only_close:
        return
    compared = compare(workspace, pool=pool)
    changes = [{"name": each.either.name, "kind": each.kind.value} for each in compared.open]
    answer["paused"] = [each.before.name for each in compared.changes if each.before and each.before.paused]
    apply(compared)
    answer["changes"] = changes


if __name__ == "__main__":
    _, where, named, what = sys.argv
    sys.stdout.write(printable_json(settle(Path(where), named, only_close=what == "close"), indent=None) + "\n")

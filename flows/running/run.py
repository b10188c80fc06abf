"""Run a flow: in sight of a Prefect server when one answers, by plain calls when none does.

Without a server nothing of Prefect is imported and nothing waits for it; the catalog records the run either way.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flows.ledger import in_ledger
from flows.running.looking_on import LookedOn
from flows.settings_files import holds_credentials
from flows.workspace import Workspace
from preservation.errors import UsageError
from wording import say

Answer = TypeVar("Answer")

USUAL_SERVER = "http://127.0.0.1:4200/api"
RUNNING = "up.json"  # in the workspace: what `vankho up` has started, while it runs
LOOKED_ON = frozenset({"ingest_batch"})  # the work does not wait for Prefect to be imported
PATIENCE = 1.0  # seconds for a server to say that it is there
NEEDED = 15.0  # the same where nothing can be done without it: one that is busy just now is waited for


def carry_out(workspace: Workspace, body: Callable[..., Answer], /, **parameters: Any) -> Answer:  # noqa: ANN401
    """Run the flow whose body this is; `parameters` are JSON values. Gives and raises what the body does."""
    server = answering_server(workspace)
    if server is None:
        return in_ledger(workspace, body, **parameters)
    settle_prefect(server)
    if body.__name__ in LOOKED_ON:
        return LookedOn(workspace, body.__name__, parameters).carry_out(body)
    from flows.running import prefect_runs  # late: a second of import that only a run in sight of a server needs

    answer: Answer = prefect_runs.run(workspace, body.__name__, parameters)
    return answer


def close_dead_runs(workspace: Workspace, *, dry_run: bool = False) -> list[str]:
    """Close as crashed what the Prefect server that answers shows as running of processes that died here; gives their
    names, [] without a server. Prefect's errors pass.
    """
    server = answering_server(workspace)
    if server is None:
        return []
    settle_prefect(server)
    from flows.running import dead_runs  # late, as above

    return dead_runs.close_dead_runs(workspace, dry_run=dry_run)


def answering_server(workspace: Workspace, *, patience: float = PATIENCE) -> str | None:
    """The API address of the Prefect server that answers: the one set, else the one that `vankho up` runs here, else
    the usual one; None when none does within `patience` seconds.
    """
    address = server_tried(workspace)
    if holds_credentials(address):
        raise UsageError(
            say("PREFECT_API_URL holds a user name or a password, which Prefect would show."),
            where="PREFECT_API_URL",
            expected="https://host/api",
            next_step=say("Take them out of the address, and give them as PREFECT_API_AUTH_STRING."),
        )
    return address if is_there(address, patience=patience) else None


def server_tried(workspace: Workspace) -> str:
    """The address at which a Prefect server is looked for."""
    running = workspace.folder / RUNNING
    try:
        here = json.loads(running.read_text("utf-8")).get("api_url")
    except (OSError, ValueError, AttributeError):
        here = None
    return os.environ.get("PREFECT_API_URL") or workspace.settings.prefect.api_url or here or USUAL_SERVER


def is_there(address: str, *, patience: float = PATIENCE) -> bool:
    """Whether a Prefect server answers at this address within so many seconds."""
    parts = urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=patience)
    except ValueError:  # a port that is none
        return False
    try:
        connection.request("GET", parts.path.rstrip("/") + "/health")
        answer = connection.getresponse()
        return answer.status == http.client.OK and answer.read(64).strip() == b"true"
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


def settle_prefect(server: str) -> None:
    """What Prefect reads when it is imported: our server, none of its own, no calls home, no lines on our screen."""
    os.environ["PREFECT_API_URL"] = server
    os.environ["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] = "false"
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_INTERNAL_LEVEL", "CRITICAL")

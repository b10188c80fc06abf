"""Work handed to the Prefect server, to be done by whichever machine of the pool has room. Prefect is not imported.

What goes over is names and paths. The same work asked for again while it waits or runs is the same run.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flows.running.run import NEEDED, answering_server, server_tried
from flows.running.run_names import name_of
from flows.workspace import Workspace
from preservation.errors import PreservationError, UsageError
from wording import say

OVER = frozenset({"COMPLETED", "FAILED", "CANCELLED", "CRASHED"})
TIMES = 1000  # of the same work, one after the other


@dataclass(frozen=True, slots=True)
class Submitted:
    """A run that waits or runs; `new` is False when it was asked for before. `page` shows it to a person."""

    id: str
    name: str
    deployment: str
    page: str
    new: bool
    source: str | None = None


def submit_ingests(
    workspace: Workspace, sources: Sequence[str], *, policy: str | None = None, collection: str | None = None
) -> list[Submitted]:
    """One run for each package. Raises PolicyError, PreservationError (no server), UsageError (no deployment)."""
    workspace.policy(policy)
    server, deployment = _found(workspace, "ingest")
    given = {"workspace": str(workspace.folder), "policy": policy, "collection": collection}
    return [_begun(server, deployment, {**given, "source": source}) for source in sources]


def run_now(workspace: Workspace, name: str) -> Submitted:
    """The deployment of that name, as `vankho schedule show` tells it, begun now besides its times."""
    server, deployment = _found(workspace, name.removeprefix(f"{workspace.folder.name}: "))
    return _begun(server, deployment, deployment.get("parameters") or {})


def _found(workspace: Workspace, name: str) -> tuple[str, dict[str, Any]]:
    server = answering_server(workspace, patience=NEEDED)
    if server is None:
        raise PreservationError(
            say("No Prefect server answers, so nobody can be asked to do it."),
            where=server_tried(workspace),
            next_step=say("Start everything with `vankho up`, or set prefect.api_url in vankho.toml."),
        )
    full = f"{workspace.folder.name}: {name}"
    tag = f"workspace {workspace.folder}"
    known = _ask(server, "/deployments/filter", {"deployments": {"tags": {"all_": [tag]}}})
    for each in known:
        if each["name"] == full:
            return server, each
    names = sorted(each["name"].partition(": ")[2] for each in known)
    raise UsageError(
        say("The Prefect server has no deployment “{name}” of this workspace.", name=full),
        where=server,
        expected=", ".join(names) or "-",
        seen=name,
        next_step=say("Run `vankho schedule apply`, then the same command again; `vankho schedule show` names them."),
    )


def _begun(server: str, deployment: Mapping[str, Any], parameters: Mapping[str, Any]) -> Submitted:
    """A run of it, unless one with the same parameters is waiting or running."""
    if deployment.get("paused"):
        raise UsageError(
            say("{name} is paused in Prefect; nothing here takes that back.", name=deployment["name"]),
            where=server,
            next_step=say("Resume it on its page in Prefect, then run the same command again."),
        )
    facts = json.dumps([deployment["id"], parameters], sort_keys=True)
    key = hashlib.sha256(facts.encode("utf-8", "surrogateescape")).hexdigest()
    answered: dict[str, int] = {}
    for number in range(TIMES):
        body: dict[str, Any] = {"parameters": dict(parameters), "tags": deployment["tags"]}
        body["idempotency_key"] = f"{key}:{number}"
        if "source" in parameters:  # the others' scheduled runs are named by `vankho up`, or when they begin
            body["name"] = name_of("ingest", parameters)
        run = _ask(server, f"/deployments/{deployment['id']}/create_flow_run", body, answered)
        if run["state"] is None or run["state"]["type"] not in OVER:
            break
    return Submitted(
        id=run["id"],
        name=run["name"],
        deployment=deployment["name"],
        page=f"{server.removesuffix('/api')}/runs/flow-run/{run['id']}",
        new=answered["status"] == http.client.CREATED,
        source=parameters.get("source"),
    )


def _ask(server: str, path: str, body: Mapping[str, Any], answered: dict[str, int] | None = None) -> Any:  # noqa: ANN401
    """What the server's API answers. Raises PreservationError with what it said."""
    parts = urlsplit(server)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=NEEDED)
    headers = {"Content-Type": "application/json"}
    if account := os.environ.get("PREFECT_API_AUTH_STRING"):
        headers["Authorization"] = "Basic " + base64.b64encode(account.encode()).decode()
    try:
        connection.request("POST", parts.path.rstrip("/") + path, json.dumps(body).encode(), headers)
        answer = connection.getresponse()
        text = answer.read()
        if answered is not None:
            answered["status"] = answer.status
        if answer.status not in (http.client.OK, http.client.CREATED):
            raise _refused(server, f"HTTP {answer.status}: {text[:300].decode('utf-8', 'replace')}")
        return json.loads(text)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _refused(server, type(error).__name__) from error
    finally:
        connection.close()


def _refused(server: str, seen: str) -> PreservationError:
    return PreservationError(
        say("The Prefect server did not take the work."),
        where=server,
        seen=seen,
        next_step=say("Look at its pages and its log, then run the same command again."),
    )

"""The Prefect server of `vankho up`: that of the settings, else one of our own on the loopback; and what processes of
Prefect are told when they start.
"""

from __future__ import annotations

import os
import socket
import sys
import time

from flows.running.children import Child
from flows.running.run import is_there
from flows.running.up_state import SERVER, TURN, Running
from preservation.errors import PreservationError, UsageError
from wording import say

STARTING = 180.0  # seconds for the server; its first start builds its database
HERE = "127.0.0.1"


def start_server(it: Running, port: int) -> None:
    """Have a server that answers: the one that the settings name, else one of our own."""
    named = os.environ.get("PREFECT_API_URL") or it.settings.prefect.api_url
    if named is not None:
        if not is_there(named):
            raise PreservationError(
                say("The Prefect server that the settings name does not answer."),
                where=named,
                next_step=say("Start it, or take prefect.api_url out of vankho.toml to have one started here."),
            )
        it.tell(say("Prefect: the server of the settings, {address}", address=named))
        it.api, it.shared = named, True
        return
    port = _free_port(port)
    it.api = f"http://{HERE}:{port}/api"
    command = ("-m", "prefect", "server", "start", "--host", HERE, "--port", str(port))
    it.tell(say("Prefect's server is starting …"))
    it.children.start(Child(SERVER, (sys.executable, "-P", *command), environment_of(it, secrets=False)))
    deadline = time.monotonic() + STARTING
    while not is_there(it.api):
        it.children.look()
        if it.stop.wait(TURN):
            return
        if time.monotonic() > deadline:
            raise PreservationError(
                say("Prefect's server did not answer within {seconds} s.", seconds=round(STARTING)),
                where=str(it.children.log_of(SERVER)),
                next_step=say("Read the end of its log for the reason."),
            )


def _free_port(port: int) -> int:
    """The port, or a free one for 0. Raises UsageError when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HERE, port))
        except OSError as error:
            raise UsageError(
                say("Port {port} of this machine is taken: {reason}", port=port, reason=error.strerror or "?"),
                where=f"{HERE}:{port}",
                next_step=say("Name another with --port, or set prefect.api_url if a Prefect server runs there."),
            ) from None
        free: int = probe.getsockname()[1]
        return free


def environment_of(it: Running, *, secrets: bool) -> dict[str, str]:
    """What Prefect reads when it starts: our server, our folder, no calls home. The server gets no keys of stores."""
    mine = {
        name: value
        for name, value in os.environ.items()
        if (not name.startswith("PREFECT_") or name == "PREFECT_API_AUTH_STRING")
        and (secrets or not name.startswith(("VANKHO_", "AWS_")))
    }
    home = it.folder / "prefect"
    home.mkdir(mode=0o700, exist_ok=True)
    database = it.settings.prefect.database
    if database is not None and not secrets:
        mine["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database.get_secret_value()
    return mine | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": it.api,
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # A limit's slots must be given back although the server died: in memory nobody would know of them.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_WORKER_QUERY_SECONDS": "5",
        "PREFECT_LOGGING_COLORS": "false",
        "PYTHONUNBUFFERED": "1",
        "VANKHO_WORKSPACE": str(it.folder),
    }

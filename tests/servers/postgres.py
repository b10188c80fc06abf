"""A throw-away PostgreSQL for the tests: started on a free port in a folder of its own, stopped at the end.

Import the fixture `postgres` into a conftest; it gives a server on which `database()` makes empty databases.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from tests.conftest import cannot_run

QUICK = ("fsync=off", "full_page_writes=off", "shared_buffers=32MB")  # for tests: nothing outlives them
PASSWORD = "mật:khẩu@/%40"  # with every character that breaks a badly built address


@dataclass(frozen=True)
class Server:
    """A running server, with the superuser `vankho`."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    def address(self, database: str, *, user: str = "vankho", password: str = PASSWORD) -> str:
        """The catalog address of a database here."""
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str, *, database: str = "postgres") -> None:
        """Run one statement as superuser."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="vankho", password=PASSWORD, dbname=database, autocommit=True
        ) as connection:
            connection.execute(statement)

    @contextmanager
    def database(self) -> Iterator[str]:
        """A new empty database, dropped at the end; gives its name."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self.run(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")


def programs() -> Path | None:
    """The folder with initdb and postgres of the newest version installed, None when there is none."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = sorted(debian, key=lambda found: [int(part) for part in re.findall(r"\d+", found.parts[-3])])
    if newest:
        return newest[-1].parent
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for each test process."""
    found = programs()
    if found is None or not _can_run():
        cannot_run("PostgreSQL is not installed here with its own user (Debian: apt-get install postgresql)")
        return
    with running(found, QUICK) as server:
        yield server


@contextmanager
def running(found: Path, settings: Sequence[str]) -> Iterator[Server]:
    """A server with these settings, in a folder of its own; both are gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="vankho-pg-"))
    try:
        server = _start(found, folder, settings)
        try:
            yield server
        finally:
            _stop(server.process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _can_run() -> bool:
    if os.geteuid() != 0:
        return True
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        return False
    return True


def _dies_with_us() -> list[str]:
    """A test run that is killed leaves no server behind, where the system can arrange that."""
    return ["setpriv", "--pdeathsig", "INT", "--"] if shutil.which("setpriv") else []


def _account() -> dict[str, object]:
    """The server refuses to run as root, so it runs as the user that Debian's package made for it."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


def _start(found: Path, folder: Path, more: Sequence[str]) -> Server:
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    secret = folder / "secret"
    secret.write_text(PASSWORD, encoding="utf-8")
    secret.chmod(0o644)
    subprocess.run(
        [
            *(found / "initdb", "-D", folder / "data", "-U", "vankho", "-A", "scram-sha-256"),
            *(f"--pwfile={secret}", "--locale=C.UTF-8", "--encoding=UTF8", "--no-sync"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        **_account(),
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = ["listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "max_connections=80"]
    settings += more
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*_dies_with_us(), found / "postgres", "-D", folder / "data", "-p", str(port)]
            + [word for setting in settings for word in ("-c", setting)],
            stdout=log,
            stderr=log,
            cwd=folder,
            **_account(),
        )
    server = Server(port, folder, process)
    _wait(server)
    return server


def _wait(server: Server) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            server.run("SELECT 1")
        except psycopg.OperationalError:
            if server.process.poll() is not None or time.monotonic() > deadline:
                _stop(server.process)
                pytest.fail("PostgreSQL did not start:\n" + (server.folder / "log").read_text(errors="replace"))
            time.sleep(0.05)
        else:
            return


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # end all connections, then stop
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

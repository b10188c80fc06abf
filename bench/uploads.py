"""Uploads with digests proved, and reading it all back: Vankho beside rclone, s5cmd, aws and boto3.

To a sink that throws bodies away (what the client can do) and to `rclone serve s3`, a real server on the same cores
that has neither conditions nor checksums; what arrived there is read back by boto3 and compared with what was sent.
Our side and boto3 run in a process that stands; the start of the others' commands is in their time. Reading back is
against `rclone check --download`. To a server with conditions: `gateway`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from bench import measure, peers, stores
from bench.measure import Disagreement, Result, Side
from bench.room import Room
from preservation.replicas.layout import replica_prefix
from storage_adapters.errors import StorageUnavailable
from storage_adapters.settings import S3Settings
from tests.servers.rclone import rclone

BUCKET, KEY, SECRET = "vankho", "vankho-test", "vankho-secret"
KEYS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}
MASTERS, SMALL, FEW = 12, 2_000, 3  # files; of 12 masters a quarter on small sets, of small files a tenth
AT_ONCE = {"masters": 4, "small files": 16}  # what suits the others best


def rows(room: Room) -> Iterable[Result]:
    """Masters and small files, to both; then the way back."""
    os.environ.update(KEYS)
    for name, folder in (("masters", _masters(room)), ("small files", small(room))):
        with _sink() as url:
            yield _upload(room, f"upload to a sink: {name}", folder, url, AT_ONCE[name], sink=True)
        with address_of(rclone(room.fresh("server"), bucket=BUCKET)) as url:
            yield from to_and_from(room, "rclone serve s3", name, folder, url)


def to_and_from(room: Room, server: str, name: str, folder: Path, url: str) -> Iterator[Result]:
    yield _upload(room, f"upload to {server}: {name}", folder, url, AT_ONCE[name])
    yield _read_back(room, f"read-back from {server}: {name}", folder, url, AT_ONCE[name])


@contextmanager
def address_of(server: AbstractContextManager[S3Settings]) -> Iterator[str]:
    with server as settings:
        yield str(settings.endpoint_url)


def _upload(room: Room, title: str, folder: Path, url: str, at_once: int, *, sink: bool = False) -> Result:
    facts, number = stores.facts_of(folder), iter(range(10_000))
    store = stores.s3(url, BUCKET, sink=sink)
    store.capabilities()
    sent = {fact.path: fact.sha256 for fact in facts}
    size = sum(fact.size for fact in facts)

    def side(name: str, work: Callable[[str], object]) -> Side:
        def once() -> str:
            prefix = f"{name.replace(' ', '-')}-{next(number)}"
            work(prefix)
            return prefix

        def proof(prefix: str) -> str:
            there = replica_prefix(prefix, 1).rstrip("/") if name == "vankho" else prefix
            return "sent" if sink else _arrived(url, sent, there, partial(work, prefix))

        return Side(name, once, proof=proof)

    sides = [
        side("vankho", lambda prefix: _again(partial(stores.upload, folder, facts, store, identifier=prefix))),
        side("rclone copy", partial(_rclone_copy, folder, url, at_once)),
        side("s5cmd", partial(_s5cmd, folder, url, at_once)),
        side("aws s3 sync", partial(_aws, folder, url)),
        side("boto3 upload_file", partial(_boto3, folder, list(sent), url)),
    ]
    room.ready(folder)
    unit, amount = ("MB", size / 1e6) if size / len(facts) > 1e6 else ("files", float(len(facts)))
    notes = (f"{len(facts)} files, {size / 1e6:.0f} MB; others {at_once} at once, {_starts()}",)
    return measure.duel(title, sides, rounds=room.times(3), amount=amount, unit=unit, target=1.0, notes=notes)


def _read_back(room: Room, title: str, folder: Path, url: str, at_once: int) -> Result:
    facts, store = stores.facts_of(folder), stores.s3(url, BUCKET)
    _again(partial(stores.upload, folder, facts, store, identifier="read-back"))
    prefix = replica_prefix("read-back", 1).rstrip("/")
    sides = [
        Side("vankho", lambda: stores.read_back(facts, store, identifier="read-back"), proof=lambda _: "intact"),
        Side(
            "rclone check --download", partial(_rclone_check, folder, prefix, url, at_once), proof=lambda _: "intact"
        ),
    ]
    size = sum(fact.size for fact in facts) / 1e6
    unit, amount = ("MB", size) if size / len(facts) > 1 else ("files", float(len(facts)))
    return measure.duel(title, sides, rounds=room.times(3), amount=amount, unit=unit, target=1.0)


def _arrived(url: str, sent: dict[str, str], prefix: str, again: Callable[[], object]) -> str:
    """What the server gives under the prefix is what was sent.

    What was sent and is not there is sent once more, which nobody's time holds: `rclone serve s3` loses the entry of
    an object when two requests make its folder at once, and not every program looks.
    """
    client = _client(url)

    def is_whole(path: str) -> bool:
        try:
            body = client.get_object(Bucket=BUCKET, Key=f"{prefix}/{path}")["Body"].read()
        except client.exceptions.NoSuchKey:
            return False
        return hashlib.sha256(body).hexdigest() == sent[path]

    def those(paths: Iterable[str]) -> list[str]:
        asked = list(paths)
        with ThreadPoolExecutor(4) as pool:
            return [path for path, whole in zip(asked, pool.map(is_whole, asked), strict=True) if not whole]

    lost = those(sent)
    if lost:
        print(f"  {prefix}: {len(lost)} of {len(sent)} files were sent and are not there; sent again")
        again()
    if lost and (still := those(sent)):
        raise Disagreement(f"{prefix}: {len(sent)} files were sent twice, {len(still)} did not arrive whole")
    return "sent"


def _again(work: Callable[[], object], times: int = 5) -> object:
    """As the flows do: a busy store is asked again. `rclone serve s3` fails when it makes a folder twice at once."""
    for _ in range(times - 1):
        with suppress(StorageUnavailable):
            return work()
    return work()


def _starts() -> str:
    """What of the others' time is the start of their commands, which ours has not."""
    asked = {"rclone": "--version", "s5cmd": "version", "aws": "--version"}
    took = {
        name: min(measure.timed(partial(measure.run, [peers.tool(name), word]))[0] for _ in range(2))
        for name, word in asked.items()
    }
    return "their start (in their time, none in ours): " + ", ".join(f"{n} {s:.2f} s" for n, s in took.items())


def _rclone_copy(folder: Path, url: str, at_once: int, prefix: str) -> str:
    more = ["--transfers", at_once, "--checkers", at_once, "--s3-no-check-bucket"]
    return measure.run([peers.tool("rclone"), "copy", folder, f"at:{BUCKET}/{prefix}", *more], env=_remote(url))


def _rclone_check(folder: Path, prefix: str, url: str, at_once: int) -> str:
    words = [peers.tool("rclone"), "check", "--download", folder, f"at:{BUCKET}/{prefix}", "--checkers", at_once]
    return measure.run(words, env=_remote(url))


def _remote(url: str) -> dict[str, str]:
    told = {"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": url, "ACCESS_KEY_ID": KEY, "SECRET_ACCESS_KEY": SECRET}
    return {f"RCLONE_CONFIG_AT_{name}": value for name, value in told.items()}


def _s5cmd(folder: Path, url: str, at_once: int, prefix: str) -> str:
    words = [peers.tool("s5cmd"), "--endpoint-url", url, "--numworkers", at_once, "cp"]
    return measure.run([*words, f"{folder}/", f"s3://{BUCKET}/{prefix}/"], env=KEYS)


def _aws(folder: Path, url: str, prefix: str) -> str:
    words = [peers.tool("aws"), "--endpoint-url", url, "s3", "sync", "--only-show-errors"]
    return measure.run([*words, folder, f"s3://{BUCKET}/{prefix}"], env=KEYS)


def _boto3(folder: Path, paths: list[str], url: str, prefix: str) -> None:
    client = _client(url)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda path: client.upload_file(str(folder / path), BUCKET, f"{prefix}/{path}"), paths))


def _client(url: str) -> Any:  # noqa: ANN401 - boto3 makes its classes as it runs
    config = Config(
        max_pool_connections=16, s3={"addressing_style": "path"}, response_checksum_validation="when_required"
    )
    return boto3.client("s3", endpoint_url=url, config=config)


@contextmanager
def _sink() -> Iterator[str]:
    server = subprocess.Popen([sys.executable, "-m", "bench.sink"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait()


def _masters(room: Room) -> Path:
    return some(room, "L", FEW if room.quick else MASTERS)


def small(room: Room) -> Path:
    return some(room, "M", SMALL // 10 if room.quick else SMALL)


def some(room: Room, name: str, count: int) -> Path:
    """The first files of a set in one folder."""
    files = sorted(file for package in room.set(name).packages for file in package.rglob("*") if file.is_file())
    place = room.fresh(f"to-send-{name}")
    for number, file in enumerate(files[:count]):
        (place / f"{number:05}{file.suffix}").write_bytes(file.read_bytes())
    return place

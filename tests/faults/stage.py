"""Where the scenarios play: a real S3 server behind the fault proxy, and for each run a workspace and buckets of its own."""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

import flows.ledger
import flows.steps
import flows.storing.opened_stores
from flows.workspace import Workspace
from preservation.formats.identify import Identifier
from storage_adapters.opening import open_store
from storage_adapters.settings import S3Settings
from storage_adapters.store import Capabilities
from tests.faults.kinds import strike
from tests.flows.houses import House
from tests.servers import ministack as ministack_server
from tests.servers.fault_proxy import FaultProxy, Rule, fault_proxy

PART = 64 << 10  # so that a file of 150 KB goes in three parts; the smallest that settings allow is 8 MiB
PATIENT = 30.0  # read timeout while there are no faults


@dataclass(frozen=True, slots=True)
class Scenario:
    """A flow, the faults while it runs, and how it may end: `well`, `failed`, or `either`; with which codes."""

    name: str
    flow: str
    rules: tuple[Rule, ...]
    ends: str = "either"
    codes: frozenset[str] = frozenset()
    probed: bool = True  # whether the stores were probed before the faults begin
    family: str = ""


@dataclass
class Ground:
    """What all runs share: the server, the proxy, a package, and an empty workspace to copy."""

    folder: Path
    settings: S3Settings
    proxy: FaultProxy
    identifier: Identifier
    direct: Any
    source: Path
    template: Path
    capabilities: Capabilities
    read_timeout: float = PATIENT
    part_size: int = PART
    numbers: Iterator[int] = field(default_factory=itertools.count)
    texts: list[Any] = field(default_factory=list)  # of the policies, which stay as they are


@contextmanager
def ground(folder: Path, settings: S3Settings, *, part_size: int = PART) -> Iterator[Ground]:
    """Everything that runs need, on a running server."""
    with fault_proxy(settings.endpoint_url or "", strike) as proxy, Identifier() as identifier:
        direct = boto3.client(
            "s3",
            endpoint_url=settings.endpoint_url,
            region_name=settings.region_name,
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=settings.secret_access_key,
        )
        store = open_store("b", settings)
        made = Ground(
            folder, settings, proxy, identifier, direct, folder / "package", folder / "template", store.capabilities()
        )
        made.part_size = part_size
        _package(made.source, large=part_size * 2 + part_size // 3)
        house = House(made.template, {}).settle()
        with house.open() as workspace:
            _ = workspace.catalog
        yield made


@contextmanager
def ministack_ground(folder: Path) -> Iterator[Ground]:
    """The same, with a server of its own."""
    program = ministack_server.program()
    if program is None:
        raise RuntimeError("MiniStack is not installed: make test makes .venv-ministack for it")
    (folder / "server").mkdir()
    with ministack_server.ministack(program, folder / "server") as settings, ground(folder, settings) as made:
        yield made


@contextmanager
def _hurried(made: Ground) -> Iterator[None]:
    """Small parts, short timeouts, and trying again at once. For one run: other tests of the process go as usual."""
    usual = (
        flows.storing.opened_stores.as_s3,
        flows.steps.RETRY_DELAYS,
        S3Settings.part_size_for,
        flows.ledger.policy_texts,
    )
    flows.storing.opened_stores.as_s3, flows.steps.RETRY_DELAYS = _small_parts(made, usual[0]), (0.01, 0.01)
    S3Settings.part_size_for = lambda self, size: self.part_size

    def policy_texts(workspace: Workspace) -> Any:
        made.texts[:] = made.texts or [usual[3](workspace)]  # reading them is a fifth of a run
        return made.texts[0]

    flows.ledger.policy_texts = policy_texts
    try:
        yield
    finally:
        (
            flows.storing.opened_stores.as_s3,
            flows.steps.RETRY_DELAYS,
            S3Settings.part_size_for,
            flows.ledger.policy_texts,
        ) = usual


def _package(folder: Path, *, large: int) -> None:
    (folder / "Quyển một").mkdir(parents=True)
    (folder / "Trang 0001.txt").write_text("Trăm năm trong cõi người ta", "utf-8")
    (folder / "Quyển một" / "Trang 0002.txt").write_text("Chữ tài chữ mệnh khéo là ghét nhau" * 40, "utf-8")
    (folder / "Quyển một" / "ảnh quét.bin").write_bytes(random.Random(7).randbytes(large))


def _small_parts(made: Ground, usual: Callable[[Any], S3Settings]) -> Callable[[Any], S3Settings]:
    def settings(given: Any) -> S3Settings:
        plain = usual(given)
        object.__setattr__(plain, "part_size", made.part_size)
        object.__setattr__(plain, "read_timeout", made.read_timeout)
        object.__setattr__(plain, "connect_timeout", 2.0)
        return plain

    return settings


@dataclass
class Play:
    """One run in a workspace and buckets of its own."""

    ground: Ground
    scenario: Scenario
    house: House
    buckets: dict[str, str]
    restored: Path

    def open(self) -> Any:
        return self.house.open()

    def bytes_of(self, store: str, prefix: str = "") -> dict[str, bytes]:
        """Every object of one store, past the proxy."""
        if store == "a":
            root = self.house.store_folder("a")
            files = (path for path in root.rglob("*") if path.is_file())
            found = {path.relative_to(root).as_posix(): path.read_bytes() for path in files}
            return {key: data for key, data in found.items() if key.startswith(prefix)}
        direct, bucket = self.ground.direct, self.buckets[store]
        pages = direct.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return {key: direct.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


@contextmanager
def stage(made: Ground, scenario: Scenario) -> Iterator[Play]:
    """A workspace and two buckets for one run."""
    number = next(made.numbers)
    folder = made.folder / f"run-{number}"
    shutil.copytree(made.template, folder / "house")
    buckets = {name: f"run-{number}-{name}" for name in "bc"}
    for bucket in buckets.values():
        made.direct.create_bucket(Bucket=bucket)
    cloud = {
        "kind": "s3",
        "endpoint_url": made.proxy.url,
        "access_key_id": made.settings.access_key_id,
        "secret_access_key": made.settings.secret_access_key,
    }
    stores = {
        "a": {"kind": "local", "path": "stores/a", "region": "site-a"},
        **{name: {**cloud, "bucket": bucket, "region": f"site-{name}"} for name, bucket in buckets.items()},
    }
    house = House(folder / "house", stores, identifier=made.identifier).settle()
    calm(made)
    if scenario.probed:
        with house.open() as workspace:
            for name in buckets:
                workspace.catalog.save_capabilities(name, made.capabilities, workspace.clock())
    try:
        with _hurried(made):
            yield Play(made, scenario, house, buckets, folder / "out")
    finally:
        calm(made)
        for bucket in buckets.values():
            with suppress(ClientError):  # a run that did not end may still be putting
                _empty(made.direct, bucket)
        shutil.rmtree(folder, ignore_errors=True)


def calm(made: Ground) -> None:
    """Faults off, and time enough."""
    made.proxy.script()
    made.read_timeout = PATIENT


def _empty(direct: Any, bucket: str) -> None:
    for page in direct.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", ()):
            direct.delete_object(Bucket=bucket, Key=entry["Key"])
    direct.delete_bucket(Bucket=bucket)

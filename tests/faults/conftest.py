"""One S3 server, one proxy and one identifier for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import cannot_run
from tests.faults.stage import Ground, ministack_ground
from tests.servers import ministack as ministack_server


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    if ministack_server.program() is None:
        cannot_run("MiniStack is not installed: make test makes .venv-ministack for it")
    with ministack_ground(tmp_path_factory.mktemp("faults")) as running:
        yield running

"""Arenas and a lab for the whole run: what takes long is prepared once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.lab import Lab, laboratory
from tests.crash.runner import Arena, arena
from tests.servers.postgres import Server, postgres  # noqa: F401 - a fixture


@pytest.fixture(scope="session")
def on_sqlite() -> Iterator[Arena]:
    with arena(None) as made:
        yield made


@pytest.fixture(scope="session")
def on_postgresql(postgres: Server) -> Iterator[Arena]:  # noqa: F811
    with arena(postgres) as made:
        yield made


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with laboratory(None) as made:
        yield made


@pytest.fixture(scope="session")
def lab_with_postgresql(postgres: Server) -> Iterator[Lab]:  # noqa: F811
    with laboratory(postgres) as made:
        yield made

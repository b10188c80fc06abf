"""A catalog for each test, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from preservation.catalog import Catalog, open_catalog
from tests.servers.postgres import postgres  # noqa: F401 - a fixture


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.live)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where an empty catalog can be opened."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/catalog.db"
        return
    server = request.getfixturevalue("postgres")
    with server.database() as name:
        yield server.address(name)


@pytest.fixture
def catalog(address: str, tmp_path: Path) -> Iterator[Catalog]:
    """An empty catalog."""
    with open_catalog(address, base=tmp_path) as opened:
        yield opened

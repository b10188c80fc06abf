"""Houses to work in, and one format identifier for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import flows.steps
from flows.workspace import Workspace
from preservation.formats.identify import Identifier
from tests.flows.houses import House, local_stores
from tests.flows.prefect_server import prefect  # noqa: F401 - a fixture
from tests.servers.postgres import postgres  # noqa: F401 - a fixture


@pytest.fixture(scope="session")
def identifier() -> Iterator[Identifier]:
    """Its workers take a second to start, so one serves all tests of this process."""
    with Identifier() as shared:
        yield shared


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again at once: what is tested is that it is tried again, not how long a person waits."""
    monkeypatch.setattr(flows.steps, "RETRY_DELAYS", (0.01, 0.01))


@pytest.fixture
def house(tmp_path: Path, identifier: Identifier) -> House:
    """Three stores in folders, catalog on SQLite."""
    return House(tmp_path / "house", local_stores(), identifier=identifier).settle()


@pytest.fixture
def workspace(house: House) -> Iterator[Workspace]:
    with house.open() as opened:
        yield opened


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.live)])
def any_house(request: pytest.FixtureRequest, tmp_path: Path, identifier: Identifier) -> Iterator[House]:
    """The same, with the catalog on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield House(tmp_path / "house", local_stores(), identifier=identifier).settle()
        return
    server = request.getfixturevalue("postgres")
    with server.database() as name:
        yield House(tmp_path / "house", local_stores(), server.address(name), identifier=identifier).settle()

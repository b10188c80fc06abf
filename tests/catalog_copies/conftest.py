"""Houses whose catalog gets lost: one that has lived, copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from preservation.formats.identify import Identifier
from tests.catalog_copies.losses import live
from tests.flows.conftest import _impatient, any_house, house, identifier  # noqa: F401 - fixtures
from tests.flows.houses import House, local_stores
from tests.servers.postgres import postgres  # noqa: F401 - a fixture


@pytest.fixture(scope="session")
def _lived(tmp_path_factory: pytest.TempPathFactory, identifier: Identifier) -> Path:  # noqa: F811 - the fixture
    """A house with a history, never opened again."""
    folder = tmp_path_factory.mktemp("lived")
    live(House(folder / "house", local_stores(), identifier=identifier).settle(), folder)
    return folder / "house"


@pytest.fixture
def lived(_lived: Path, tmp_path: Path, identifier: Identifier) -> House:  # noqa: F811 - the fixture
    """The same, to lose."""
    shutil.copytree(_lived, tmp_path / "lived")
    return House(tmp_path / "lived", local_stores(), identifier=identifier)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.live)])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Addresses at which no catalog stands yet."""
    if request.param == "sqlite":
        yield lambda: "sqlite:///catalog-2.db"
        return
    server = request.getfixturevalue("postgres")
    with server.database() as name:
        yield lambda: server.address(name)

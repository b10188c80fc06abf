"""A history for each test: made once, copied for each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.history import History, make
from tests.servers.postgres import postgres  # noqa: F401 - a fixture


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a history that nobody touches."""
    folder = tmp_path_factory.mktemp("history")
    make(folder, f"sqlite:///{folder}/catalog.db")
    return folder


@pytest.fixture
def history(made: Path, tmp_path: Path) -> History:
    """A history on SQLite."""
    folder = tmp_path / "history"
    shutil.copytree(made, folder)
    return History(folder, f"sqlite:///{folder}/catalog.db")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.live)])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    """A history on each of the two databases."""
    if request.param == "sqlite":
        yield request.getfixturevalue("history")
        return
    server = request.getfixturevalue("postgres")
    with server.database() as name:
        yield make(tmp_path / "history", server.address(name))

"""What the tests of the writer start from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from preservation.bags.plan import BagPlan
from preservation.packages.received import Received
from tests.bags.received_maker import a_plan, received_package


@pytest.fixture
def receive_files(tmp_path: Path) -> Callable[..., Received]:
    """Make a received package of the given payload."""

    def receive(*args: object, folder: Path = tmp_path / "staging" / "s-1", **kwargs: object) -> Received:
        return received_package(folder, *args, **kwargs)  # type: ignore[arg-type]

    return receive


@pytest.fixture
def plan_for() -> Callable[..., BagPlan]:
    """Make a plan for a received package."""
    return a_plan

"""The houses of the flows' tests, for damage."""

from __future__ import annotations

from tests.flows.conftest import any_house, house, identifier, workspace  # noqa: F401 - fixtures
from tests.servers.postgres import postgres  # noqa: F401 - a fixture

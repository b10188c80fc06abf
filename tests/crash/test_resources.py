"""Room, rights and files that change: one clear error, nothing half visible, and the next run goes on."""

from __future__ import annotations

import pytest

from tests.crash import at_once, resources
from tests.crash.lab import Lab

pytestmark = pytest.mark.xdist_group("crash")


@pytest.mark.parametrize("case", resources.CASES)
def test_what_gives_out(lab: Lab, case: str):
    assert resources.CASES[case](lab) is None


def test_twenty_at_once_make_one_aip(lab: Lab):
    assert at_once.CASES["sqlite"](lab) is None


@pytest.mark.live
def test_twenty_at_once_make_one_aip_on_postgresql(lab_with_postgresql: Lab):
    assert at_once.CASES["postgresql"](lab_with_postgresql) is None

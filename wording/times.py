"""The time as people here read it: dd/MM/yyyy HH:mm in Asia/Ho_Chi_Minh. What programs get is UTC."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


@cache
def here() -> ZoneInfo:
    """The time zone of those who read."""
    from zoneinfo import ZoneInfo  # late: most commands show no time, and every start would wait for it

    return ZoneInfo("Asia/Ho_Chi_Minh")


def moment(at: datetime) -> str:
    """To the minute."""
    return at.astimezone(here()).strftime("%d/%m/%Y %H:%M")


def to_the_second(at: datetime) -> str:
    """Where the order of things matters."""
    return at.astimezone(here()).strftime("%d/%m/%Y %H:%M:%S")

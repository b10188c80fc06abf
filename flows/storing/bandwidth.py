"""How fast bytes may go to a store and come from it, by the hours of the day that its settings name.

Outside those hours nothing is held back. The limit holds for all that this process does with the store.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time
from functools import partial
from zoneinfo import ZoneInfo

from flows.settings import BandwidthSettings
from storage_adapters.pacing import Line, Pace


def line_of(settings: BandwidthSettings | None, clock: Callable[[], datetime]) -> Line | None:
    """The paces for a store with these settings; None when nothing is ever held back."""
    if settings is None or (settings.upload is None and settings.download is None):
        return None
    return Line(
        upload=Pace(partial(rate_now, settings, settings.upload, clock)),
        download=Pace(partial(rate_now, settings, settings.download, clock)),
    )


def rate_now(settings: BandwidthSettings, rate: int | None, clock: Callable[[], datetime]) -> int | None:
    """The rate if its hours are now; None for no limit. Hours such as 22:00-06:00 go over midnight."""
    if rate is None or settings.hours is None:
        return rate
    now = clock().astimezone(ZoneInfo(settings.time_zone) if settings.time_zone else None).time()
    begin, end = (time.fromisoformat(each) for each in settings.hours.split("-"))
    within = begin <= now < end if begin < end else now >= begin or now < end
    return rate if within else None

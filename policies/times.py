"""Lengths of time, schedules and time zones as a policy writes them.

Intervals are exact lengths only: weeks, days, hours, minutes. Months and years are refused because their
length depends on where they begin, and an audit interval must mean the same on every day.
"""

from __future__ import annotations

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

_INTERVAL = re.compile(r"P(?!$)(?:(\d{1,4})W|(?:(\d{1,5})D)?(?:T(?!$)(?:(\d{1,5})H)?(?:(\d{1,5})M)?)?)", re.ASCII)
_CRON_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))  # minute, hour, day of month, month, day of week
_CRON_PART = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?", re.ASCII)


def parse_interval(text: str) -> timedelta:
    """`P90D`, `P2W`, `PT12H`, `P1DT6H` as a length of time (ISO 8601, without months, years and seconds).

    Raises ValueError for anything else.
    """
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise ValueError(text)
    weeks, days, hours, minutes = (int(group or 0) for group in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)


def has_months_or_years(text: str) -> bool:
    """Whether a refused interval is one in months or years (`P3M`, `P1Y`): the usual mistake."""
    return re.fullmatch(r"P\d+[YM].*", text.upper()) is not None


def wrong_cron_field(text: str) -> int | None:
    """Which field of a cron line of five fields is wrong, from 1; 0 when there are not five; None when none is.

    Numbers, `*`, lists, ranges and steps; no names and no extensions, so that every scheduler reads it alike.
    """
    fields = text.split(" ")
    if len(fields) != len(_CRON_LIMITS):
        return 0
    for number, (field, (low, high)) in enumerate(zip(fields, _CRON_LIMITS, strict=True), start=1):
        if not all(_cron_part_is_right(part, low=low, high=high) for part in field.split(",")):
            return number
    return None


def _cron_part_is_right(part: str, *, low: int, high: int) -> bool:
    match = _CRON_PART.fullmatch(part)
    if match is None:
        return False
    start, end, step = match.groups()
    if step is not None and (int(step) == 0 or (start is not None and end is None)):
        return False  # `5/10` means different things to different schedulers
    if start is None:
        return True
    return low <= int(start) <= int(end or start) <= high


def is_time_zone(name: str) -> bool:
    """Whether the time zone database knows this name."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return False
    return True

"""Lengths of time, schedules and time zones as a policy writes them.

Intervals are exact lengths only: weeks, days, hours, minutes. Months and years are refused because their
length depends on where they begin, and an audit interval must mean the same on every day.
"""

from __future__ import annotations

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

_INTERVAL = re.compile(r"P(?!$)(?:(\d{1,4})W|(?:(\d{1,5})D)?(?:T(?!$)(?:(\d{1,5})H)?(?:(\d{1,5})M)?)?)", re.ASCII)
_CRON_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
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


def wrong_cron_field(text: str) -> str | None:
    """The first wrong field of a cron line of five fields, in plain words; None when it is right.

    Numbers, `*`, lists, ranges and steps; no names and no extensions, so that every scheduler reads it alike.
    """
    fields = text.split()
    if len(fields) != len(_CRON_FIELDS):
        return "the number of fields"
    for field, (name, low, high) in zip(fields, _CRON_FIELDS, strict=True):
        if not all(_cron_part_is_right(part, low=low, high=high) for part in field.split(",")):
            return name
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
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        return False
    except KeyError:
        return False
    return True

"""Days, windows and runs as the clock on the wall of a schedule's time zone shows them.

Promises that a window over midnight is one window, that a day has 23, 24 or 25 hours where the zone says so, and
that all moments that come out are in UTC. The clock is not read here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from policies.model import Schedule, Window

DAY = timedelta(days=1)
Stretch = tuple[datetime, datetime]  # from, to


def zone_of(schedule: Schedule) -> ZoneInfo:
    """The time zone of a schedule that was checked."""
    return ZoneInfo(schedule.time_zone)


def local_day(now: datetime, zone: ZoneInfo) -> date:
    """The day that the calendar on the wall shows."""
    return now.astimezone(zone).date()


def day_begins(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of the day."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def openings(window: Window | None, *, since: datetime, until: datetime, zone: ZoneInfo) -> Iterator[Stretch]:
    """The stretches of time between the two moments in which audits may run; all of it without a window."""
    if window is None:
        if since < until:
            yield since, until
        return
    day = local_day(since, zone) - DAY  # that day's window may reach over midnight
    while day <= local_day(until, zone):
        last = day if window.start < window.end else day + DAY
        opens = datetime.combine(day, window.start, zone).astimezone(UTC)
        # An hour that comes twice when the clocks go back: the window ends with the second one.
        closes = datetime.combine(last, window.end.replace(fold=1), zone).astimezone(UTC)
        if max(opens, since) < min(closes, until):
            yield max(opens, since), min(closes, until)
        day += DAY


def closes_at(window: Window | None, now: datetime, zone: ZoneInfo) -> datetime | None:
    """When the window that is open now closes: None when it is shut, and a moment for ever ahead without a window."""
    if window is None:
        return datetime.max.replace(tzinfo=UTC)
    opened = next(openings(window, since=now, until=now + 2 * DAY, zone=zone), None)
    return opened[1] if opened is not None and opened[0] <= now else None


def opens_at(window: Window, now: datetime, zone: ZoneInfo) -> datetime:
    """When the window opens next; `now` when it is open. A clock that is put ahead may leave a window out."""
    stretches = openings(window, since=now, until=now + 8 * DAY, zone=zone)
    return next(stretches, (now + 8 * DAY, now))[0]


def runs(line: str | None, *, after: datetime, until: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """When the cron line starts a run: after the first moment, up to the second. None never does."""
    if line is None:
        return
    from cronsim import CronSim, CronSimError  # late: few commands look ahead

    try:
        for each in CronSim(line, after.astimezone(zone)):
            if each.astimezone(UTC) > until:
                return
            yield each.astimezone(UTC)
    except (CronSimError, StopIteration):  # the 30th of February
        return


def running(
    line: str | None, window: Window | None, *, since: datetime, until: datetime, zone: ZoneInfo
) -> dict[date, float]:
    """Seconds in which a run can read, by the local day on which it started; days without any are left out.

    A run goes on until it is done, until the window shuts, or until the next one starts.
    """
    starts = list(runs(line, after=since - timedelta(microseconds=1), until=until, zone=zone))
    seconds: dict[date, float] = {}
    for start, following in pairwise([*starts, until]):
        closes = closes_at(window, start, zone)
        if closes is not None:
            length = (min(closes, following) - start).total_seconds()
            day = local_day(start, zone)
            seconds[day] = seconds.get(day, 0.0) + length
    return seconds


def next_run(line: str | None, now: datetime, zone: ZoneInfo) -> datetime:
    """When the schedule runs next; a day from now when it never does, for then people run it."""
    return next(runs(line, after=now, until=now + 400 * DAY, zone=zone), now + DAY)

"""The rows of a generated catalog, and what every question about it must be answered, counted while they are made.

Every version has three replicas. Which are damaged, absent, unproved or overdue, and when each was last proved,
follows from its number alone; so two catalogs of one size and one moment are equal, in any database.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
STORES = ("primary", "second", "third")
DAY = 1440  # everything is counted in minutes before a moment, at noon in UTC
INTERVALS = {"bytes": (90 * DAY, 14 * DAY), "presence": (7 * DAY, 7 * DAY)}  # those of the built-in policy
NEVER = "9999-12-31T00:00:00.000000Z"
ONCE = "0001-01-01T00:00:00.000000Z"
SKEW = 5
FILES, OBJECTS = 40, 45
CHUNK = 5_000
COLUMNS = {
    "aips": "identifier producer_identifier collection",
    "versions": "id identifier version content_digest files bytes objects object_bytes policy admitted_at submission"
    " source title title_searchable staged",
    "replicas": "version_id store claimed_at",
    "evidence": "version_id store grade outcome at",
    "standings": "version_id policy digest word proved overdue_at valid_from valid_until",
    "dues": "version_id store grade due_at overdue_at proved_at",
    "wanting": "version_id store state grades proved since",
    "tallies": "kind policy store word day number items bytes",
}

_TIMES = [f"T{minute // 60:02}:{minute % 60:02}:00.000000Z" for minute in range(DAY)]
_NOON = 12 * 60
Row = tuple[object, ...]


@dataclass
class Expected:
    """The right answers at the moment `now`: counted from what was meant, not from the rows."""

    now: datetime = NOW
    versions: int = 0
    files: int = 0
    bytes: int = 0
    words: Counter[str] = field(default_factory=Counter)
    in_time: Counter[tuple[str, str]] = field(default_factory=Counter)
    overdue: Counter[tuple[str, str]] = field(default_factory=Counter)
    wanted: Counter[tuple[str, str]] = field(default_factory=Counter)
    due_today: Counter[tuple[str, str]] = field(default_factory=Counter)
    oldest: dict[tuple[str, str], int] = field(default_factory=dict)
    wanting: Counter[tuple[str, str]] = field(default_factory=Counter)
    absent_since: list[int] = field(default_factory=list)  # minutes ago; some thousands
    tallies: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    dates: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.now.hour, self.now.minute) != (12, 0):
            raise ValueError(f"not noon: {self.now}")
        days = range(-400, 1200)
        self.dates = {day: (self.now - timedelta(days=day)).strftime("%Y-%m-%d") for day in days}

    def moment(self, ago: int) -> str:
        """The moment so many minutes before `now`, as the catalog writes it."""
        days, minute = divmod(_NOON - ago, DAY)
        return self.dates[-days] + _TIMES[minute]

    def tally(self, key: tuple[str, ...], items: int, size: int) -> None:
        """One more under this key."""
        held = self.tallies.setdefault(key, [0, 0, 0])
        held[0] += 1
        held[1] += items
        held[2] += size


def chunks(count: int, *, digest: str, expected: Expected) -> Iterator[dict[str, list[Row]]]:
    """The rows of so many versions by table, some thousands at a time; at the end the tallies."""
    for first in range(1, count + 1, CHUNK):
        rows: dict[str, list[Row]] = {name: [] for name in COLUMNS if name != "tallies"}
        for number in range(first, min(first + CHUNK, count + 1)):
            _version(number, rows, digest, expected)
        yield rows
    expected.tallies["aips", "", "", "", ""] = [count, 0, 0]
    yield {"tallies": [(*key, *held) for key, held in expected.tallies.items()]}


def identifier(number: int) -> str:
    """The AIP's identifier; scattered, as real ones are."""
    return f"{_scattered(number):08x}-0000-4000-8000-{number:012x}"


def kind(number: int) -> str:
    """What is the matter with a version."""
    part = number % 1000
    if part < 2:
        return "damaged"
    if part < 10:
        return "under-replicated"
    if part < 15:
        return "unknown"
    return "overdue" if part < 40 else "safe"


def _scattered(number: int) -> int:
    return number * 2654435761 & 0xFFFFFFFF


def _version(number: int, rows: dict[str, list[Row]], digest: str, expected: Expected) -> None:
    name, word, mixed, moment = identifier(number), kind(number), _scattered(number), expected.moment
    size = 1_000_000 + mixed % 9_000_000
    admitted = 400 * DAY + mixed % (300 * DAY)
    rows["aips"].append((name, None, f"collection {number % 100}"))
    content = hashlib.sha256(name.encode()).hexdigest()
    counts = (FILES, size, OBJECTS, size + 5000)
    when = moment(admitted)
    rows["versions"].append(
        (number, name, 1, content, *counts, "default", when, name, "/mnt/usb", f"Sách {number}", None, None)
    )
    expected.versions += 1
    expected.files += FILES
    expected.bytes += size
    expected.words[word] += 1
    newest, first_late, proved = admitted, -(10**9), 3 - (word in ("damaged", "under-replicated", "unknown"))
    for place, store in enumerate(STORES):
        if word == "under-replicated" and place == 2:
            _wanting(number, store, "absent", proved, when, size, rows, expected)
            expected.absent_since.append(admitted)
            continue
        rows["replicas"].append((number, store, when))
        if word == "unknown" and place == 2:
            _wanting(number, store, "unproved", proved, when, size, rows, expected)
            ages: dict[str, int | None] = {"bytes": None, "presence": None}
        else:
            read = 110 * DAY if word == "overdue" and place == 1 else (mixed >> 3) * (place + 7) % (76 * DAY)
            seen = (mixed >> 5) * (place + 11) % (7 * DAY)
            if word == "damaged" and place == 2:
                rows["evidence"].append((number, store, "bytes", "damaged", moment(0)))
                _wanting(number, store, "damaged", proved, when, size, rows, expected)
                ages, newest = {"bytes": None, "presence": seen}, 0
            else:
                rows["evidence"].append((number, store, "bytes", "intact", moment(read)))
                ages = {"bytes": read, "presence": min(seen, read)}
            rows["evidence"].append((number, store, "presence", "intact", moment(seen)))
            newest = min(newest, seen, *(age for age in ages.values() if age is not None))
        for grade, age in ages.items():
            late = _due(number, store, grade, age, admitted, size, rows, expected)
            first_late = max(first_late, late)
    stands = "safe" if word == "overdue" else word
    rows["standings"].append(
        (number, "default", digest, stands, proved, moment(first_late), moment(newest + SKEW), NEVER)
    )
    expected.tally(("judged", "default", "", digest, ""), FILES, size)
    expected.tally(("standing", "default", digest, stands, moment(first_late)[:10]), FILES, size)


def _due(
    number: int,
    store: str,
    grade: str,
    age: int | None,
    admitted: int,
    size: int,
    rows: dict[str, list[Row]],
    e: Expected,
) -> int:
    """One row of dues; returns how long ago it became overdue (negative: it will)."""
    (interval, grace), moment = INTERVALS[grade], e.moment
    due = admitted if age is None else age - interval * 85 // 100
    late = admitted - grace if age is None else age - interval - grace
    proved_at = None if age is None else moment(age)
    rows["dues"].append((number, store, grade, moment(due), moment(late), proved_at))
    whole, place = (OBJECTS, size + 5000), ("default", store, grade)
    e.tally(("due", *place, moment(due)[:10]), *whole)
    e.tally(("unproved" if age is None else "proved-until", *place, moment(late)[:10]), *whole)
    if proved_at is not None:
        e.tally(("proved", *place, proved_at[:10]), *whole)
    here = (store, grade)
    e.wanted[here] += 1
    e.overdue[here] += late > 0
    e.in_time[here] += age is not None and late <= 0
    e.due_today[here] += due > -_NOON  # up to midnight
    e.oldest[here] = max(e.oldest.get(here, 0), age or 0)
    return late


def _wanting(
    number: int, store: str, state: str, proved: int, when: str, size: int, rows: dict[str, list[Row]], e: Expected
) -> None:
    rows["wanting"].append((number, store, state, "bytes,presence", proved, when))
    e.wanting[store, state] += 1
    e.tally(("wanting", "default", store, state, ""), OBJECTS, size + 5000)
    if state == "absent":
        for grade in INTERVALS:
            e.wanted[store, grade] += 1
            e.tally(("absent", "default", store, grade, ""), OBJECTS, size + 5000)

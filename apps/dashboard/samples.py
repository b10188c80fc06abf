"""Where each metric's samples come from: functions of the measures. What is not known has no sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, time

from flows.measures import Measures, shut_off
from flows.storing.lag import StoreLag
from policies.standing import Word
from preservation.catalog.audit_days import AuditDay
from preservation.catalog.counts import Count
from preservation.catalog.coverage import Coverage
from preservation.catalog.incidents import KINDS

Sample = tuple[tuple[str, ...], float]
Values = Callable[[Measures], Iterable[Sample]]
WORDS = ("well", "found", "usage", "failed", "interrupted", "broken-off", "running")


def one(value: Callable[[Measures], float | None]) -> Values:
    """One value for all, no sample when it is not known."""

    def values(seen: Measures) -> Iterator[Sample]:
        found = value(seen)
        if found is not None:
            yield (), found

    return values


def per_place(value: Callable[[Coverage], float | None]) -> Values:
    """By store and grade."""

    def values(seen: Measures) -> Iterator[Sample]:
        for each in seen.overview.summary.coverage:
            found = value(each)
            if found is not None:
                yield (each.store, each.grade.value), found

    return values


def per_standing(value: Callable[[Count], int]) -> Values:
    """By standing, 0 where there is none."""

    def values(seen: Measures) -> Iterator[Sample]:
        words = seen.overview.summary.words
        return (((word.value,), value(words.get(word.value, Count()))) for word in Word)

    return values


def late(seen: Measures) -> Iterator[Sample]:
    """Overdue copies by store, grade and reason."""
    for (store, grade), reasons in sorted(seen.overview.late.items()):
        yield from (((store, grade.value, why), count) for why, count in sorted(reasons.items()))


def per_store(value: Callable[[StoreLag], float | None]) -> Values:
    """By store."""

    def values(seen: Measures) -> Iterator[Sample]:
        for each in seen.lags:
            found = value(each)
            if found is not None:
                yield (each.store,), found

    return values


def lag_copies(seen: Measures) -> Iterator[Sample]:
    """By store and what is wrong."""
    for each in seen.lags:
        yield from (((each.store, state), getattr(each, state)) for state in ("absent", "unproved", "damaged"))


def stuck(seen: Measures) -> Iterator[Sample]:
    """By store and reason, where there is one."""
    return (((each.store, each.stuck), 1.0) for each in seen.lags if each.stuck is not None)


def away(seen: Measures) -> Iterator[Sample]:
    """By store: 1 while it cannot be used."""
    off = shut_off(seen)
    return (((store,), float(store in off)) for store in seen.stores)


def failures(seen: Measures) -> Iterator[Sample]:
    """By store: in a row."""
    return (
        ((store,), seen.circuits[store].failures if store in seen.circuits else 0) for store in sorted(seen.stores)
    )


def open_incidents(seen: Measures) -> Iterator[Sample]:
    """By kind and whether somebody has acknowledged it, 0 where there is none."""
    for kind in KINDS:
        for known in (False, True):
            yield (kind, "yes" if known else "no"), seen.overview.incidents.get((kind, known), 0)


def last_words(seen: Measures) -> Iterator[Sample]:
    """By flow and word: 1 for the one that holds."""
    for run in seen.runs:
        yield from (((run.flow, word), float((run.word or "running") == word)) for word in WORDS)


def missed(seen: Measures) -> Iterator[Sample]:
    """By policy: how long ago the audit should have begun."""
    for policy, at in sorted(seen.missed.items()):
        yield (policy,), 0.0 if at is None else max(0.0, (seen.at - at).total_seconds())


def per_audit(value: Callable[[AuditDay], float]) -> Values:
    """By store, grade and policy, of the last day on which one read."""

    def values(seen: Measures) -> Iterator[Sample]:
        return (((day.store, day.grade.value, day.policy), value(day)) for day in seen.audits)

    return values


def held_back(seen: Measures) -> Iterator[Sample]:
    """By store, grade, policy and why."""
    return (((day.store, day.grade.value, day.policy, day.held), day.waiting) for day in seen.audits if day.held)


def seconds(at: datetime | None) -> float | None:
    """As Prometheus tells time."""
    return None if at is None else at.timestamp()


def signatures(seen: Measures) -> float | None:
    """When they were made, if that is known."""
    return seconds(datetime.combine(seen.signatures, time(), UTC) if seen.signatures else None)
